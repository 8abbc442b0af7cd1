"""The world of the conformance suite over a simulated Salesforce org."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from quotey.contract.dto import QuoteMarker
from quotey.contract.fields import Entity
from quotey.contract.mapping import Join
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.testing.names import Simulated
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.simulators.rig import Source
from quotey.testing.simulators.salesforce import SalesforceCore
from quotey.testing.simulators.salesforce.schema import MERGEABLE
from quotey.testing.world import Fault, NotOfferedError
from quotey.testing.worlds.behind_gateway import SHOWN, GatewayWorld, OpenOnGateway
from quotey.testing.worlds.wire_words import wired

OBJECT = {Entity.ACCOUNT: "Account", Entity.CONTACT: "Contact", Entity.DEAL: "Opportunity"}
CLOSES = "2026-06-30"
"""The close date of a deal that is made without one; an org wants it (crm-semantics 1S)."""

OWN = """
provider = "salesforce"
[account.fields.segment]
path = "Quotey_Segment__c"
direction = "both"
transform = { kind = "none" }
"""
"""What is laid over the shipped mapping: an org with a segment of its own."""

HIDDEN = "No such column '%s' on sobject of type %s"
AT_VENDOR = {
    "get_deal": "salesforce GET *",
    "create_deal": "salesforce PATCH */sobjects/Opportunity/*__c/*",
    "update_deal": "salesforce PATCH */sobjects/Opportunity/*",
    "update_account": "salesforce PATCH */sobjects/Account/*",
    "write_quote": "salesforce PATCH */sobjects/Opportunity/*",
}


class SalesforceWorld(GatewayWorld):
    """`quotey.testing.world.World` over an org."""

    provider: Simulated = "salesforce"
    described = "a simulated org behind the simulated gateway, over HTTP"
    own_mapping = OWN
    faults = SHOWN

    def __init__(
        self,
        mapping: CrmMapping,
        open_adapter: OpenOnGateway,
        *,
        source: Source | None = None,
        **settings: object,
    ) -> None:
        mine = {"gone_every_hours": 8760}
        super().__init__(mapping, open_adapter, source=source, **{**mine, **settings})
        assert isinstance(self.rig.vendor, SalesforceCore)
        self.core = self.rig.vendor

    def add(
        self, entity: Entity, values: Mapping[str, str | None], *, at: datetime | None = None
    ) -> str:
        """Make a record."""
        fields = {name: value for name, value in self._wire(entity, values).items() if value}
        if entity is Entity.DEAL:
            fields.setdefault("CloseDate", CLOSES)
        made = self.core.create(OBJECT[entity], fields)
        self.passing(time=at is None)
        return made.row_id

    def edit(self, entity: Entity, ref: str, values: Mapping[str, str | None]) -> None:
        """Change a record; what the rules demand is cleared past them, as automation does."""
        fields = self._wire(entity, values)
        if None in fields.values():
            plain = {n: v if isinstance(v, str | Decimal) else None for n, v in fields.items()}
            self.core.automate(ref, plain)
        else:
            self.core.edit(ref, fields)
        self.passing()

    def take_away(self, entity: Entity, ref: str, field: str) -> None:
        """Clear a field: an org's nearest thing to absent."""
        self.edit(entity, ref, {field: None})

    def delete(self, entity: Entity, ref: str) -> None:  # noqa: ARG002 - an id names its object
        """Delete a record into the bin."""
        self.core.delete(ref)
        self.passing()

    def merge(self, entity: Entity, loser: str, winner: str) -> str:
        """Merge two records. Raises NotOfferedError for deals (crm-semantics 1S)."""
        if OBJECT[entity] not in MERGEABLE:
            raise NotOfferedError(f"this CRM merges no {entity}s")
        self.core.merge(winner, loser)
        self.passing()
        return winner

    def write_marker(self, deal: str, marker: QuoteMarker) -> None:
        """Write a marker, as another desk would."""
        quote = self.mapping.entities[Entity.QUOTE]
        names = {field.name: field.path for field in quote.fields}
        self._set(
            deal,
            {
                names["id"]: marker.quote_id,
                names["version"]: marker.version,
                quote.settings["marker_instance"]: marker.instance_id,
                quote.settings["marker_digest"]: marker.payload_digest,
            },
        )

    def scribble(self, deal: str) -> None:
        """Write an instance without a version."""
        settings = self.mapping.entities[Entity.QUOTE].settings
        self._set(deal, {settings["marker_instance"]: "by hand"})

    def effects(self, entity: Entity, ref: str) -> int:
        """Count the changes of a record; a quote has none of its own here."""
        mine = (OBJECT.get(entity), ref)
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
        """Let the next calls of an operation go wrong, at the vendor where it can be.

        An org never says how long to wait (crm-semantics 4S); the gateway may.
        """
        told = None if retry_after is None else str(int(retry_after))
        sobject = OBJECT[Entity.ACCOUNT if operation == "update_account" else Entity.DEAL]
        switch = {
            Fault.TIMEOUT_BEFORE: Switch("timeout", effect=False),
            Fault.TIMEOUT_AFTER: Switch("timeout", effect=True),
            Fault.SERVER_ERROR: Switch("server_error", status=500, code="UNKNOWN_EXCEPTION"),
            Fault.RATE_LIMITED: Switch("rate_limited", policy="Other", retry_after=told),
            Fault.AUTH: Switch("account_expired"),
            Fault.MAPPING_ERROR: Switch(
                "status",
                status=400,
                code="INVALID_FIELD",
                policy=HIDDEN % (self.complained_of(operation), sobject),
            ),
        }[fault]
        by_gateway = fault is Fault.AUTH or told is not None
        where = None if by_gateway else AT_VENDOR.get(operation)
        core = self.core if where else self.gateway
        self.strike(core, where or "*", switch, times, after)

    def _set(self, deal: str, values: Mapping[str, object]) -> None:
        self.core.edit(deal, values)
        self.passing()

    def _wire(self, entity: Entity, values: Mapping[str, str | None]) -> dict[str, object]:
        """Give the org's own words; a joined name goes whole into the field that is needed."""
        words: dict[str, object] = {}
        for field, value in wired(self.mapping, entity, values):
            joined = isinstance(field.transform, Join)
            path = field.transform.paths[-1] if isinstance(field.transform, Join) else field.path
            words[path] = (str(value) if joined and value else value) or None
        return words
