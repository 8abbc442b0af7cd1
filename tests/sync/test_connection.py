"""The connection as all processes know it: auth stops, penalties, and what they cost nobody."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from quotey.contract.dto import MarkerReading, RemoteWrite
from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.journal import ConnectionState, Hold, OpState, SyncPhase
from quotey.sync import door, push
from tests.sync.bent import answering, bend, then, watched
from tests.sync.world import World


def arrivals(world: World) -> list[str]:
    """Note every request that reaches the CRM from now on."""
    seen: list[str] = []
    world.adapter = watched(world.stub, seen.append)
    return seen


def test_an_auth_failure_stops_the_connection_and_names_the_command(synced: World) -> None:
    op = synced.quote(synced.deal("D-1").id)
    synced.crm.fail("auth")
    report = synced.sync()
    assert report.exit_code == 4
    assert report.failures[0].next == ("quotey crm connect stub",)
    row = synced.store.connections.get("main")
    assert row is not None
    assert row.state is ConnectionState.AUTH_STOPPED
    assert synced.state(Entity.ACCOUNT).error_class is ErrorClass.AUTH
    held = synced.op(op)
    assert (held.state, held.hold, held.attempts) == (OpState.HELD, Hold.AUTH, 0)


def test_later_runs_refuse_at_once_until_reconnected(synced: World) -> None:
    op = synced.quote(synced.deal("D-1").id)
    synced.crm.fail("auth")
    synced.sync()
    seen = arrivals(synced)
    assert synced.sync().exit_code == 4
    assert synced.sync().exit_code == 4
    assert seen == []
    synced.crm.reauthorise()
    assert door.reconnect(synced.run()) == 1
    assert synced.sync().exit_code == 0
    assert synced.op(op).state is OpState.DELIVERED
    assert synced.state(Entity.ACCOUNT).phase is SyncPhase.IDLE


def test_reconnecting_what_was_not_stopped_is_harmless(synced: World) -> None:
    assert door.reconnect(synced.run()) == 0


@pytest.mark.parametrize("operation", ["write_quote", "get_quote_marker"])
def test_an_auth_failure_while_sending_burns_no_attempt(synced: World, operation: str) -> None:
    ops = [synced.quote(synced.deal(ref).id) for ref in ("D-1", "D-2")]
    synced.crm.fail("auth", operation=operation)
    report = synced.sync()
    assert report.exit_code == 4
    assert {synced.op(op).hold for op in ops} == {Hold.AUTH}
    assert {synced.op(op).attempts for op in ops} == {0}


def test_what_a_slow_worker_holds_after_the_reconnection_goes_with_the_next_sync(
    synced: World,
) -> None:
    """It was refused before, and notes it once all that waited has been released."""
    op = synced.quote(synced.deal("D-1").id)
    with synced.store.transaction():
        synced.store.outbox.set_state(
            [op.id], OpState.HELD, at=synced.clock.now(), hold=Hold.AUTH, error="401"
        )
    synced.sync()
    assert synced.op(op).state is OpState.DELIVERED


def test_a_rate_limit_stops_the_run_and_says_until_when(synced: World) -> None:
    synced.crm.fail("rate_limited", operation="sync_incremental", retry_after=120)
    report = synced.sync()
    assert report.exit_code == 6
    failure = report.failures[0]
    assert failure.error_class is ErrorClass.RATE_LIMIT
    assert failure.retry_at is not None
    assert timedelta(seconds=119) < failure.retry_at - report.finished_at <= timedelta(seconds=120)


def test_no_process_asks_before_the_penalty_has_ended(synced: World) -> None:
    synced.crm.fail("rate_limited", operation="sync_incremental", retry_after=120)
    synced.sync()
    synced.restart()
    seen = arrivals(synced)
    assert synced.sync().exit_code == 6
    synced.turn(seconds=100)
    assert synced.sync().exit_code == 6
    assert seen == []
    synced.turn(seconds=21)
    assert synced.sync().exit_code == 0


def test_a_rate_limit_while_sending_burns_no_attempt_and_stops_the_drain(synced: World) -> None:
    ops = [synced.quote(synced.deal(ref).id) for ref in ("D-1", "D-2", "D-3")]
    synced.crm.fail("rate_limited", operation="write_quote", retry_after=30)
    report = synced.sync()
    assert report.exit_code == 6
    assert [synced.op(op).attempts for op in ops] == [0, 0, 0]
    assert {synced.op(op).state for op in ops} == {OpState.QUEUED}
    synced.turn(seconds=32)
    assert synced.sync().outbound.delivered == 3


def test_our_own_budget_stops_the_drain_and_leaves_the_connection_open(synced: World) -> None:
    ops = [synced.quote(synced.deal(ref).id) for ref in ("D-1", "D-2")]

    def spent(*_: object, **__: object) -> None:
        raise RemoteFailure(
            "our own budget is spent",
            error_class=ErrorClass.RATE_LIMIT,
            retry_after=timedelta(seconds=5),
            ours=True,
        )

    synced.adapter = bend(synced.stub, write_quote=spent)
    report = synced.sync()
    assert report.exit_code == 6
    assert [(synced.op(op).state, synced.op(op).attempts) for op in ops] == [
        (OpState.QUEUED, 0)
    ] * 2
    row = synced.store.connections.get("main")
    assert row is None or row.rate_limited_until is None
    synced.adapter = synced.stub
    found = door.ask(
        synced.run(), lambda call: synced.adapter.lookup_account("Acme", call=call), timeout=5.0
    )
    assert isinstance(found, tuple)
    synced.turn(seconds=8)
    assert synced.sync().outbound.delivered == 2


def test_a_drain_that_meets_a_penalty_says_until_when(synced: World) -> None:
    synced.quote(synced.deal("D-1").id)
    until = synced.clock.now() + timedelta(seconds=30)
    with synced.store.transaction():
        row = msgspec.structs.replace(door.connection(synced.run()), rate_limited_until=until)
        synced.store.connections.put(row)
    drained = push.drain(synced.run())
    [failure] = drained.failures.values()
    assert failure.retry_at is not None
    assert abs(failure.retry_at - until) < timedelta(seconds=1)
    assert drained.turns == 0


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [(None, 10, 11), (10**9, 3600, 3602), (0, 0, 2)],
    ids=["none", "absurd", "zero"],
)
def test_a_penalty_is_what_was_asked_within_reason(
    synced: World, asked: float | None, least: float, most: float
) -> None:
    synced.crm.fail("rate_limited", operation="sync_incremental", retry_after=asked)
    synced.sync()
    row = synced.store.connections.get("main")
    assert row is not None
    assert row.rate_limited_until is not None
    wait = (row.rate_limited_until - synced.clock.now()).total_seconds()
    assert least - 1 <= wait <= most


def test_the_second_request_of_an_operation_is_gated_too(synced: World) -> None:
    op = synced.quote(synced.deal("D-1").id)

    def penalised(reading: MarkerReading) -> MarkerReading:
        with synced.store.transaction():
            row = door.connection(synced.run())
            until = synced.clock.now() + timedelta(seconds=30)
            synced.store.connections.put(
                type(row)(name=row.name, provider=row.provider, rate_limited_until=until)
            )
        return reading

    look = then(synced.stub.get_quote_marker, penalised)
    synced.adapter = bend(synced.stub, get_quote_marker=look)
    push.drain(synced.run())
    assert synced.effects("write_quote") == 0
    assert synced.op(op).state is OpState.QUEUED


def test_settings_that_open_another_organisation_are_refused_until_they_are_put_right(
    synced: World,
) -> None:
    synced.adapter = bend(synced.stub, identity="org one")
    assert synced.sync().exit_code == 0
    op = synced.quote(synced.deal("D-1").id)
    seen: list[str] = []
    synced.adapter = bend(watched(synced.stub, seen.append), identity="org two")
    report = synced.sync()
    assert (report.exit_code, seen) == (3, [])
    assert "mirrors org one; its settings name org two" in report.failures[0].warning
    assert synced.op(op).attempts == 0
    synced.adapter = bend(synced.stub, identity="org one")
    assert synced.sync().outbound.delivered == 1


def test_a_person_may_say_that_an_organisation_has_another_name_now(synced: World) -> None:
    synced.adapter = bend(synced.stub, identity="org one")
    synced.sync()
    synced.adapter = bend(synced.stub, identity="org one, renamed")
    synced.quote(synced.deal("D-1").id)
    door.reconnect(synced.run(), identity=door.identity(synced.run()))
    assert synced.sync().outbound.delivered == 1
    [event] = synced.events("connection.resumed")
    told = (event.body["before"], event.body["identity"])
    assert told == ("org one", "org one, renamed")


def test_asking_with_a_transaction_open_is_our_bug(synced: World) -> None:
    with synced.store.transaction(), pytest.raises(AssertionError):
        door.ask(synced.run(), answering(None), timeout=1)


def test_what_a_late_worker_learnt_about_the_connection_is_kept(synced: World) -> None:
    synced.quote(synced.deal("D-1").id)

    def late(_written: RemoteWrite) -> None:
        synced.turn(seconds=60)
        with synced.store.transaction():
            [op] = synced.store.outbox.expired("main", synced.clock.now())
            until = synced.clock.now() + timedelta(seconds=40)
            synced.store.outbox.settle(
                op.id, op.lease_token, state=OpState.UNKNOWN, at=synced.clock.now()
            )
            synced.store.outbox.claim("main", synced.clock.now(), until)
        raise RemoteFailure(
            "429", error_class=ErrorClass.RATE_LIMIT, retry_after=timedelta(seconds=50)
        )

    synced.adapter = bend(synced.stub, write_quote=then(synced.stub.write_quote, late))
    synced.sync()
    assert len(synced.events("operation.late_result")) == 1
    row = synced.store.connections.get("main")
    assert row is not None
    assert row.rate_limited_until is not None
