"""Sending: what engines of this kind are tested for (docs/reference/peers-behaviours.md)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from quotey.contract.dto import CrmQuoteWriteDto, QuoteMarker, RemoteWrite
from quotey.contract.errors import ErrorClass, ExitCode, Outcome, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.journal import Hold, Operation, OpState
from quotey.contract.reconciliation import ConflictType
from quotey.store import open_store
from quotey.sync import door, engine, push, recover
from tests.sync.bent import Op, bend, failing
from tests.sync.world import ACCOUNTS, World, make_world

REFS = ("D-1", "D-2", "D-3")


def quoted(world: World) -> list[Operation]:
    """Queue one quote for each deal."""
    return [world.quote(world.deal(ref).id) for ref in REFS]


def states(world: World, ops: list[Operation]) -> list[OpState]:
    return [world.op(op).state for op in ops]


# --- 7: updated here, deleted there ---------------------------------------------------------------


def test_what_was_updated_here_and_deleted_there_is_asked_about_and_not_lost(
    synced: World,
) -> None:
    op = synced.edit(Entity.DEAL, "D-1", name="Ours")
    synced.crm.delete("deal", "D-1")
    report = synced.sync()
    assert report.exit_code == 3
    assert [item.conflict_type for item in synced.items()] == [ConflictType.REMOTE_GONE]
    assert synced.deal("D-1").local["name"] == "Ours"
    assert synced.op(op).state is not OpState.DELIVERED
    assert synced.effects("update_deal") + synced.effects("create_deal") == 0
    synced.crm.set("deal", "D-1", {"stage": "back"})
    synced.settle_down()
    assert synced.remote("deal", "D-1")["name"] == "Ours", "the update goes once it is there again"
    assert {item.operation_id for item in synced.items()} <= {op.id}, "only the write is asked of"


# --- 13: an error half-way ------------------------------------------------------------------------


class Crash(BaseException):
    """The end of a process, for which nothing is prepared."""


@pytest.mark.parametrize("landed", [False, True], ids=["before it landed", "after it landed"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_crash_after_some_of_many_writes_keeps_what_is_done_and_sends_the_rest(
    synced: World, at: int, landed: bool
) -> None:
    ops, asked = quoted(synced), []
    real: Op = synced.stub.write_quote

    def write(deal_id: str, *args: object, **named: object) -> object:
        asked.append(deal_id)
        if len(asked) < at:
            return real(deal_id, *args, **named)
        if landed:
            real(deal_id, *args, **named)
        raise Crash

    synced.adapter = bend(synced.stub, write_quote=write)
    with pytest.raises(Crash):
        synced.sync()
    assert states(synced, ops)[: at - 1] == [OpState.DELIVERED] * (at - 1)
    assert states(synced, ops)[at:] == [OpState.QUEUED] * (3 - at)
    synced.restart()
    synced.turn(minutes=5)
    synced.settle_down()
    assert states(synced, ops) == [OpState.DELIVERED] * 3
    assert synced.effects("write_quote") == 3, "each once"
    assert synced.items() == ()


# --- 20, 21: one that fails does not stop the others ----------------------------------------------


@pytest.mark.parametrize("middle", REFS)
def test_one_forbidden_record_is_an_error_of_its_own_and_the_run_goes_on(
    synced: World, middle: str
) -> None:
    ops = quoted(synced)
    real: Op = synced.stub.write_quote

    def write(deal_id: str, *args: object, **named: object) -> object:
        if deal_id == middle:
            failing(ErrorClass.PERMANENT)()
        return real(deal_id, *args, **named)

    synced.adapter = bend(synced.stub, write_quote=write)
    report = synced.sync()
    held = synced.op(ops[REFS.index(middle)])
    assert (held.state, held.hold) == (OpState.HELD, Hold.OPERATOR)
    assert (report.outbound.delivered, report.outbound.held) == (2, 1)
    assert report.exit_code not in (ExitCode.DONE, ExitCode.UNREACHABLE, ExitCode.REAUTH)
    [told] = report.failures
    assert middle in told.records[0]
    row = synced.store.connections.get("main")
    assert row is None or row.state == "active"


@pytest.mark.parametrize("middle", REFS)
def test_a_conflict_in_the_middle_of_a_run_is_not_fatal(synced: World, middle: str) -> None:
    ops = quoted(synced)
    foreign = {"quote_id": "q_else", "quote_version": "3", "quotey_instance_id": "else"}
    synced.crm.set("deal", middle, foreign)
    report = synced.sync()
    expected = [OpState.CONFLICT if ref == middle else OpState.DELIVERED for ref in REFS]
    assert states(synced, ops) == expected
    assert (report.exit_code, len(synced.items())) == (3, 1)
    assert synced.remote("deal", middle)["quote_id"] == "q_else"


# --- 23: ids are opaque ---------------------------------------------------------------------------

ODD_IDS = ("a/b", "50%20?x=1#y", "d d", "O'Neil;--", "ünï-日本", "..", "&<>\\", "$ref", "0012")


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[World]:
    rows = "".join(
        f'"{ref}",Deal {n},A-1,won,1.00,2026-05-01,EUR\n' for n, ref in enumerate(ODD_IDS)
    )
    deals = f"id,name,account_id,stage,amount,close_date,currency\n{rows}"
    world = make_world(tmp_path, deals=deals, accounts=ACCOUNTS)
    yield world
    world.close()


def test_an_id_with_any_signs_is_read_written_and_swept_like_another(odd: World) -> None:
    assert odd.sync().exit_code == 0
    ids = {ref: odd.deal(ref).id for ref in ODD_IDS}
    assert len(set(ids.values())) == len(ODD_IDS)
    for number, ref in enumerate(ODD_IDS):
        odd.edit(Entity.DEAL, ref, name=f"New {number}")
        odd.quote(ids[ref], str(number + 1))
    report = odd.sync(sweep=True)
    assert (report.exit_code, report.outbound.delivered) == (0, 2 * len(ODD_IDS))
    for number, ref in enumerate(ODD_IDS):
        there = odd.remote("deal", ref)
        assert there["name"] == f"New {number}"
        assert float(str(there["quote_total"])) == number + 1
    assert odd.items() == ()


# --- 27, 28: one revision, many writers -----------------------------------------------------------


def test_what_is_written_and_its_marker_are_of_one_version(synced: World) -> None:
    seen: list[tuple[CrmQuoteWriteDto, QuoteMarker]] = []
    real: Op = synced.stub.write_quote

    def write(
        deal_id: str,
        summary: CrmQuoteWriteDto,
        file: object,
        *,
        marker: QuoteMarker,
        **more: object,
    ) -> RemoteWrite:
        seen.append((summary, marker))
        written: RemoteWrite = real(deal_id, summary, file, marker=marker, **more)
        return written

    synced.adapter = bend(synced.stub, write_quote=write)
    first = synced.quote(synced.deal("D-1").id, "90")
    second = synced.quote(synced.deal("D-1").id, "80", quote_id=first.entity_id)
    synced.sync()
    assert [(one.version, str(one.total)) for one, _ in seen] == [(1, "90"), (2, "80")]
    assert all((one.id, one.version) == (mark.quote_id, mark.version) for one, mark in seen)
    assert [mark.payload_digest for _, mark in seen] == [first.digest, second.digest]


def test_the_same_version_with_other_content_is_refused_as_stale(synced: World) -> None:
    op = synced.quote(synced.deal("D-1").id)
    synced.sync()
    assert synced.op(op).state is OpState.DELIVERED
    synced.crm.set("deal", "D-1", {"quotey_payload_digest": "f" * 64, "quote_total": "1"})
    again = synced.operation(
        op.kind, op.entity, op.entity_id, op.version, op.payload | {"total": "91"}, lane=op.lane
    )
    again = msgspec.structs.replace(again, key=f"{op.key}/again")
    with synced.desk.transaction():
        synced.desk.outbox.add(again)
    report = synced.sync()
    assert report.exit_code == 3
    assert synced.op(again).state is OpState.CONFLICT
    [item] = synced.items()
    assert item.conflict_type is ConflictType.STALE_OUTBOUND_WRITE
    assert synced.effects("write_quote") == 1


# --- 31: limits -----------------------------------------------------------------------------------


def limited(seconds: float) -> RemoteFailure:
    return RemoteFailure(
        "limit", error_class=ErrorClass.RATE_LIMIT, retry_after=timedelta(seconds=seconds)
    )


def test_a_burst_of_limits_is_one_signal_and_its_wait_passes(synced: World) -> None:
    run = synced.run()
    waits = [24.0, 30.0, 5.0, 29.0]

    def in_flight(call: object) -> None:
        """Every request was on its way when the first limit came back."""
        if waits:
            wait = waits.pop()
            with pytest.raises(RemoteFailure):
                door.ask(run, in_flight, timeout=1) if waits else failing(ErrorClass.PERMANENT)()
            raise limited(wait)

    with pytest.raises(RemoteFailure):
        door.ask(run, in_flight, timeout=1)
    row = synced.store.connections.get("main")
    assert row is not None
    assert row.rate_limited_until == synced.clock.now() + timedelta(seconds=30), "not their sum"
    synced.turn(seconds=29)
    assert synced.sync().exit_code == 6
    synced.turn(seconds=2)
    assert synced.sync().exit_code == 0
    synced.crm.fail("rate_limited", operation="sync_incremental", retry_after=7)
    synced.sync()
    row = synced.store.connections.get("main")
    assert row is not None
    assert row.rate_limited_until == synced.clock.now() + timedelta(seconds=7), "nothing is left"


# --- 44: the work of the dead ---------------------------------------------------------------------


def test_the_work_of_a_worker_that_died_is_found_once_however_many_look(synced: World) -> None:
    op = synced.quote(synced.deal("D-1").id)
    assert push.claim(synced.run()) is not None
    synced.turn(minutes=5)
    other = open_store(synced.home / "quotey.db", role="sync")
    try:
        ports = synced.ports
        object.__setattr__(ports, "store", other)
        found = [recover.recover(synced.run()), recover.recover(engine.begin(ports))]
    finally:
        other.close()
    assert found == [1, 0]
    synced.sync()
    assert (synced.op(op).state, synced.effects("write_quote")) == (OpState.DELIVERED, 1)


# --- 29: what an answer means for the rest --------------------------------------------------------


@pytest.mark.parametrize(
    ("error_class", "outcome", "state", "others"),
    [
        (ErrorClass.TRANSIENT, Outcome.NOT_APPLIED, OpState.QUEUED, OpState.DELIVERED),
        (ErrorClass.UNKNOWN, Outcome.UNKNOWN, OpState.UNKNOWN, OpState.DELIVERED),
        (ErrorClass.MAPPING, Outcome.NOT_APPLIED, OpState.HELD, OpState.DELIVERED),
        (ErrorClass.PERMANENT, Outcome.NOT_APPLIED, OpState.HELD, OpState.DELIVERED),
        (ErrorClass.CONFLICT, Outcome.NOT_APPLIED, OpState.CONFLICT, OpState.DELIVERED),
        (ErrorClass.RATE_LIMIT, Outcome.NOT_APPLIED, OpState.QUEUED, OpState.QUEUED),
        (ErrorClass.AUTH, Outcome.NOT_APPLIED, OpState.HELD, OpState.HELD),
    ],
)
def test_each_class_of_failure_stops_the_record_or_the_connection_and_nothing_else(
    synced: World, error_class: ErrorClass, outcome: Outcome, state: OpState, others: OpState
) -> None:
    ops = [synced.edit(Entity.DEAL, ref, name=f"New {ref}") for ref in REFS]
    real: Op = synced.stub.update_deal

    def update(deal_id: str, *args: object, **named: object) -> object:
        if deal_id == "D-1":
            raise RemoteFailure("bent", error_class=error_class, outcome=outcome)
        return real(deal_id, *args, **named)

    synced.adapter = bend(synced.stub, update_deal=update)
    synced.sync()
    assert states(synced, ops) == [state, others, others]
