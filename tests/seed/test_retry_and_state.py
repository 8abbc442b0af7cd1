"""Section 6 of the seed: what is retried and how, the states of a sync, partial success."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from quotey.contract.errors import ErrorClass, IllegalMoveError
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.journal import (
    Hold,
    Operation,
    OpState,
    SyncDirection,
    SyncPhase,
    SyncState,
)
from quotey.contract.reconciliation import ConflictType, ItemState
from quotey.decide.lifecycle import SYNC_MOVES, SyncEvent, move
from quotey.desk.quotes import QuoteAnswer
from quotey.store import Store
from quotey.sync import engine
from quotey.sync.ports import Run
from quotey.sync.report import SyncReport
from quotey.testing.crash import CrashPlan, SimulatedCrash, crashing_store
from tests.seed.house import (
    ROOT,
    operation_of,
    quote_now,
    quoted,
    remap,
    terminal,
)
from tests.seed.test_fields import STATUS_WORDS
from tests.sync.bent import Op, bend, watched
from tests.sync.world import World

# --- 6.1 retry classes ---------------------------------------------------------------------------


def waits(world: World, fault: str, jitter: float) -> list[float]:
    """Let every write fail until it is given up; give the waits in seconds."""
    answer = quoted(world)
    world.crm.fail(fault, operation="write_quote", times=1000)
    found: list[float] = []
    for _ in range(40):
        engine.run(replace(world.ports, jitter=lambda: jitter))
        op = operation_of(world, answer)
        if op.state is not OpState.QUEUED:
            break
        found.append((op.due_at - world.clock.now()).total_seconds())
        world.clock.advance(op.due_at - world.clock.now())
    return found


@pytest.mark.parametrize("jitter", [0.5, 0.9])
def test_a_transient_5xx_is_retried_with_exponential_backoff_and_jitter_bounded(
    synced: World, jitter: float
) -> None:
    found = waits(synced, "server_error", jitter)
    short = [round(one, 3) for one in found[:6]]
    assert short == pytest.approx([jitter * 2**step for step in range(6)], abs=0.01)
    assert all(one >= 300 for one in found[6:]), "then come the long waits"
    [op] = synced.store.outbox.list("main")
    assert (op.state, op.attempts, op.error_class) == (OpState.DEAD, 12, ErrorClass.TRANSIENT)
    assert len(found) == 11, "the twelfth failure is the last"
    assert [item.conflict_type for item in synced.items()] == [ConflictType.ATTEMPTS_EXHAUSTED]
    assert synced.effects("write_quote") == 0


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after"])
def test_a_network_time_out_is_looked_at_before_it_is_sent_again(synced: World, fault: str) -> None:
    answer = quoted(synced)
    synced.crm.fail(fault, operation="write_quote")
    synced.sync()
    op = operation_of(synced, answer)
    assert op.state is OpState.UNKNOWN
    assert timedelta(0) < op.due_at - synced.clock.now() <= timedelta(seconds=10)
    asked: list[str] = []
    synced.turn(seconds=30)
    synced.adapter = watched(synced.stub, asked.append)
    synced.sync()
    wrote = ["write_quote", "get_quote_marker"] if fault == "timeout_before" else []
    assert asked[len(MIRRORED) :] == ["get_quote_marker", *wrote]
    assert operation_of(synced, answer).state is OpState.DELIVERED
    assert synced.effects("write_quote") == 1


def test_reads_are_repeated_a_few_times_within_a_run_and_then_the_run_stops(world: World) -> None:
    world.crm.fail("server_error", operation="sync_incremental", times=2)
    assert world.sync().exit_code == 0
    world.crm.fail("server_error", operation="sync_incremental", times=1000)
    assert world.sync().exit_code == 6
    assert len(world.clock.slept) < 100, "bounded"


def test_an_invalid_token_is_not_retried_blindly_and_requires_the_re_auth_workflow(
    tmp_path: Path,
) -> None:
    quotey = terminal(tmp_path)
    quotey("crm", "sync")
    quotey.json("quote", "create", "D-1", "--total", "90.00")
    quotey("crm", "stub", "fail", "auth", "--operation", "write_quote")
    ran = quotey("crm", "sync")
    assert ran.code == 4
    assert "quotey crm connect stub" in ran.out
    [op] = quotey.json("crm", "outbox", "list")["items"]
    assert (op["state"], op["hold"], op["attempts"]) == ("held", "auth", 0)
    effects = len(quotey.json("crm", "stub", "log")["items"])
    for _ in range(3):
        quotey.clock.sleep(86_400)
        assert quotey("crm", "sync").code == 4, "no request is even tried"
    assert quotey.json("crm", "status")["state"] == "auth_stopped"
    assert quotey("crm", "connect", "stub").code == 0
    assert quotey("crm", "sync").code == 0
    assert len(quotey.json("crm", "stub", "log")["items"]) == effects + 1


def test_no_request_leaves_after_a_401_until_the_connection_is_authorised_again(
    synced: World,
) -> None:
    for ref in ("D-1", "D-2", "D-3"):
        quoted(synced, ref)
    asked: list[str] = []
    synced.crm.fail("auth", operation="write_quote")
    synced.adapter = watched(synced.stub, asked.append)
    synced.sync()
    assert asked.count("write_quote") == 1
    asked.clear()
    synced.turn(hours=30)
    synced.sync()
    assert asked == []
    held = synced.store.outbox.list("main", states=(OpState.HELD,))
    assert [(op.hold, op.attempts) for op in held] == [(Hold.AUTH, 0)] * 3


def test_a_mapping_error_is_not_retried_until_the_mapping_is_fixed(synced: World) -> None:
    remap(synced, STATUS_WORDS)
    answer = quoted(synced)
    asked: list[str] = []
    synced.adapter = watched(synced.stub, asked.append)
    synced.sync()
    for _ in range(3):
        synced.turn(hours=30)
        synced.sync()
    assert asked.count("write_quote") <= 1, "it waits, and nothing is tried in vain"
    assert operation_of(synced, answer).hold is Hold.MAPPING
    remap(synced, '[quote.fields.status.transform]\nkind = "none"\n')
    report = synced.sync()
    assert (report.exit_code, report.released) == (0, 1), "it goes by itself once mended"
    assert operation_of(synced, answer).state is OpState.DELIVERED
    assert synced.items() == ()


@pytest.mark.parametrize(("asked", "wait"), [(90.0, 90), (None, 10), (1800.0, 1800)])
def test_a_rate_limit_is_retried_with_provider_aware_delay_and_preserves_operation_correlation(
    synced: World, asked: float | None, wait: float
) -> None:
    answer = quoted(synced)
    before = operation_of(synced, answer)
    synced.crm.fail("rate_limited", operation="write_quote", retry_after=asked)
    report = synced.sync()
    assert report.exit_code == 6
    op = operation_of(synced, answer)
    due_in = (op.due_at - synced.clock.now()).total_seconds()
    assert wait - 1 <= due_in <= wait + 1
    assert _identity(op) == _identity(before), "the same operation, key and correlation"
    assert (op.state, op.attempts) == (OpState.QUEUED, 0), "it burns no attempt"
    requests: list[str] = []
    synced.adapter = watched(synced.stub, requests.append)
    synced.turn(seconds=wait - 2)
    synced.sync()
    assert requests == [], "nobody asks before the time"
    synced.turn(seconds=4)
    assert synced.sync().exit_code == 0
    [event] = synced.events("operation.delivered")
    assert event.body["operation"] == before.id
    assert event.body["ordered_by"] == before.correlation_id
    assert synced.effects("write_quote") == 1


def _identity(op: Operation) -> tuple[str, str, str, str]:
    return op.id, op.key, op.correlation_id, op.digest


def test_the_idempotency_key_is_kept_over_all_attempts(synced: World) -> None:
    made = synced.new_deal("A-1", "New")[1]
    keys: list[object] = []

    def create(*args: object, **named: object) -> object:
        keys.append(named["key"])
        operation: Op = synced.stub.create_deal
        return operation(*args, **named)

    synced.crm.fail("timeout_after", operation="create_deal", times=3)
    synced.adapter = bend(synced.stub, create_deal=create)
    synced.settle_down()
    assert len(keys) > 1
    assert set(keys) == {made.key}
    assert synced.effects("create_deal") == 1


# --- 6.2 crm_sync_state --------------------------------------------------------------------------


def seen_during(world: World) -> list[SyncPhase]:
    """Sync, and give the phase that others see each time the CRM is asked for deals."""
    seen: list[SyncPhase] = []

    def look(operation: str) -> None:
        if operation == "sync_incremental":
            state = world.desk.sync_state.get("main", Entity.DEAL, world.state().direction)
            seen.append(state.phase)

    world.adapter = watched(world.stub, look)
    world.sync(entities=(Entity.DEAL,))
    world.adapter = world.stub
    return seen


def test_the_states_of_crm_sync_state_are_idle_syncing_and_error(world: World) -> None:
    assert set(SyncPhase) == {"idle", "syncing", "error"}
    lived = [world.state().phase]
    lived += seen_during(world)
    lived.append(world.state().phase)
    world.crm.fail("server_error", operation="sync_incremental", times=100)
    world.sync(entities=(Entity.DEAL,))
    lived.append(world.state().phase)
    assert set(lived) == set(SyncPhase)


@pytest.mark.parametrize(
    ("phase", "event"),
    [
        (phase, event)
        for phase in SyncPhase
        for event in SyncEvent
        if (phase, event) not in SYNC_MOVES
    ],
)
def test_no_other_move_of_a_sync_exists(phase: SyncPhase, event: SyncEvent) -> None:
    with pytest.raises(IllegalMoveError):
        move("sync", phase, event)


def test_idle_moves_to_syncing_on_sync_start(synced: World) -> None:
    assert synced.state().phase == "idle"
    assert set(seen_during(synced)) == {SyncPhase.SYNCING}


def test_syncing_moves_to_idle_on_success_with_cursor_and_count_update(synced: World) -> None:
    before = synced.state()
    assert (before.phase, before.counts.read, before.counts.created) == ("idle", 3, 3)
    synced.crm.set("deal", "D-1", {"stage": "won"})
    report = synced.sync()
    after = synced.state()
    assert after.phase == "idle"
    assert (after.counts.read, after.counts.updated) == (1, 1)
    assert int(after.cursor) > int(before.cursor)
    assert after.succeeded_at == after.finished_at
    assert after.correlation_id == report.correlation_id
    assert after.lease_until is None


@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after it"])
def test_the_cursor_moves_only_with_the_page_that_it_stands_for(
    world: World, *, after: bool
) -> None:
    world.sync(entities=(Entity.ACCOUNT, Entity.CONTACT))
    met: list[str] = []
    for at in range(1, 100):
        plan = CrashPlan(at, after=after)
        world.store_kind = crashing_store(plan)
        world.restart()
        try:
            world.sync(entities=(Entity.DEAL,))
        except SimulatedCrash:
            met.append(plan.met[-1])
        else:
            break
        cursor = int(world.state().cursor or "0")
        behind = sum(one.revision > cursor for one in world.crm.list("deal"))
        assert world.store.records.count("main", Entity.DEAL) + behind == 3, met[-1]
        world.turn(minutes=5)
    assert "commit page" in met
    assert world.store.records.count("main", Entity.DEAL) == 3


def test_syncing_moves_to_error_on_terminal_failure_with_classified_error(synced: World) -> None:
    before = synced.state()
    synced.crm.fail("auth", operation="sync_incremental")
    report = synced.sync(entities=(Entity.DEAL,))
    state = synced.state()
    assert (state.phase, state.error_class) == ("error", ErrorClass.AUTH)
    assert "401" in state.error
    assert state.correlation_id == report.correlation_id
    assert state.cursor == before.cursor, "nothing was skipped"
    told = [event.body for event in synced.events("sync.failed")]
    assert [one["error_class"] for one in told if one["direction"] == "inbound"] == ["auth"]


FAILURES: dict[str, tuple[str, ErrorClass, int]] = {
    "server_error": ("server_error", ErrorClass.TRANSIENT, 6),
    "timeout": ("timeout_before", ErrorClass.TRANSIENT, 6),
    "rate limit": ("rate_limited", ErrorClass.RATE_LIMIT, 6),
    "mapping": ("mapping_error", ErrorClass.MAPPING, 5),
}


@pytest.mark.parametrize("name", FAILURES)
def test_error_moves_to_syncing_on_a_later_retry_after_remediation(
    synced: World, name: str
) -> None:
    fault, error_class, exit_code = FAILURES[name]
    synced.crm.fail(fault, operation="sync_incremental", times=100)
    assert synced.sync(entities=(Entity.DEAL,)).exit_code == exit_code
    assert (synced.state().phase, synced.state().error_class) == ("error", error_class)
    synced.crm.heal()
    synced.turn(minutes=10)
    synced.crm.set("deal", "D-1", {"stage": "won"})
    assert set(seen_during(synced)) == {SyncPhase.SYNCING}
    state = synced.state()
    assert (state.phase, state.error_class, state.error) == ("idle", None, "")
    assert synced.deal("D-1").local["stage"] == "won"


def test_a_run_that_died_is_found_by_its_lease_and_goes_on_at_its_page(world: World) -> None:
    plan = CrashPlan(13)
    world.store_kind = crashing_store(plan)
    world.restart()
    with pytest.raises(SimulatedCrash):
        world.sync()
    world.store_kind = Store
    world.restart()
    world.turn(minutes=5)
    report = world.sync()
    assert report.recovered == 1
    assert len(world.events("sync.interrupted")) == 1
    assert world.store.records.count("main", Entity.DEAL) == 3


def test_the_outbound_half_moves_by_the_same_table(synced: World) -> None:
    def outbound() -> SyncState:
        return synced.desk.sync_state.get("main", Entity.QUOTE, SyncDirection.OUTBOUND)

    seen: list[SyncPhase] = []
    synced.adapter = watched(
        synced.stub, lambda operation: seen.append(outbound().phase) if "quote" in operation else 0
    )
    assert outbound().phase == "idle"
    quoted(synced)
    synced.sync()
    assert set(seen) == {SyncPhase.SYNCING}
    assert (outbound().phase, outbound().counts.delivered) == ("idle", 1)
    quoted(synced, "D-2")
    synced.crm.fail("auth", operation="write_quote")
    report = synced.sync()
    assert (outbound().phase, outbound().error_class) == ("error", ErrorClass.AUTH)
    assert outbound().correlation_id == report.correlation_id


# --- 6.3 partial success -------------------------------------------------------------------------


def lost_answer(world: World) -> QuoteAnswer:
    """The write lands over there and the answer never comes: a fault of the stub."""
    answer = quoted(world)
    world.crm.fail("timeout_after", operation="write_quote")
    report = world.sync()
    assert report.exit_code == 6
    return answer


def killed(world: World) -> QuoteAnswer:
    """The write lands over there and the process is killed before it can settle it."""
    answer = quoted(world)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.seed.killed",
            str(world.home),
            str(world.settings.dataset),
            world.clock.now().isoformat(),
        ],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    return answer


def crashed(world: World) -> QuoteAnswer:
    """The write lands over there and the transaction that would settle it never commits."""
    answer = quoted(world)
    counting = CrashPlan()
    world.store_kind = crashing_store(counting)
    world.restart()
    run: Run = world.run()
    op = run.store.outbox.pending("main", f"deal/{answer.quote.deal_id}")[0]
    assert op.id == answer.operation_id
    plan = CrashPlan()
    world.store_kind = crashing_store(plan)
    world.restart()

    def arm(_operation: str) -> None:
        if _operation == "get_quote_marker" and world.effects("write_quote"):
            plan.at = len(plan.met) + 1

    world.adapter = watched(world.stub, arm)
    with pytest.raises(SimulatedCrash, match="commit settle"):
        world.sync()
    world.store_kind = Store
    world.restart()
    return answer


WAYS: dict[str, Callable[[World], QuoteAnswer]] = {
    "answer lost": lost_answer,
    "killed": killed,
    "not committed": crashed,
}


@pytest.fixture(params=WAYS)
def partial(synced: World, request: pytest.FixtureRequest) -> tuple[World, QuoteAnswer]:
    """Remote success without local finalize; nothing has been repaired yet."""
    answer = WAYS[request.param](synced)
    assert synced.effects("write_quote") == 1, "it has landed"
    assert operation_of(synced, answer).state in (OpState.LEASED, OpState.UNKNOWN)
    return synced, answer


def repair(world: World) -> SyncReport:
    world.turn(minutes=2)
    return world.sync()


def test_when_the_remote_update_succeeds_but_local_finalize_fails_a_compensating_audit_event_comes(
    partial: tuple[World, QuoteAnswer],
) -> None:
    world, answer = partial
    report = repair(world)
    op = operation_of(world, answer)
    [event] = world.events("operation.compensated")
    assert event.correlation_id == report.correlation_id
    assert (event.entity, event.entity_id) == ("quote", answer.quote.id)
    assert (event.body["operation"], event.body["ordered_by"]) == (op.id, op.correlation_id)
    assert world.events("operation.delivered") == ()
    assert world.store.audit.verify().ok


def test_partial_success_persists_a_reconciliation_task_with_full_correlation_metadata(
    partial: tuple[World, QuoteAnswer],
) -> None:
    world, answer = partial
    report = repair(world)
    world.restart()
    [task] = world.items(ConflictType.PARTIAL_SUCCESS, state=ItemState.RESOLVED)
    assert (task.entity_type, task.entity_id) == (Entity.QUOTE, answer.quote.id)
    assert task.operation_id == answer.operation_id
    assert task.correlation_id == report.correlation_id
    assert (task.local_value, task.key.local_version) == ("1", "1")
    assert answer.quote.id in (task.remote_value or ""), "what the CRM was seen to hold"
    assert task.resolution


def test_partial_success_is_never_reported_as_silent_success(
    partial: tuple[World, QuoteAnswer],
) -> None:
    world, answer = partial
    assert operation_of(world, answer).finished_at is None
    assert world.events("operation.delivered") == ()
    waiting = world.store.outbox.counts("main")
    assert waiting[OpState.LEASED] + waiting[OpState.UNKNOWN] == 1, "status shows it as waiting"
    repair(world)
    assert operation_of(world, answer).state is OpState.DELIVERED
    assert world.effects("write_quote") == 1, "and it was not done twice"
    assert len(world.events("operation.compensated")) == 1
    assert quote_now(world, answer).current == answer.quote.current


def test_a_lost_answer_ends_the_command_with_an_exit_code_that_says_so(tmp_path: Path) -> None:
    quotey = terminal(tmp_path)
    quotey("crm", "sync")
    quotey.json("quote", "create", "D-1", "--total", "90.00")
    quotey("crm", "stub", "fail", "timeout_after", "--operation", "write_quote")
    ran = quotey("crm", "sync")
    assert ran.code == 6
    assert "0 delivered" in ran.out
    [op] = quotey.json("crm", "outbox", "list")["items"]
    assert op["state"] == "unknown"
    quotey.clock.sleep(120)
    assert quotey("crm", "sync").code == 0
    kinds = [one["kind"] for one in quotey.json("crm", "audit")["items"]]
    assert "operation.compensated" in kinds


def test_what_nobody_here_sent_is_left_open_for_a_person(synced: World) -> None:
    """Without complete proof the task stays open."""
    answer = quoted(synced)
    op = operation_of(synced, answer)
    synced.crm.set(
        "deal",
        "D-1",
        {
            "quote_id": answer.quote.id,
            "quote_version": "1",
            "quotey_instance_id": synced.store.instance_id,
            "quotey_payload_digest": op.digest,
        },
    )
    assert synced.sync().exit_code == 3
    assert [task.conflict_type for task in synced.items()] == [ConflictType.PARTIAL_SUCCESS]
