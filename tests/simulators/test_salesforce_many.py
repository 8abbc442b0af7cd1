"""Collections and composites over real HTTP (crm-semantics.md 3S)."""

import pytest

from quotey.testing.simulators.salesforce import SalesforceCore
from tests.simulators.test_salesforce_rows import API, BASE, KEY, code, make, shown
from tests.simulators.wire_client import Client

MANY = f"{API}/composite/sobjects"


def row(**values: object) -> dict[str, object]:
    return {"attributes": {"type": "Opportunity"}, **BASE, **values}


@pytest.fixture(autouse=True)
def key_field(salesforce: SalesforceCore) -> None:
    salesforce.define("Opportunity", KEY)


def test_a_bad_record_is_an_item_in_a_200_in_the_order_of_the_inputs(sf: Client) -> None:
    records = [row(), row(CloseDate=None), row()]
    answer = sf.post(MANY, {"records": records})
    assert answer.status == 200
    assert [item["success"] for item in answer.doc] == [True, False, True]
    refused = answer.doc[1]
    assert "id" not in refused
    assert refused["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    assert refused["errors"][0]["fields"] == ["CloseDate"]
    assert "errorCode" not in refused["errors"][0]


def test_all_or_none_takes_the_siblings_back(sf: Client, salesforce: SalesforceCore) -> None:
    records = [row(Quotey_Id__c="A"), row(CloseDate=None), row()]
    answer = sf.post(MANY, {"records": records, "allOrNone": True})
    codes = [item["errors"][0]["statusCode"] for item in answer.doc]
    rolled = "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert codes == [rolled, "REQUIRED_FIELD_MISSING", rolled]
    assert salesforce.effects == []
    assert salesforce.org.rows["Opportunity"] == {}
    assert sf.post(MANY, {"records": [row(Quotey_Id__c="A")]}).doc[0]["success"] is True


def test_all_or_none_restores_what_was_changed(sf: Client) -> None:
    known = make(sf, NextStep="before")
    records = [
        {"attributes": {"type": "Opportunity"}, "Id": known, "NextStep": "after"},
        {"attributes": {"type": "Opportunity"}, "Id": "006000000000000AAA"},
    ]
    answer = sf.patch(MANY, {"records": records, "allOrNone": True})
    assert answer.doc[1]["errors"][0]["statusCode"] == "NOT_FOUND"
    assert shown(sf, known)["NextStep"] == "before"


def test_an_upsert_of_many_tells_which_were_created(sf: Client) -> None:
    path = f"{MANY}/Opportunity/Quotey_Id__c"
    first = sf.patch(path, {"records": [row(Quotey_Id__c="A"), row()]})
    assert [item.get("created") for item in first.doc] == [True, None]
    assert first.doc[1]["errors"][0]["statusCode"] == "MISSING_ARGUMENT"
    second = sf.patch(path, {"records": [row(Quotey_Id__c="A"), row(Quotey_Id__c="B")]})
    assert [item["created"] for item in second.doc] == [False, True]


def test_one_locked_row_fails_only_itself(sf: Client, salesforce: SalesforceCore) -> None:
    one, two = make(sf), make(sf)
    salesforce.lock(one, 60)
    records = [
        {"attributes": {"type": "Opportunity"}, "id": each, "NextStep": "x"} for each in (one, two)
    ]
    answer = sf.patch(MANY, {"records": records}).doc
    assert [item["success"] for item in answer] == [False, True]
    assert answer[0]["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"


def test_many_are_read_and_deleted_by_ids(sf: Client) -> None:
    one, two = make(sf, Name="One"), make(sf, Name="Two")
    asked = {"ids": [one, "006000000000000AAA", two], "fields": ["Name"]}
    found = sf.post(f"{MANY}/Opportunity", asked).doc
    assert [item and item["Name"] for item in found] == ["One", None, "Two"]
    gone = sf.send("DELETE", f"{MANY}?ids={one},{one},nonsense").doc
    assert [item["success"] for item in gone] == [True, False, False]
    codes = [item["errors"][0]["statusCode"] for item in gone[1:]]
    assert codes == ["ENTITY_IS_DELETED", "MALFORMED_ID"]


def test_what_a_collection_refuses_as_a_whole(sf: Client) -> None:
    assert code(sf.post(MANY, {"records": [row()] * 201})) == "EXCEEDED_ID_LIMIT"
    assert code(sf.post(MANY, {"records": "x"})) == "JSON_PARSER_ERROR"
    typeless = sf.post(MANY, {"records": [dict(BASE)]}).doc
    assert typeless[0]["errors"][0]["statusCode"] == "INVALID_TYPE"


def composite(
    sf: Client, *parts: dict[str, object], every: bool = False
) -> list[dict[str, object]]:
    body = {"allOrNone": every, "compositeRequest": list(parts)}
    answer = sf.post(f"{API}/composite", body)
    assert answer.status == 200
    return list(answer.doc["compositeResponse"])


def part(name: str, method: str, url: str, body: object = None) -> dict[str, object]:
    return {"referenceId": name, "method": method, "url": f"{API}{url}", "body": body}


def test_a_composite_uses_what_it_made_before(sf: Client, salesforce: SalesforceCore) -> None:
    account = part("acc", "POST", "/sobjects/Account", {"Name": "Acme"})
    deal = part("opp", "POST", "/sobjects/Opportunity", {**BASE, "AccountId": "@{acc.id}"})
    read = part("q", "GET", "/query?q=SELECT+AccountId+FROM+Opportunity+WHERE+Id='@{opp.id}'")
    made = composite(sf, account, deal, read)
    assert [r["httpStatusCode"] for r in made] == [201, 201, 200]
    found = made[2]["body"]
    assert isinstance(found, dict)
    first = made[0]["body"]
    assert isinstance(first, dict)
    assert found["records"][0]["AccountId"] == first["id"]
    assert len(salesforce.log) == 1


def test_a_failed_part_halts_what_refers_to_it(sf: Client) -> None:
    account = part("acc", "POST", "/sobjects/Account", {})
    deal = part("opp", "POST", "/sobjects/Opportunity", {**BASE, "AccountId": "@{acc.id}"})
    other = part("other", "POST", "/sobjects/Account", {"Name": "Acme"})
    made = composite(sf, account, deal, other)
    assert [r["httpStatusCode"] for r in made] == [400, 400, 201]
    body = made[1]["body"]
    assert isinstance(body, list)
    assert body[0]["errorCode"] == "PROCESSING_HALTED"


def test_a_composite_of_all_or_none_leaves_nothing(sf: Client, salesforce: SalesforceCore) -> None:
    account = part("acc", "POST", "/sobjects/Account", {"Name": "Acme"})
    broken = part("opp", "POST", "/sobjects/Opportunity", {})
    made = composite(sf, account, broken, every=True)
    bodies = [r["body"] for r in made]
    assert all(isinstance(body, list) for body in bodies)
    codes = [body[0]["errorCode"] for body in bodies if isinstance(body, list)]
    assert codes == ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]
    assert salesforce.org.rows["Account"] == {}


def test_a_composite_carries_conditions_and_has_at_most_25_parts(sf: Client) -> None:
    row_id = make(sf)
    guarded = part("p", "PATCH", f"/sobjects/Opportunity/{row_id}", {"NextStep": "x"})
    old = {**guarded, "httpHeaders": {"If-Unmodified-Since": "Tue, 10 Mar 2020 00:00:00 GMT"}}
    assert composite(sf, old)[0]["httpStatusCode"] == 412
    body = {"compositeRequest": [guarded] * 26}
    assert sf.post(f"{API}/composite", body).status == 400


def test_a_batch_halts_on_request(sf: Client) -> None:
    parts = [
        {"method": "GET", "url": "v67.0/limits"},
        {"method": "GET", "url": "v67.0/nothing"},
        {"method": "GET", "url": "v67.0/limits"},
    ]
    body = {"batchRequests": parts, "haltOnError": True}
    answer = sf.post(f"{API}/composite/batch", body).doc
    assert answer["hasErrors"] is True
    assert [r["statusCode"] for r in answer["results"]] == [200, 404, 412]
