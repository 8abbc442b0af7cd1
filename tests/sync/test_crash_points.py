"""The main scenarios, crashed before and after every port call and every commit, then restarted.

After each crash: everything converges, each quote version had one effect, nothing was lost.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.journal import OpState, RecordState
from quotey.contract.reconciliation import ConflictType, ItemState
from quotey.store import Store
from quotey.sync.changes import gather
from quotey.testing.crash import CrashingAdapter, CrashPlan, SimulatedCrash, crashing_store
from tests.sync.world import DEALS, World, make_world


@dataclass(frozen=True)
class Scenario:
    """What stands before (`prepare`), and what a sync then meets (`change`)."""

    name: str
    change: Callable[[World], None]
    points: int
    deals: str = DEALS


def _nothing(world: World) -> None:
    pass


def _edits_there(world: World) -> None:
    world.lock("D-3", "stage")
    world.crm.set("deal", "D-1", {"stage": "won"})
    world.crm.set("deal", "D-3", {"stage": "lost"})
    world.crm.delete("deal", "D-2")
    world.crm.add("account", "A-9", {"name": "Ivy", "segment": "SMB"})
    world.crm.add(
        "deal", "D-9", {"name": "Nine", "account_id": "A-9", "stage": "won", "currency": "EUR"}
    )


def _two_versions(world: World) -> None:
    first = world.quote(world.deal("D-1").id, "90")
    world.quote(world.deal("D-1").id, "80", quote_id=first.entity_id)
    world.quote(world.deal("D-2").id, "70")


def _edits_on_both_sides(world: World) -> None:
    world.edit(Entity.DEAL, "D-1", name="Uno")
    world.edit(Entity.DEAL, "D-2", name="Due", amount="222")
    world.edit(Entity.ACCOUNT, "A-1", segment="enterprise")
    world.turn(minutes=5)
    world.crm.set("deal", "D-2", {"name": "Deux"}, at=world.clock.now())


def _new_deal_with_quote(world: World) -> None:
    deal_id, _ = world.new_deal("A-1", "Fresh")
    world.quote(deal_id, "44")


def _answers_lost(world: World) -> None:
    _new_deal_with_quote(world)
    world.edit(Entity.DEAL, "D-1", name="Uno")
    for operation in ("create_deal", "write_quote", "update_deal"):
        world.crm.fail("timeout_after", operation=operation)
    world.crm.fail("timeout_before", operation="sync_incremental")


BROKEN = """id,name,account_id,stage,amount,close_date,currency
D-1,One,A-1,prospecting,100.00,2026-05-01,EUR
D-2,,A-2,qualification,200.00,2026-06-01,EUR
D-3,Three,A-404,won,300.00,2026-07-01,EUR
"""

SCENARIOS = (
    Scenario("first load", _nothing, 17, deals=BROKEN),
    Scenario("edits there", _edits_there, 15),
    Scenario("two quote versions", _two_versions, 34),
    Scenario("edits on both sides", _edits_on_both_sides, 34),
    Scenario("new deal with quote", _new_deal_with_quote, 26),
    Scenario("answers lost", _answers_lost, 28),
)


class Stage:
    """A prepared home that is copied for every crash."""

    def __init__(self, tmp_path: Path, scenario: Scenario) -> None:
        world = make_world(tmp_path, deals=scenario.deals)
        if scenario.change is not _nothing:
            world.sync()
        scenario.change(world)
        world.close()
        self.world = world
        self.scenario = scenario
        self.template = tmp_path / "template"
        shutil.copytree(world.home, self.template)
        self.before = self.world._ids, world.clock.now()

    def fresh(self) -> World:
        """Start a process on a copy of the prepared files."""
        world = self.world
        shutil.rmtree(world.home)
        shutil.copytree(self.template, world.home)
        world._ids, now = self.before
        world.clock._now = now
        world.store_kind = Store
        world.open()
        return world

    def play(self, *plans: CrashPlan) -> World:
        """Sync once under each plan, each in a new process; then come to rest without any."""
        world = self.fresh()
        for plan in plans:
            world.store_kind = crashing_store(plan)
            world.restart()
            world.adapter = CrashingAdapter(world.stub, plan)
            with contextlib.suppress(SimulatedCrash):
                world.sync()
            world.turn(minutes=1)
        world.store_kind = Store
        world.restart()
        world.settle_down()
        world.sync()  # sees its own last writes come back
        return world


def _play_and_check(stage: Stage, expected: object, *plans: CrashPlan) -> None:
    world = stage.play(*plans)
    where = "; then ".join(
        f"{'after' if plan.after else 'before'} {plan.met[-1]} ({plan.at})" for plan in plans
    )
    check(world, where)
    assert _picture(world) == expected, where
    world.close()


def _undisturbed(stage: Stage) -> tuple[object, int]:
    """Play it without a crash; gives what is to be seen in the end, and how many points it met."""
    plan = CrashPlan()
    world = stage.play(plan)
    check(world, "no crash")
    expected = _picture(world)
    world.close()
    assert len(plan.met) == stage.scenario.points, plan.met
    return expected, len(plan.met)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_a_crash_at_any_point_loses_nothing_and_does_nothing_twice(
    tmp_path: Path, scenario: Scenario
) -> None:
    stage = Stage(tmp_path, scenario)
    expected, points = _undisturbed(stage)
    for at in range(1, points + 1):
        for after in (False, True):
            _play_and_check(stage, expected, CrashPlan(at, after=after))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_a_second_crash_while_recovering_from_the_first_changes_nothing_either(
    tmp_path: Path, scenario: Scenario
) -> None:
    stage = Stage(tmp_path, scenario)
    expected, points = _undisturbed(stage)
    for at in range(1, points + 1):
        first = CrashPlan(at, after=at % 2 == 0)
        second = CrashPlan(1 + at * 7 % points, after=at % 3 == 0)
        _play_and_check(stage, expected, first, second)


def check(world: World, where: str) -> None:
    """Hold what must be true after every crash."""
    assert world.store.audit.verify().ok, where
    assert world.store.outbox.list("main", states=(OpState.LEASED, OpState.UNKNOWN)) == (), where
    _mirror_is_the_crm(world, where)
    _every_version_once(world, where)
    _what_was_found_there_is_told(world, where)


def _mirror_is_the_crm(world: World, where: str) -> None:
    """Every record that the CRM holds and that keeps the contract is mirrored once, as it is."""
    for entity in MIRRORED:
        known = world.store.records.list("main", entity, 1000)
        refs = [record.crm_ref for record in known]
        assert len(refs) == len(set(refs)), where
        for state in world.crm.list(str(entity)):
            mirror = world.store.records.by_refs("main", entity, (state.ref,)).get(state.ref)
            if mirror is None:
                continue
            assert (mirror.state is RecordState.GONE) == state.deleted, (where, state.ref)
    refs_there = tuple(state.ref for state in world.crm.list("deal") if not state.deleted)
    run = world.run()
    page = world.stub.read_records(Entity.DEAL, refs_there, call=run.call(5))
    seen, _ = gather(run, Entity.DEAL, page.records)
    quarantined = {row.crm_ref for row in world.store.quarantine.list("main", Entity.DEAL)}
    assert {one.record.crm_ref for one in seen} <= quarantined, where


def _every_version_once(world: World, where: str) -> None:
    versions = [
        (effect.quote_id, effect.version)
        for effect in world.crm.log()
        if effect.operation == "write_quote"
    ]
    assert len(versions) == len(set(versions)), where
    creates = [effect for effect in world.crm.log() if effect.operation == "create_deal"]
    asked = world.store.outbox.list("main", entity=Entity.DEAL, limit=1000)
    assert len(creates) == sum(op.kind == "create_deal" for op in asked), where


def _what_was_found_there_is_told(world: World, where: str) -> None:
    """A compensated operation has its audit event and its reconciliation task (seed 6.3)."""
    told = {event.body["operation"] for event in world.events("operation.compensated")}
    tasks = {
        item.operation_id
        for item in world.items(ConflictType.PARTIAL_SUCCESS, state=ItemState.RESOLVED)
    }
    assert told == tasks, where


def _picture(world: World) -> object:
    """What a user sees in the end; the same whatever happened on the way."""
    mirror = {
        (str(entity), record.crm_ref): (record.local, record.base, record.state)
        for entity in MIRRORED
        for record in world.store.records.list("main", entity, 1000)
    }
    quotes = [
        (quote.id, version.version, str(version.total))
        for quote in world.store.quotes.list()
        for version in world.store.quotes.versions(quote.id)
    ]
    operations = {
        op.id: op.state for op in world.store.outbox.list("main", limit=1000) if op.actor == "tess"
    }
    waiting = sorted(
        (str(item.conflict_type), item.entity_id, item.field_name) for item in world.items()
    )
    payloads = {state.ref: state.payload for state in world.crm.list("deal")}
    return mirror, quotes, operations, waiting, payloads
