"""The world of the conformance suite over a simulated Salesforce org behind a simulated gateway."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal, cast

import msgspec

from quotey.adapters.composio import PROVIDERS, SalesforceSettings
from quotey.adapters.composio.salesforce import SalesforceAdapter, open_adapter
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
from quotey.testing.simulators.core import Core
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.simulators.salesforce import Field, SalesforceCore
from quotey.testing.simulators.salesforce import SalesforceSettings as OrgSettings
from quotey.testing.world import Fault
from tests.composio.meddling import Act, Meddling
from tests.composio.salesforce_metadata import deploy
from tests.composio.worlds import HOUR, SHOWN, GatewayWorld, LaterAdapter

SITE = "https://acme.my.salesforce.com"
OBJECT = {Entity.ACCOUNT: "Account", Entity.CONTACT: "Contact", Entity.DEAL: "Opportunity"}
HIDDEN = "No such column 'Amount' on sobject of type Opportunity"
ORG = OrgSettings(currencies=("USD", "EUR"), restricted_stages=False)

OWN = """
provider = "salesforce"
[account.fields.segment]
path = "Quotey_Segment__c"
direction = "both"
transform = { kind = "none" }
"""

AT_PROVIDER = {
    "get_deal": "salesforce GET */queryAll*",
    "create_deal": "salesforce PATCH */sobjects/Opportunity/Quotey_Deal_Key__c/*",
    "update_deal": "salesforce PATCH */sobjects/Opportunity/*",
    "update_account": "salesforce PATCH */sobjects/Account/*",
    "write_quote": "salesforce PATCH */sobjects/Opportunity/*",
}


def shipped(own: str = OWN) -> CrmMapping:
    """Give the shipped mapping with ours laid over it."""
    provider = next(one for one in PROVIDERS if one.name == "salesforce")
    mapping = parse_mapping(provider.shipped_mapping(), name="salesforce.toml")
    return parse_mapping(own, name="own.toml", over=mapping) if own else mapping


def org_of(
    clock: VirtualClock, settings: OrgSettings, seed: int = 7, *, rules: bool = True
) -> SalesforceCore:
    """Make an org with the shipped metadata deployed, and a segment of its own."""
    core = SalesforceCore(clock, seed, settings)
    deploy(core, rules=rules)
    core.define("Account", Field("Quotey_Segment__c"))
    return core


class SalesforceWorld(GatewayWorld):
    """`quotey.testing.world.World` over an org. After each change an hour goes by."""

    def __init__(
        self,
        *,
        transport: Literal["proxy", "tools"] = "proxy",
        org: OrgSettings = ORG,
        gateway: GatewaySettings | None = None,
        own: str = OWN,
        rules: bool = True,
        **settings: object,
    ) -> None:
        self.faults = SHOWN
        clock = VirtualClock()
        self.core = org_of(clock, org, rules=rules)
        upstream = Upstream(self.core, SITE, self.core.issue_token, token_seconds=7000)
        super().__init__(self.core, clock, upstream, gateway)
        mine = {
            "instance_url": SITE,
            "transport": transport,
            "guard_rules": True,
            "gone_every_hours": 8760,
            "default_close_days": 30,
        }
        self.settings = msgspec.convert({**self.common(), **mine, **settings}, SalesforceSettings)
        self.mapping = shipped(own)
        self.adapter: CrmAdapter = self.reopen()

    def reopen(self) -> CrmAdapter:
        adapter = open_adapter(self.settings, self.mapping, self.connection)
        self._open.callback(adapter.close)
        return cast("CrmAdapter", LaterAdapter(adapter, self.clock))

    def add(
        self, entity: Entity, values: Mapping[str, str | None], *, at: datetime | None = None
    ) -> str:
        fields = {name: value for name, value in self._wire(entity, values).items() if value}
        if entity is Entity.DEAL:
            fields.setdefault("CloseDate", "2026-06-30")
        made = self.core.create(OBJECT[entity], fields)
        self._pass(at)
        return made.row_id

    def edit(self, entity: Entity, ref: str, values: Mapping[str, str | None]) -> None:
        fields = self._wire(entity, values)
        if None in fields.values():
            # Past the rules for required fields, as automation does.
            plain = {n: v if isinstance(v, str | Decimal) else None for n, v in fields.items()}
            self.core.automate(ref, plain)
        else:
            self.core.edit(ref, fields)
        self._pass()

    def take_away(self, entity: Entity, ref: str, field: str) -> None:
        self.edit(entity, ref, {field: None})

    def delete(self, entity: Entity, ref: str) -> None:
        self.core.delete(ref)
        self._pass()

    def merge(self, entity: Entity, loser: str, winner: str) -> None:
        self.core.merge(winner, loser)
        self._pass()

    def write_marker(self, deal: str, marker: QuoteMarker) -> None:
        self.core.edit(
            deal,
            {
                "Quotey_Quote_Id__c": marker.quote_id,
                "Quotey_Version__c": marker.version,
                "Quotey_Instance_Id__c": marker.instance_id,
                "Quotey_Payload_Digest__c": marker.payload_digest,
            },
        )
        self._pass()

    def scribble(self, deal: str) -> None:
        self.core.edit(deal, {"Quotey_Instance_Id__c": "by hand"})
        self._pass()

    def effects(self, entity: Entity, ref: str) -> int:
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
        at_provider = AT_PROVIDER.get(operation)
        switch = {
            Fault.TIMEOUT_BEFORE: Switch("timeout", effect=False),
            Fault.TIMEOUT_AFTER: Switch("timeout", effect=True),
            Fault.SERVER_ERROR: Switch("server_error", status=500, code="UNKNOWN_EXCEPTION"),
            Fault.AUTH: Switch("account_expired"),
            # The org never says how long to wait (crm-semantics 4S); the gateway may.
            Fault.RATE_LIMITED: Switch(
                "rate_limited",
                policy="Other",
                retry_after=None if retry_after is None else str(int(retry_after)),
            ),
            Fault.MAPPING_ERROR: Switch("status", status=400, code="INVALID_FIELD", policy=HIDDEN),
        }[fault]
        by_gateway = fault is Fault.AUTH or at_provider is None or retry_after is not None
        core: Core = self.gateway if by_gateway else self.core
        self.strike(core, "*" if core is self.gateway else at_provider or "*", switch, times, after)

    def _pass(self, at: datetime | None = None) -> None:
        if at is None:
            self.clock.advance(HOUR)

    def _wire(self, entity: Entity, values: Mapping[str, str | None]) -> dict[str, object]:
        """Turn canonical text into the org's own words, by the mapping."""
        wired: dict[str, object] = {}
        for name, text in values.items():
            field = self.mapping.entities[entity].field(name)
            assert field is not None
            plain = not text or isinstance(field.transform, Join) or name == "domain"
            value = text if plain else wire_value(field, typed(text, field.type))
            # A person's name stands in the field that has to be there.
            path = "LastName" if (entity, name) == (Entity.CONTACT, "name") else field.path
            wired[path] = value or None
        return wired


def between(adapter: object, act: Act) -> SalesforceAdapter:
    """Let `act` see each request of an adapter before it is sent."""
    inner = getattr(adapter, "_inner", adapter)
    assert isinstance(inner, SalesforceAdapter)
    inner._org._caller = Meddling(inner._org._caller, act)
    return inner
