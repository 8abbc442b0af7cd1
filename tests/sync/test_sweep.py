"""The sweep finds what reading had missed, brings it in by the usual door, and counts it (R7)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import pytest

from quotey.contract.adapter import CrmAdapter
from quotey.contract.dto import Ends, IdPage
from quotey.contract.errors import ErrorClass
from quotey.contract.fields import Entity
from quotey.contract.journal import RecordState, SyncPhase
from quotey.contract.reconciliation import ConflictType
from quotey.contract.sweep import SweepCounts
from quotey.store import Store
from quotey.sync import engine
from quotey.testing.crash import CrashPlan, SimulatedCrash, crashing_store
from tests.sync.bent import answering, bend, failing, then
from tests.sync.test_mass_change import deals
from tests.sync.world import World, make_world

DEALS_ONLY = (Entity.DEAL,)


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[World]:
    """Forty deals, read once."""
    world = make_world(tmp_path, page_size=10, deals=deals(40))
    assert world.sync().exit_code == 0
    yield world
    world.close()


def miss(world: World, *, pages: int = 1) -> None:
    """Let reading lose every second record of the next pages of deals, as a slow index does."""
    world.crm.fail("skipped_rows", operation="sync_incremental", times=pages)


def edit_and_miss(world: World) -> None:
    """Change D-1 and D-2; only D-2 is read."""
    world.crm.set("deal", "D-1", {"name": "Missed"})
    world.crm.set("deal", "D-2", {"name": "Seen"})
    miss(world)
    world.sync(entities=DEALS_ONLY)
    assert (world.deal("D-1").local["name"], world.deal("D-2").local["name"]) == ("One", "Seen")


# --- what it finds --------------------------------------------------------------------------------


def test_a_change_that_reading_missed_is_brought_in_and_counted(synced: World) -> None:
    edit_and_miss(synced)
    synced.sync(entities=DEALS_ONLY)
    assert synced.deal("D-1").local["name"] == "One"  # the cursor is past it: it would stay so
    report = synced.sync(entities=DEALS_ONLY, sweep=True)
    assert synced.deal("D-1").local["name"] == "Missed"
    assert report.entities[0].sweep == SweepCounts(listed=3, stale=1)
    assert report.exit_code == 0
    assert synced.swept().missed_total == 1


def test_a_record_that_reading_missed_is_brought_in_and_counted(synced: World) -> None:
    synced.crm.add("deal", "D-8", {"name": "Missed", "account_id": "A-1", "stage": "won"})
    synced.crm.add("deal", "D-9", {"name": "Seen", "account_id": "A-1", "stage": "won"})
    miss(synced)
    synced.sync(entities=DEALS_ONLY)
    assert "D-8" not in synced.store.records.by_refs("main", Entity.DEAL, ("D-8",))
    report = synced.sync(entities=DEALS_ONLY, sweep=True)
    assert synced.deal("D-8").local["name"] == "Missed"
    assert report.entities[0].sweep == SweepCounts(listed=5, missing=1)


def test_a_deletion_that_reading_missed_is_brought_in_and_counted(synced: World) -> None:
    synced.crm.delete("deal", "D-1")
    synced.crm.set("deal", "D-2", {"name": "Seen"})
    miss(synced)
    synced.sync(entities=DEALS_ONLY)
    assert synced.deal("D-1").state is RecordState.LIVE
    report = synced.sync(entities=DEALS_ONLY, sweep=True)
    assert synced.deal("D-1").state is RecordState.GONE
    assert report.entities[0].sweep == SweepCounts(listed=2, gone=1)


def test_a_merge_that_reading_missed_is_told_with_its_survivor(synced: World) -> None:
    synced.crm.merge("deal", "D-1", "D-2")
    miss(synced)
    synced.sync(entities=DEALS_ONLY)
    synced.sync(entities=DEALS_ONLY, sweep=True)
    assert synced.deal("D-1").state is RecordState.GONE
    [told] = synced.events("record.gone")
    assert told.body["merged_into"] == "D-2"


def test_a_sweep_of_what_is_in_step_counts_nothing_and_changes_nothing(synced: World) -> None:
    before = synced.store.records.list("main", Entity.DEAL, 10)
    report = synced.sync(sweep=True)
    assert [one.sweep for one in report.entities] == [
        SweepCounts(listed=3),
        SweepCounts(listed=2),
        SweepCounts(listed=3),
    ]
    assert synced.store.records.list("main", Entity.DEAL, 10) == before


def test_what_is_kept_out_is_not_missing(synced: World) -> None:
    synced.crm.add("deal", "D-8", {"name": "No parent", "account_id": "A-77", "stage": "won"})
    assert synced.sync().entities[2].counts.rejected == 1
    assert synced.sync(sweep=True).entities[2].sweep == SweepCounts(listed=4)


def test_what_is_newer_than_the_cursor_is_brought_in_and_not_counted_as_missed(
    synced: World,
) -> None:
    """It was written while the sweep was under way; the next reading would have met it."""

    def meddle(page: IdPage) -> IdPage:
        newer = [
            msgspec.structs.replace(one, source_version=f"{int(one.source_version) + 9}", due=False)
            for one in page.listed
        ]
        return msgspec.structs.replace(page, listed=tuple(newer))

    synced.adapter = bend(
        synced.stub,
        sync_incremental=then(
            synced.stub.sync_incremental, lambda page: msgspec.structs.replace(page, records=())
        ),
        list_ids=then(synced.stub.list_ids, meddle),
    )
    synced.crm.set("deal", "D-1", {"name": "New"})
    report = synced.sync(entities=DEALS_ONLY, sweep=True)
    assert synced.deal("D-1").local["name"] == "New"
    assert report.entities[0].sweep == SweepCounts(listed=3, ahead=1)


def test_the_find_is_in_the_audit_and_names_the_records(synced: World) -> None:
    edit_and_miss(synced)
    report = synced.sync(entities=DEALS_ONLY, sweep=True)
    [told] = synced.events("sync.swept")
    assert (told.body["stale"], told.body["listed"]) == (1, 3)
    assert told.body["examples"] == ["stale: D-1"]
    assert told.correlation_id == report.correlation_id


# --- when it runs ---------------------------------------------------------------------------------


def test_it_runs_once_a_day_counted_from_the_first_load(synced: World) -> None:
    synced.turn(hours=23)
    assert synced.sync().entities[2].sweep is None
    synced.turn(hours=1)
    assert synced.sync().entities[2].sweep is not None
    assert synced.sync().entities[2].sweep is None
    synced.turn(hours=24)
    assert synced.sync().entities[2].sweep is not None


def test_at_zero_hours_it_runs_only_when_asked(synced: World) -> None:
    hours = msgspec.structs.replace(synced.limits, sweep_every=synced.limits.sweep_every * 0)
    synced.limits = hours
    synced.turn(days=30)
    assert synced.sync().entities[2].sweep is None
    assert synced.sync(sweep=True).entities[2].sweep is not None


def test_it_runs_after_a_cursor_that_was_lost(synced: World) -> None:
    """What was deleted before the new file was made is told by no cursor any more (R7)."""
    synced.crm.delete("deal", "D-1")
    state = msgspec.structs.replace(synced.state(), cursor="999999999999")
    with synced.store.transaction():
        synced.store.sync_state.put(state)
    report = synced.sync(entities=DEALS_ONLY)
    assert report.entities[0].sweep is not None
    assert synced.deal("D-1").state is RecordState.GONE


def test_an_adapter_that_cannot_list_is_read_all_the_same(synced: World) -> None:
    synced.adapter = cast("CrmAdapter", _WithoutList(synced.stub))
    report = synced.sync(sweep=True)
    assert report.exit_code == 0
    assert [one.sweep for one in report.entities] == [None, None, None]


class _WithoutList:
    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        if name == "list_ids":
            raise AttributeError(name)
        return getattr(self._inner, name)


# --- what may go wrong ----------------------------------------------------------------------------


def test_a_sweep_that_fails_leaves_what_was_read_and_goes_on_at_its_place(crowd: World) -> None:
    crowd.adapter = bend(crowd.stub, find_ends=failing(ErrorClass.PERMANENT))
    crowd.crm.delete("deal", "D-1")
    crowd.crm.set("deal", "D-2", {"name": "Seen"})
    miss(crowd)
    report = crowd.sync(entities=DEALS_ONLY, sweep=True)
    assert report.exit_code != 0
    assert crowd.state().phase is SyncPhase.ERROR
    assert crowd.deal("D-2").local["name"] == "Seen"
    assert crowd.swept().under_way
    crowd.adapter = bend(crowd.stub, list_ids=failing(ErrorClass.PERMANENT))
    report = crowd.sync(entities=DEALS_ONLY)  # it does not list again, and nobody had to ask
    assert report.entities[0].sweep == SweepCounts(listed=39, gone=1)
    assert not crowd.swept().under_way


def _stage(tmp_path: Path) -> World:
    """A record that reading missed, one that it lost, and one that has ended unseen."""
    world = make_world(tmp_path)
    world.sync()
    edit_and_miss(world)
    world.crm.delete("deal", "D-3")
    world.crm.set("deal", "D-2", {"name": "Seen"})
    miss(world)
    world.sync(entities=DEALS_ONLY)
    world.close()
    return world


def test_a_sweep_that_is_killed_anywhere_is_carried_through_by_the_next_run(
    tmp_path: Path,
) -> None:
    met = _swept_under(tmp_path / "calm", CrashPlan())
    assert {"commit sweep begins", "commit sweep page", "commit sweep ends"} <= set(met)
    for at in range(1, len(met) + 1):
        for after in (False, True):
            _swept_under(tmp_path / f"{at}{after}", CrashPlan(at, after=after))


def _swept_under(folder: Path, plan: CrashPlan) -> list[str]:
    folder.mkdir()
    world = _stage(folder)
    world.store_kind = crashing_store(plan)
    world.open()
    with contextlib.suppress(SimulatedCrash):
        engine.run(world.ports, entities=DEALS_ONLY, sweep_now=True, max_ops=0)
    world.close()
    world.store_kind = Store
    world.open()
    world.turn(seconds=41)
    world.sync(entities=DEALS_ONLY, sweep=True)
    assert world.deal("D-1").local["name"] == "Missed", plan
    assert world.deal("D-3").state is RecordState.GONE, plan
    assert world.swept().missed_total == 2, plan
    assert len(world.events("record.gone")) == 1, plan
    world.close()
    return plan.met


def test_nothing_listed_where_much_is_mirrored_stops_and_asks(crowd: World) -> None:
    empty = IdPage(entity=Entity.DEAL, listed=(), next_place="", has_more=False)
    crowd.adapter = bend(crowd.stub, list_ids=answering(empty))
    report = crowd.sync(entities=DEALS_ONLY, sweep=True)
    assert report.exit_code == 3
    assert len(crowd.items(ConflictType.MASS_CHANGE)) == 1
    states = crowd.store.records.count_by_state("main", Entity.DEAL)
    assert states[RecordState.LIVE] == 40


def test_more_deletions_than_may_pass_stop_the_sweep_and_a_person_lets_them_pass(
    crowd: World,
) -> None:
    for number in range(1, 21):
        crowd.crm.delete("deal", f"D-{number}")
    silent = then(
        crowd.stub.sync_incremental, lambda page: msgspec.structs.replace(page, records=())
    )
    crowd.adapter = bend(crowd.stub, sync_incremental=silent)
    assert crowd.sync(entities=DEALS_ONLY, sweep=True).exit_code == 3
    live = crowd.store.records.count_by_state("main", Entity.DEAL)[RecordState.LIVE]
    assert live >= 32  # a fifth at most
    assert len(crowd.items(ConflictType.MASS_CHANGE)) == 1
    report = crowd.sync(entities=DEALS_ONLY, accept_mass_change=True)
    assert report.exit_code == 0
    live = crowd.store.records.count_by_state("main", Entity.DEAL)[RecordState.LIVE]
    assert live == 20


def test_what_is_not_listed_and_not_proved_to_be_gone_stays_and_is_told(synced: World) -> None:
    """A record that a permission hides is no record that was deleted (law 11)."""

    def hide(page: IdPage) -> IdPage:
        kept = tuple(one for one in page.listed if one.crm_ref != "D-1")
        return msgspec.structs.replace(page, listed=kept)

    synced.adapter = bend(
        synced.stub,
        list_ids=then(synced.stub.list_ids, hide),
        find_ends=answering(Ends()),
    )
    report = synced.sync(entities=DEALS_ONLY, sweep=True)
    assert report.entities[0].sweep == SweepCounts(listed=2, unproven=1)
    assert synced.deal("D-1").state is RecordState.LIVE


def test_a_list_that_overlooks_a_living_record_does_no_harm(synced: World) -> None:
    synced.adapter = bend(
        synced.stub,
        list_ids=then(
            synced.stub.list_ids, lambda page: msgspec.structs.replace(page, listed=page.listed[1:])
        ),
    )
    report = synced.sync(entities=DEALS_ONLY, sweep=True)
    assert report.entities[0].sweep == SweepCounts(listed=2)
    assert synced.deal("D-1").state is RecordState.LIVE


def test_a_list_that_leads_in_a_circle_is_stopped(synced: World) -> None:
    turns = iter(["a", "b"] * 20)
    page = IdPage(entity=Entity.DEAL, listed=(), next_place="", has_more=True)
    synced.adapter = bend(
        synced.stub,
        list_ids=lambda *_a, **_k: msgspec.structs.replace(page, next_place=next(turns)),
    )
    report = synced.sync(entities=DEALS_ONLY, sweep=True)
    assert "in a circle" in report.failures[0].warning


# --- cursors in a circle --------------------------------------------------------------------------


def test_pages_whose_cursors_lead_in_a_circle_are_stopped_and_what_was_read_stays(
    crowd: World,
) -> None:
    """A, B, A, B, ... each page moves, and none is the same as the one before it."""
    state = crowd.state()
    turns = iter(["000000000003", "000000000005"] * 50)
    crowd.adapter = bend(
        crowd.stub,
        sync_incremental=then(
            crowd.stub.sync_incremental,
            lambda page: msgspec.structs.replace(page, next_cursor=next(turns), has_more=True),
        ),
    )
    report = crowd.sync(entities=DEALS_ONLY)
    assert "in a circle" in report.failures[0].warning
    assert report.failures[0].error_class is ErrorClass.PERMANENT
    assert crowd.state().phase is SyncPhase.ERROR
    crowd.adapter = crowd.stub
    assert crowd.sync(entities=DEALS_ONLY).exit_code == 0
    assert crowd.state().cursor == state.cursor
