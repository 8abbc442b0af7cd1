"""The world of the conformance suite over a simulated HubSpot portal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from quotey.contract.dto import QuoteMarker
from quotey.contract.fields import Entity
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.testing.names import Simulated
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.simulators.hubspot import HubSpotCore
from quotey.testing.simulators.hubspot.store import Record
from quotey.testing.simulators.rig import Source
from quotey.testing.world import Fault
from quotey.testing.worlds.behind_gateway import AMPLE, GatewayWorld, OpenOnGateway
from quotey.testing.worlds.wire_words import wired

PLURAL = {Entity.ACCOUNT: "companies", Entity.CONTACT: "contacts", Entity.DEAL: "deals"}
PRIMARY = {Entity.DEAL: 5, Entity.CONTACT: 1}
"""Association types that make a company the primary one (crm-semantics 1H)."""

OWN = """
provider = "hubspot"
[account.fields.segment]
path = "properties.quotey_segment"
direction = "both"
transform = { kind = "none" }
"""
"""What is laid over the shipped mapping: a portal with a segment of its own."""

# What goes wrong at the vendor while it carries an operation out; other calls break at the gateway.
AT_VENDOR = {
    "get_deal": "hubspot GET */objects/deals/*",
    "create_deal": "hubspot POST */objects/deals*",
    "update_deal": "hubspot PATCH */objects/deals/*",
    "update_account": "hubspot PATCH */objects/companies/*",
    "write_quote": "hubspot PATCH */objects/deals/*",
}
REFUSED = (
    "Property values were not valid: "
    '[{"isValid":false,"message":"no","error":"INVALID_OPTION","name":"%s"}]'
)


class HubSpotWorld(GatewayWorld):
    """`quotey.testing.world.World` over a portal."""

    provider: Simulated = "hubspot"
    described = "a simulated portal behind the simulated gateway, over HTTP"
    own_mapping = OWN

    def __init__(
        self,
        mapping: CrmMapping,
        open_adapter: OpenOnGateway,
        *,
        source: Source | None = None,
        **settings: object,
    ) -> None:
        mine = {"searches_per_second": AMPLE, "gone_every_hours": 0}
        super().__init__(mapping, open_adapter, source=source, **{**mine, **settings})
        assert isinstance(self.rig.vendor, HubSpotCore)
        self.core = self.rig.vendor
        self.core.gate.enforced = False

    def add(
        self, entity: Entity, values: Mapping[str, str | None], *, at: datetime | None = None
    ) -> str:
        """Make a record, linked to its company by a primary association."""
        properties = self._wire(entity, {k: v for k, v in values.items() if k != "account_id"})
        made = self.core.create(PLURAL[entity], {k: v for k, v in properties.items() if v})
        company = values.get("account_id")
        if company:
            self.core.link(made, self._record(Entity.ACCOUNT, company), PRIMARY[entity])
        self.passing(time=at is None)
        return str(made.record_id)

    def edit(self, entity: Entity, ref: str, values: Mapping[str, str | None]) -> None:
        """Change a record; a portal knows no null, so null is blank."""
        self.core.edit(PLURAL[entity], int(ref), self._wire(entity, values))
        self.passing()

    def take_away(self, entity: Entity, ref: str, field: str) -> None:
        """Clear a property: a portal's nearest thing to absent."""
        self.edit(entity, ref, {field: None})

    def delete(self, entity: Entity, ref: str) -> None:
        """Archive a record."""
        with self.core.guard:
            self.core.portal.archive(self._record(entity, ref))
        self.passing()

    def merge(self, entity: Entity, loser: str, winner: str) -> str:
        """Merge two records; both end under a third id (crm-semantics 1H "Merge")."""
        survivor = self.core.merge(PLURAL[entity], int(winner), int(loser))
        self.passing()
        return str(survivor.record_id)

    def write_marker(self, deal: str, marker: QuoteMarker) -> None:
        """Write a marker, as another desk would."""
        quote = self.mapping.entities[Entity.QUOTE]
        names = {field.name: field.path for field in quote.fields}
        values = {
            names["id"]: marker.quote_id,
            names["version"]: str(marker.version),
            quote.settings["marker_instance"]: marker.instance_id,
            quote.settings["marker_digest"]: marker.payload_digest,
        }
        self._set(deal, values)

    def scribble(self, deal: str) -> None:
        """Write a version that is none."""
        version = self.mapping.entities[Entity.QUOTE].field("version")
        assert version is not None, "a quote's version is mapped"
        self._set(deal, {version.path: "the second one"})

    def effects(self, entity: Entity, ref: str) -> int:
        """Count the changes of a record; a quote has none of its own here."""
        mine = (PLURAL.get(entity), ref)
        return sum((one.record_type, one.record_id) == mine for one in self.core.effects)

    def fail(
        self,
        fault: Fault,
        *,
        operation: str = "*",
        times: int = 1,
        after: int = 0,
        retry_after: float | None = None,
    ) -> None:
        """Let the next calls of an operation go wrong, at the vendor where it can be."""
        told = None if retry_after is None else str(int(retry_after))
        switch = {
            Fault.TIMEOUT_BEFORE: Switch("timeout", effect=False),
            Fault.TIMEOUT_AFTER: Switch("timeout", effect=True),
            Fault.SERVER_ERROR: Switch("server_error", status=500),
            Fault.RATE_LIMITED: Switch("rate_limited", policy="OTHER", retry_after=told),
            Fault.AUTH: Switch("account_expired"),
            Fault.MAPPING_ERROR: Switch(
                "status",
                status=400,
                policy="VALIDATION_ERROR",
                code=REFUSED % self.complained_of(operation),
            ),
        }[fault]
        where = None if fault is Fault.AUTH else AT_VENDOR.get(operation)
        core = self.core if where else self.gateway
        self.strike(core, where or "*", switch, times, after)

    def _record(self, entity: Entity, ref: str) -> Record:
        return self.core.portal.records[PLURAL[entity]][int(ref)]

    def _set(self, deal: str, values: Mapping[str, str]) -> None:
        plain = {path.removeprefix("properties."): value for path, value in values.items()}
        self.core.edit("deals", int(deal), plain)
        self.passing()

    def _wire(self, entity: Entity, values: Mapping[str, str | None]) -> dict[str, str]:
        return {
            field.path.removeprefix("properties."): "" if value is None else str(value)
            for field, value in wired(self.mapping, entity, values)
        }
