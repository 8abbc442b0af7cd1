"""Inbound reading of a portal whose index lags and whose records move (crm-semantics 2H)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial

import msgspec
import pytest

from quotey.adapters.composio.ops import Failed, Kind, Reply
from quotey.contract.adapter import CrmAdapter
from quotey.contract.dto import CrmSyncResultDto, RemoteRecord
from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.fields import Entity
from quotey.testing.conformance.pages import pages, records
from quotey.testing.simulators.composio.settings import ComposioSettings as GatewaySettings
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.simulators.hubspot import HubSpotSettings as PortalSettings
from quotey.testing.world import CALL, a_deal, an_account, read, refusal
from tests.composio.hubspot_world import HubSpotWorld
from tests.composio.meddling import answering, meddle, once

MINUTE = 60.0


@pytest.fixture
def world() -> Iterator[HubSpotWorld]:
    with closing(HubSpotWorld(gone_every_hours=24)) as made:
        yield made


def run(adapter: CrmAdapter, entity: Entity, cursor: str = "", limit: int = 50) -> Run:
    return Run(list(pages(adapter, entity, cursor, limit)))


class Run:
    def __init__(self, pages: list[CrmSyncResultDto]) -> None:
        self.cursor = pages[-1].next_cursor
        self.records = [one for page in pages for one in page.records]
        self.failures = [one for page in pages for one in page.failures]

    @property
    def refs(self) -> list[str]:
        return [one.crm_ref for one in self.records]


def next_page(world: HubSpotWorld, cursor: str) -> CrmSyncResultDto:
    return world.adapter.sync_incremental(Entity.ACCOUNT, cursor, limit=2, call=CALL)


def names(world: HubSpotWorld, found: list[RemoteRecord]) -> dict[str, object]:
    decoded = ((one.crm_ref, msgspec.json.decode(one.payload)) for one in found)
    return {ref: payload["properties"]["name"] for ref, payload in decoded}


# --- windows --------------------------------------------------------------------------------------


def test_a_first_load_lists_and_never_searches(world: HubSpotWorld) -> None:
    refs = [an_account(world, f"Company {number}") for number in range(5)]
    assert run(world.adapter, Entity.ACCOUNT, limit=2).refs == refs
    assert not any(path.endswith("/search") for _method, path in world.sent())


def test_a_search_only_finds_ids_and_values_are_read_by_id(world: HubSpotWorld) -> None:
    ref = an_account(world, "Old")
    cursor = run(world.adapter, Entity.ACCOUNT).cursor
    world.edit(Entity.ACCOUNT, ref, {"name": "New"})
    world.core.log.clear()
    assert names(world, records(world.adapter, Entity.ACCOUNT, cursor)) == {ref: "New"}
    paths = [path for _method, path in world.sent()]
    assert paths[1:] == [
        "/crm/v3/objects/companies/search",
        "/crm/v3/objects/companies/batch/read",
    ]


def test_hundreds_of_records_of_one_millisecond_are_all_met(world: HubSpotWorld) -> None:
    cursor = run(world.adapter, Entity.ACCOUNT).cursor
    made = [world.core.create("companies", {"name": f"C {n}"}) for n in range(230)]
    world.clock.advance(20 * MINUTE)
    found = run(world.adapter, Entity.ACCOUNT, cursor, limit=100)
    assert sorted(found.refs) == sorted(str(one.record_id) for one in made)


def test_a_change_that_the_index_shows_late_is_met_by_the_overlap() -> None:
    slow = PortalSettings(index_lag=(200.0, 400.0))
    with closing(HubSpotWorld(portal=slow)) as world:
        ref = an_account(world, "Old")
        cursor = run(world.adapter, Entity.ACCOUNT).cursor
        world.core.edit("companies", int(ref), {"name": "New"})
        world.clock.advance(2 * MINUTE)
        early = run(world.adapter, Entity.ACCOUNT, cursor)
        assert early.refs == []
        world.clock.advance(6 * MINUTE)
        late = run(world.adapter, Entity.ACCOUNT, early.cursor)
        assert names(world, late.records) == {ref: "New"}


def test_a_change_during_a_run_is_met_by_the_next_one(world: HubSpotWorld) -> None:
    refs = [an_account(world, f"Company {number}") for number in range(4)]
    cursor = run(world.adapter, Entity.ACCOUNT).cursor
    for ref in refs:
        world.core.edit("companies", int(ref), {"name": "Touched"})
    world.clock.advance(20 * MINUTE)
    first = world.adapter.sync_incremental(Entity.ACCOUNT, cursor, limit=2, call=CALL)
    world.edit(Entity.ACCOUNT, refs[3], {"name": "Touched again"})
    rest = run(world.adapter, Entity.ACCOUNT, first.next_cursor, limit=2)
    assert refs[3] not in rest.refs
    world.clock.advance(20 * MINUTE)
    later = run(world.adapter, Entity.ACCOUNT, rest.cursor)
    assert names(world, later.records) == {refs[3]: "Touched again"}


def test_a_run_bounds_its_window_by_the_servers_clock(world: HubSpotWorld) -> None:
    page = world.adapter.sync_incremental(Entity.ACCOUNT, "", limit=1, call=CALL)
    started = msgspec.json.decode(page.next_cursor)["started"]
    assert started == int(world.clock.now().timestamp() * 1000)


def test_the_gateways_clock_serves_where_the_provider_tells_none() -> None:
    mute = GatewaySettings(provider_headers=False, requests_per_minute=10**9)
    with closing(HubSpotWorld(gateway=mute)) as world:
        ref = an_account(world)
        assert run(world.adapter, Entity.ACCOUNT).refs == [ref]


def test_without_any_clock_nothing_is_read(world: HubSpotWorld) -> None:
    adapter = meddle(world.adapter, answering("Looking", Reply(status=200, doc={})))
    failure = refusal(lambda: adapter.sync_incremental(Entity.DEAL, "", limit=1, call=CALL))
    assert failure.error_class is ErrorClass.TRANSIENT


@pytest.mark.parametrize("cursor", ["12", "{", '{"lane":"nowhere"}', '{"format":2}', "null"])
def test_a_cursor_that_is_not_ours_is_refused(world: HubSpotWorld, cursor: str) -> None:
    read_on = partial(next_page, world, cursor)
    assert refusal(read_on).error_class is ErrorClass.PERMANENT


# --- lanes ----------------------------------------------------------------------------------------


def test_the_recycle_bin_is_read_once_a_day_and_only_what_is_new_is_told(
    world: HubSpotWorld,
) -> None:
    first, second = an_account(world), an_account(world)
    cursor = run(world.adapter, Entity.ACCOUNT).cursor
    world.delete(Entity.ACCOUNT, first)
    soon = run(world.adapter, Entity.ACCOUNT, cursor)
    assert soon.records == []
    world.clock.advance(24 * 3600)
    next_day = run(world.adapter, Entity.ACCOUNT, soon.cursor)
    assert [(one.crm_ref, one.deleted) for one in next_day.records] == [(first, True)]
    world.clock.advance(24 * 3600)
    world.delete(Entity.ACCOUNT, second)
    assert run(world.adapter, Entity.ACCOUNT, next_day.cursor).refs == [second]


def test_reading_everything_again_finds_what_no_window_shows() -> None:
    with closing(HubSpotWorld(full_every_hours=48, gone_every_hours=24)) as world:
        account, other = an_account(world, "One"), an_account(world, "Two")
        deal = a_deal(world, account)
        cursor = run(world.adapter, Entity.DEAL).cursor
        # Neither a link nor a restored record moves the modified date (2H).
        target = world.record(Entity.ACCOUNT, other)
        world.core.link(world.record(Entity.DEAL, deal), target, 5)
        world.clock.advance(3600)
        assert run(world.adapter, Entity.DEAL, cursor).records == []
        world.clock.advance(48 * 3600)
        again = run(world.adapter, Entity.DEAL, cursor)
        payload = msgspec.json.decode(again.records[0].payload)
        assert payload["associations"] == {"company": other}


def test_a_merge_into_a_third_record_names_it_for_both() -> None:
    with closing(HubSpotWorld(portal=PortalSettings(merge_makes_new_id=True))) as world:
        one, two = a_deal(world), a_deal(world)
        cursor = run(world.adapter, Entity.DEAL).cursor
        survivor = str(world.core.merge("deals", int(one), int(two)).record_id)
        world.clock.advance(3600)
        for limit in (1, 2, 50):
            found = run(world.adapter, Entity.DEAL, cursor, limit=limit)
            ends = {x.crm_ref: x.merged_into for x in found.records}
            assert ends == {survivor: None, one: survivor, two: survivor}


def test_a_merged_record_that_is_asked_for_is_told_with_its_survivor(world: HubSpotWorld) -> None:
    loser, winner = an_account(world, "Loser"), an_account(world, "Winner")
    world.merge(Entity.ACCOUNT, loser, winner)
    page = world.adapter.read_records(Entity.ACCOUNT, (loser,), call=CALL)
    assert {one.crm_ref: one.merged_into for one in page.records} == {winner: None, loser: winner}


def test_a_record_that_goes_between_search_and_read_is_told_as_deleted(
    world: HubSpotWorld,
) -> None:
    kept, gone = an_account(world, "Kept"), an_account(world, "Gone")
    cursor = run(world.adapter, Entity.ACCOUNT).cursor
    for ref in (kept, gone):
        world.edit(Entity.ACCOUNT, ref, {"name": "Touched"})
    purge = lambda: world.core.portal.purge(world.record(Entity.ACCOUNT, gone))  # noqa: E731
    adapter = meddle(world.adapter, once("Reading companies", purge))
    found = run(adapter, Entity.ACCOUNT, cursor)
    assert {one.crm_ref: one.deleted for one in found.records} == {kept: False, gone: True}


# --- associations ---------------------------------------------------------------------------------


def test_the_account_is_the_primary_company_or_the_only_one(world: HubSpotWorld) -> None:
    one, two = an_account(world, "One"), an_account(world, "Two")
    primary, only, unclear = a_deal(world, one), a_deal(world, one), a_deal(world, one)
    for deal in (primary, unclear):
        target = world.record(Entity.ACCOUNT, two)
        world.core.link(world.record(Entity.DEAL, deal), target, 341)
    record = world.record(Entity.DEAL, only)
    world.core.links.remove(record, world.record(Entity.ACCOUNT, one))
    world.core.link(record, world.record(Entity.ACCOUNT, one), 341)
    links = world.core.links
    links.remove(world.record(Entity.DEAL, unclear), world.record(Entity.ACCOUNT, one), {5})
    page = world.adapter.read_records(Entity.DEAL, (primary, only, unclear), call=CALL)
    company = {
        one.crm_ref: msgspec.json.decode(one.payload)["associations"]["company"]
        for one in page.records
    }
    assert company == {primary: one, only: one, unclear: None}


def test_a_record_whose_company_could_not_be_read_is_a_failure_of_its_own(
    world: HubSpotWorld,
) -> None:
    good, bad = a_deal(world), a_deal(world)
    company = {"toObjectId": 7, "associationTypes": [{"typeId": 5}]}
    doc = {
        "results": [{"from": {"id": good}, "to": [company]}],
        "errors": [{"category": "INTERNAL", "context": {"fromObjectId": [bad]}}],
    }
    adapter = meddle(world.adapter, answering("Reading the companies", Reply(status=207, doc=doc)))
    page = adapter.read_records(Entity.DEAL, (good, bad), call=CALL)
    assert [one.crm_ref for one in page.records] == [good]
    assert [one.crm_ref for one in page.failures] == [bad]


# --- partial and broken answers -------------------------------------------------------------------


def test_a_refused_batch_is_read_again_in_halves_until_the_bad_record_is_alone(
    world: HubSpotWorld,
) -> None:
    refs = [an_account(world, f"Company {number}") for number in range(8)]
    bad = refs[5]
    refused = Failed(kind=Kind.MAPPING, message="no", code="VALIDATION_ERROR")

    def act(op: object) -> Failed | None:
        body = getattr(op, "body", None)
        inputs = body.get("inputs", ()) if isinstance(body, dict) else ()
        return refused if any(one["id"] == bad for one in inputs) else None

    page = meddle(world.adapter, act).read_records(Entity.ACCOUNT, tuple(refs), call=CALL)
    assert sorted(one.crm_ref for one in page.records) == sorted(set(refs) - {bad})
    assert [one.crm_ref for one in page.failures] == [bad]


def test_a_record_that_a_207_names_is_a_failure_and_its_neighbours_are_there(
    world: HubSpotWorld,
) -> None:
    good, bad = an_account(world), an_account(world)
    shown = {"id": good, "updatedAt": "2026-03-10T12:00:00Z", "properties": {"name": "Good"}}
    error = {"category": "INTERNAL_ERROR", "context": {"ids": [bad]}}
    doc = {"results": [shown], "numErrors": 1, "errors": [error]}
    adapter = meddle(world.adapter, answering("Reading companies", Reply(status=207, doc=doc)))
    page = adapter.read_records(Entity.ACCOUNT, (good, bad), call=CALL)
    assert [one.crm_ref for one in page.records] == [good]
    assert [one.crm_ref for one in page.failures] == [bad]


@pytest.mark.parametrize("doc", [{}, None, [], {"results": None}, {"total": 0}])
def test_an_answer_without_results_is_no_empty_page(world: HubSpotWorld, doc: object) -> None:
    for name, cursor in (("Listing", ""), ("Searching", run(world.adapter, Entity.DEAL).cursor)):
        world.clock.advance(3600)
        adapter = meddle(world.reopen(), answering(name, Reply(status=200, doc=doc)))
        with pytest.raises(RemoteFailure) as caught:
            list(pages(adapter, Entity.DEAL, cursor))
        assert caught.value.error_class is ErrorClass.TRANSIENT


def test_a_page_that_comes_again_and_again_is_an_error_and_no_circle(world: HubSpotWorld) -> None:
    an_account(world)
    after = {"results": [], "paging": {"next": {"after": "7"}}}
    same = [Reply(status=200, doc=after) for _ in range(3)]
    adapter = meddle(world.adapter, answering("Listing", *same))
    with pytest.raises(RemoteFailure) as caught:
        list(pages(adapter, Entity.ACCOUNT))
    assert caught.value.error_class is ErrorClass.PERMANENT


def test_an_html_page_in_place_of_a_page_is_transient(world: HubSpotWorld) -> None:
    world.gateway.faults.add(Switch("html", status=200))
    read_on = partial(next_page, world, "")
    assert refusal(read_on).error_class is ErrorClass.TRANSIENT
    assert read_on().complete


def test_a_token_that_expires_between_two_pages_only_costs_a_try(world: HubSpotWorld) -> None:
    refs = {an_account(world, f"Company {number}") for number in range(4)}
    first = world.adapter.sync_incremental(Entity.ACCOUNT, "", limit=2, call=CALL)
    world.core.faults.add(Switch("token_expired"))
    again = partial(next_page, world, first.next_cursor)
    assert refusal(again).error_class is ErrorClass.AUTH
    met = {one.crm_ref for one in (*first.records, *again().records)}
    assert met == refs


def test_money_stays_exact_and_blanks_are_null(world: HubSpotWorld) -> None:
    ref = a_deal(world, amount="1500.10")
    world.core.edit("deals", int(ref), {"amount": "1500.10"})
    held = world.adapter.read_records(Entity.DEAL, (ref,), call=CALL).records[0]
    found = read(world, Entity.DEAL, held)
    assert getattr(found, "values", {})["amount"] == "1500.1"
