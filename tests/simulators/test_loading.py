"""Filling simulators from payloads and from data sets."""

import os
from decimal import Decimal
from pathlib import Path

import pytest

from quotey.contract.dataset import parse_dataset_toml
from quotey.contract.fields import Entity
from quotey.contract.rows import read_data_set
from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.hubspot import HubSpotCore
from quotey.testing.simulators.loading import (
    Shape,
    hubspot_from,
    load_hubspot,
    load_salesforce,
    salesforce_from,
)
from quotey.testing.simulators.salesforce import SalesforceCore, SalesforceSettings
from tests.simulators.test_hubspot_objects import DEALS
from tests.simulators.test_salesforce_rows import BASE, shown
from tests.simulators.wire_client import Client

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("QUOTEY_TEST_DATA", ROOT.parent / "shared" / "data"))
CSV = """as_of = 2017-12-31T00:00:00Z
[account]
file = "accounts.csv"
key = "account"
[deal]
file = "deals.csv"
key = "opportunity_id"
[deal.references.account]
entity = "account"
"""
ACCOUNTS = b"account,sector\nAcme,tech\nBolt,retail\n"
SALES = b"opportunity_id,account,deal_stage,close_value\nD1,Acme,Won,54\nD2,,Engaging,\n"
TREE = """as_of = 2026-01-01T00:00:00Z
[account]
file = "a.json"
format = "tree"
[deal]
file = "o.json"
format = "tree"
[deal.references.AccountId]
entity = "account"
style = "tree_ref"
"""


def test_payloads_are_loaded_and_found_at_once(hs: Client, hubspot: HubSpotCore) -> None:
    rows = {"companies": [{"name": "Acme", "sector": "tech", "numberofemployees": 5}]}
    assert load_hubspot(hubspot, rows) == 1
    found = hs.post("/crm/v3/objects/companies/search", {"properties": ["sector"]}).doc["results"]
    assert found[0]["properties"]["sector"] == "tech"
    assert hubspot.effects == []


def test_a_csv_data_set_becomes_a_portal(hs: Client, hubspot: HubSpotCore) -> None:
    spec = parse_dataset_toml(CSV, name="dataset.toml")
    data = read_data_set(spec, {"accounts.csv": ACCOUNTS, "deals.csv": SALES})
    stages = {"Won": "closedwon", "Engaging": "qualifiedtobuy"}
    shapes = {
        Entity.ACCOUNT: Shape("companies", {"account": "name", "sector": "industry"}),
        Entity.DEAL: Shape(
            "deals",
            {"opportunity_id": "dealname", "deal_stage": "dealstage", "close_value": "amount"},
            {"dealstage": stages},
        ),
    }
    loaded = hubspot_from(hubspot, data, shapes)
    deal = hs.get(f"{DEALS}/{loaded.ids[Entity.DEAL]['D1']}?associations=companies").doc
    assert deal["properties"]["dealstage"] == "closedwon"
    assert deal["properties"]["amount"] == "54"
    company = loaded.ids[Entity.ACCOUNT]["Acme"]
    assert deal["associations"]["companies"]["results"][0]["id"] == company
    lonely = hs.get(f"{DEALS}/{loaded.ids[Entity.DEAL]['D2']}?associations=companies").doc
    assert "associations" not in lonely or lonely["associations"] == {}
    assert lonely["properties"]["amount"] is None


def test_a_tree_becomes_an_org_and_what_it_refuses_is_named(
    sf: Client, salesforce: SalesforceCore
) -> None:
    accounts = b'{"records":[{"attributes":{"type":"Account","referenceId":"A1"},"Name":"Acme",'
    accounts += b'"Score__c":1.5,"Active__c":true}]}'
    deals = b'{"records":[{"attributes":{"type":"Opportunity","referenceId":"O1"},"Name":"X",'
    deals += b'"StageName":"Closed Won","CloseDate":"2026-10-22","Amount":581.9,'
    deals += b'"AccountId":"@A1"},{"attributes":{"type":"Opportunity","referenceId":"O2"},'
    deals += b'"Name":"Y","StageName":"Closed Won"}]}'
    spec = parse_dataset_toml(TREE, name="dataset.toml")
    data = read_data_set(spec, {"a.json": accounts, "o.json": deals})
    shapes = {Entity.ACCOUNT: Shape("Account"), Entity.DEAL: Shape("Opportunity")}
    loaded = salesforce_from(salesforce, data, shapes)
    doc = shown(sf, loaded.ids[Entity.DEAL]["O1"])
    assert doc["AccountId"] == loaded.ids[Entity.ACCOUNT]["A1"]
    assert doc["Amount"] == Decimal("581.9")
    assert loaded.refused == [
        "deal O2: REQUIRED_FIELD_MISSING: Required fields are missing: [CloseDate]"
    ]
    account = salesforce.org.rows["Account"][loaded.ids[Entity.ACCOUNT]["A1"]]
    assert account.values["Score__c"] == Decimal("1.5")


def test_plain_records_fill_an_org(salesforce: SalesforceCore) -> None:
    refused = load_salesforce(salesforce, {"Opportunity": [BASE, {"Name": "no stage"}]})
    assert len(salesforce.org.rows["Opportunity"]) == 1
    assert refused[0].startswith("Opportunity 2: REQUIRED_FIELD_MISSING")


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not beside this checkout")
def test_the_real_trees_fill_an_org(clock: VirtualClock) -> None:
    org = SalesforceCore(clock, settings=SalesforceSettings(currencies=("USD", "EUR", "UAH")))
    folder = DATA / "salesforce_tree_minlopro"
    files = {"a.json": "sample-Accounts.json", "o.json": "sample-Opportunities.json"}
    contents = {name: (folder / file).read_bytes() for name, file in files.items()}
    data = read_data_set(parse_dataset_toml(TREE, name="dataset.toml"), contents)
    shapes = {Entity.ACCOUNT: Shape("Account"), Entity.DEAL: Shape("Opportunity")}
    loaded = salesforce_from(org, data, shapes)
    total = sum(len(data.entities[entity].rows) for entity in shapes)
    assert total == sum(map(len, loaded.ids.values())) + len(loaded.refused)
    assert loaded.ids[Entity.DEAL]
    # Some rows have no close date, and a real org refuses those.
    assert all("REQUIRED_FIELD_MISSING" in sentence for sentence in loaded.refused)


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not beside this checkout")
def test_the_real_sales_fill_a_portal(hubspot: HubSpotCore) -> None:
    folder = DATA / "maven_crm_sales"
    text = CSV.replace("deals.csv", "sales_pipeline.csv")
    names = ("accounts.csv", "sales_pipeline.csv")
    contents = {name: (folder / name).read_bytes() for name in names}
    data = read_data_set(parse_dataset_toml(text, name="dataset.toml"), contents)
    stages = {"Won": "closedwon", "Lost": "closedlost", "Prospecting": "appointmentscheduled"}
    shapes = {
        Entity.ACCOUNT: Shape("companies", {"account": "name", "employees": "numberofemployees"}),
        Entity.DEAL: Shape(
            "deals",
            {"opportunity_id": "dealname", "deal_stage": "dealstage", "close_value": "amount"},
            {"dealstage": {**stages, "Engaging": "qualifiedtobuy"}},
        ),
    }
    loaded = hubspot_from(hubspot, data, shapes)
    assert len(loaded.ids[Entity.ACCOUNT]) == 85
    assert len(loaded.ids[Entity.DEAL]) == 8800
