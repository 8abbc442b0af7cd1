"""A rig: a data set in a vendor's words, what an administrator would have made, the gateway."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from quotey.adapters.composio import mappings
from quotey.adapters.stub.files import mapping_text, read_data
from quotey.contract.dataset import parse_dataset_toml
from quotey.contract.fields import Entity
from quotey.contract.mapping import Mapping
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.rows import read_data_set
from quotey.testing.names import SIMULATED, Simulated
from quotey.testing.simulators.clock import RunningClock, VirtualClock
from quotey.testing.simulators.faults import Fault, parse_fault
from quotey.testing.simulators.hubspot import HubSpotCore
from quotey.testing.simulators.rig import Rig, Source, build_rig
from quotey.testing.simulators.salesforce import SalesforceCore
from quotey.testing.simulators.salesforce.errors import SalesforceError

SPEC = """as_of = 2026-01-15T00:00:00Z
default_currency = "EUR"
[account]
file = "a.json"
key = "nr"
[contact]
file = "c.json"
key = "nr"
[contact.references]
of = { entity = "account" }
[deal]
file = "d.json"
key = "nr"
[deal.references]
of = { entity = "account" }
"""
OURS = """
provider = "stub"
[account]
object = "a"
[account.fields.id]
path = "nr"
[account.fields.name]
path = "title"
policy = "crm_wins"
[account.fields.segment]
path = "size"
policy = "merge_with_audit"
strategy = "newest"
transform = { kind = "value_map", values = { "S" = "small", "X" = "strategic" } }
[contact]
object = "c"
[contact.fields.id]
path = "nr"
[contact.fields.name]
path = "called"
policy = "crm_wins"
[contact.fields.account_id]
path = "of"
policy = "crm_wins"
[deal]
object = "d"
[deal.fields.id]
path = "nr"
[deal.fields.account_id]
path = "of"
policy = "crm_wins"
[deal.fields.name]
path = "about"
policy = "merge_with_audit"
strategy = "newest"
[deal.fields.stage]
path = "state"
policy = "crm_wins"
transform = { kind = "value_map", values = { "Hot" = "negotiation" }, otherwise = "keep" }
[deal.fields.amount]
path = "worth"
policy = "merge_with_audit"
strategy = "newest"
transform = { kind = "money", scale = -2 }
[deal.fields.close_date]
path = "ends"
policy = "crm_wins"
transform = { kind = "date", format = "%d.%m.%Y" }
[quote]
object = "d"
[quote.fields.id]
path = "q1"
[quote.fields.version]
path = "q2"
[quote.fields.status]
path = "q3"
[quote.fields.total]
path = "q4"
[quote.fields.currency]
path = "q5"
"""
CLOSES = {"CloseDate": "2026-10-01"}
ACCOUNTS = b'[{"nr":"1","title":"Alder","size":"S"},{"nr":"2","title":"Birch","size":"X"},'
ACCOUNTS += b'{"nr":"3","title":"Cedar","size":"?"}]'
CONTACTS = b'[{"nr":"9","called":"Ann Ash","of":"1"}]'
DEALS = b'[{"nr":"7","of":"1","about":"One","state":"Hot","worth":120050,"ends":"31.05.2026"},'
DEALS += b'{"nr":"8","of":"4","about":"Two","state":"Hot","worth":"much","ends":"1.6.2026"}]'


def source() -> Source:
    spec = parse_dataset_toml(SPEC, name="dataset.toml")
    files = {"a.json": ACCOUNTS, "c.json": CONTACTS, "d.json": DEALS}
    return Source(read_data_set(spec, files), parse_mapping(OURS, name="ours.toml"))


def shipped(provider: Simulated) -> Mapping:
    return parse_mapping(mappings()[provider], name=f"{provider}.toml")


def rig_of(provider: Simulated) -> Rig:
    return build_rig(provider, shipped(provider), VirtualClock(), seed=5, source=source())


def test_a_portal_holds_the_data_in_its_own_words() -> None:
    rig = rig_of("hubspot")
    assert isinstance(rig.vendor, HubSpotCore)
    records = rig.vendor.portal.records
    deal = records["deals"][int(rig.ids[Entity.DEAL]["7"])].properties
    shown = {name: deal[name] for name in ("dealname", "dealstage", "amount", "closedate")}
    assert shown == {
        "dealname": "One",
        "dealstage": "negotiation",
        "amount": "1200.5",
        "closedate": "2026-05-31T12:00:00Z",
    }
    assert rig.vendor.portal.stage("deals", "negotiation") is not None
    contact = records["contacts"][int(rig.ids[Entity.CONTACT]["9"])].properties
    assert contact["lastname"] == "Ann Ash", "one text goes where a name has to be"


def test_an_org_holds_the_data_in_its_own_words() -> None:
    rig = rig_of("salesforce")
    assert isinstance(rig.vendor, SalesforceCore)
    deal = rig.vendor.org.rows["Opportunity"][rig.ids[Entity.DEAL]["7"]].values
    assert (deal["StageName"], deal["CloseDate"]) == ("negotiation", "2026-05-31")
    assert deal["Amount"] == Decimal("1200.50")
    assert deal["AccountId"] == rig.ids[Entity.ACCOUNT]["1"]
    assert "negotiation" in rig.vendor.org.objects["Opportunity"]["StageName"].options


@pytest.mark.parametrize("provider", SIMULATED)
def test_a_class_that_the_vendor_derives_is_a_number_and_is_kept_by_name_too(
    provider: Simulated,
) -> None:
    rig = rig_of(provider)
    vendor = rig.vendor
    if isinstance(vendor, HubSpotCore):
        held = vendor.portal.records["companies"]
        small, other = (held[int(rig.ids[Entity.ACCOUNT][key])].properties for key in "12")
        assert (small["numberofemployees"], small["quotey_segment"]) == ("49", "small")
        assert (other.get("numberofemployees"), other["quotey_segment"]) == (None, "strategic")
    else:
        assert isinstance(vendor, SalesforceCore)
        rows = vendor.org.rows["Account"]
        small_row, other_row = (rows[rig.ids[Entity.ACCOUNT][key]].values for key in "12")
        assert small_row["NumberOfEmployees"] == Decimal(49)
        assert other_row["Quotey_Segment__c"] == "strategic"
        assert "NumberOfEmployees" not in other_row


@pytest.mark.parametrize("provider", SIMULATED)
def test_what_cannot_be_carried_is_named_and_its_neighbours_are_kept(provider: Simulated) -> None:
    rig = rig_of(provider)
    told = "\n".join(rig.left_out)
    assert "account 3: segment '?' is not in the value map" in told
    assert "deal 8: amount" in told
    assert set(rig.ids[Entity.ACCOUNT]) == {"1", "2", "3"}
    assert set(rig.ids[Entity.DEAL]) == {"7", "8"}


@pytest.mark.parametrize("provider", SIMULATED)
def test_every_property_that_the_mapping_names_is_there_and_keys_are_unique(
    provider: Simulated,
) -> None:
    rig = build_rig(provider, shipped(provider), VirtualClock())
    vendor = rig.vendor
    if isinstance(vendor, HubSpotCore):
        deals = vendor.portal.properties["deals"]
        unique = {name for name, one in deals.items() if one.unique}
        assert {"quotey_quote_id", "quotey_deal_key"} == unique
        assert (deals["quotey_version"].type, deals["quotey_valid_until"].type) == (
            "number",
            "date",
        )
    else:
        assert isinstance(vendor, SalesforceCore)
        fields = vendor.org.objects["Opportunity"]
        keys = {name for name, one in fields.items() if one.unique}
        assert {"Quotey_Quote_Id__c", "Quotey_Deal_Key__c"} == keys
        assert fields["Quotey_Version__c"].type == "double"
        assert [rule.name for rule in vendor.validations] == [
            *("Quotey_Stale_Version", "Quotey_Version_Reused"),
        ]
    assert all("quotey" in name.lower() for name in rig.prepared)


@pytest.mark.parametrize("provider", SIMULATED)
def test_the_same_seed_builds_the_same_crm(provider: Simulated) -> None:
    assert rig_of(provider).ids == rig_of(provider).ids


@pytest.mark.parametrize("provider", SIMULATED)
def test_the_bundled_data_set_fits_both_vendors(provider: Simulated) -> None:
    bundled = Source(read_data(None), parse_mapping(mapping_text(None, None), name="stub.toml"))
    rig = build_rig(provider, shipped(provider), VirtualClock(), source=bundled)
    assert len(rig.ids[Entity.DEAL]) >= 55
    assert 0 < len(rig.left_out) <= 12


def test_a_running_clock_asks_another() -> None:
    clock = VirtualClock()
    running = RunningClock(clock.now)
    running.tick()
    assert running.now() == clock.now()
    assert clock.advance(5) == running.now()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("timeout", Fault("timeout")),
        ("timeout, effect=true, times=2", Fault("timeout", effect=True, times=2)),
        ("rate_limited,retry_after=7", Fault("rate_limited", retry_after="7")),
        ("status,status=400,code=X", Fault("status", status=400, code="X")),
        (
            "late,delay=2.5,operation=hubspot POST */search",
            Fault("late", delay=2.5, operation="hubspot POST */search"),
        ),
    ],
)
def test_a_fault_is_read_as_it_is_typed(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


def test_an_org_refuses_an_older_version_of_the_same_quote_only() -> None:
    org = rig_of("salesforce").vendor
    assert isinstance(org, SalesforceCore)
    first = {"Quotey_Quote_Id__c": "q1", "Quotey_Version__c": 3, "Quotey_Payload_Digest__c": "a"}
    deal = org.create("Opportunity", {"Name": "D", "StageName": "Prospecting", **CLOSES, **first})
    for refused in ({"Quotey_Version__c": 2}, {"Quotey_Payload_Digest__c": "b"}):
        with pytest.raises(SalesforceError, match="QUOTEY_"):
            org.edit(deal.row_id, refused)
    org.edit(deal.row_id, {"Amount": 5})
    org.edit(deal.row_id, {"Quotey_Quote_Id__c": "q2", "Quotey_Version__c": 1})


def test_no_path_of_this_machine_is_in_what_is_told() -> None:
    assert str(Path.cwd()) not in "".join(rig_of("hubspot").left_out)
