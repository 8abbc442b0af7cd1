"""One record at a time over real HTTP (crm-semantics.md 1H, 3H)."""

import json
import re

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.hubspot import HubSpotCore, HubSpotSettings, Property
from quotey.testing.simulators.server import serve
from tests.simulators.wire_client import Answer, Client

DEALS = "/crm/v3/objects/deals"
COMPANIES = "/crm/v3/objects/companies"
CONTACTS = "/crm/v3/objects/contacts"
QUOTE_ID = Property("quotey_quote_id", "string", label="Quote", unique=True, hubspot_defined=False)


def make(hs: Client, kind: str = DEALS, **values: object) -> str:
    base = {
        DEALS: {"dealname": "X", "dealstage": "qualifiedtobuy"},
        COMPANIES: {"name": "Acme"},
        CONTACTS: {"lastname": "Doe"},
    }[kind]
    created = hs.post(kind, {"properties": {**base, **values}})
    assert created.status == 201, created.doc
    return str(created.doc["id"])


def codes(answer: Answer) -> list[str]:
    assert answer.status == 400
    assert answer.doc["category"] == "VALIDATION_ERROR"
    return [error["code"] for error in answer.doc["errors"]]


def test_values_are_text_unset_is_null_and_unasked_is_absent(hs: Client) -> None:
    deal = make(hs, amount=1500)
    doc = hs.get(f"{DEALS}/{deal}?properties=amount,closedate,no_such_thing").doc
    assert doc["properties"]["amount"] == "1500"
    assert doc["properties"]["closedate"] is None
    assert not {"no_such_thing", "dealname"} & doc["properties"].keys()
    assert doc["id"] == deal
    assert doc["archived"] is False


def test_a_number_comes_back_exactly_as_written(hs: Client) -> None:
    deal = make(hs, amount="1500.00")
    assert hs.get(f"{DEALS}/{deal}").doc["properties"]["amount"] == "1500.00"


def test_a_patch_answers_only_what_was_written_and_the_defaults(hs: Client) -> None:
    deal = make(hs, amount="1")
    changed = hs.patch(f"{DEALS}/{deal}", {"properties": {"description": "d"}})
    assert changed.status == 200
    assert set(changed.doc["properties"]) == {
        *("description", "hs_object_id", "createdate", "hs_lastmodifieddate")
    }


def test_an_empty_text_clears_to_null(hs: Client) -> None:
    deal = make(hs, amount="1")
    hs.patch(f"{DEALS}/{deal}", {"properties": {"amount": ""}})
    assert hs.get(f"{DEALS}/{deal}").doc["properties"]["amount"] is None


def test_history_is_newest_first_with_its_source(
    hs: Client, hubspot: HubSpotCore, clock: VirtualClock
) -> None:
    deal = make(hs, amount="1")
    clock.advance(1)
    hubspot.edit("deals", int(deal), {"amount": "2"})
    history = hs.get(f"{DEALS}/{deal}?propertiesWithHistory=amount").doc["propertiesWithHistory"]
    assert [entry["value"] for entry in history["amount"]] == ["2", "1"]
    assert [entry["sourceType"] for entry in history["amount"]] == ["CRM_UI", "INTEGRATION"]


def test_the_modified_date_advances_by_itself(hs: Client, clock: VirtualClock) -> None:
    created = hs.post(DEALS, {"properties": {"dealname": "X", "dealstage": "closedwon"}}).doc
    clock.advance(1)
    later = hs.get(f"{DEALS}/{created['id']}").doc
    assert re.fullmatch(r"2026-03-10T12:00:00\.\d{3}Z", later["updatedAt"])
    assert created["updatedAt"] == "2026-03-10T12:00:00Z"


def test_a_write_of_equal_values_bumps_nothing(hs: Client, clock: VirtualClock) -> None:
    deal = make(hs, amount="5")
    clock.advance(10)
    before = hs.get(f"{DEALS}/{deal}").doc["updatedAt"]
    clock.advance(10)
    hs.patch(f"{DEALS}/{deal}", {"properties": {"amount": "5"}})
    clock.advance(10)
    assert hs.get(f"{DEALS}/{deal}").doc["updatedAt"] == before


def test_the_date_header_tells_virtual_time(hs: Client, clock: VirtualClock) -> None:
    clock.advance(61)
    assert hs.get("/crm/v3/owners").headers["date"] == "Tue, 10 Mar 2026 12:01:01 GMT"


def test_all_problems_of_a_write_come_at_once_and_nothing_is_written(hs: Client) -> None:
    wrong = {"amount": "1,000", "missing": "1", "closedate": "soon", "hs_is_closed": "true"}
    refused = hs.post(DEALS, {"properties": {"dealname": "X", **wrong}})
    assert codes(refused) == [
        *("INVALID_LONG", "PROPERTY_DOESNT_EXIST", "INVALID_DATE", "READ_ONLY_VALUE"),
        "MISSING_REQUIRED",
    ]
    embedded = json.loads(refused.doc["message"].removeprefix("Property values were not valid: "))
    assert embedded[1]["message"] == 'Property "missing" does not exist'
    assert hs.get(DEALS).doc == {"results": []}


def test_a_label_or_a_stage_of_another_pipeline_is_an_invalid_option(hs: Client) -> None:
    deal = make(hs)
    for stage in ("Closed Won", "1234567"):
        refused = hs.patch(f"{DEALS}/{deal}", {"properties": {"dealstage": stage}})
        assert codes(refused) == ["INVALID_OPTION"]


def test_a_currency_that_the_account_has_not_is_refused(hs: Client) -> None:
    deal = make(hs)
    refused = hs.patch(f"{DEALS}/{deal}", {"properties": {"deal_currency_code": "XYZ"}})
    assert codes(refused) == ["INVALID_OPTION"]


def test_a_date_in_epoch_seconds_is_not_midnight(clock: VirtualClock) -> None:
    core = HubSpotCore(clock, settings=HubSpotSettings(closedate_type="date"))
    core.private_token()
    with serve(core) as base:
        hs = Client(base, {"authorization": "Bearer sim-hs-private"})
        deal = make(hs, closedate="2026-03-31")
        refused = hs.patch(f"{DEALS}/{deal}", {"properties": {"closedate": "1635535865"}})
        assert codes(refused) == ["INVALID_DATE"]
        assert "1635535865 is at 22:18:55.865 UTC, not midnight!" in refused.doc["message"]
        assert hs.get(f"{DEALS}/{deal}").doc["properties"]["closedate"] == "2026-03-31"


def test_a_backward_lifecycle_stage_is_dropped_silently_until_cleared(hs: Client) -> None:
    company = make(hs, COMPANIES, lifecyclestage="customer")
    path = f"{COMPANIES}/{company}"
    answer = hs.patch(path, {"properties": {"lifecyclestage": "lead"}})
    assert answer.status == 200
    assert answer.doc["properties"]["lifecyclestage"] == "customer"
    hs.patch(path, {"properties": {"lifecyclestage": ""}})
    hs.patch(path, {"properties": {"lifecyclestage": "lead"}})
    again = hs.get(f"{path}?properties=lifecyclestage").doc
    assert again["properties"]["lifecyclestage"] == "lead"


def test_a_published_quote_is_locked_until_it_is_a_draft_again(hs: Client) -> None:
    quote = hs.post(
        "/crm/v3/objects/quotes",
        {
            "properties": {
                "hs_title": "Q",
                "hs_expiration_date": "2026-04-01",
                "hs_status": "APPROVAL_NOT_NEEDED",
            }
        },
    ).doc["id"]
    path = f"/crm/v3/objects/quotes/{quote}"
    assert codes(hs.patch(path, {"properties": {"hs_title": "R"}})) == ["READ_ONLY_VALUE"]
    back = hs.patch(path, {"properties": {"hs_status": "DRAFT", "hs_title": "R"}})
    assert back.status == 200
    refused = hs.patch(path, {"properties": {"hs_quote_amount": "5"}})
    assert codes(refused) == ["READ_ONLY_VALUE"]


def test_a_unique_clash_names_the_burned_id_first_and_the_owner_second(
    hs: Client, hubspot: HubSpotCore
) -> None:
    hubspot.define("deals", QUOTE_ID)
    owner = make(hs, quotey_quote_id="Q-1")
    refused = hs.post(
        DEALS,
        {"properties": {"dealname": "Y", "dealstage": "closedwon", "quotey_quote_id": "Q-1"}},
    )
    assert refused.status == 400
    found = re.search(r"\}\s+on\s+(\d+)\.\s+(\d+)\s+already has that value", refused.doc["message"])
    assert found is not None
    assert found.group(2) == owner
    assert found.group(1) != owner
    assert hs.get(f"{DEALS}/{found.group(1)}").status == 404
    expected = "Cannot set PropertyValueCoordinates{portalId=1512050, "
    expected += "objectTypeId=ObjectTypeId{legacyObjectType=DEAL}, propertyName=quotey_quote_id, "
    assert refused.doc["message"].startswith(expected + "value=Q-1} on ")


def test_a_taken_contact_email_is_a_conflict(hs: Client) -> None:
    owner = make(hs, CONTACTS, email="Ada@Example.com")
    refused = hs.post(CONTACTS, {"properties": {"email": "ada@example.COM"}})
    assert refused.status == 409
    assert refused.doc["category"] == "CONFLICT"
    assert refused.doc["message"] == f"Contact already exists. Existing ID: {owner}"


def test_a_record_is_found_by_its_unique_value_and_never_by_another(
    hs: Client, hubspot: HubSpotCore
) -> None:
    hubspot.define("deals", QUOTE_ID)
    deal = make(hs, quotey_quote_id="Q-1")
    assert hs.get(f"{DEALS}/Q-1?idProperty=quotey_quote_id").doc["id"] == deal
    missing = hs.get(f"{DEALS}/Q-2?idProperty=quotey_quote_id")
    assert (missing.status, missing.doc["category"]) == (404, "OBJECT_NOT_FOUND")
    refused = hs.get(f"{DEALS}/X?idProperty=dealname")
    assert refused.status == 400
    assert "non-unique 0-3 property dealname in portal ID 1512050" in refused.doc["message"]


def test_a_number_that_is_not_there_has_no_category(hs: Client) -> None:
    missing = hs.get(f"{DEALS}/99")
    assert missing.status == 404
    assert missing.doc["message"] == "resource not found"
    assert "category" not in missing.doc
    assert missing.doc["correlationId"] == missing.headers["x-hubspot-correlation-id"]
    odd = hs.get(f"{DEALS}/Q-1")
    assert odd.doc["message"] == "Object not found.  objectId are usually numeric."


def test_the_loser_of_a_merge_answers_with_the_survivors_id(hs: Client) -> None:
    one, two = make(hs, amount="1"), make(hs, amount="2", description="kept")
    merged = hs.post(f"{DEALS}/merge", {"primaryObjectId": one, "objectIdToMerge": two}).doc
    assert merged["id"] not in {one, two}
    wanted = "properties=amount,description,hs_merged_object_ids"
    read = hs.get(f"{DEALS}/{two}?{wanted}").doc
    assert read["id"] == merged["id"]
    assert read["properties"]["amount"] == "1"
    assert read["properties"]["description"] == "kept"
    assert read["properties"]["hs_merged_object_ids"] == f"{one};{two}"
    hs.patch(f"{DEALS}/{one}", {"properties": {"amount": "9"}})
    assert hs.get(f"{DEALS}/{merged['id']}").doc["properties"]["amount"] == "9"


def test_quotes_cannot_be_merged(hs: Client) -> None:
    doc = {"primaryObjectId": "1", "objectIdToMerge": "2"}
    assert hs.post("/crm/v3/objects/quotes/merge", doc).status == 404


def test_an_archived_record_is_seen_only_when_asked_for(hs: Client, hubspot: HubSpotCore) -> None:
    hubspot.define("deals", QUOTE_ID)
    deal = make(hs, quotey_quote_id="Q-1")
    assert hs.send("DELETE", f"{DEALS}/{deal}").status == 204
    assert hs.send("DELETE", f"{DEALS}/{deal}").status == 204
    assert hs.get(f"{DEALS}/{deal}").status == 404
    archived = hs.get(f"{DEALS}/{deal}?archived=true").doc
    assert archived["archived"] is True
    assert archived["archivedAt"]
    assert [r["id"] for r in hs.get(f"{DEALS}?archived=true").doc["results"]] == [deal]
    assert make(hs, quotey_quote_id="Q-1") != deal


def test_lists_go_page_by_page_in_the_order_of_ids(hs: Client) -> None:
    made = [make(hs) for _ in range(5)]
    first = hs.get(f"{DEALS}?limit=3").doc
    assert [r["id"] for r in first["results"]] == made[:3]
    after = first["paging"]["next"]["after"]
    last = hs.get(f"{DEALS}?limit=3&after={after}").doc
    assert [r["id"] for r in last["results"]] == made[3:]
    assert "paging" not in last
    assert hs.get(f"{DEALS}?limit=101").status == 400
    assert hs.get(f"{DEALS}?limit=51&propertiesWithHistory=amount").status == 400


def test_malformed_json_is_refused_with_line_and_column(hs: Client) -> None:
    refused = hs.send("POST", DEALS, raw=b'{"properties": {"dealname": }')
    assert refused.status == 400
    assert refused.doc["message"].startswith("Invalid input JSON on line 1, column 29")


def test_the_dated_version_and_the_type_number_serve_the_same_records(hs: Client) -> None:
    deal = make(hs)
    assert hs.get(f"/crm/objects/2026-03/deals/{deal}").doc["id"] == deal
    assert hs.get(f"/crm/v3/objects/0-3/{deal}").doc["id"] == deal
    unknown = hs.get("/crm/v3/objects/starships/1")
    assert (unknown.status, unknown.doc["category"]) == (400, "VALIDATION_ERROR")


def test_a_leading_semicolon_adds_to_a_multiple_choice(hs: Client, hubspot: HubSpotCore) -> None:
    options = (("a", "A"), ("b", "B"), ("c", "C"))
    hubspot.define("deals", Property("x", "enumeration", field_type="checkbox", options=options))
    deal = make(hs, x="a")
    for written in (";c", ";a;b"):
        hs.patch(f"{DEALS}/{deal}", {"properties": {"x": written}})
    assert hs.get(f"{DEALS}/{deal}?properties=x").doc["properties"]["x"] == "a;c;b"
    assert codes(hs.patch(f"{DEALS}/{deal}", {"properties": {"x": ";A"}})) == ["INVALID_OPTION"]


def test_the_email_of_a_merged_contact_still_matches_and_clashes(hs: Client) -> None:
    one, two = make(hs, CONTACTS, email="a@x.example"), make(hs, CONTACTS, email="b@x.example")
    merged = hs.post(f"{CONTACTS}/merge", {"primaryObjectId": one, "objectIdToMerge": two}).doc
    found = hs.get(f"{CONTACTS}/b@x.example?idProperty=email&properties=email").doc
    assert (found["id"], found["properties"]["email"]) == (merged["id"], "a@x.example")
    assert hs.post(CONTACTS, {"properties": {"email": "b@x.example"}}).status == 409
