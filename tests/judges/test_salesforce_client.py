"""`simple-salesforce` talks to the simulated org; what it rejects is our bug."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, SFType, format_soql
from simple_salesforce.exceptions import (
    SalesforceError,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from urllib3.util.retry import Retry

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.faults import Fault
from quotey.testing.simulators.salesforce import SalesforceCore, stale_version
from quotey.testing.simulators.salesforce.schema import Field

DEAL = {"Name": "Judged", "StageName": "Prospecting", "CloseDate": "2026-10-22", "Amount": 1200.5}
VERSION = "67.0"


class Plainly(HTTPAdapter):
    """Sends over HTTP what the client insists to call HTTPS."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        assert request.url is not None
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


def client_of(base: str, token: str, *, retries: Retry | int = 0) -> Salesforce:
    session = requests.Session()
    session.mount("https://", Plainly(max_retries=retries))
    instance = base.removeprefix("http://")
    return Salesforce(instance=instance, session_id=token, version=VERSION, session=session)


@pytest.fixture
def sf(base: str, org: SalesforceCore) -> Salesforce:
    return client_of(base, org.issue_token(seconds=None))


@pytest.fixture
def opportunity(sf: Salesforce) -> SFType:
    return SFType("Opportunity", sf.session_id, sf.sf_instance, VERSION, None, sf.session)


def new_account(sf: Salesforce, name: str = "Acme") -> str:
    return str(sf.Account.create({"Name": name})["id"])


def new_deal(opportunity: SFType, **more: object) -> str:
    return str(opportunity.create({**DEAL, **more})["id"])


# --- one record -----------------------------------------------------------------------------------


def test_a_record_is_created_read_updated_and_deleted(opportunity: SFType) -> None:
    made = opportunity.create(dict(DEAL))
    assert made["success"] is True
    assert made["errors"] == []
    key = made["id"]
    assert len(key) == 18
    found = opportunity.get(key)
    assert found["attributes"]["type"] == "Opportunity"
    assert (found["Name"], found["Amount"], found["AccountId"]) == ("Judged", 1200.5, None)
    assert opportunity.update(key, {"Amount": 7}) == 204
    assert opportunity.get(key)["Amount"] == 7.0
    assert opportunity.delete(key) == 204
    with pytest.raises(SalesforceResourceNotFound) as refused:
        opportunity.get(key)
    assert refused.value.content[0]["errorCode"] == "ENTITY_IS_DELETED"


def test_a_record_answers_to_its_short_id_too(opportunity: SFType) -> None:
    key = new_deal(opportunity)
    assert opportunity.get(key[:15])["Id"] == key


def test_an_upsert_by_an_external_id_creates_once_and_then_updates(opportunity: SFType) -> None:
    first = opportunity.upsert("Quotey_Key__c/Q-1", dict(DEAL), raw_response=True)
    again = opportunity.upsert("Quotey_Key__c/Q-1", {"Amount": 9}, raw_response=True)
    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["created"], again.json()["created"]) == (True, False)
    found = opportunity.get_by_custom_id("Quotey_Key__c", "Q-1")
    assert (found["Id"], found["Amount"]) == (first.json()["id"], 9.0)


def test_an_external_id_with_a_slash_in_it_stays_one_value(opportunity: SFType) -> None:
    opportunity.upsert("Quotey_Key__c/Q%2F1", dict(DEAL))
    assert opportunity.get_by_custom_id("Quotey_Key__c", "Q/1")["Quotey_Key__c"] == "Q/1"


def test_a_conditional_write_is_refused_once_the_record_has_moved(
    opportunity: SFType, clock: VirtualClock
) -> None:
    key = new_deal(opportunity)
    looked = clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
    clock.advance(60)
    opportunity.update(key, {"Amount": 1})
    with pytest.raises(SalesforceError) as refused:
        opportunity.update(key, {"Amount": 2}, headers={"If-Unmodified-Since": looked})
    assert refused.value.status == 412
    assert opportunity.get(key)["Amount"] == 1.0


def test_what_an_object_is_made_of_is_described(sf: Salesforce, opportunity: SFType) -> None:
    fields = {field["name"]: field for field in opportunity.describe()["fields"]}
    key = fields["Quotey_Key__c"]
    assert (key["externalId"], key["unique"], key["updateable"]) == (True, True, True)
    assert fields["Amount"]["type"] == "currency"
    assert "Closed Won" in [one["value"] for one in fields["StageName"]["picklistValues"]]
    names = {one["name"] for one in sf.describe()["sobjects"]}
    assert {"Account", "Contact", "Opportunity"} <= names


# --- queries --------------------------------------------------------------------------------------


def test_a_query_finds_what_it_asks_for(sf: Salesforce, opportunity: SFType) -> None:
    account = new_account(sf)
    for number in range(4):
        new_deal(opportunity, Name=f"Deal {number}", Amount=number * 100, AccountId=account)
    found = sf.query(
        "SELECT Id, Name, Amount, Account.Name FROM Opportunity "
        "WHERE Amount >= 200 AND StageName = 'Prospecting' ORDER BY Amount DESC LIMIT 10"
    )
    assert (found["totalSize"], found["done"]) == (2, True)
    assert [one["Amount"] for one in found["records"]] == [300.0, 200.0]
    assert found["records"][0]["Account"]["Name"] == "Acme"


def test_a_query_is_walked_to_its_end_by_the_clients_own_loop(
    sf: Salesforce, org: SalesforceCore
) -> None:
    for number in range(4_500):
        org.create("Account", {"Name": f"Company {number}"})
    assert sf.query("SELECT Id FROM Account")["done"] is False
    assert len({one["Id"] for one in sf.query_all_iter("SELECT Id FROM Account")}) == 4_500
    assert sf.query_all("SELECT Id FROM Account")["totalSize"] == 4_500


def test_counts_and_groups_are_told(sf: Salesforce, opportunity: SFType) -> None:
    new_deal(opportunity)
    new_deal(opportunity)
    assert sf.query("SELECT COUNT() FROM Opportunity")["totalSize"] == 2


@pytest.mark.parametrize(
    "name", ["O'Brien & Sons", 'Quoted "Inc"', "50% off_", "back\\slash", "Zoë  日本"]
)
def test_what_the_client_escapes_is_understood(sf: Salesforce, name: str) -> None:
    key = new_account(sf, name)
    new_account(sf, "Other")
    found = sf.query(format_soql("SELECT Id, Name FROM Account WHERE Name = {}", name))
    assert [(one["Id"], one["Name"]) for one in found["records"]] == [(key, name)]
    pattern = format_soql("SELECT Id FROM Account WHERE Name LIKE '{:like}%'", name[:4])
    assert [one["Id"] for one in sf.query(pattern)["records"]] == [key]


def test_values_of_every_kind_are_written_into_a_query(
    sf: Salesforce, opportunity: SFType, clock: VirtualClock
) -> None:
    key = new_deal(opportunity)
    hour_ago = (clock.now() - timedelta(hours=1)).replace(tzinfo=UTC)
    query = format_soql(
        "SELECT Id FROM Opportunity WHERE SystemModstamp > {} AND IsClosed = {} AND Amount > {} "
        "AND StageName IN {} AND CloseDate > {:literal}",
        hour_ago,
        False,
        1.5,
        ["Prospecting", "Qualification"],
        "2026-01-01",
    )
    assert [one["Id"] for one in sf.query(query)["records"]] == [key]


def test_what_is_in_the_bin_is_found_by_query_all_rows(sf: Salesforce, opportunity: SFType) -> None:
    key = new_deal(opportunity)
    opportunity.delete(key)
    assert sf.query("SELECT Id FROM Opportunity")["totalSize"] == 0
    found = sf.query("SELECT Id, IsDeleted FROM Opportunity", include_deleted=True)
    assert [(one["Id"], one["IsDeleted"]) for one in found["records"]] == [(key, True)]


def test_changes_and_deletions_of_a_span_are_listed(
    opportunity: SFType, clock: VirtualClock
) -> None:
    key, gone = new_deal(opportunity), new_deal(opportunity)
    opportunity.delete(gone)
    clock.advance(120)
    start = datetime(2026, 3, 10, 11, tzinfo=UTC)
    end = clock.now()
    assert opportunity.updated(start, end)["ids"] == [key]
    listed = opportunity.deleted(start, end)["deletedRecords"]
    assert [one["id"] for one in listed] == [gone]


@pytest.mark.parametrize(
    "query",
    ["SELECT Id FROM", "SELECT Nonsense__c FROM Account", "SELECT Id FROM Nothing", "hello"],
)
def test_a_query_that_makes_no_sense_is_a_malformed_request(sf: Salesforce, query: str) -> None:
    with pytest.raises(SalesforceMalformedRequest) as refused:
        sf.query(query)
    assert refused.value.content[0]["errorCode"] in {
        *("MALFORMED_QUERY", "INVALID_FIELD", "INVALID_TYPE"),
    }


# --- collections and composites -------------------------------------------------------------------


def collection(sf: Salesforce, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401 - JSON
    return sf.restful(f"composite/{path}", method=method, **more)


def test_a_collection_keeps_what_is_good_and_tells_what_is_not(sf: Salesforce) -> None:
    kind = {"type": "Account"}
    records = [{"attributes": kind, "Name": "Good"}, {"attributes": kind, "Fax": "1"}]
    answer = collection(sf, "POST", "sobjects", json={"allOrNone": False, "records": records})
    assert [one["success"] for one in answer] == [True, False]
    assert answer[1]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    assert sf.query("SELECT COUNT() FROM Account")["totalSize"] == 1


def test_a_collection_that_must_be_whole_leaves_nothing(sf: Salesforce) -> None:
    kind = {"type": "Account"}
    records = [{"attributes": kind, "Name": "Good"}, {"attributes": kind, "Fax": "1"}]
    answer = collection(sf, "POST", "sobjects", json={"allOrNone": True, "records": records})
    assert [one["success"] for one in answer] == [False, False]
    assert sf.query("SELECT COUNT() FROM Account")["totalSize"] == 0


def test_a_collection_is_upserted_by_an_external_id(sf: Salesforce) -> None:
    kind = {"type": "Opportunity"}
    records = [{"attributes": kind, **DEAL, "Quotey_Key__c": f"Q-{n}"} for n in range(3)]
    body = {"allOrNone": False, "records": records}
    path = "sobjects/Opportunity/Quotey_Key__c"
    first = collection(sf, "PATCH", path, json=body)
    again = collection(sf, "PATCH", path, json=body)
    assert [one["created"] for one in first] == [True] * 3
    assert [one["created"] for one in again] == [False] * 3
    assert [one["id"] for one in first] == [one["id"] for one in again]


def test_a_collection_is_read_in_the_order_that_was_asked(sf: Salesforce) -> None:
    ids = [new_account(sf, name) for name in ("A", "B")]
    asked = {"ids": [ids[1], "001000000000000AAA", ids[0]], "fields": ["Name"]}
    answer = collection(sf, "POST", "sobjects/Account", json=asked)
    assert [one and one["Name"] for one in answer] == ["B", None, "A"]


def test_a_composite_hands_an_id_from_one_step_to_the_next(sf: Salesforce) -> None:
    steps = [
        {
            "method": "POST",
            "url": f"/services/data/v{VERSION}/sobjects/Account",
            "referenceId": "acc",
            "body": {"Name": "Composite"},
        },
        {
            "method": "POST",
            "url": f"/services/data/v{VERSION}/sobjects/Opportunity",
            "referenceId": "opp",
            "body": {**DEAL, "AccountId": "@{acc.id}"},
        },
    ]
    answer = sf.restful(
        "composite", method="POST", json={"allOrNone": True, "compositeRequest": steps}
    )
    account, deal = answer["compositeResponse"]
    assert (account["httpStatusCode"], deal["httpStatusCode"]) == (201, 201)
    found = sf.Opportunity.get(deal["body"]["id"])
    assert found["AccountId"] == account["body"]["id"]


# --- limits, refusals, retries --------------------------------------------------------------------


def test_the_daily_quota_is_told_and_counted_by_the_client(sf: Salesforce) -> None:
    left = sf.limits()["DailyApiRequests"]
    assert left["Max"] - left["Remaining"] >= 1
    usage = sf.api_usage["api-usage"]
    assert (usage.used, usage.total) == (left["Max"] - left["Remaining"], left["Max"])


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"Name": "No stage", "CloseDate": "2026-01-01"}, "REQUIRED_FIELD_MISSING"),
        ({**DEAL, "StageName": "Nowhere"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({**DEAL, "Nonsense__c": 1}, "INVALID_FIELD"),
        ({**DEAL, "IsWon": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({**DEAL, "Name": "x" * 121}, "STRING_TOO_LONG"),
        ({**DEAL, "CurrencyIsoCode": "XXX"}, "INVALID_CURRENCY_ISO"),
    ],
)
def test_a_refused_save_is_a_malformed_request_with_its_code(
    opportunity: SFType, values: Mapping[str, object], code: str
) -> None:
    with pytest.raises(SalesforceMalformedRequest) as refused:
        opportunity.create(dict(values))
    assert refused.value.content[0]["errorCode"] == code


def test_a_taken_external_id_is_refused_and_names_its_holder(opportunity: SFType) -> None:
    key = new_deal(opportunity, Quotey_Key__c="Q-1")
    with pytest.raises(SalesforceMalformedRequest) as refused:
        new_deal(opportunity, Quotey_Key__c="Q-1")
    assert refused.value.content[0]["errorCode"] == "DUPLICATE_VALUE"
    assert key[:15] in refused.value.content[0]["message"]


def test_an_external_id_that_two_records_share_is_more_than_one(
    sf: Salesforce, org: SalesforceCore
) -> None:
    org.define("Account", Field("Legacy__c", external_id=True))
    for name in ("A", "B"):
        sf.Account.create({"Name": name, "Legacy__c": "L-1"})
    with pytest.raises(SalesforceMoreThanOneRecord):
        sf.Account.get_by_custom_id("Legacy__c", "L-1")


def test_a_validation_rule_refuses_an_older_version(
    opportunity: SFType, org: SalesforceCore
) -> None:
    org.define("Opportunity", Field("Quotey_Version__c", "double", scale=0))
    org.validations.append(stale_version("Opportunity"))
    key = new_deal(opportunity, Quotey_Version__c=3)
    with pytest.raises(SalesforceMalformedRequest) as refused:
        opportunity.update(key, {"Quotey_Version__c": 2})
    assert refused.value.content[0]["errorCode"] == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    assert refused.value.content[0]["message"] == "QUOTEY_STALE_VERSION"


def test_an_expired_session_is_the_clients_own_error(
    base: str, org: SalesforceCore, clock: VirtualClock
) -> None:
    sf = client_of(base, org.issue_token())
    sf.limits()
    clock.advance(3 * 3600)
    with pytest.raises(SalesforceExpiredSession):
        sf.limits()


def test_a_spent_quota_is_a_refused_request(sf: Salesforce, org: SalesforceCore) -> None:
    org.faults.add(Fault("rate_limited"))
    with pytest.raises(SalesforceRefusedRequest) as refused:
        sf.query("SELECT Id FROM Account")
    assert refused.value.content[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"


def test_the_sessions_own_retries_pass_a_server_error(base: str, org: SalesforceCore) -> None:
    retries = Retry(total=3, status_forcelist=(503,), allowed_methods=None, backoff_factor=0)
    sf = client_of(base, org.issue_token(seconds=None), retries=retries)
    org.faults.add(Fault("server_error", times=2, status=503))
    key = new_account(sf)
    assert [one.status for one in org.log] == [503, 503, 201]
    assert sf.Account.get(key)["Name"] == "Acme"


def test_big_numbers_come_back_as_the_numbers_that_they_are(base: str, org: SalesforceCore) -> None:
    session = requests.Session()
    session.mount("https://", Plainly())
    sf = Salesforce(
        instance=base.removeprefix("http://"),
        session_id=org.issue_token(seconds=None),
        version=VERSION,
        session=session,
        parse_float=Decimal,
    )
    key = str(sf.Opportunity.create({**DEAL, "Amount": 12345678.9})["id"])
    assert sf.query("SELECT Amount FROM Opportunity")["records"][0]["Amount"] == Decimal(
        "12345678.9"
    )
    assert key
