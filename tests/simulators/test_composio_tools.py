"""Tools of the gateway over real HTTP (composio.md 1.2, 1.9)."""

from typing import Any

import pytest

from quotey.testing.simulators.composio.catalog import tools
from quotey.testing.simulators.hubspot import HubSpotCore
from quotey.testing.simulators.salesforce import SalesforceCore
from tests.simulators.gateway_calls import DEAL, V31, refusal, run
from tests.simulators.test_salesforce_rows import BASE, KEY
from tests.simulators.wire_client import Client


def test_a_tool_answers_the_providers_json_flat(gateway: Client, ca: str) -> None:
    made = run(gateway, ca, "HUBSPOT_CREATE_DEAL", **DEAL, amount="5", custom_properties={})
    assert made.status == 200
    assert made.doc["successful"] is True
    assert made.doc["error"] is None
    deal = made.doc["data"]["id"]
    read = run(gateway, ca, "HUBSPOT_GET_DEAL", dealId=deal, properties=["amount"]).doc["data"]
    assert read["properties"]["amount"] == "5"


def test_before_the_flattening_the_data_has_one_more_floor(gateway: Client, ca: str) -> None:
    body = {"connected_account_id": ca, "version": "20251114_00", "arguments": {}}
    read = gateway.post(f"{V31}/tools/execute/HUBSPOT_LIST_DEALS", body)
    assert read.doc["data"] == {"response_data": {"results": []}}


def test_a_provider_error_is_a_200_that_is_not_successful(gateway: Client, ca: str) -> None:
    refused = run(gateway, ca, "HUBSPOT_GET_DEAL", dealId="99")
    assert refused.status == 200
    assert refused.doc["successful"] is False
    assert refused.doc["data"]["status_code"] == 404
    assert refused.doc["error"].startswith("Invalid request data provided")
    assert refused.doc["log_id"]


def test_unknown_arguments_are_dropped_without_a_word(
    gateway: Client, ca: str, hubspot: HubSpotCore
) -> None:
    made = run(gateway, ca, "HUBSPOT_CREATE_DEAL", **DEAL, my_field="lost")
    assert made.doc["successful"] is True
    assert b"my_field" not in hubspot.log[-1].body


def test_a_missing_argument_is_a_200_that_is_not_successful(gateway: Client, ca: str) -> None:
    refused = run(gateway, ca, "HUBSPOT_UPDATE_DEAL", dealId="1")
    assert (refused.status, refused.doc["successful"]) == (200, False)
    assert "properties" in refused.doc["error"]


def test_unknown_slugs_and_versions_are_2401(gateway: Client, ca: str) -> None:
    assert refusal(run(gateway, ca, "HUBSPOT_DO_MAGIC")) == (404, 2401)
    body: dict[str, Any] = {"connected_account_id": ca, "arguments": {}, "version": "20990101_00"}
    path = "tools/execute/HUBSPOT_LIST_DEALS"
    assert refusal(gateway.post(f"{V31}/{path}", body)) == (404, 2401)
    del body["version"]
    assert gateway.post(f"{V31}/{path}", body).status == 200
    # 1.1: v3 takes the first release by default, where later slugs do not exist.
    assert refusal(gateway.post(f"/api/v3/{path}", body)) == (404, 2401)


@pytest.mark.parametrize(
    ("slug", "arguments"),
    [
        ("HUBSPOT_CREATE_DEALS", {"inputs": [{"properties": DEAL}]}),
        ("HUBSPOT_SEARCH_DEALS", {"filterGroups": [], "limit": 5}),
        ("HUBSPOT_GET_DEALS", {"inputs": [], "archived": True}),
        ("HUBSPOT_SEARCH_COMPANIES", {"query": "acme"}),
        ("HUBSPOT_SEARCH_CONTACTS_BY_CRITERIA", {"query": "doe"}),
        ("HUBSPOT_CREATE_COMPANY", {"name": "Acme", "custom_properties": {"city": "Rome"}}),
        ("HUBSPOT_UPSERT_CONTACTS", {"inputs": []}),
        ("HUBSPOT_RETRIEVE_ALL_PIPELINES_FOR_SPECIFIED_OBJECT_TYPE", {"objectType": "deals"}),
        ("HUBSPOT_READ_ALL_PROPERTIES_FOR_OBJECT_TYPE", {"objectType": "deals"}),
        ("HUBSPOT_GET_ACCOUNT_INFO", {}),
        ("HUBSPOT_LIST_ASSOCIATION_TYPES", {"fromObjectType": "deal", "toObjectType": "company"}),
        (
            "HUBSPOT_CREATE_QUOTE_OBJECT",
            {
                "properties": {"hs_title": "Q", "hs_expiration_date": "2026-04-01"},
                "associations": [],
            },
        ),
    ],
)
def test_hubspot_tools_reach_the_portal(
    gateway: Client, ca: str, slug: str, arguments: dict[str, object]
) -> None:
    done = run(gateway, ca, slug, **arguments)
    assert done.doc["successful"] is True, done.doc


def test_hubspot_tools_link_records(gateway: Client, ca: str, hubspot: HubSpotCore) -> None:
    deal = hubspot.create("deals", DEAL).record_id
    company = hubspot.create("companies", {"name": "Acme"}).record_id
    ends = {"objectType": "deals", "objectId": str(deal), "toObjectType": "companies"}
    label = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 5}
    made = run(
        gateway,
        ca,
        "HUBSPOT_CREATE_OBJECT_ASSOCIATION",
        **ends,
        toObjectId=str(company),
        labels=[label],
    )
    assert made.doc["successful"] is True
    listed = run(gateway, ca, "HUBSPOT_LIST_OBJECT_ASSOCIATIONS", **ends).doc["data"]
    assert listed["results"][0]["toObjectId"] == company


def test_salesforce_tools_reach_the_org(
    gateway: Client, sf_ca: str, salesforce: SalesforceCore
) -> None:
    salesforce.define("Opportunity", KEY)
    made = run(gateway, sf_ca, "SALESFORCE_CREATE_ACCOUNT", name="Acme", annual_revenue=5)
    account = made.doc["data"]["id"]
    assert salesforce.org.rows["Account"][account].values["AnnualRevenue"] == 5
    upsert = run(
        gateway,
        sf_ca,
        "SALESFORCE_UPSERT_SOBJECT_BY_EXTERNAL_ID",
        sobject="Opportunity",
        field_name="Quotey_Id__c",
        field_value="D/1",
        fields={**BASE, "AccountId": account},
    )
    assert upsert.doc["data"]["created"] is True
    many = run(
        gateway,
        sf_ca,
        "SALESFORCE_PATCH_COMPOSITE_SOBJECTS",
        sobject_name="Opportunity",
        external_id_field_name="Quotey_Id__c",
        records=[{"attributes": {"type": "Opportunity"}, "Quotey_Id__c": "D/1", "Amount": 7}],
        all_or_none=True,
    )
    assert many.doc["data"][0]["created"] is False
    rows = run(gateway, sf_ca, "SALESFORCE_RUN_SOQL_QUERY", query="SELECT Amount FROM Opportunity")
    assert rows.doc["data"]["records"][0]["Amount"] == 7
    found = run(gateway, sf_ca, "SALESFORCE_SEARCH_ACCOUNTS", name="acm", fields="Id,Name")
    assert found.doc["data"]["records"][0]["Name"] == "Acme"
    gone = run(gateway, sf_ca, "SALESFORCE_DELETE_ACCOUNT", account_id=account)
    assert gone.doc["data"] == {}


def test_a_flat_salesforce_tool_cannot_clear_a_field(
    gateway: Client, sf_ca: str, salesforce: SalesforceCore
) -> None:
    row_id = salesforce.create("Opportunity", {**BASE, "NextStep": "call"}).row_id
    update = "SALESFORCE_UPDATE_OPPORTUNITY"
    run(gateway, sf_ca, update, opportunity_id=row_id, next_step="", name="Y")
    assert salesforce.org.rows["Opportunity"][row_id].values["NextStep"] == "call"
    assert salesforce.org.rows["Opportunity"][row_id].values["Name"] == "Y"


def test_a_salesforce_tool_follows_a_locator(
    gateway: Client, sf_ca: str, salesforce: SalesforceCore
) -> None:
    for number in range(2001):
        salesforce.create("Account", {"Name": f"A{number}"})
    first = run(gateway, sf_ca, "SALESFORCE_RUN_SOQL_QUERY", query="SELECT Id FROM Account").doc
    url = first["data"]["nextRecordsUrl"]
    last = run(gateway, sf_ca, "SALESFORCE_QUERY_MORE", next_records_url=url).doc["data"]
    assert (last["done"], len(last["records"])) == (True, 1)


def test_the_tools_are_listed_with_their_schemas(gateway: Client) -> None:
    one = gateway.get(f"{V31}/tools/HUBSPOT_UPDATE_DEAL?version=20260915_00").doc
    assert one["input_parameters"]["required"] == ["dealId", "properties"]
    page = gateway.get(f"{V31}/tools?toolkit_slug=salesforce&limit=500").doc
    assert {item["toolkit"]["slug"] for item in page["items"]} == {"salesforce"}
    assert page["next_cursor"] is None
    assert len(page["items"]) + sum(t.toolkit == "hubspot" for t in tools().values()) == len(
        tools()
    )
    versions = gateway.get(f"{V31}/toolkits/hubspot").doc["meta"]["available_versions"]
    assert versions[-1] == "20260915_00"
