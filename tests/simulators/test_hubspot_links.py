"""Associations over real HTTP (crm-semantics.md 1H)."""

import pytest

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.hubspot import HubSpotCore, Record
from tests.simulators.test_hubspot_objects import DEALS, make
from tests.simulators.wire_client import Client

V4 = "/crm/v4"


def spec(number: int) -> list[dict[str, object]]:
    return [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}]


@pytest.fixture
def deal(hubspot: HubSpotCore) -> Record:
    return hubspot.create("deals", {"dealname": "X", "dealstage": "closedwon"})


@pytest.fixture
def companies(hubspot: HubSpotCore) -> list[Record]:
    return [hubspot.create("companies", {"name": name}) for name in ("Acme", "Bolt")]


def path(deal: Record, company: Record) -> str:
    return f"{V4}/objects/deals/{deal.record_id}/associations/companies/{company.record_id}"


def linked(hs: Client, deal: Record) -> dict[int, list[int]]:
    found = hs.get(f"{V4}/objects/deals/{deal.record_id}/associations/companies").doc["results"]
    return {r["toObjectId"]: [t["typeId"] for t in r["associationTypes"]] for r in found}


def test_a_primary_link_brings_the_unlabeled_one_and_shows_on_both_sides(
    hs: Client, deal: Record, companies: list[Record]
) -> None:
    made = hs.send("PUT", path(deal, companies[0]), spec(5))
    assert made.status == 201
    assert linked(hs, deal) == {companies[0].record_id: [5, 341]}
    back = f"{V4}/objects/companies/{companies[0].record_id}/associations/deals"
    types = hs.get(back).doc["results"][0]["associationTypes"]
    assert [t["typeId"] for t in types] == [6, 342]
    assert [t["label"] for t in types] == ["Primary", None]


def test_there_is_one_primary_and_it_moves(
    hs: Client, deal: Record, companies: list[Record]
) -> None:
    for company in companies:
        hs.send("PUT", path(deal, company), spec(5))
    first, second = (c.record_id for c in companies)
    assert linked(hs, deal) == {first: [341], second: [5, 341]}


def test_type_ids_are_directional(hs: Client, deal: Record, companies: list[Record]) -> None:
    refused = hs.send("PUT", path(deal, companies[0]), spec(342))
    assert refused.status == 400
    assert "is invalid from object type" in refused.doc["message"]
    assert linked(hs, deal) == {}


def test_a_link_does_not_move_the_modified_date(
    hs: Client, clock: VirtualClock, deal: Record, companies: list[Record]
) -> None:
    clock.advance(60)
    before = hs.get(f"{DEALS}/{deal.record_id}").doc["updatedAt"]
    hs.send("PUT", path(deal, companies[0]), spec(5))
    clock.advance(60)
    assert hs.get(f"{DEALS}/{deal.record_id}").doc["updatedAt"] == before


def test_a_delete_removes_every_type_between_the_pair(
    hs: Client, deal: Record, companies: list[Record]
) -> None:
    hs.send("PUT", path(deal, companies[0]), spec(5))
    assert hs.send("DELETE", path(deal, companies[0])).status == 204
    assert linked(hs, deal) == {}


def test_a_default_link_needs_no_type(hs: Client, deal: Record, companies: list[Record]) -> None:
    ends = f"companies/{companies[0].record_id}"
    url = f"{V4}/objects/deals/{deal.record_id}/associations/default/{ends}"
    assert hs.send("PUT", url).status == 200
    assert linked(hs, deal) == {companies[0].record_id: [341]}


def test_a_link_to_nobody_names_the_id(hs: Client, deal: Record) -> None:
    url = f"{V4}/objects/deals/{deal.record_id}/associations/companies/99"
    refused = hs.send("PUT", url, spec(5))
    assert (refused.status, refused.doc["context"]) == (400, {"INVALID_OBJECT_IDS": ["99"]})


def test_an_inline_link_is_made_with_its_record_or_not_at_all(
    hs: Client, hubspot: HubSpotCore, companies: list[Record]
) -> None:
    values = {"dealname": "X", "dealstage": "closedwon"}
    good = {"to": {"id": str(companies[0].record_id)}, "types": spec(5)}
    made = hs.post(DEALS, {"properties": values, "associations": [good]}).doc
    read = hs.get(f"{DEALS}/{made['id']}?associations=companies").doc["associations"]
    types = [r["type"] for r in read["companies"]["results"]]
    assert types == ["deal_to_company", "deal_to_company_unlabeled"]
    known = len(hubspot.effects)
    bad = {"to": {"id": "99"}, "types": spec(5)}
    refused = hs.post(DEALS, {"properties": values, "associations": [bad]})
    assert refused.doc["message"] == "One or more associations are invalid"
    assert len(hubspot.effects) == known


def test_a_batch_read_reports_who_has_no_links_as_an_error(
    hs: Client, deal: Record, companies: list[Record]
) -> None:
    lonely = make(hs)
    hs.send("PUT", path(deal, companies[0]), spec(5))
    body = {"inputs": [{"id": str(deal.record_id)}, {"id": lonely}]}
    read = hs.post(f"{V4}/associations/deals/companies/batch/read", body)
    assert read.status == 207
    assert read.doc["results"][0]["to"][0]["toObjectId"] == str(companies[0].record_id)
    assert read.doc["errors"][0]["context"]["fromObjectId"] == [lonely]


def test_links_are_made_and_unmade_in_batches(
    hs: Client, deal: Record, companies: list[Record]
) -> None:
    base = f"{V4}/associations/deals/companies/batch"
    pairs = [
        {"from": {"id": str(deal.record_id)}, "to": {"id": str(c.record_id)}, "types": spec(5)}
        for c in companies
    ]
    wrong = {**pairs[0], "types": spec(1)}
    mixed = hs.post(f"{base}/create", {"inputs": [*pairs, wrong]})
    assert (mixed.status, mixed.doc["numErrors"]) == (207, 1)
    first, second = (c.record_id for c in companies)
    assert linked(hs, deal) == {first: [341], second: [5, 341]}
    hs.post(f"{base}/labels/archive", {"inputs": [pairs[1]]})
    assert linked(hs, deal) == {first: [341], second: [341]}
    ends = {"from": {"id": str(deal.record_id)}, "to": [{"id": str(first)}, {"id": str(second)}]}
    assert hs.post(f"{base}/archive", {"inputs": [ends]}).status == 204
    assert linked(hs, deal) == {}


def test_a_search_by_association(
    hs: Client, clock: VirtualClock, deal: Record, companies: list[Record]
) -> None:
    hs.send("PUT", path(deal, companies[0]), spec(5))
    clock.advance(10)
    for company, total in zip(companies, (1, 0), strict=True):
        one = {"propertyName": "associations.company", "operator": "EQ"}
        body = {"filterGroups": [{"filters": [{**one, "value": str(company.record_id)}]}]}
        assert hs.post(f"{DEALS}/search", body).doc["total"] == total


def test_links_follow_a_merge_and_the_old_id_has_none(
    hs: Client, hubspot: HubSpotCore, deal: Record, companies: list[Record]
) -> None:
    hs.send("PUT", path(deal, companies[0]), spec(5))
    other = hubspot.create("deals", {"dealname": "Y", "dealstage": "closedwon"})
    survivor = hubspot.merge("deals", other.record_id, deal.record_id)
    assert linked(hs, survivor) == {companies[0].record_id: [5, 341]}
    assert linked(hs, deal) == {}


def test_the_labels_of_a_pair_are_listed(hs: Client) -> None:
    found = hs.get(f"{V4}/associations/deals/companies/labels").doc["results"]
    assert {t["typeId"]: t["label"] for t in found} == {341: None, 5: "Primary"}
