"""A write that was never answered lands after a newer version was delivered: tiers 2 and 3.

Tier 1 refuses it. On the others the slot is looked at once more, and the newest is sent again.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from quotey.contract.dto import MarkerReading, QuoteMarker
from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.contract.journal import Hold, Operation, OpState
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.reconciliation import ConflictType
from quotey.store import Store, open_store
from quotey.sync import late, push
from quotey.sync.push_quote import marker_of
from quotey.sync.recover import recover
from quotey.sync.report import SyncReport
from quotey.sync.worker import watch
from quotey.testing.crash import CrashingAdapter, CrashPlan, SimulatedCrash, crashing_store
from tests.sync.bent import bend, failing, first, then
from tests.sync.test_push_quote import FOREIGN, marker, queued
from tests.sync.world import World, make_world

QUOTE_RECORD = """
[quote]
object = "quotes"
target = "quote_record"
"""
NEVER = 1_000_000
"""A delay in requests: it lands when the test says `land`."""


@pytest.fixture(params=[2, 3])
def slow(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """A world whose CRM has no conditional write, read once."""
    made = make_world(tmp_path, tier=request.param)
    made.sync()
    yield made
    made.close()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, tier=2)
    made.sync()
    yield made
    made.close()


def lose(world: World, times: int = 1) -> Operation:
    """Send a version whose first requests are never answered and land late; then deliver it."""
    op = queued(world)
    world.crm.fail("late_effect", operation="write_quote", times=times, delay=NEVER)
    for _ in range(10):
        world.sync()
        if world.op(op).state is OpState.DELIVERED:
            return op
        world.turn(minutes=2)
    raise AssertionError(world.op(op))


def follow(world: World, op: Operation, total: str = "80") -> Operation:
    """Deliver the next version."""
    newer = world.quote(world.deal("D-1").id, total, quote_id=op.entity_id)
    world.sync()
    assert world.op(newer).state is OpState.DELIVERED
    return newer


def version_there(world: World) -> object:
    return world.remote("deal", "D-1")["quote_version"]


def looks(world: World) -> int:
    return world.store.looks.count("main")


def settled(world: World) -> None:
    """Pass the time of a look, and sync."""
    world.turn(seconds=91)
    world.sync()


def test_what_lands_late_is_seen_audited_and_the_newest_is_sent_again(slow: World) -> None:
    old = lose(slow)
    new = follow(slow, old)
    assert slow.crm.land() == 1
    assert str(version_there(slow)) == "1"
    assert looks(slow) == 1
    slow.turn(seconds=91)
    report = slow.sync()
    assert str(version_there(slow)) == "2"
    assert slow.op(new).state is OpState.DELIVERED
    [event] = slow.events("operation.late_landing")
    assert event.correlation_id == report.correlation_id
    loser = msgspec.json.decode(str(event.body["loser"]), type=QuoteMarker)
    assert loser == marker_of(slow.run(), old)
    assert event.body["operation"] == new.id
    assert slow.items() == ()
    assert report.outbound.delivered == 1


def test_the_repair_has_the_same_key_and_digest_and_is_one_effect_more(two: World) -> None:
    new = follow(two, lose(two))
    two.crm.land()
    settled(two)
    after = two.op(new)
    assert (after.key, after.digest, after.version) == (new.key, new.digest, new.version)
    written = [e.version for e in two.crm.log() if e.operation == "write_quote"]
    assert written == [1, 2, 1, 2]


def test_after_a_repair_it_is_looked_at_again_until_all_is_right(two: World) -> None:
    new = follow(two, lose(two))
    two.crm.land()
    settled(two)
    assert looks(two) == 1
    settled(two)
    assert looks(two) == 0
    assert len(two.events("operation.late_landing")) == 1
    assert two.op(new).state is OpState.DELIVERED


def test_every_lost_request_may_land_and_each_is_repaired(two: World) -> None:
    new = follow(two, lose(two, times=2))
    for number in (1, 2):
        assert two.crm.land(1) == 1
        settled(two)
        assert str(version_there(two)) == "2"
        assert len(two.events("operation.late_landing")) == number
    settled(two)
    assert (looks(two), two.op(new).state) == (0, OpState.DELIVERED)


def test_a_right_marker_ends_the_doubt_silently(slow: World) -> None:
    follow(slow, lose(slow))
    said = len(slow.store.audit.list(limit=1000))
    settled(slow)
    assert looks(slow) == 0
    assert len(slow.store.audit.list(limit=1000)) == said
    assert slow.items() == ()


def test_the_same_version_sent_twice_is_looked_at_too(two: World) -> None:
    op = lose(two)
    assert looks(two) == 1
    two.crm.land()
    settled(two)
    assert (looks(two), two.op(op).state) == (0, OpState.DELIVERED)
    assert two.events("operation.late_landing") == ()


def test_nothing_is_looked_at_where_every_request_was_answered(two: World) -> None:
    follow(two, queued(two))
    assert looks(two) == 0


def test_tier_1_refuses_what_is_late_and_needs_no_look(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.sync()
    follow(world, lose(world))
    assert world.crm.land() == 1
    assert str(version_there(world)) == "2"
    assert looks(world) == 0
    world.close()


def test_a_look_is_not_taken_before_its_time(two: World) -> None:
    follow(two, lose(two))
    two.crm.land()
    two.turn(seconds=80)
    two.sync()
    assert str(version_there(two)) == "1"
    two.turn(seconds=11)
    two.sync()
    assert str(version_there(two)) == "2"


def test_an_adapter_that_lags_longer_is_waited_for_longer(tmp_path: Path) -> None:
    world = make_world(tmp_path, tier=2, lag_seconds=300)
    world.sync()
    follow(world, lose(world))
    world.crm.land()
    settled(world)
    assert str(version_there(world)) == "1"
    world.turn(seconds=210)
    world.sync()
    assert str(version_there(world)) == "2"
    world.close()


def test_a_delivery_puts_the_look_off(two: World) -> None:
    newer = follow(two, lose(two))
    two.turn(seconds=60)
    follow(two, newer, "70")
    due = two.store.looks.next_due("main")
    assert due is not None
    assert timedelta(seconds=89) < due - two.clock.now() <= timedelta(seconds=90)


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"version": 9}, "newer_version"),
        ({"payload_digest": "f" * 64}, "version_reused"),
        ({"instance_id": "another"}, "other_quote"),
    ],
)
def test_what_is_newer_or_not_ours_is_left_to_a_person(
    two: World, changes: dict[str, object], detail: str
) -> None:
    new = follow(two, lose(two))
    two.crm.set("deal", "D-1", marker(two, new, **changes))
    settled(two)
    [item] = two.items()
    assert (item.conflict_type, item.detail) == (ConflictType.STALE_OUTBOUND_WRITE, detail)
    assert item.operation_id == new.id
    assert two.op(new).state is OpState.DELIVERED
    assert looks(two) == 0


def test_what_a_later_version_met_is_left_to_that_ones_item(two: World) -> None:
    """Else the decision of a person would be about the version before, and the newest forgotten."""
    old = lose(two)
    two.crm.set("deal", "D-1", FOREIGN)
    new = two.quote(two.deal("D-1").id, "80", quote_id=old.entity_id)
    two.sync()
    [item] = two.items()
    assert (item.operation_id, item.local_value) == (new.id, "2")
    settled(two)
    assert looks(two) == 0
    assert two.items() == (item,)
    [event] = two.events("operation.look_ended")
    assert event.body["why"] == "A later write looks there itself."


def test_what_a_later_version_will_meet_is_left_to_it_while_it_still_waits(two: World) -> None:
    """Also where it waits for long, behind what a person has to mend: no look goes on for ever."""
    old = lose(two)
    two.crm.set("deal", "D-1", FOREIGN)
    two.turn(seconds=91)
    new = two.quote(two.deal("D-1").id, "80", quote_id=old.entity_id)
    late.look(two.run())
    assert (looks(two), two.items()) == (0, ())
    two.sync()
    assert [item.operation_id for item in two.items()] == [new.id]


@pytest.mark.parametrize(
    ("state", "pause"),
    [(OpState.QUEUED, timedelta(seconds=90)), (OpState.HELD, timedelta(hours=1))],
)
def test_a_look_behind_a_later_version_comes_again_and_seldom_where_that_one_is_held(
    two: World, state: OpState, pause: timedelta
) -> None:
    """A person may take days to mend it; a request each minute and a half would see nothing new."""
    new = follow(two, lose(two))
    two.crm.land()
    newest = two.quote(two.deal("D-1").id, "70", quote_id=new.entity_id)
    hold = Hold.OPERATOR if state is OpState.HELD else None
    with two.store.transaction():
        two.store.outbox.set_state([newest.id], state, at=two.run().now(), hold=hold)
    two.turn(seconds=91)
    late.look(two.run())
    due = two.store.looks.next_due("main")
    assert due is not None
    assert abs(due - two.run().now() - pause) < timedelta(seconds=1)
    assert version_there(two) == 1


def test_what_somebody_scribbled_there_is_left_to_a_person(two: World) -> None:
    follow(two, lose(two))
    two.crm.set("deal", "D-1", {**FOREIGN, "quote_version": "many"})
    settled(two)
    assert [item.detail for item in two.items()] == ["foreign"]


def test_a_slot_that_somebody_emptied_is_filled_again(two: World) -> None:
    new = follow(two, lose(two))
    two.crm.set("deal", "D-1", dict.fromkeys(marker(two, new)))
    settled(two)
    assert str(version_there(two)) == "2"
    assert len(two.events("operation.marker_lost")) == 1
    assert two.events("operation.late_landing") == ()


def test_a_late_landing_of_the_quote_that_was_replaced_is_repaired(two: World) -> None:
    old = lose(two)
    other = two.quote(two.deal("D-1").id, "70", replaces=old.entity_id)
    two.sync()
    assert two.op(other).state is OpState.DELIVERED
    two.crm.land()
    settled(two)
    assert two.remote("deal", "D-1")["quote_id"] == other.entity_id
    assert len(two.events("operation.late_landing")) == 1


def test_what_was_given_up_may_land_late_too(two: World) -> None:
    op = queued(two)
    two.crm.fail("late_effect", operation="write_quote", times=100, delay=NEVER)
    for _ in range(40):
        two.sync()
        two.turn(hours=6)
    assert two.op(op).state is OpState.DEAD
    assert looks(two) == 0
    two.crm.heal()
    new = follow(two, op)
    two.crm.land()
    settled(two)
    assert str(version_there(two)) == "2"
    assert two.op(new).state is OpState.DELIVERED


def test_a_worker_that_died_in_the_middle_of_a_send_leaves_a_doubt(two: World) -> None:
    op = queued(two)
    two.adapter = bend(two.stub, write_quote=first(_crash, two.stub.write_quote))
    with contextlib.suppress(SimulatedCrash):
        two.sync()
    two.restart()
    two.turn(seconds=41)
    two.sync()
    two.turn(minutes=1)
    two.sync()
    assert two.op(op).state is OpState.DELIVERED
    assert looks(two) == 1


def _crash() -> None:
    raise SimulatedCrash


def test_a_look_that_fails_is_taken_again(two: World) -> None:
    follow(two, lose(two))
    two.crm.land()
    two.crm.fail("server_error", operation="get_quote_marker")
    settled(two)
    assert str(version_there(two)) == "1"
    assert looks(two) == 1
    settled(two)
    assert str(version_there(two)) == "2"


def test_a_crm_that_asks_for_a_pause_costs_the_look_no_try(two: World) -> None:
    follow(two, lose(two))
    two.crm.land()
    two.crm.fail("rate_limited", operation="get_quote_marker", retry_after=5)
    settled(two)
    with two.store.transaction():
        now = two.clock.now() + timedelta(hours=1)
        due = two.store.looks.claim("main", now, now + timedelta(seconds=40))
    assert due is not None
    assert due.tries == 0


def test_a_slot_that_can_never_be_read_is_told_at_last(two: World) -> None:
    new = follow(two, lose(two))
    two.adapter = bend(two.stub, get_quote_marker=failing(ErrorClass.PERMANENT))
    for _ in range(20):
        two.turn(hours=12)
        two.sync()
    [item] = two.items()
    assert item.conflict_type is ConflictType.UNKNOWN_OUTCOME
    assert "could not be looked at" in item.detail
    assert (looks(two), two.op(new).state) == (0, OpState.DELIVERED)


def test_a_version_that_keeps_coming_back_is_told_at_last(two: World) -> None:
    old = lose(two)
    follow(two, old)
    for _ in range(20):
        two.crm.set("deal", "D-1", marker(two, old))
        settled(two)
    [item] = two.items()
    assert item.conflict_type is ConflictType.UNKNOWN_OUTCOME
    assert "coming back" in item.detail
    assert looks(two) == 0
    assert len(two.events("operation.late_landing")) == 11


def test_a_quote_of_a_deal_that_is_gone_needs_no_look(two: World) -> None:
    follow(two, lose(two))
    two.crm.delete("deal", "D-1")
    two.turn(seconds=91)
    late.look(two.run())
    assert looks(two) == 0
    assert len(two.events("operation.look_ended")) == 1


def test_no_look_is_taken_while_a_later_version_is_in_doubt(two: World) -> None:
    new = follow(two, lose(two))
    third = two.quote(two.deal("D-1").id, "60", quote_id=new.entity_id)
    two.crm.fail("late_effect", operation="write_quote", delay=NEVER)
    two.sync()
    assert two.op(third).state is OpState.UNKNOWN
    two.turn(seconds=91)
    assert late.look(two.run()) == 0
    assert looks(two) == 1
    two.settle_down()
    assert two.op(third).state is OpState.DELIVERED


def test_a_look_that_was_overtaken_changes_nothing(two: World) -> None:
    new = follow(two, lose(two))
    two.crm.land()
    two.turn(seconds=91)
    third: list[Operation] = []

    def overtake(reading: MarkerReading) -> MarkerReading:
        if not third:
            third.append(two.quote(two.deal("D-1").id, "60", quote_id=new.entity_id))
            push.drain(two.run())
        return reading

    two.adapter = bend(two.stub, get_quote_marker=then(two.stub.get_quote_marker, overtake))
    two.sync()
    assert two.op(third[0]).state is OpState.DELIVERED
    assert two.op(new).state is OpState.DELIVERED
    assert str(version_there(two)) == "3"
    assert two.events("operation.late_landing") == ()
    assert two.items() == ()


def test_a_repair_waits_while_a_later_version_is_being_sent(two: World) -> None:
    new = follow(two, lose(two))
    two.crm.land()
    two.turn(seconds=91)

    def begun(reading: MarkerReading) -> MarkerReading:
        two.quote(two.deal("D-1").id, "60", quote_id=new.entity_id)
        assert push.claim(two.run()) is not None
        return reading

    two.adapter = bend(two.stub, get_quote_marker=then(two.stub.get_quote_marker, begun))
    assert late.look(two.run()) == 0
    assert two.op(new).state is OpState.DELIVERED
    two.adapter = two.stub
    two.turn(seconds=41)
    two.settle_down()
    assert str(version_there(two)) == "3"
    assert two.items() == ()


def test_watch_wakes_for_a_look_that_is_due(two: World) -> None:
    follow(two, lose(two))
    two.crm.land()
    reports: list[SyncReport] = []
    watch(two.ports, timedelta(hours=1), lambda: len(reports) == 2, told=reports.append)
    assert reports[1].started_at - reports[0].started_at < timedelta(minutes=2)
    assert str(version_there(two)) == "2"


def test_each_quote_record_has_a_slot_of_its_own(tmp_path: Path) -> None:
    world = make_world(tmp_path, tier=2)
    world.mapping = parse_mapping(QUOTE_RECORD, name="own.toml", over=world.mapping)
    world.restart()
    world.sync()
    old = lose(world)
    other = world.quote(world.deal("D-1").id, "70")
    world.sync()
    assert world.op(other).state is OpState.DELIVERED
    [row] = world.store._db.connection.execute("SELECT slot, operation_id FROM late_look")
    assert row == (f"{old.lane}/{old.entity_id}", old.id)
    world.close()


def test_a_crash_at_any_point_forgets_no_look(tmp_path: Path) -> None:
    world = make_world(tmp_path, tier=2)
    world.sync()
    old = queued(world)
    world.crm.fail("late_effect", operation="write_quote", delay=NEVER)
    world.close()
    shutil.copytree(world.home, tmp_path / "before")
    start = world.clock.now()

    def play(plan: CrashPlan) -> None:
        shutil.rmtree(world.home)
        shutil.copytree(tmp_path / "before", world.home)
        world.clock._now, world.store_kind = start, crashing_store(plan)
        world.open()
        world.desk.close()  # the seller's process does not die
        world.desk = open_store(world.home / "quotey.db", role="desk")
        world.adapter = CrashingAdapter(world.stub, plan)
        _play(world, old)
        _hold(world, plan.met[-1])
        world.close()

    whole = CrashPlan()
    play(whole)
    assert "commit late landing" in whole.met
    for at in range(1, len(whole.met) + 1):
        for after in (False, True):
            play(CrashPlan(at, after=after))


def _play(world: World, old: Operation) -> None:
    """Lose a request, deliver it, deliver the next, let the first land late, look, repair, look.

    One process dies on the way, and its successors go on.
    """
    for step in range(6):
        if step == 2:
            world.quote(world.deal("D-1").id, "80", quote_id=old.entity_id)
        if step == 3:
            world.crm.land()
        run = world.run()
        with contextlib.suppress(SimulatedCrash):
            recover(run)
            late.look(run)
            push.drain(run)
        world.turn(seconds=30 if step < 3 else 120)


def _hold(world: World, where: str) -> None:
    world.store_kind = Store
    world.restart()
    for _ in range(2):
        world.settle_down()
        world.turn(minutes=2)
    world.sync()
    assert str(version_there(world)) == "2", where
    assert looks(world) == 0, where
    assert world.items() == (), where
    assert world.store.audit.verify().ok, where
    states = {op.state for op in world.store.outbox.list("main")}
    assert states <= {OpState.DELIVERED, OpState.SUPERSEDED}, where


# --- written over another writer's ----------------------------------------------------------------

THEIRS = '{"instance_id":"theirs","payload_digest":"abc","quote_id":"q_9","version":4}'


def overwriting(world: World, *, lands: bool = True, loser: str = THEIRS) -> None:
    """Let the adapter find, after its write, that another writer's quote was written over."""

    def told(*args: object, **kwargs: object) -> None:
        if lands:
            world.stub.write_quote(*args, **kwargs)  # type: ignore[arg-type]
        raise RemoteFailure(
            "The quote was written over another writer's.",
            error_class=ErrorClass.CONFLICT,
            outcome=Outcome.APPLIED,
            loser=loser,
        )

    world.adapter = bend(world.stub, write_quote=told)


def test_a_quote_written_over_another_ones_is_delivered_and_told(two: World) -> None:
    op = queued(two)
    overwriting(two)
    report = two.sync()
    assert two.op(op).state is OpState.DELIVERED
    assert report.exit_code == 3
    [item] = two.items()
    assert item.conflict_type is ConflictType.STALE_OUTBOUND_WRITE
    assert (item.detail, item.remote_value) == ("overwrote_other", THEIRS)
    [event] = two.events("operation.overwrote_other")
    assert (event.body["loser"], event.body["operation"]) == (THEIRS, op.id)


def test_an_adapter_that_cannot_name_the_loser_is_quoted(two: World) -> None:
    queued(two)
    overwriting(two, loser="")
    two.sync()
    assert [item.remote_value for item in two.items()] == [
        "The quote was written over another writer's."
    ]


def test_it_is_delivered_only_when_it_is_read_back(two: World) -> None:
    op = queued(two)
    overwriting(two, lands=False)
    two.sync()
    assert two.op(op).state is OpState.UNKNOWN
    assert [item.detail for item in two.items()] == ["overwrote_other"]
    two.adapter = two.stub
    two.settle_down()
    assert two.op(op).state is OpState.DELIVERED
    assert [item.detail for item in two.items()] == ["overwrote_other"]


def test_a_newer_version_does_not_hide_that_anothers_was_lost(two: World) -> None:
    op = queued(two)
    overwriting(two)
    two.sync()
    two.adapter = two.stub
    follow(two, op)
    assert [item.detail for item in two.items()] == ["overwrote_other"]
