"""What ends a run before its work is done, what it leaves untouched then, and how it tells."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from quotey.contract.errors import ErrorClass, ExitCode, RemoteFailure, StoreBusyError, StoreError
from quotey.contract.fields import Entity
from quotey.contract.journal import OpState, SyncPhase
from quotey.contract.moments import moment
from quotey.store import Store
from quotey.sync import pull, push
from quotey.sync.report import SyncReport
from quotey.sync.worker import watch
from tests.sync.bent import bend, failing, first, watched
from tests.sync.world import World

# --- the CRM is down ------------------------------------------------------------------------------


def down(world: World, fault: str = "server_error") -> list[str]:
    """Let every request fail; give the list that requests are noted in."""
    world.crm.fail(fault, times=1000)
    requests: list[str] = []
    world.adapter = watched(world.stub, requests.append)
    return requests


@pytest.mark.parametrize("fault", ["server_error", "timeout_before"])
def test_a_crm_that_is_down_is_asked_the_bounded_tries_once_and_then_left_alone(
    synced: World, fault: str
) -> None:
    requests = down(synced, fault)
    report = synced.sync()
    assert requests == ["sync_incremental"] * synced.limits.read_tries
    assert report.exit_code == ExitCode.UNREACHABLE
    assert report.cut_short


def test_a_crm_that_is_down_is_told_once_with_the_entity_and_that_nothing_was_sent(
    synced: World,
) -> None:
    down(synced)
    [failure] = synced.sync().failures
    assert failure.error_class is ErrorClass.TRANSIENT
    assert failure.entities == ("account",)
    assert "nothing was sent" in failure.safe


def test_entities_that_were_not_asked_for_stand_as_they_stood(synced: World) -> None:
    before = synced.state(Entity.CONTACT), synced.state(Entity.DEAL)
    down(synced)
    report = synced.sync()
    assert [str(one.entity) for one in report.entities] == ["account"]
    assert (synced.state(Entity.CONTACT), synced.state(Entity.DEAL)) == before
    assert synced.state(Entity.ACCOUNT).phase is SyncPhase.ERROR


def test_a_crm_that_is_down_costs_no_operation_anything_and_the_next_sync_delivers(
    synced: World,
) -> None:
    op = synced.quote(synced.deal("D-1").id)
    before = synced.op(op)
    down(synced)
    report = synced.sync()
    assert synced.op(op) == before
    assert report.waiting == 1
    assert synced.state(Entity.QUOTE).epoch == 0, "no drain was begun"
    synced.crm.heal()
    assert synced.sync().outbound.delivered == 1


def test_an_entity_that_only_breaks_the_mapping_does_not_stop_the_outbox(synced: World) -> None:
    op = synced.quote(synced.deal("D-1").id)
    synced.adapter = bend(synced.stub, sync_incremental=failing(ErrorClass.MAPPING))
    report = synced.sync()
    assert not report.cut_short
    assert synced.op(op).state is OpState.DELIVERED


def test_what_fails_alike_is_told_once_with_all_its_entities(synced: World) -> None:
    synced.adapter = bend(synced.stub, sync_incremental=failing(ErrorClass.MAPPING))
    [failure] = synced.sync().failures
    assert failure.entities == ("account", "contact", "deal")


def test_operations_that_fail_alike_are_told_once_too(synced: World) -> None:
    for ref in ("D-1", "D-2", "D-3"):
        synced.quote(synced.deal(ref).id)
    synced.adapter = bend(synced.stub, write_quote=failing(ErrorClass.TRANSIENT))
    [failure] = synced.sync().failures
    assert failure.retry_at is not None
    assert len(failure.records) == 3


def test_a_failed_write_names_its_quote_and_the_deal_in_the_crm(synced: World) -> None:
    op = synced.op(synced.quote(synced.deal("D-1").id))
    synced.adapter = bend(synced.stub, write_quote=failing(ErrorClass.TRANSIENT))
    [failure] = synced.sync().failures
    assert failure.records == (f"quote {op.entity_id} version 1 (deal D-1)",)


def test_of_many_failures_in_other_words_the_first_are_told_and_the_rest_are_counted(
    synced: World,
) -> None:
    for number in range(20):
        synced.new_deal("A-1", f"N{number}")
    numbers = itertools.count()

    def refused(*_args: object, **_named: object) -> None:
        message = f"Refused (request {next(numbers)})."
        raise RemoteFailure(message, error_class=ErrorClass.PERMANENT)

    synced.adapter = bend(synced.stub, create_deal=refused)
    failures = synced.sync().failures
    assert len(failures) == push.MOST_ALIKE + 1
    assert failures[-1].warning.startswith("15 more operations failed")
    assert failures[-1].exit_code == ExitCode.NEEDS_PERSON


# --- watching it ----------------------------------------------------------------------------------


def watched_rounds(world: World, rounds: int, **interval: float) -> list[SyncReport]:
    reports: list[SyncReport] = []
    watch(world.ports, timedelta(**interval), lambda: len(reports) == rounds, told=reports.append)
    return reports


def gap(reports: list[SyncReport]) -> timedelta:
    return reports[1].started_at - reports[0].finished_at


def test_a_crm_that_is_down_is_probed_once_a_minute_however_much_is_due(synced: World) -> None:
    synced.quote(synced.deal("D-1").id)
    down(synced)
    assert timedelta(seconds=60) <= gap(watched_rounds(synced, 2, hours=1)) < timedelta(seconds=63)


def test_a_crm_that_fails_while_we_send_is_left_alone_for_a_minute_too(synced: World) -> None:
    for number in range(8):
        synced.new_deal("A-1", f"N{number}")
    synced.adapter = bend(synced.stub, create_deal=failing(ErrorClass.TRANSIENT))
    assert gap(watched_rounds(synced, 2, hours=1)) >= timedelta(seconds=60)


def test_a_short_interval_is_kept_even_then(synced: World) -> None:
    down(synced)
    assert gap(watched_rounds(synced, 2, seconds=30)) < timedelta(seconds=33)


def test_a_watch_waits_out_what_the_crm_asked_for(synced: World) -> None:
    synced.quote(synced.deal("D-1").id)
    synced.crm.fail("rate_limited", operation="sync_incremental", retry_after=300)
    reports = watched_rounds(synced, 2, hours=1)
    assert timedelta(seconds=300) <= gap(reports) < timedelta(seconds=303)
    assert reports[1].outbound.delivered == 1


def test_a_watch_outlives_a_busy_database(synced: World) -> None:
    busy = iter([True])

    def once(_progress: object) -> None:
        if next(busy, False):
            raise StoreBusyError("busy")

    ports = synced.ports
    object.__setattr__(ports, "progress", once)
    synced.crm.set("deal", "D-1", {"stage": "won"})
    reports: list[SyncReport] = []
    watch(ports, timedelta(seconds=30), lambda: len(reports) == 1, told=reports.append)
    assert synced.deal("D-1").local["stage"] == "won"


# --- another run is at work -----------------------------------------------------------------------


def test_a_second_run_says_who_reads_since_when_until_when_and_what_to_do(synced: World) -> None:
    other = synced.run()
    held = pull.start(other, Entity.ACCOUNT).state
    report = synced.sync()
    [failure] = report.failures
    assert report.exit_code == ExitCode.UNREACHABLE
    assert other.correlation_id in failure.warning
    assert held.started_at is not None
    assert moment(held.started_at) in failure.warning
    assert failure.retry_at == held.lease_until
    assert held.lease_until is not None
    assert moment(held.lease_until) in failure.warning
    assert "takes over" in failure.warning
    assert failure.next == ("quotey crm status", "quotey crm sync")


def test_a_second_run_neither_reads_children_before_their_parents_nor_sends(
    synced: World,
) -> None:
    op = synced.quote(synced.deal("D-1").id)
    pull.start(synced.run(), Entity.ACCOUNT)
    requests: list[str] = []
    synced.adapter = watched(synced.stub, requests.append)
    report = synced.sync()
    assert (requests, report.entities, report.cut_short) == ([], (), True)
    assert synced.op(op).state is OpState.QUEUED


def test_the_sync_after_that_moment_takes_over(synced: World) -> None:
    held = pull.start(synced.run(), Entity.ACCOUNT).state
    retry_at = synced.sync().failures[0].retry_at
    assert retry_at is not None
    synced.clock.sleep((retry_at - synced.clock.now()).total_seconds())
    report = synced.sync()
    assert (report.exit_code, report.recovered) == (0, 1)
    assert synced.state(Entity.ACCOUNT).epoch > held.epoch


def test_a_run_that_was_overtaken_and_outrun_says_so_without_a_time(synced: World) -> None:
    def overtaken() -> None:
        synced.turn(seconds=60)
        synced.adapter = synced.stub
        assert synced.sync().exit_code == 0

    late = first(overtaken, synced.stub.sync_incremental)
    synced.adapter = bend(synced.stub, sync_incremental=late)
    synced.crm.set("account", "A-1", {"name": "Elder"})
    [failure] = synced.sync().failures
    assert failure.warning == "Another run took over account meanwhile."
    assert "what this run had read is kept, and it sent nothing" in failure.safe


def interrupt() -> None:
    raise KeyboardInterrupt


# --- the database is busy, full, or somebody presses Ctrl-C ---------------------------------------


def refuse_once(world: World, which: str, error: BaseException) -> None:
    """Let the next transaction of this label fail, as a lock that is held for too long would."""
    left = [1]

    class Refusing(Store):
        @contextmanager
        def transaction(self, label: str = "") -> Iterator[None]:
            if label == which and left[0]:
                left[0] -= 1
                raise error
            with super().transaction(label):
                yield

    world.store_kind = Refusing
    world.restart()


ERRORS = [StoreBusyError("busy"), StoreError("The disk is full")]


@pytest.mark.parametrize("error", ERRORS, ids=["busy", "full"])
def test_a_store_that_fails_in_mid_run_leaves_the_entity_interrupted(
    synced: World, error: Exception
) -> None:
    synced.crm.set("account", "A-1", {"name": "Elder"})
    refuse_once(synced, "page", error)
    with pytest.raises(type(error)):
        synced.sync()
    state = synced.state(Entity.ACCOUNT)
    assert (state.phase, state.error_class) == (SyncPhase.ERROR, ErrorClass.TRANSIENT)
    assert state.error.startswith("interrupted")
    report = synced.sync()
    assert (report.exit_code, report.recovered) == (0, 0), "nobody waits for a lease"
    assert synced.record(Entity.ACCOUNT, "A-1").local["name"] == "Elder"


def test_a_store_that_does_not_even_take_that_note_raises_what_it_met_first(
    synced: World,
) -> None:
    class Full(Store):
        broken = False

        @contextmanager
        def transaction(self, label: str = "") -> Iterator[None]:
            self.broken = self.broken or label == "page"
            if self.broken:
                raise StoreError("full" if label == "page" else "still full")
            with super().transaction(label):
                yield

    synced.store_kind = Full
    synced.restart()
    with pytest.raises(StoreError, match=r"^full"):
        synced.sync()
    synced.store_kind = Store
    synced.restart()
    synced.turn(seconds=41)
    assert synced.sync().recovered == 1


@pytest.mark.parametrize("error", [*ERRORS, KeyboardInterrupt()], ids=["busy", "full", "ctrl-c"])
def test_a_drain_that_is_cut_off_leaves_no_state_behind_that_looks_alive(
    synced: World, error: BaseException
) -> None:
    synced.quote(synced.deal("D-1").id)
    refuse_once(synced, "settle", error)
    with pytest.raises(type(error)):
        synced.sync()
    state = synced.state(Entity.QUOTE)
    assert (state.phase, state.error.split(":")[0]) == (SyncPhase.ERROR, "interrupted")
    synced.turn(seconds=3)
    report = synced.sync()
    assert (report.recovered, report.outbound.delivered) == (0, 1), "nobody waits for a lease"
    assert len(synced.events("operation.compensated")) == 1
    assert synced.effects("write_quote") == 1


def test_an_operation_that_was_cut_off_unsent_is_sent_by_the_next_drain(synced: World) -> None:
    op = synced.quote(synced.deal("D-1").id)
    pressed = first(interrupt, synced.stub.get_quote_marker)
    synced.adapter = bend(synced.stub, get_quote_marker=pressed)
    with pytest.raises(KeyboardInterrupt):
        synced.sync()
    assert (synced.op(op).state, synced.op(op).attempts) == (OpState.QUEUED, 0)
    synced.adapter = synced.stub
    synced.turn(seconds=3)
    assert synced.sync().outbound.delivered == 1
    assert synced.effects("write_quote") == 1


def test_a_drain_that_cannot_even_let_go_leaves_it_to_the_leases(synced: World) -> None:
    synced.quote(synced.deal("D-1").id)

    class Full(Store):
        broken = False

        @contextmanager
        def transaction(self, label: str = "") -> Iterator[None]:
            self.broken = self.broken or label == "settle"
            if self.broken:
                raise StoreError(f"full at {label}")
            with super().transaction(label):
                yield

    synced.store_kind = Full
    synced.restart()
    with pytest.raises(StoreError, match="full at settle"):
        synced.sync()
    synced.store_kind = Store
    synced.restart()
    synced.turn(seconds=41)
    assert synced.sync().recovered == 2
    assert synced.effects("write_quote") == 1


def test_an_interrupt_of_a_run_that_was_taken_over_is_still_an_interrupt(synced: World) -> None:
    def overtaken() -> None:
        synced.turn(seconds=60)
        pull.start(synced.run(), Entity.ACCOUNT)
        raise KeyboardInterrupt

    late = first(overtaken, synced.stub.sync_incremental)
    synced.adapter = bend(synced.stub, sync_incremental=late)
    with pytest.raises(KeyboardInterrupt):
        synced.sync()


def test_a_drain_that_nothing_cut_off_rests(synced: World) -> None:
    synced.quote(synced.deal("D-1").id)
    assert push.drain(synced.run()).counts.delivered == 1
    assert synced.state(Entity.QUOTE).phase is SyncPhase.IDLE
