"""The world of the conformance suite over a simulated HubSpot portal behind a simulated gateway."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, cast

import msgspec

from quotey.adapters.composio import PROVIDERS, HubSpotSettings
from quotey.adapters.composio.hubspot import open_adapter
from quotey.contract.adapter import CrmAdapter
from quotey.contract.dto import QuoteMarker
from quotey.contract.fields import Entity
from quotey.contract.mapper import wire_value
from quotey.contract.mapping import Join
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.values import typed
from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.composio import Upstream
from quotey.testing.simulators.composio.settings import ComposioSettings as GatewaySettings
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.simulators.hubspot import (
    HubSpotCore,
    Pipeline,
    Property,
    Stage,
)
from quotey.testing.simulators.hubspot import (
    HubSpotSettings as PortalSettings,
)
from quotey.testing.simulators.hubspot.store import Record
from quotey.testing.world import Fault
from tests.composio.worlds import HOUR, SHOWN, GatewayWorld, LaterAdapter

PLURAL = {Entity.ACCOUNT: "companies", Entity.CONTACT: "contacts", Entity.DEAL: "deals"}
PRIMARY = {Entity.DEAL: 5, Entity.CONTACT: 1}

OWN = """
provider = "hubspot"
[account.fields.segment]
path = "properties.quotey_segment"
direction = "both"
transform = { kind = "none" }
"""

STAGES = (Stage("proposal", "Proposal", "0.5"), Stage("won", "Won", "1.0", is_closed=True))
QUOTE_PROPERTIES = {
    "quotey_version": "number",
    "quotey_status": "string",
    "quotey_total": "number",
    "quotey_currency": "string",
    "quotey_valid_until": "date",
    "quotey_attachment_ref": "string",
    "quotey_instance_id": "string",
    "quotey_payload_digest": "string",
}

# What goes wrong at the provider while it carries out an operation; reads break at the gateway.
AT_PROVIDER = {
    "get_deal": "hubspot GET */objects/deals/*",
    "create_deal": "hubspot POST */objects/deals*",
    "update_deal": "hubspot PATCH */objects/deals/*",
    "update_account": "hubspot PATCH */objects/companies/*",
    "write_quote": "hubspot PATCH */objects/deals/*",
}
REFUSED = (
    'Property values were not valid: [{"isValid":false,"message":"no","error":"INVALID_OPTION",'
    '"name":"amount"}]'
)


def shipped(own: str = OWN) -> CrmMapping:
    """Give the shipped mapping with ours laid over it."""
    provider = next(one for one in PROVIDERS if one.name == "hubspot")
    mapping = parse_mapping(provider.shipped_mapping(), name="hubspot.toml")
    return parse_mapping(own, name="own.toml", over=mapping) if own else mapping


def portal_of(clock: VirtualClock, settings: PortalSettings, seed: int = 7) -> HubSpotCore:
    """Make a portal with the properties that Quotey needs and a pipeline of the suite's stages."""
    core = HubSpotCore(clock, seed, settings)
    core.gate.enforced = False
    pipeline = core.portal.pipelines["deals"][0]
    core.portal.pipelines["deals"][0] = Pipeline(
        pipeline.pipeline_id, pipeline.label, (*pipeline.stages, *STAGES)
    )
    for name, kind in QUOTE_PROPERTIES.items():
        core.define("deals", Property(name, kind, hubspot_defined=False))
    for name in ("quotey_quote_id", "quotey_deal_key"):
        core.define("deals", Property(name, "string", unique=True, hubspot_defined=False))
    for kind in ("deals", "companies"):
        core.define(kind, Property("quotey_operation", "string", hubspot_defined=False))
    core.define("companies", Property("quotey_segment", "string", hubspot_defined=False))
    return core


class HubSpotWorld(GatewayWorld):
    """`quotey.testing.world.World` over a portal. After each change an hour goes by.

    So the search index has caught up, and nothing stands in the overlap of the next window.
    """

    def __init__(
        self,
        *,
        transport: Literal["proxy", "tools"] = "proxy",
        portal: PortalSettings | None = None,
        gateway: GatewaySettings | None = None,
        **settings: object,
    ) -> None:
        # A tool's answer has no headers, so it cannot tell how long to wait (composio.md 1.3).
        self.faults = SHOWN if transport == "proxy" else SHOWN - {Fault.RATE_LIMITED}
        clock = VirtualClock()
        self.core = portal_of(clock, portal or PortalSettings(merge_makes_new_id=False))
        upstream = Upstream(self.core, "https://api.hubapi.com", self.core.issue_token)
        super().__init__(self.core, clock, upstream, gateway)
        own = {"transport": transport, "searches_per_second": 1_000_000, "gone_every_hours": 0}
        self.settings = msgspec.convert({**self.common(), **own, **settings}, HubSpotSettings)
        self.mapping = shipped()
        self.adapter: CrmAdapter = self.reopen()

    def reopen(self) -> CrmAdapter:
        adapter = open_adapter(self.settings, self.mapping, self.connection)
        self._open.callback(adapter.close)
        return cast("CrmAdapter", LaterAdapter(adapter, self.clock))

    def record(self, entity: Entity, ref: str) -> Record:
        return self.core.portal.records[PLURAL[entity]][int(ref)]

    def add(
        self, entity: Entity, values: Mapping[str, str | None], *, at: datetime | None = None
    ) -> str:
        company = values.get("account_id")
        properties = self._wire(entity, {k: v for k, v in values.items() if k != "account_id"})
        made = self.core.create(PLURAL[entity], {k: v for k, v in properties.items() if v})
        if company:
            self.core.link(made, self.record(Entity.ACCOUNT, company), PRIMARY[entity])
        self._pass(at)
        return str(made.record_id)

    def edit(self, entity: Entity, ref: str, values: Mapping[str, str | None]) -> None:
        self.core.edit(PLURAL[entity], int(ref), self._wire(entity, values))
        self._pass()

    def take_away(self, entity: Entity, ref: str, field: str) -> None:
        self.edit(entity, ref, {field: None})

    def delete(self, entity: Entity, ref: str) -> None:
        with self.core.guard:
            self.core.portal.archive(self.record(entity, ref))
        self._pass()

    def merge(self, entity: Entity, loser: str, winner: str) -> None:
        self.core.merge(PLURAL[entity], int(winner), int(loser))
        self._pass()

    def write_marker(self, deal: str, marker: QuoteMarker) -> None:
        values = {
            "quotey_quote_id": marker.quote_id,
            "quotey_version": str(marker.version),
            "quotey_instance_id": marker.instance_id,
            "quotey_payload_digest": marker.payload_digest,
        }
        self.core.edit("deals", int(deal), values)
        self._pass()

    def scribble(self, deal: str) -> None:
        self.core.edit("deals", int(deal), {"quotey_version": "the second one"})
        self._pass()

    def effects(self, entity: Entity, ref: str) -> int:
        if entity is Entity.QUOTE:
            return 0
        mine = (PLURAL[entity], ref)
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
        at_provider = AT_PROVIDER.get(operation)
        told = None if retry_after is None else str(int(retry_after))
        switch = {
            Fault.TIMEOUT_BEFORE: Switch("timeout", effect=False),
            Fault.TIMEOUT_AFTER: Switch("timeout", effect=True),
            Fault.SERVER_ERROR: Switch("server_error", status=500),
            Fault.RATE_LIMITED: Switch("rate_limited", policy="OTHER", retry_after=told),
            Fault.AUTH: Switch("account_expired"),
            Fault.MAPPING_ERROR: Switch(
                "status", status=400, policy="VALIDATION_ERROR", code=REFUSED
            ),
        }[fault]
        core = self.gateway if fault is Fault.AUTH or at_provider is None else self.core
        where = "*" if core is self.gateway else at_provider or "*"
        self.strike(core, where, switch, times, after)

    def _pass(self, at: datetime | None = None) -> None:
        if at is None:
            self.clock.advance(HOUR)

    def _wire(self, entity: Entity, values: Mapping[str, str | None]) -> dict[str, str]:
        """Turn canonical text into the portal's own words, by the mapping."""
        wired: dict[str, str] = {}
        for name, text in values.items():
            field = self.mapping.entities[entity].field(name)
            assert field is not None
            plain = not text or isinstance(field.transform, Join) or name == "domain"
            value = text if plain else wire_value(field, typed(text, field.type))
            wired[field.path.removeprefix("properties.")] = "" if value is None else str(value)
        return wired
