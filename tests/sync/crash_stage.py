"""A prepared home that is copied for every crash, and what must hold after any of them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.journal import OpState, RecordState
from quotey.contract.reconciliation import ConflictType, ItemState
from quotey.store import Store
from quotey.sync.changes import gather
from quotey.testing.crash import CrashingAdapter, CrashPlan, SimulatedCrash, crashing_store
from tests.sync.world import DEALS, World, make_world

Act = Callable[[World], None]


def nothing(world: World) -> None:
    """Change nothing before the sync."""


def sync(world: World) -> None:
    """Sync once."""
    world.sync()


@dataclass(frozen=True)
class Scenario:
    """What stands before (`prepare`), and what is done while it crashes (`act`).

    `points` is how many port calls and commits `act` meets undisturbed. Who got no answer does it
    again, so `act` must be what a person may repeat.
    """

    name: str
    prepare: Act
    points: int
    deals: str = DEALS
    act: Act = sync


class Stage:
    """A prepared home that is copied for every crash."""

    def __init__(self, tmp_path: Path, scenario: Scenario) -> None:
        world = make_world(tmp_path, deals=scenario.deals)
        if scenario.prepare is not nothing:
            world.sync()
        scenario.prepare(world)
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
        """Act under each plan, each in a new process; then act again without any, and rest."""
        world = self.fresh()
        for plan in plans:
            world.store_kind = crashing_store(plan)
            world.restart()
            world.adapter = CrashingAdapter(world.stub, plan)
            with contextlib.suppress(SimulatedCrash):
                self.scenario.act(world)
            world.turn(minutes=1)
        world.store_kind = Store
        world.restart()
        if self.scenario.act is not sync:
            self.scenario.act(world)
        world.settle_down()
        world.sync()  # sees its own last writes come back
        return world


def play_and_check(stage: Stage, expected: object, *plans: CrashPlan) -> None:
    world = stage.play(*plans)
    where = "; then ".join(
        f"{'after' if plan.after else 'before'} {plan.met[-1]} ({plan.at})" for plan in plans
    )
    check(world, where)
    assert picture(world) == expected, where
    world.close()


def undisturbed(stage: Stage) -> tuple[object, int]:
    """Play it without a crash; gives what is to be seen in the end, and how many points it met."""
    plan = CrashPlan()
    world = stage.play(plan)
    check(world, "no crash")
    expected = picture(world)
    world.close()
    assert len(plan.met) == stage.scenario.points, plan.met
    return expected, len(plan.met)


def crash_everywhere(tmp_path: Path, scenario: Scenario) -> None:
    """Crash before and after every point, each in a new process, and look at what comes of it."""
    stage = Stage(tmp_path, scenario)
    expected, points = undisturbed(stage)
    for at in range(1, points + 1):
        for after in (False, True):
            play_and_check(stage, expected, CrashPlan(at, after=after))


def crash_twice(tmp_path: Path, scenario: Scenario, *, every: int = 1) -> None:
    """Crash at each `every`-th point, and once more in whoever recovers from that."""
    stage = Stage(tmp_path, scenario)
    expected, points = undisturbed(stage)
    for at in range(1, points + 1, every):
        first = CrashPlan(at, after=at % 2 == 0)
        second = CrashPlan(1 + at * 7 % points, after=at % 3 == 0)
        play_and_check(stage, expected, first, second)


def check(world: World, where: str) -> None:
    """Hold what must be true after every crash."""
    assert world.store.audit.verify().ok, where
    assert world.store.outbox.list("main", states=(OpState.LEASED, OpState.UNKNOWN)) == (), where
    _mirror_is_the_crm(world, where)
    _every_version_once(world, where)
    _what_was_found_there_is_told(world, where)
    _every_item_is_audited(world, where)
    _every_item_is_settled_once(world, where)


def _mirror_is_the_crm(world: World, where: str) -> None:
    """Every record that the CRM holds and that keeps the contract is mirrored once, as it is."""
    for entity in MIRRORED:
        known = world.store.records.list("main", entity, 1000)
        refs = [record.crm_ref for record in known]
        assert len(refs) == len(set(refs)), where
        for state in world.crm.list(str(entity)):
            mirror = world.store.records.by_refs("main", entity, (state.ref,)).get(state.ref)
            if mirror is None or world.store.records.ref_of(entity, mirror.id) != state.ref:
                continue  # not let in, or the record is another one there by now
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


def picture(world: World) -> object:
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


def _every_item_is_audited(world: World, where: str) -> None:
    """Item and audit are committed together: there is never one without the other (CP-17)."""
    told = {event.body["item"] for event in world.events("reconciliation.recorded")}
    found = world.store.items.list(states=tuple(ItemState), limit=1000)
    assert told == {item.id for item in found}, where


def _every_item_is_settled_once(world: World, where: str) -> None:
    told = [event.body["item"] for event in world.events("reconciliation.resolved")]
    assert len(told) == len(set(map(str, told))), where
