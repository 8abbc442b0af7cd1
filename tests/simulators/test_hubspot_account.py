"""Definitions, tokens and budgets over real HTTP (crm-semantics.md 1H, 4H, 5)."""

import pytest

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.hubspot import HubSpotCore, HubSpotSettings, Pipeline, Stage
from quotey.testing.simulators.server import serve
from tests.simulators.test_hubspot_objects import DEALS, make
from tests.simulators.wire_client import Client

PROPERTIES = "/crm/v3/properties"
NEW = {
    "name": "quotey_quote_id",
    "label": "Quote",
    "type": "string",
    "fieldType": "text",
    "groupName": "dealinformation",
    "hasUniqueValue": True,
}


def test_a_unique_property_is_made_once_and_is_read_back(hs: Client) -> None:
    made = hs.post(f"{PROPERTIES}/deals", NEW)
    assert made.status == 201
    read = hs.get(f"{PROPERTIES}/deals/quotey_quote_id").doc
    assert (read["hasUniqueValue"], read["hubspotDefined"]) == (True, False)
    again = hs.post(f"{PROPERTIES}/deals", NEW)
    assert (again.status, again.doc["category"]) == (409, "OBJECT_ALREADY_EXISTS")
    assert hs.send("DELETE", f"{PROPERTIES}/deals/quotey_quote_id").status == 204
    assert hs.get(f"{PROPERTIES}/deals/quotey_quote_id").status == 404


@pytest.mark.parametrize(
    "change", [{"label": ""}, {"name": "Upper"}, {"type": "money"}, {"groupName": None}]
)
def test_a_malformed_property_is_refused(hs: Client, change: dict[str, object]) -> None:
    refused = hs.post(f"{PROPERTIES}/deals", {**NEW, **change})
    assert (refused.status, refused.doc["category"]) == (400, "VALIDATION_ERROR")


def test_an_object_has_at_most_ten_unique_properties(hs: Client) -> None:
    made = [hs.post(f"{PROPERTIES}/deals", {**NEW, "name": f"key{n}"}).status for n in range(11)]
    assert made == [201] * 10 + [400]


def test_whether_quotes_take_unique_values_is_a_switch(clock: VirtualClock) -> None:
    core = HubSpotCore(clock, settings=HubSpotSettings(unique_on_quotes=False))
    core.private_token()
    with serve(core) as base:
        hs = Client(base, {"authorization": "Bearer sim-hs-private"})
        assert hs.post(f"{PROPERTIES}/quotes", NEW).doc["hasUniqueValue"] is False
        body = {"inputs": [{"id": "Q", "idProperty": NEW["name"], "properties": {}}]}
        assert hs.post("/crm/v3/objects/quotes/batch/upsert", body).status == 400


def test_what_cannot_be_written_says_so(hs: Client) -> None:
    found = {p["name"]: p for p in hs.get(f"{PROPERTIES}/deals").doc["results"]}
    assert found["hs_is_closed"]["calculated"] is True
    assert found["createdate"]["modificationMetadata"]["readOnlyValue"] is True
    assert found["amount"]["modificationMetadata"]["readOnlyValue"] is False
    stock = hs.send("DELETE", f"{PROPERTIES}/deals/amount")
    assert stock.status == 400


def test_properties_are_read_and_made_in_batches(hs: Client) -> None:
    made = hs.post(f"{PROPERTIES}/deals/batch/create", {"inputs": [NEW]})
    assert made.status == 201
    names = {"inputs": [{"name": "amount"}, {"name": "quotey_quote_id"}]}
    read = hs.post(f"{PROPERTIES}/deals/batch/read", names).doc["results"]
    assert [p["type"] for p in read] == ["number", "string"]
    assert hs.send("PUT", f"{PROPERTIES}/deals").status == 405


def test_stages_have_text_metadata_and_ids_that_are_not_labels(
    hs: Client, hubspot: HubSpotCore
) -> None:
    partner = Pipeline("98765", "Partners", (Stage("1234567", "Closed Won", "1.0", True),))
    hubspot.portal.pipelines["deals"].append(partner)
    listed = hs.get("/crm/v3/pipelines/deals").doc["results"]
    assert [p["id"] for p in listed] == ["default", "98765"]
    stages = hs.get("/crm/v3/pipelines/deals/default/stages").doc["results"]
    assert stages[-2]["metadata"] == {"isClosed": "true", "probability": "1.0"}
    assert hs.get("/crm/v3/pipelines/deals/98765").doc["stages"][0]["label"] == "Closed Won"
    assert hs.get("/crm/v3/pipelines/deals/none").status == 404
    deal = make(hs)
    moved = {"pipeline": "98765", "dealstage": "1234567"}
    assert hs.patch(f"{DEALS}/{deal}", {"properties": {"dealstage": "1234567"}}).status == 400
    assert hs.patch(f"{DEALS}/{deal}", {"properties": {"pipeline": "98765"}}).status == 400
    assert hs.patch(f"{DEALS}/{deal}", {"properties": moved}).status == 200


def test_a_closed_stage_calculates_the_flags(hs: Client) -> None:
    won = make(hs, dealstage="closedwon", amount="5")
    names = "hs_is_closed,hs_is_closed_won,hs_deal_stage_probability,amount_in_home_currency"
    read = hs.get(f"{DEALS}/{won}?properties={names}").doc["properties"]
    assert [read[name] for name in names.split(",")] == ["true", "true", "1.0", "5"]


def test_the_account_tells_its_zone_and_currencies(hs: Client) -> None:
    found = hs.get("/account-info/v3/details").doc
    assert (found["timeZone"], found["utcOffset"]) == ("America/New_York", "-05:00")
    assert found["utcOffsetMilliseconds"] == -18_000_000
    assert (found["companyCurrency"], found["additionalCurrencies"][0]) == ("USD", "EUR")
    usage = hs.get("/account-info/v3/api-usage/daily/private-apps").doc["results"][0]
    assert usage["currentUsage"] == 2
    assert hs.get("/account-info/v3/nothing").status == 404


def test_no_token_is_not_the_same_as_an_old_one(
    base: str, hubspot: HubSpotCore, clock: VirtualClock
) -> None:
    nobody = Client(base, {}).get(DEALS)
    assert (nobody.status, nobody.doc["category"]) == (401, "INVALID_AUTHENTICATION")
    hs = Client(base, {"authorization": f"Bearer {hubspot.issue_token()}"})
    clock.advance(1799)
    assert hs.get(DEALS).status == 200
    clock.advance(3)
    late = hs.get(DEALS)
    assert (late.status, late.doc["category"]) == (401, "EXPIRED_AUTHENTICATION")
    expected = "The OAuth token used to make this call expired 2 second(s) ago."
    assert late.doc["message"] == expected
    assert late.doc["context"] == {"expire time": ["2026-03-10T12:30:00Z"]}


def test_a_token_is_refreshed_or_its_refresh_token_is_bad(base: str, hubspot: HubSpotCore) -> None:
    hubspot.gate.refresh_tokens.add("good")
    client = Client(base, {"content-type": "application/x-www-form-urlencoded"})
    bad = client.send("POST", "/oauth/v1/token", raw=b"grant_type=refresh_token&refresh_token=no")
    assert (bad.status, bad.doc["status"]) == (400, "BAD_REFRESH_TOKEN")
    good = client.send(
        "POST", "/oauth/v3/token", raw=b"grant_type=refresh_token&refresh_token=good"
    )
    bearer = {"authorization": f"Bearer {good.doc['access_token']}"}
    assert client.get(DEALS, headers=bearer).status == 200
    assert good.doc["expires_in"] == 1800


def test_a_missing_scope_is_named(base: str, hubspot: HubSpotCore) -> None:
    token = hubspot.issue_token(scopes=frozenset({"crm.objects.deals.read"}))
    hs = Client(base, {"authorization": f"Bearer {token}"})
    assert hs.get(DEALS).status == 200
    assert hs.post(f"{DEALS}/search", {}).status == 200
    refused = hs.post(DEALS, {"properties": {}})
    assert (refused.status, refused.doc["category"]) == (403, "MISSING_SCOPES")
    context = refused.doc["errors"][0]["context"]
    assert context == {"requiredScopes": ["crm.objects.deals.write"]}
    assert hs.post(f"{PROPERTIES}/deals", NEW).status == 403


def test_budgets_by_policy_with_headers_that_count_down(clock: VirtualClock) -> None:
    core = HubSpotCore(clock, settings=HubSpotSettings(ten_secondly=3, daily=5))
    core.private_token()
    with serve(core) as base:
        hs = Client(base, {"authorization": "Bearer sim-hs-private"})
        left = [hs.get(DEALS).headers["x-hubspot-ratelimit-remaining"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        burst = hs.get(DEALS)
        assert (burst.status, burst.doc["policyName"]) == (429, "TEN_SECONDLY_ROLLING")
        assert burst.doc["message"] == "You have reached your ten_secondly_rolling limit."
        assert burst.doc["groupName"].startswith("publicapi:private_app-api-calls-ten-secondly")
        clock.advance(11)
        assert [hs.get(DEALS).status for _ in range(2)] == [200, 200]
        daily = hs.get(DEALS)
        assert (daily.status, daily.doc["policyName"]) == (429, "DAILY")
        # 12:00 UTC is 07:00 in the account's zone: 17 hours to midnight.
        clock.advance(16 * 3600)
        assert hs.get(DEALS).status == 429
        clock.advance(3600)
        assert hs.get(DEALS).status == 200
