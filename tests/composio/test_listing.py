"""What a sweep asks of both vendors: every living id, and what became of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest

from quotey.contract.adapter import Sweepable
from quotey.contract.dto import Ends, Listed
from quotey.contract.fields import Entity
from quotey.testing.conformance.pages import end_of
from quotey.testing.simulators.hubspot import HubSpotSettings as PortalSettings
from quotey.testing.world import CALL, a_deal, an_account, refusal
from tests.composio.hubspot_world import HubSpotWorld
from tests.composio.salesforce_world import ORG, SalesforceWorld

MINUTE, DAY = 60.0, 86_400.0
World = HubSpotWorld | SalesforceWorld


@pytest.fixture(params=[HubSpotWorld, SalesforceWorld])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with closing(request.param(gone_every_hours=24)) as made:
        yield made


@pytest.fixture
def portal() -> Iterator[HubSpotWorld]:
    with closing(HubSpotWorld(gone_every_hours=24)) as made:
        yield made


@pytest.fixture
def org() -> Iterator[SalesforceWorld]:
    with closing(SalesforceWorld(gone_every_hours=24)) as made:
        yield made


def all_ids(world: World, read_to: str, limit: int = 2) -> dict[str, Listed]:
    assert isinstance(world.adapter, Sweepable)
    place, listed, more = "", dict[str, Listed](), True
    while more:
        page = world.adapter.list_ids(
            Entity.ACCOUNT, place, read_to=read_to, limit=limit, call=CALL
        )
        listed |= {one.crm_ref: one for one in page.listed}
        place, more = page.next_place, page.has_more
    return listed


def now(world: World, name: str) -> str:
    """Make an account without letting time pass."""
    if isinstance(world, HubSpotWorld):
        return str(world.core.create("companies", {"name": name}).record_id)
    return world.core.create("Account", {"Name": name}).row_id


def ends(world: World, *refs: str, read_to: str, entity: Entity = Entity.ACCOUNT) -> Ends:
    assert isinstance(world.adapter, Sweepable)
    return world.adapter.find_ends(entity, refs, read_to=read_to, call=CALL)


def cursor_of(world: World, entity: Entity = Entity.ACCOUNT) -> str:
    return end_of(world.adapter, entity)


# --- the list -------------------------------------------------------------------------------------


def test_every_living_record_is_listed_with_the_version_that_a_read_would_give(
    world: World,
) -> None:
    refs = [an_account(world, f"Company {number}") for number in range(5)]
    world.delete(Entity.ACCOUNT, refs[3])
    listed = all_ids(world, cursor_of(world))
    assert sorted(listed) == sorted(set(refs) - {refs[3]})
    read = world.adapter.read_records(Entity.ACCOUNT, tuple(listed), call=CALL).records
    assert {one.crm_ref: one.source_version for one in read} == {
        ref: one.source_version for ref, one in listed.items()
    }


def test_a_page_of_the_list_asks_for_the_stamp_and_nothing_else(org: SalesforceWorld) -> None:
    an_account(org)
    org.core.log.clear()
    all_ids(org, cursor_of(org))
    assert "SELECT+Id%2C+SystemModstamp+FROM+Account" in org.core.log[-1].target.replace("%20", "+")


def test_due_is_what_no_window_to_come_will_show(world: World) -> None:
    """The overlap of 15 minutes still brings what is newer than that."""
    old = an_account(world, "Old")
    cursor_of(world)
    world.clock.advance(DAY)
    young = now(world, "Young")
    world.clock.advance(2 * MINUTE)
    listed = all_ids(world, cursor_of(world))
    assert (listed[old].due, listed[young].due) == (True, False)


def test_what_search_never_shows_is_listed() -> None:
    blind = PortalSettings(index_lag=(9 * DAY, 9 * DAY))
    with closing(HubSpotWorld(portal=blind)) as world:
        cursor = cursor_of(world)
        ref = str(world.core.create("companies", {"name": "Unseen"}).record_id)
        world.clock.advance(DAY)
        run = world.adapter.sync_incremental(Entity.ACCOUNT, cursor, limit=50, call=CALL)
        assert run.records == ()
        assert all_ids(world, run.next_cursor)[ref].due


def test_a_list_from_a_foreign_cursor_is_refused(world: World) -> None:
    assert isinstance(world.adapter, Sweepable)
    failed = refusal(lambda: all_ids(world, "nonsense"))
    assert failed.diagnostics


# --- the ends -------------------------------------------------------------------------------------


def test_a_deleted_record_is_proved_by_the_bin_and_a_living_one_is_said_to_live(
    world: World,
) -> None:
    gone, there = an_account(world, "Gone"), an_account(world, "There")
    world.delete(Entity.ACCOUNT, gone)
    world.clock.advance(2 * DAY)
    found = ends(world, gone, there, read_to=cursor_of(world))
    assert [(one.crm_ref, one.deleted) for one in found.records] == [(gone, True)]
    assert found.living == {there}
    assert found.due == {gone}


def test_a_deletion_that_the_next_reading_would_tell_is_not_due(world: World) -> None:
    gone = an_account(world, "Gone")
    cursor = cursor_of(world)
    world.delete(Entity.ACCOUNT, gone)
    found = ends(world, gone, read_to=cursor)
    assert [one.crm_ref for one in found.records] == [gone]
    assert found.due == frozenset()


def test_a_merged_record_is_proved_by_its_survivor(world: World) -> None:
    loser, winner = an_account(world, "Loser"), an_account(world, "Winner")
    world.merge(Entity.ACCOUNT, loser, winner)
    cursor = cursor_of(world)
    [survivor] = all_ids(world, cursor)
    found = ends(world, loser, read_to=cursor)
    assert [(one.crm_ref, one.merged_into) for one in found.records] == [(loser, survivor)]


def test_a_purged_record_of_a_portal_is_proved_by_not_found_and_no_lane_would_tell_it(
    portal: HubSpotWorld,
) -> None:
    gone = an_account(portal, "Gone")
    portal.core.portal.purge(portal.record(Entity.ACCOUNT, gone))
    found = ends(portal, gone, read_to=cursor_of(portal))
    assert [(one.crm_ref, one.deleted) for one in found.records] == [(gone, True)]
    assert found.due == {gone}


def test_a_purged_record_of_an_org_is_proved_by_the_list_of_deletions(org: SalesforceWorld) -> None:
    gone = an_account(org, "Gone")
    org.core.delete(gone)
    org.core.purge(gone)
    org.clock.advance(3600)
    found = ends(org, gone, read_to=cursor_of(org))
    assert [(one.crm_ref, one.deleted) for one in found.records] == [(gone, True)]


def test_of_a_record_that_an_org_says_nothing_of_nothing_is_known(org: SalesforceWorld) -> None:
    """It may be hidden from us: no evidence, no deletion (law 11)."""
    hidden = an_account(org, "Hidden")
    org.core.org.order["Account"].remove(hidden)
    del org.core.org.rows["Account"][hidden]
    found = ends(org, hidden, read_to=cursor_of(org))
    assert found == Ends()


def test_a_server_that_ends_its_pages_early_lists_everything() -> None:
    with closing(SalesforceWorld(org=msgspec.structs.replace(ORG, page=3))) as world:
        made = [an_account(world, f"Company {number}") for number in range(10)]
        assert sorted(all_ids(world, cursor_of(world), limit=5)) == sorted(made)


def test_a_deal_has_its_list_too(world: World) -> None:
    deal = a_deal(world, an_account(world))
    assert isinstance(world.adapter, Sweepable)
    page = world.adapter.list_ids(
        Entity.DEAL, "", read_to=cursor_of(world, Entity.DEAL), limit=50, call=CALL
    )
    assert [one.crm_ref for one in page.listed] == [deal]
