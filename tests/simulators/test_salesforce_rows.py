"""One record at a time over real HTTP (crm-semantics.md 1S, 3S, 4S)."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.salesforce import (
    Field,
    SalesforceCore,
    SalesforceSettings,
    to_18,
)
from quotey.testing.simulators.server import serve
from tests.simulators.wire_client import Answer, Client

API = "/services/data/v67.0"
OPPORTUNITIES = f"{API}/sobjects/Opportunity"
ACCOUNTS = f"{API}/sobjects/Account"
BASE = {"Name": "X", "StageName": "Prospecting", "CloseDate": "2026-04-01"}
KEY = Field("Quotey_Id__c", external_id=True, unique=True, case_sensitive=True)
VERSION = Field("Quotey_Version__c", "double", scale=0)
DIGEST = Field("Quotey_Hash__c")


def make(sf: Client, **values: object) -> str:
    made = sf.post(OPPORTUNITIES, {**BASE, **values})
    assert made.status == 201, made.doc
    return str(made.doc["id"])


def code(answer: Answer, status: int = 400) -> str:
    assert answer.status == status, answer.doc
    assert isinstance(answer.doc, list)
    return str(answer.doc[0]["errorCode"])


def shown(sf: Client, row_id: str) -> dict[str, object]:
    doc = sf.get(f"{OPPORTUNITIES}/{row_id}").doc
    assert isinstance(doc, dict)
    return doc


def test_ids_have_a_checksum_that_tells_their_case() -> None:
    assert to_18("001D000000IqhSL") == "001D000000IqhSLIAZ"
    assert to_18("0012x000005OR0s") == "0012x000005OR0sAAG"


def test_an_id_is_answered_with_18_and_taken_with_15_characters(sf: Client) -> None:
    row_id = make(sf)
    assert len(row_id) == 18
    assert shown(sf, row_id[:15])["Id"] == row_id
    assert sf.get(f"{OPPORTUNITIES}/{row_id.swapcase()}").status == 404


def test_money_is_a_json_number_and_big_money_has_an_exponent(sf: Client) -> None:
    small, big = make(sf, Amount=1500), make(sf, Amount=12345678.5)
    assert shown(sf, small)["Amount"] == Decimal("1500.0")
    assert b'"Amount":1500.0' in sf.get(f"{OPPORTUNITIES}/{small}").body
    assert b'"Amount":1.23456785E7' in sf.get(f"{OPPORTUNITIES}/{big}").body


def test_money_is_rounded_half_up_without_a_word(sf: Client) -> None:
    assert shown(sf, make(sf, Amount=0.125))["Amount"] == Decimal("0.13")


def test_blanks_are_trimmed_and_blank_text_is_null(sf: Client) -> None:
    doc = shown(sf, make(sf, Name="  X\t", NextStep="   ", Description="　wide　"))
    assert (doc["Name"], doc["NextStep"], doc["Description"]) == ("X", None, "　wide　")


def test_null_clears_and_an_unnamed_field_is_untouched(sf: Client) -> None:
    row_id = make(sf, Amount=5, NextStep="call")
    cleared = sf.patch(f"{OPPORTUNITIES}/{row_id}", {"Amount": None})
    assert (cleared.status, cleared.body) == (204, b"")
    assert shown(sf, row_id)["Amount"] is None
    assert shown(sf, row_id)["NextStep"] == "call"


def test_dates_have_no_colon_in_their_offset_and_whole_seconds(
    sf: Client, clock: VirtualClock
) -> None:
    clock.advance(8.7)
    assert shown(sf, make(sf))["SystemModstamp"] == "2026-03-10T12:00:08.000+0000"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"CloseDate": None}, "REQUIRED_FIELD_MISSING"),
        ({"Foo__c": 1}, "INVALID_FIELD"),
        ({"Id": "006000000000000AAA"}, "INVALID_FIELD"),
        ({"IsClosed": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"StageName": "Won"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"AccountId": "123"}, "MALFORMED_ID"),
        ({"AccountId": "001000000000000AAA"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"Name": "x" * 121}, "STRING_TOO_LONG"),
        ({"Amount": 10**16}, "NUMBER_OUTSIDE_VALID_RANGE"),
        ({"Amount": "12"}, "JSON_PARSER_ERROR"),
        ({"CloseDate": "soon"}, "JSON_PARSER_ERROR"),
        ({"Name": 5}, "JSON_PARSER_ERROR"),
        ({"CurrencyIsoCode": "USD"}, "INVALID_FIELD"),
    ],
)
def test_what_a_create_refuses(
    sf: Client, salesforce: SalesforceCore, values: dict[str, object], expected: str
) -> None:
    assert code(sf.post(OPPORTUNITIES, {**BASE, **values})) == expected
    assert salesforce.effects == []


def test_other_refusals_of_values(sf: Client) -> None:
    contact = {"LastName": "Doe", "Email": "no-at-sign"}
    refused = sf.post(f"{API}/sobjects/Contact", contact)
    assert code(refused) == "INVALID_EMAIL_ADDRESS"
    assert code(sf.send("POST", OPPORTUNITIES, raw=b"{oops")) == "JSON_PARSER_ERROR"
    assert code(sf.get(f"{API}/sobjects/Spaceship/x"), 404) == "NOT_FOUND"
    assert code(sf.get(f"{API}/no/such"), 404) == "NOT_FOUND"


def test_currencies_exist_only_with_multicurrency(clock: VirtualClock) -> None:
    core = SalesforceCore(clock, settings=SalesforceSettings(currencies=("USD", "EUR")))
    with serve(core) as base:
        sf = Client(base, {"authorization": f"Bearer {core.issue_token()}"})
        assert shown(sf, make(sf))["CurrencyIsoCode"] == "USD"
        assert shown(sf, make(sf, CurrencyIsoCode="EUR"))["CurrencyIsoCode"] == "EUR"
        refused = sf.post(OPPORTUNITIES, {**BASE, "CurrencyIsoCode": "XYZ"})
        assert code(refused) == "INVALID_CURRENCY_ISO"


def test_without_quotes_there_is_no_such_object(clock: VirtualClock) -> None:
    core = SalesforceCore(clock, settings=SalesforceSettings(quotes=False))
    with serve(core) as base:
        sf = Client(base, {"authorization": f"Bearer {core.issue_token()}"})
        assert code(sf.get(f"{API}/query?q=SELECT+Id+FROM+Quote")) == "INVALID_TYPE"


def test_the_amount_is_ignored_once_there_are_products(
    sf: Client, salesforce: SalesforceCore
) -> None:
    row_id = make(sf, Amount=5)
    salesforce.automate(row_id, {"HasOpportunityLineItem": True})
    accepted = sf.patch(f"{OPPORTUNITIES}/{row_id}", {"Amount": 99, "NextStep": "call"})
    assert accepted.status == 204
    assert shown(sf, row_id)["Amount"] == Decimal("5.0")
    assert shown(sf, row_id)["NextStep"] == "call"


def test_a_new_stage_resets_the_probability_unless_it_is_given(sf: Client) -> None:
    row_id = make(sf)
    sf.patch(f"{OPPORTUNITIES}/{row_id}", {"StageName": "Closed Won"})
    won = shown(sf, row_id)
    assert (won["Probability"], won["IsClosed"], won["IsWon"]) == (Decimal(100), True, True)
    sf.patch(f"{OPPORTUNITIES}/{row_id}", {"StageName": "Qualification", "Probability": 37})
    assert shown(sf, row_id)["Probability"] == Decimal(37)


def test_automation_moves_the_system_stamp_only(
    sf: Client, salesforce: SalesforceCore, clock: VirtualClock
) -> None:
    row_id = make(sf)
    clock.advance(60)
    salesforce.automate(row_id, {"NextStep": "by robot"})
    doc = shown(sf, row_id)
    assert doc["SystemModstamp"] == "2026-03-10T12:01:00.000+0000"
    assert doc["LastModifiedDate"] == "2026-03-10T12:00:00.000+0000"


def test_a_formula_changes_without_any_stamp(
    sf: Client, salesforce: SalesforceCore, clock: VirtualClock
) -> None:
    row_id = make(sf)
    clock.advance(60)
    price = Field("Risk__c", formula=lambda _values: "high", writable=False)
    salesforce.define("Opportunity", price)
    doc = shown(sf, row_id)
    assert (doc["Risk__c"], doc["SystemModstamp"]) == ("high", "2026-03-10T12:00:00.000+0000")
    refused = sf.patch(f"{OPPORTUNITIES}/{row_id}", {"Risk__c": "low"})
    assert code(refused) == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_a_hidden_field_is_as_if_it_were_not_there(sf: Client, salesforce: SalesforceCore) -> None:
    hidden = salesforce.org.objects["Opportunity"]["NextStep"]
    salesforce.define("Opportunity", replace(hidden, hidden=True))
    names = [f["name"] for f in sf.get(f"{OPPORTUNITIES}/describe").doc["fields"]]
    assert "NextStep" not in names
    assert code(sf.post(OPPORTUNITIES, {**BASE, "NextStep": "x"})) == "INVALID_FIELD"
    assert code(sf.get(f"{API}/query?q=SELECT+NextStep+FROM+Opportunity")) == "INVALID_FIELD"


def test_describe_tells_what_a_setup_check_needs(sf: Client, salesforce: SalesforceCore) -> None:
    salesforce.define("Opportunity", KEY)
    fields = {f["name"]: f for f in sf.get(f"{OPPORTUNITIES}/describe").doc["fields"]}
    key = fields["Quotey_Id__c"]
    assert (key["externalId"], key["unique"], key["caseSensitive"]) == (True, True, True)
    assert (fields["Amount"]["precision"], fields["Amount"]["scale"]) == (18, 2)
    assert fields["StageName"]["restrictedPicklist"] is True
    assert fields["AccountId"]["referenceTo"] == ["Account"]
    assert fields["Name"]["nillable"] is False


def test_sessions_end_and_the_quota_is_403(sf: Client, base: str, clock: VirtualClock) -> None:
    assert code(Client(base, {}).get(OPPORTUNITIES), 401) == "INVALID_SESSION_ID"
    assert sf.get(f"{API}/limits").headers["sforce-limit-info"] == "api-usage=1/100000"
    core = SalesforceCore(clock, settings=SalesforceSettings(api_limit=2))
    with serve(core) as small:
        client = Client(small, {"authorization": f"Bearer {core.issue_token()}"})
        statuses = [client.get(f"{API}/limits").status for _ in range(3)]
        assert statuses == [200, 200, 403]
        refused = client.get(f"{API}/limits")
        assert code(refused, 403) == "REQUEST_LIMIT_EXCEEDED"
        assert refused.doc[0]["message"] == "TotalRequests Limit exceeded."
        clock.advance(7200)
        assert code(client.get(f"{API}/limits"), 401) == "INVALID_SESSION_ID"
        clock.advance(24 * 3600)
        fresh = {"authorization": f"Bearer {core.issue_token()}"}
        assert client.get(f"{API}/limits", headers=fresh).status == 200


def test_a_dead_refresh_token_is_an_object_not_an_array(
    base: str, salesforce: SalesforceCore
) -> None:
    salesforce.refresh_tokens.add("good")
    form = {"content-type": "application/x-www-form-urlencoded"}
    client = Client(base, form)
    path = "/services/oauth2/token"
    bad = client.send("POST", path, raw=b"grant_type=refresh_token&refresh_token=bad")
    assert (bad.status, bad.doc["error"]) == (400, "invalid_grant")
    good = client.send("POST", path, raw=b"grant_type=refresh_token&refresh_token=good")
    assert good.status == 200
    bearer = {"authorization": f"Bearer {good.doc['access_token']}"}
    assert client.get(f"{API}/limits", headers=bearer).status == 200
