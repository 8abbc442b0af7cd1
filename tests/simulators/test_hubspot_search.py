"""The search endpoint over real HTTP (crm-semantics.md 2H)."""

from typing import Any

import pytest

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.hubspot import HubSpotCore
from tests.simulators.test_hubspot_objects import DEALS, make
from tests.simulators.wire_client import Client

Filter = dict[str, object]


def where(*filters: Filter, **more: object) -> dict[str, object]:
    return {"filterGroups": [{"filters": list(filters)}], **more}


def clause(name: str, operator: str, value: object = None, **more: object) -> Filter:
    found: Filter = {"propertyName": name, "operator": operator, **more}
    return found if value is None else {**found, "value": value}


def ids(hs: Client, body: dict[str, object]) -> list[str]:
    found = hs.post(f"{DEALS}/search", body)
    assert found.status == 200, found.doc
    return [r["id"] for r in found.doc["results"]]


@pytest.fixture
def three(hubspot: HubSpotCore, clock: VirtualClock) -> list[str]:
    rows: list[dict[str, str]] = [
        {"dealname": "Apple Pie", "dealstage": "closedwon", "amount": "9"},
        {"dealname": "Banana", "dealstage": "qualifiedtobuy", "amount": "10"},
        {"dealname": "cherry", "dealstage": "closedwon"},
    ]
    made = []
    for row in rows:
        made.append(str(hubspot.create("deals", row, visible=True).record_id))
        clock.advance(60)
    return made


def test_a_fresh_record_is_read_by_id_but_not_yet_found(hs: Client, clock: VirtualClock) -> None:
    deal = make(hs)
    assert ids(hs, {}) == []
    assert hs.get(f"{DEALS}/{deal}").status == 200
    clock.advance(6)
    assert ids(hs, {}) == [deal]


def test_the_index_decides_but_the_values_are_current(
    hs: Client, hubspot: HubSpotCore, three: list[str]
) -> None:
    hubspot.edit("deals", int(three[0]), {"amount": "99"})
    found = hs.post(f"{DEALS}/search", where(clause("amount", "EQ", "9"))).doc
    assert [r["id"] for r in found["results"]] == three[:1]
    assert found["results"][0]["properties"]["amount"] == "99"
    assert ids(hs, where(clause("amount", "EQ", "99"))) == []


@pytest.mark.parametrize(
    ("spec", "places"),
    [
        (clause("amount", "GT", "9"), [1]),
        (clause("amount", "GTE", "9.0"), [0, 1]),
        (clause("amount", "LT", "10"), [0]),
        (clause("amount", "LTE", "10"), [0, 1]),
        (clause("amount", "BETWEEN", "9", highValue="10"), [0, 1]),
        (clause("amount", "NEQ", "9"), [1]),
        (clause("amount", "HAS_PROPERTY"), [0, 1]),
        (clause("amount", "NOT_HAS_PROPERTY"), [2]),
        (clause("dealname", "EQ", "APPLE pie"), [0]),
        (clause("dealname", "IN", values=["banana"]), [1]),
        (clause("dealname", "IN", values=["Banana"]), []),
        (clause("dealname", "NOT_IN", values=["banana"]), [0, 2]),
        (clause("dealname", "CONTAINS_TOKEN", "ap*"), [0]),
        (clause("dealname", "NOT_CONTAINS_TOKEN", "pie"), [1, 2]),
        (clause("dealstage", "EQ", "closedwon"), [0, 2]),
        (clause("dealstage", "EQ", "ClosedWon"), []),
    ],
)
def test_operators(hs: Client, three: list[str], spec: Filter, places: list[int]) -> None:
    assert ids(hs, where(spec)) == [three[place] for place in places]


def test_groups_are_or_and_filters_are_and(hs: Client, three: list[str]) -> None:
    won = clause("dealstage", "EQ", "closedwon")
    assert ids(hs, where(won, clause("amount", "HAS_PROPERTY"))) == three[:1]
    groups = [{"filters": [clause("amount", "EQ", "10")]}, {"filters": [won]}]
    assert ids(hs, {"filterGroups": groups}) == three


def test_a_window_with_a_key_after_the_last_id(hs: Client, three: list[str]) -> None:
    low, high = "2026-03-10T12:00:00Z", "2026-03-10T12:01:02.000Z"
    window = clause("hs_lastmodifieddate", "BETWEEN", low, highValue=high)
    keyed = where(
        window,
        clause("hs_object_id", "GT", three[0]),
        sorts=[{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        limit=200,
    )
    assert ids(hs, where(window)) == three[:2]
    assert ids(hs, keyed) == three[1:2]


def test_one_sort_with_blanks_first(hs: Client, three: list[str]) -> None:
    up = [{"propertyName": "amount", "direction": "ASCENDING"}]
    down = [{"propertyName": "amount", "direction": "DESCENDING"}]
    assert ids(hs, {"sorts": up}) == [three[2], three[0], three[1]]
    assert ids(hs, {"sorts": down}) == [three[1], three[0], three[2]]
    assert hs.post(f"{DEALS}/search", {"sorts": up + down}).status == 400


def test_the_free_text_looks_into_the_default_texts(hs: Client, three: list[str]) -> None:
    assert ids(hs, {"query": "PIE"}) == three[:1]


def test_archived_and_merged_records_are_never_found(
    hs: Client, hubspot: HubSpotCore, clock: VirtualClock, three: list[str]
) -> None:
    hs.send("DELETE", f"{DEALS}/{three[0]}")
    survivor = hubspot.merge("deals", int(three[1]), int(three[2]))
    clock.advance(10)
    assert ids(hs, {}) == [str(survivor.record_id)]


def test_pages_carry_an_offset_and_the_total(hs: Client, three: list[str]) -> None:
    first = hs.post(f"{DEALS}/search", {"limit": 2}).doc
    assert (first["total"], first["paging"]) == (3, {"next": {"after": "2"}})
    last = hs.post(f"{DEALS}/search", {"limit": 2, "after": "2"}).doc
    assert "paging" not in last
    assert len(last["results"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": 200, "after": "9900"},
        {"after": "10000"},
        {"after": "x"},
        {"filterGroups": [{"filters": [clause("amount", "EQ", "1")]}] * 6},
        where(*[clause("amount", "EQ", "1")] * 7),
        {"filterGroups": [{"filters": [clause("amount", "EQ", "1")] * 5}] * 4},
        where(clause("no_such", "EQ", "1")),
        where(clause("amount", "LIKE", "1")),
        where(clause("amount", "EQ")),
        where(clause("amount", "EQ", "many")),
        where(clause("dealname", "IN", values=[])),
        where(clause("associations.starship", "EQ", "1")),
        {"sorts": [{"propertyName": "no_such"}]},
        {"query": "x" * 3000},
    ],
)
def test_what_search_refuses(hs: Client, body: dict[str, Any]) -> None:
    refused = hs.post(f"{DEALS}/search", body)
    assert (refused.status, refused.doc["category"]) == (400, "VALIDATION_ERROR")


def test_a_filter_at_epoch_zero_breaks_the_server(hs: Client) -> None:
    assert hs.post(f"{DEALS}/search", where(clause("createdate", "GT", "0"))).status == 500


def test_contacts_searched_by_the_wrong_modified_property_are_refused(
    hs: Client, hubspot: HubSpotCore
) -> None:
    hubspot.create("contacts", {"lastname": "Doe"}, visible=True)
    right = where(clause("lastmodifieddate", "GT", "2026-01-01"))
    assert hs.post("/crm/v3/objects/contacts/search", right).doc["total"] == 1
    wrong = where(clause("hs_lastmodifieddate", "GT", "2026-01-01"))
    assert hs.post("/crm/v3/objects/contacts/search", wrong).doc["total"] == 0


def test_six_searches_in_a_second_are_one_too_many(hs: Client, clock: VirtualClock) -> None:
    for _ in range(5):
        found = hs.post(f"{DEALS}/search", {})
        assert found.status == 200
        assert not [name for name in found.headers if "ratelimit" in name]
    refused = hs.post(f"{DEALS}/search", {})
    assert refused.status == 429
    assert refused.doc["message"] == "You have reached your secondly limit."
    assert refused.doc["policyName"] == "SECONDLY"
    assert "retry-after" not in refused.headers
    clock.advance(1.01)
    assert hs.post(f"{DEALS}/search", {}).status == 200
