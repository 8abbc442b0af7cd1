"""Many records in one request over real HTTP (crm-semantics.md 3H)."""

import pytest

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.hubspot import HubSpotCore, HubSpotSettings
from quotey.testing.simulators.server import serve
from tests.simulators.test_hubspot_objects import DEALS, QUOTE_ID, make
from tests.simulators.wire_client import Client


def deal(trace: str = "", **values: str) -> dict[str, object]:
    base = {"dealname": "X", "dealstage": "closedwon"}
    item: dict[str, object] = {"properties": {**base, **values}}
    return {**item, "objectWriteTraceId": trace} if trace else item


def upsert(key: str, trace: str = "", **values: str) -> dict[str, object]:
    return {**deal(trace, **values), "id": key, "idProperty": "quotey_quote_id"}


@pytest.fixture(autouse=True)
def unique_property(hubspot: HubSpotCore) -> None:
    hubspot.define("deals", QUOTE_ID)


def test_without_trace_ids_one_bad_row_fails_the_whole_batch_unnamed(
    hs: Client, hubspot: HubSpotCore
) -> None:
    inputs = [deal(), deal(amount="1,0"), deal()]
    refused = hs.post(f"{DEALS}/batch/create", {"inputs": inputs})
    assert refused.status == 400
    assert "results" not in refused.doc
    assert hubspot.effects == []


def test_with_trace_ids_the_bad_row_is_named_and_the_others_are_created(hs: Client) -> None:
    inputs = [deal("t-1"), deal("t-2", amount="1,0"), deal("t-3")]
    mixed = hs.post(f"{DEALS}/batch/create", {"inputs": inputs})
    assert mixed.status == 207
    assert mixed.doc["status"] == "COMPLETE"
    assert mixed.doc["numErrors"] == 1
    assert mixed.doc["errors"][0]["context"]["objectWriteTraceId"] == ["t-2"]
    assert mixed.doc["errors"][0]["category"] == "VALIDATION_ERROR"
    assert {r["objectWriteTraceId"] for r in mixed.doc["results"]} == {"t-1", "t-3"}


def test_results_come_in_another_order_than_the_inputs(hs: Client) -> None:
    inputs = [deal(dealname=f"D{n}") for n in range(20)]
    made = hs.post(f"{DEALS}/batch/create", {"inputs": inputs})
    assert made.status == 201
    names = [r["properties"]["dealname"] for r in made.doc["results"]]
    assert sorted(names) == sorted(f"D{n}" for n in range(20))
    assert names != [f"D{n}" for n in range(20)]


def test_an_upsert_sent_twice_makes_one_record(hs: Client) -> None:
    body = {"inputs": [upsert("Q-1", amount="12.00")]}
    first = hs.post(f"{DEALS}/batch/upsert", body)
    second = hs.post(f"{DEALS}/batch/upsert", body)
    assert (first.status, second.status) == (200, 200)
    assert [r["new"] for r in first.doc["results"]] == [True]
    assert [r["new"] for r in second.doc["results"]] == [False]
    assert first.doc["results"][0]["id"] == second.doc["results"][0]["id"]
    assert len(hs.get(DEALS).doc["results"]) == 1


def test_an_upsert_by_a_property_that_is_not_unique_is_refused(hs: Client) -> None:
    for name in ("hs_object_id", "dealname"):
        inputs = [{**deal(), "id": "1", "idProperty": name}]
        refused = hs.post(f"{DEALS}/batch/upsert", {"inputs": inputs})
        assert refused.status == 400
        expected = f"non-unique 0-3 property {name} in portal ID 1512050"
        assert expected in refused.doc["message"]


def test_two_inputs_for_one_record_reject_the_batch(hs: Client, hubspot: HubSpotCore) -> None:
    inputs = [upsert("Q-1", "a"), upsert("Q-1", "b")]
    assert hs.post(f"{DEALS}/batch/upsert", {"inputs": inputs}).status == 400
    assert hubspot.effects == []


def test_inline_associations_are_ignored_on_upsert(hs: Client, hubspot: HubSpotCore) -> None:
    company = hubspot.create("companies", {"name": "Acme"})
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 5}]
    link = {"to": {"id": str(company.record_id)}, "types": types}
    made = hs.post(f"{DEALS}/batch/upsert", {"inputs": [{**upsert("Q-1"), "associations": [link]}]})
    path = f"/crm/v4/objects/deals/{made.doc['results'][0]['id']}/associations/companies"
    assert hs.get(path).doc == {"results": []}


def test_whether_upsert_honours_trace_ids_is_a_switch(clock: VirtualClock) -> None:
    core = HubSpotCore(clock, settings=HubSpotSettings(upsert_isolates=False))
    core.private_token()
    core.define("deals", QUOTE_ID)
    with serve(core) as base:
        hs = Client(base, {"authorization": "Bearer sim-hs-private"})
        inputs = [upsert("Q-1", "a"), upsert("Q-2", "b", amount="x")]
        assert hs.post(f"{DEALS}/batch/upsert", {"inputs": inputs}).status == 400
        assert core.effects == []


def test_a_batch_read_names_what_is_gone(hs: Client) -> None:
    known = make(hs)
    read = hs.post(f"{DEALS}/batch/read", {"inputs": [{"id": known}, {"id": "99"}]})
    assert read.status == 207
    assert [r["id"] for r in read.doc["results"]] == [known]
    assert read.doc["errors"][0]["category"] == "OBJECT_NOT_FOUND"
    assert read.doc["errors"][0]["context"]["ids"] == ["99"]


def test_a_batch_read_of_a_merged_id_answers_another_id(hs: Client) -> None:
    one, two = make(hs), make(hs)
    survivor = hs.post(f"{DEALS}/merge", {"primaryObjectId": one, "objectIdToMerge": two}).doc
    read = hs.post(f"{DEALS}/batch/read", {"inputs": [{"id": one}, {"id": two}]})
    assert [r["id"] for r in read.doc["results"]] == [survivor["id"]]


def test_a_batch_read_by_a_unique_value(hs: Client) -> None:
    known = make(hs, quotey_quote_id="Q-7")
    body = {"idProperty": "quotey_quote_id", "inputs": [{"id": "Q-7"}], "properties": ["amount"]}
    read = hs.post(f"{DEALS}/batch/read", body)
    assert read.status == 200
    assert read.doc["results"][0]["id"] == known


def test_a_batch_update_goes_on_past_a_record_that_is_gone(hs: Client) -> None:
    known = make(hs)
    inputs = [
        {"id": "99", "properties": {"amount": "1"}},
        {"id": known, "properties": {"amount": "2"}},
    ]
    mixed = hs.post(f"{DEALS}/batch/update", {"inputs": inputs})
    assert mixed.status == 207
    assert mixed.doc["errors"][0]["context"]["ids"] == ["99"]
    assert hs.get(f"{DEALS}/{known}").doc["properties"]["amount"] == "2"


def test_a_batch_holds_at_most_a_hundred_and_fifty_with_history(hs: Client) -> None:
    assert hs.post(f"{DEALS}/batch/create", {"inputs": [deal()] * 101}).status == 400
    ids = [{"id": str(n)} for n in range(51)]
    body = {"inputs": ids, "propertiesWithHistory": ["amount"]}
    assert hs.post(f"{DEALS}/batch/read", body).status == 400


def test_a_batch_archive_empties_into_the_bin(hs: Client) -> None:
    known = make(hs)
    gone = hs.post(f"{DEALS}/batch/archive", {"inputs": [{"id": known}, {"id": "99"}]})
    assert (gone.status, gone.body) == (204, b"")
    assert hs.get(f"{DEALS}/{known}").status == 404
