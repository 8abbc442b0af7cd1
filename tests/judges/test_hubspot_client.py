"""`hubspot-api-client` talks to the simulated portal; what it rejects is our bug."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hubspot import HubSpot
from hubspot.crm import associations, companies, contacts, deals, objects, properties
from hubspot.crm.associations.v4 import (
    AssociationSpec,
    BatchInputPublicAssociationMultiPost,
    BatchInputPublicFetchAssociationsBatchRequest,
    PublicAssociationMultiPost,
    PublicFetchAssociationsBatchRequest,
    PublicObjectId,
)
from urllib3.util.retry import Retry

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.faults import Fault
from quotey.testing.simulators.hubspot import HubSpotCore

DEAL = {"dealname": "Judged", "dealstage": "qualifiedtobuy", "amount": "1200.50"}


PRIVATE = "sim-hs-private"
ONCE = Retry(total=0, respect_retry_after_header=False)


def client_of(base: str, token: str = PRIVATE, **more: Any) -> HubSpot:  # noqa: ANN401
    return HubSpot(access_token=token, host=base, **more)


@pytest.fixture
def hs(base: str) -> HubSpot:
    return client_of(base)


def new_deal(hs: HubSpot, **more: str) -> str:
    body = deals.SimplePublicObjectInputForCreate(properties={**DEAL, **more}, associations=[])
    return str(hs.crm.deals.basic_api.create(body).id)


def new_company(hs: HubSpot, name: str = "Acme") -> str:
    body = companies.SimplePublicObjectInputForCreate(
        properties={"name": name, "domain": f"{name.lower()}.example"}, associations=[]
    )
    return str(hs.crm.companies.basic_api.create(body).id)


# --- one record -----------------------------------------------------------------------------------


def test_a_record_is_created_read_updated_and_archived(hs: HubSpot) -> None:
    deal_id = new_deal(hs)
    found = hs.crm.deals.basic_api.get_by_id(
        deal_id, properties=["dealname", "amount", "closedate"]
    )
    assert found.id == deal_id
    assert found.properties["amount"] == "1200.50"
    assert found.properties["closedate"] is None
    assert found.archived is False
    assert isinstance(found.created_at, datetime)
    assert isinstance(found.updated_at, datetime)
    change = deals.SimplePublicObjectInput(properties={"amount": "7"})
    changed = hs.crm.deals.basic_api.update(deal_id, change)
    assert changed.properties["amount"] == "7"
    hs.crm.deals.basic_api.archive(deal_id)
    with pytest.raises(deals.ApiException) as refused:
        hs.crm.deals.basic_api.get_by_id(deal_id)
    assert refused.value.status == 404
    gone = hs.crm.deals.basic_api.get_by_id(deal_id, archived=True)
    assert gone.archived is True
    assert isinstance(gone.archived_at, datetime)


def test_a_record_is_read_by_a_unique_property(hs: HubSpot) -> None:
    deal_id = new_deal(hs, quotey_key="Q-1")
    found = hs.crm.deals.basic_api.get_by_id("Q-1", id_property="quotey_key")
    assert found.id == deal_id


def test_the_history_of_a_property_is_told_newest_first(hs: HubSpot, clock: VirtualClock) -> None:
    deal_id = new_deal(hs)
    for amount in ("5", "6"):
        clock.advance(60)
        change = deals.SimplePublicObjectInput(properties={"amount": amount})
        hs.crm.deals.basic_api.update(deal_id, change)
    found = hs.crm.deals.basic_api.get_by_id(deal_id, properties_with_history=["amount"])
    values = [one.value for one in found.properties_with_history["amount"]]
    assert values == ["6", "5", "1200.50"]
    assert all(one.source_type for one in found.properties_with_history["amount"])


def test_pages_are_walked_to_their_end_by_the_clients_own_loop(
    hs: HubSpot, portal: HubSpotCore
) -> None:
    for number in range(230):
        portal.create("contacts", {"email": f"c{number}@acme.example"}, visible=True)
    found = hs.crm.contacts.get_all(properties=["email"])
    assert len({one.id for one in found}) == 230


def test_two_records_are_merged(hs: HubSpot) -> None:
    first, second = new_company(hs, "Alder"), new_company(hs, "Birch")
    body = companies.PublicMergeInput(primary_object_id=first, object_id_to_merge=second)
    merged = hs.crm.companies.basic_api.merge(body)
    assert merged.properties["name"] == "Alder"
    assert hs.crm.companies.basic_api.get_by_id(second).id == merged.id


def test_the_general_object_api_sees_the_same_records(hs: HubSpot) -> None:
    deal_id = new_deal(hs)
    found = hs.crm.objects.basic_api.get_by_id("deals", deal_id, properties=["dealname"])
    assert found.properties["dealname"] == "Judged"
    assert isinstance(found, objects.SimplePublicObjectWithAssociations)


# --- search ---------------------------------------------------------------------------------------


def test_a_search_filters_sorts_and_pages(hs: HubSpot, portal: HubSpotCore) -> None:
    for number in range(7):
        values = {**DEAL, "dealname": f"Deal {number}", "amount": str(number * 100)}
        portal.create("deals", values, visible=True)
    wanted = deals.Filter(property_name="amount", operator="GTE", value="200")
    first = deals.PublicObjectSearchRequest(
        filter_groups=[deals.FilterGroup(filters=[wanted])],
        sorts=[{"propertyName": "amount", "direction": "DESCENDING"}],
        properties=["amount"],
        limit=3,
    )
    found = hs.crm.deals.search_api.do_search(first)
    assert found.total == 5
    assert [one.properties["amount"] for one in found.results] == ["600", "500", "400"]
    first.after = found.paging.next.after
    rest = hs.crm.deals.search_api.do_search(first)
    assert [one.properties["amount"] for one in rest.results] == ["300", "200"]
    assert rest.paging is None


@pytest.mark.parametrize(
    ("words", "matches"),
    [
        ({"operator": "EQ", "value": "b@acme.example"}, 1),
        ({"operator": "NEQ", "value": "b@acme.example"}, 2),
        ({"operator": "IN", "values": ["a@acme.example", "c@acme.example"]}, 2),
        ({"operator": "HAS_PROPERTY"}, 3),
        ({"operator": "NOT_HAS_PROPERTY"}, 0),
        ({"operator": "CONTAINS_TOKEN", "value": "b@*"}, 1),
    ],
)
def test_the_operators_of_a_filter_do_what_they_say(
    hs: HubSpot, portal: HubSpotCore, words: dict[str, Any], matches: int
) -> None:
    for letter in "abc":
        portal.create("contacts", {"email": f"{letter}@acme.example"}, visible=True)
    wanted = contacts.Filter(property_name="email", **words)
    request = contacts.PublicObjectSearchRequest(
        filter_groups=[contacts.FilterGroup(filters=[wanted])], limit=10
    )
    assert hs.crm.contacts.search_api.do_search(request).total == matches


def test_a_fresh_record_is_found_only_when_the_index_has_it(
    hs: HubSpot, clock: VirtualClock
) -> None:
    new_deal(hs)
    request = deals.PublicObjectSearchRequest(query="Judged", limit=10)
    assert hs.crm.deals.search_api.do_search(request).total == 0
    clock.advance(60)
    assert hs.crm.deals.search_api.do_search(request).total == 1


# --- batches --------------------------------------------------------------------------------------


def test_a_batch_is_created_read_updated_and_archived(hs: HubSpot) -> None:
    inputs = [
        deals.SimplePublicObjectBatchInputForCreate(
            properties={**DEAL, "dealname": f"Batch {number}"}, associations=[]
        )
        for number in range(3)
    ]
    api = hs.crm.deals.batch_api
    made = api.create(deals.BatchInputSimplePublicObjectBatchInputForCreate(inputs=inputs))
    assert made.status == "COMPLETE"
    ids = [one.id for one in made.results]
    named = [deals.SimplePublicObjectId(id=one) for one in ids]
    read = api.read(
        deals.BatchReadInputSimplePublicObjectId(
            properties=["dealname"], properties_with_history=[], inputs=named
        )
    )
    assert sorted(one.properties["dealname"] for one in read.results) == [
        *("Batch 0", "Batch 1", "Batch 2"),
    ]
    changes = [deals.SimplePublicObjectBatchInput(id=i, properties={"amount": "9"}) for i in ids]
    updated = api.update(deals.BatchInputSimplePublicObjectBatchInput(inputs=changes))
    assert {one.properties["amount"] for one in updated.results} == {"9"}
    api.archive(deals.BatchInputSimplePublicObjectId(inputs=named))
    with pytest.raises(deals.ApiException):
        hs.crm.deals.basic_api.get_by_id(ids[0])


def test_an_upsert_by_a_unique_property_creates_once_and_then_updates(hs: HubSpot) -> None:
    def upsert(amount: str) -> Any:  # noqa: ANN401 - the client's own type
        one = deals.SimplePublicObjectBatchInputUpsert(
            id="Q-77", id_property="quotey_key", properties={**DEAL, "amount": amount}
        )
        body = deals.BatchInputSimplePublicObjectBatchInputUpsert(inputs=[one])
        return hs.crm.deals.batch_api.upsert(body).results[0]

    first, again = upsert("1"), upsert("2")
    assert (first.new, again.new) == (True, False)
    assert first.id == again.id
    assert again.properties["amount"] == "2"


def test_a_batch_read_that_misses_some_tells_which_beside_what_it_found(hs: HubSpot) -> None:
    known = new_deal(hs)
    body = deals.BatchReadInputSimplePublicObjectId(
        properties=["dealname"],
        properties_with_history=[],
        inputs=[deals.SimplePublicObjectId(id=known), deals.SimplePublicObjectId(id="999")],
    )
    found = hs.crm.deals.batch_api.read(body)
    assert isinstance(found, deals.BatchResponseSimplePublicObjectWithErrors)
    assert [one.id for one in found.results] == [known]
    assert found.num_errors == 1
    assert found.errors[0].category == "OBJECT_NOT_FOUND"


# --- associations ---------------------------------------------------------------------------------


def test_an_association_is_made_listed_and_taken_away(hs: HubSpot) -> None:
    deal_id, company_id = new_deal(hs), new_company(hs)
    api = hs.crm.associations.v4.basic_api
    spec = AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=5)
    api.create("deals", deal_id, "companies", company_id, [spec])
    listed = api.get_page("deals", deal_id, "companies").results
    assert [str(one.to_object_id) for one in listed] == [company_id]
    assert 5 in [one.type_id for one in listed[0].association_types]
    found = hs.crm.deals.basic_api.get_by_id(deal_id, associations=["companies"])
    assert company_id in [one.id for one in found.associations["companies"].results]
    api.archive("deals", deal_id, "companies", company_id)
    assert api.get_page("deals", deal_id, "companies").results == []


def test_associations_are_made_and_read_in_batches(hs: HubSpot) -> None:
    company_id = new_company(hs)
    ids = [new_deal(hs) for _ in range(3)]
    spec = AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=5)
    wanted = [
        PublicAssociationMultiPost(
            _from=PublicObjectId(id=one), to=PublicObjectId(id=company_id), types=[spec]
        )
        for one in ids
    ]
    api = hs.crm.associations.v4.batch_api
    made = api.create("deals", "companies", BatchInputPublicAssociationMultiPost(inputs=wanted))
    assert made.status == "COMPLETE"
    asked = [PublicFetchAssociationsBatchRequest(id=one) for one in ids]
    read = api.get_page(
        "deals", "companies", BatchInputPublicFetchAssociationsBatchRequest(inputs=asked)
    )
    found = {one._from.id: [str(to.to_object_id) for to in one.to] for one in read.results}
    assert found == {one: [company_id] for one in ids}


def test_a_deal_is_created_with_its_association(hs: HubSpot) -> None:
    company_id = new_company(hs)
    link = deals.PublicAssociationsForObject(
        to=deals.PublicObjectId(id=company_id),
        types=[
            deals.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=5)
        ],
    )
    body = deals.SimplePublicObjectInputForCreate(properties=DEAL, associations=[link])
    made = hs.crm.deals.basic_api.create(body)
    listed = hs.crm.associations.v4.basic_api.get_page("deals", made.id, "companies").results
    assert [str(one.to_object_id) for one in listed] == [company_id]
    assert associations is not None


# --- definitions ----------------------------------------------------------------------------------


def test_a_property_is_made_read_and_listed(hs: HubSpot) -> None:
    body = properties.PropertyCreate(
        name="quotey_status",
        label="Quote status",
        type="string",
        field_type="text",
        group_name="dealinformation",
        has_unique_value=False,
    )
    made = hs.crm.properties.core_api.create("deals", body)
    assert (made.name, made.type, made.has_unique_value) == ("quotey_status", "string", False)
    read = hs.crm.properties.core_api.get_by_name("deals", "quotey_status")
    assert read.label == "Quote status"
    assert read.modification_metadata.read_only_value is False
    every = hs.crm.properties.core_api.get_all("deals").results
    assert {"amount", "dealstage", "quotey_status"} <= {one.name for one in every}


def test_pipelines_tell_their_stages(hs: HubSpot) -> None:
    found = hs.crm.pipelines.pipelines_api.get_all("deals").results
    stages = {stage.id: stage for stage in found[0].stages}
    assert "closedwon" in stages
    assert stages["closedwon"].metadata["isClosed"] == "true"
    assert [one.display_order for one in found[0].stages] == list(range(len(found[0].stages)))


def test_owners_are_listed(hs: HubSpot) -> None:
    assert hs.crm.owners.owners_api.get_page(limit=10).results is not None


# --- refusals and retries -------------------------------------------------------------------------


def test_a_refused_value_is_the_clients_error_with_the_vendors_category(hs: HubSpot) -> None:
    body = deals.SimplePublicObjectInputForCreate(
        properties={**DEAL, "amount": "a lot"}, associations=[]
    )
    with pytest.raises(deals.ApiException) as refused:
        hs.crm.deals.basic_api.create(body)
    assert refused.value.status == 400
    assert '"VALIDATION_ERROR"' in refused.value.body
    assert refused.value.headers["content-type"].startswith("application/json")


def test_a_taken_unique_value_is_refused(hs: HubSpot) -> None:
    new_deal(hs, quotey_key="Q-1")
    with pytest.raises(deals.ApiException) as refused:
        new_deal(hs, quotey_key="Q-1")
    assert refused.value.status == 400
    assert "already has that value" in refused.value.body


def test_a_taken_e_mail_is_a_conflict(hs: HubSpot) -> None:
    body = contacts.SimplePublicObjectInputForCreate(
        properties={"email": "a@acme.example"}, associations=[]
    )
    first = hs.crm.contacts.basic_api.create(body)
    with pytest.raises(contacts.ApiException) as refused:
        hs.crm.contacts.basic_api.create(body)
    assert refused.value.status == 409
    assert first.id in refused.value.body


def test_an_expired_token_is_refused(base: str, portal: HubSpotCore, clock: VirtualClock) -> None:
    hs = client_of(base, portal.issue_token())
    hs.crm.deals.basic_api.get_page()
    clock.advance(3600)
    with pytest.raises(deals.ApiException) as refused:
        hs.crm.deals.basic_api.get_page()
    assert refused.value.status == 401
    assert "EXPIRED_AUTHENTICATION" in refused.value.body


def test_the_clients_own_retries_pass_a_limit_and_a_server_error(
    base: str, portal: HubSpotCore
) -> None:
    retry = Retry(total=4, status_forcelist=(429, 502), allowed_methods=None, backoff_factor=0)
    hs = client_of(base, retry=retry)
    portal.faults.add(Fault("rate_limited", times=2, retry_after="0"))
    portal.faults.add(Fault("server_error", status=502))
    deal_id = new_deal(hs)
    assert len(portal.portal.records["deals"]) == 1
    assert [one.status for one in portal.log] == [429, 429, 502, 201]
    assert hs.crm.deals.basic_api.get_by_id(deal_id).id == deal_id


def test_a_limit_says_which_and_how_long(base: str, portal: HubSpotCore) -> None:
    hs = client_of(base, retry=ONCE)
    portal.faults.add(Fault("rate_limited", policy="DAILY", retry_after="30"))
    with pytest.raises(deals.ApiException) as refused:
        hs.crm.deals.basic_api.get_page()
    assert refused.value.status == 429
    assert "DAILY" in refused.value.body
    assert refused.value.headers["retry-after"] == "30"


def test_a_refresh_token_gives_a_new_access_token(base: str, portal: HubSpotCore) -> None:
    portal.gate.refresh_tokens.add("rt-1")
    found = client_of(base).oauth.tokens_api.create(
        grant_type="refresh_token", refresh_token="rt-1", client_id="c", client_secret="s"
    )
    assert found.token_type == "bearer"
    assert found.expires_in == 1800
    assert client_of(base, found.access_token).crm.deals.basic_api.get_page().results == []
