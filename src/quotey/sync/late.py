"""The verify cycle: look once more where a request that was never answered may have landed late.

What is found older than what was delivered is audited with its marker, and the newest version is
sent again by its own operation, through the same guard. Source: reliability 1.0, G5, G6, M21.
"""

from __future__ import annotations

from datetime import timedelta
from typing import assert_never

import structlog

from quotey.contract.adapter import Call
from quotey.contract.dto import MarkerReading
from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.journal import (
    PENDING,
    LateLook,
    Operation,
    OpKind,
    OpState,
    RecordState,
)
from quotey.contract.reconciliation import ConflictType
from quotey.decide.lifecycle import OpEvent, move
from quotey.decide.outbound import AlreadyThere, Send, Stale, guard_writeback
from quotey.decide.plan import ItemDraft
from quotey.decide.retry import delay
from quotey.sync import door, items
from quotey.sync.door import note
from quotey.sync.doubt import slot_of
from quotey.sync.ending import ABSENCE
from quotey.sync.ports import Run
from quotey.sync.push_quote import marker_of, remembered, shown, stale_item

log = structlog.get_logger()

UNTIL_MENDED = timedelta(hours=1)
"""How long a look waits behind a write that is held."""

_STOPS = (*door.CLOSED, *door.ABSENT)
"""Failures after which no further look would be answered."""


def look(run: Run) -> int:
    """Take the looks that are due; gives how many quotes are to be sent again.

    A look that fails is repeated later and ends nothing but the looking. Raises `StoreError` and
    `StoreBusyError`; a look that was under way is taken again after its lease.
    """
    again = 0
    while (taken := _claim(run)) is not None:
        op = run.store.outbox.get(taken.operation_id)
        assert op is not None, "operations are never deleted"
        try:
            reading = _read(run, taken, op)
        except RemoteFailure as failure:
            _not_seen(run, taken, op, failure)
            if failure.error_class in _STOPS:
                break
        else:
            again += _judge(run, taken, op, reading)
        run.breathe()
    return again


def due(run: Run) -> int:
    """Count the looks that `look` would take now; each costs one request."""
    return run.store.looks.count(run.connection, run.now())


def _claim(run: Run) -> LateLook | None:
    due_at = run.store.looks.next_due(run.connection)
    if due_at is None or due_at > run.now():
        return None
    with run.store.transaction("claim look"):
        return run.store.looks.claim(run.connection, run.now(), run.lease_until())


def _read(run: Run, taken: LateLook, op: Operation) -> MarkerReading | None:
    """Read the marker; None when the deal is known to be gone."""
    deal_id = op.payload["deal_id"] or ""
    deal = run.store.records.get(Entity.DEAL, deal_id)
    ref = run.store.records.ref_of(Entity.DEAL, deal_id)
    if ref is None or (deal and deal.state is RecordState.GONE and ref == deal.crm_ref):
        return None

    def request(call: Call) -> MarkerReading:
        return run.ports.adapter.get_quote_marker(ref, op.entity_id, call=call)

    timeout = run.limits.read_timeout
    reading = door.ask(run, request, timeout=timeout, lease_until=taken.lease_until)
    return remembered(run, marker_of(run, op), reading)


def _judge(run: Run, taken: LateLook, op: Operation, reading: MarkerReading | None) -> bool:
    """Do what the guard says of what stands there; True when the quote is to be sent again."""
    if reading is None:
        _end(run, taken, op, "Its deal is gone.")
        return False
    match guard_writeback(marker_of(run, op), reading, op.replaces):
        case AlreadyThere():
            _end(run, taken, op, "")
        case Stale() as stale:
            _not_ours(run, taken, op, stale_item(op, stale, reading))
        case Send():
            return _send_again(run, taken, op, reading)
        case _ as never:
            assert_never(never)
    return False


def _end(run: Run, taken: LateLook, op: Operation, why: str) -> None:
    """End the doubt; silently when what was delivered stands there."""
    with run.store.transaction("end look"):
        if not run.store.looks.close(taken):
            _overtaken(run, taken, op)
        elif why:
            _note(run, "operation.look_ended", op, why=why)


def _not_ours(run: Run, taken: LateLook, op: Operation, draft: ItemDraft) -> None:
    """Tell a person that something else stands there, unless a later write has met it or will."""
    with run.store.transaction("end look"):
        _tell(run, taken, op, draft)


def _tell(run: Run, taken: LateLook, op: Operation, draft: ItemDraft) -> None:
    """Leave it to a person, inside a transaction.

    A later write of the slot looks there itself before it is sent, and leaves an item of its own.
    Ours would take that one's place, and a person would decide about the wrong version.
    """
    if not run.store.looks.close(taken):
        return _overtaken(run, taken, op)
    if _later_writes(run, op):
        _note(run, "operation.look_ended", op, why="A later write looks there itself.")
        return None
    items.record(run, draft)
    _note(run, "operation.look_ended", op, why=draft.detail)
    return None


def _send_again(run: Run, taken: LateLook, op: Operation, reading: MarkerReading) -> bool:
    """Queue the newest version again, under its own key, in the transaction that audits why."""
    with run.store.transaction("late landing"):
        if not _at_rest(run, op):
            run.store.looks.put_off(taken, taken.due_at, tries=taken.tries)
            return False
        if later := _later_writes(run, op):
            _leave_to(run, taken, op, later)
            return False
        if taken.tries + 1 >= run.limits.retry.max_attempts:
            _give_up(run, taken, op, "An older version keeps coming back.")
            return False
        if not run.store.looks.put_off(taken, None, tries=taken.tries + 1):
            _overtaken(run, taken, op)
            return False
        state, now = move("outbox", op.state, OpEvent.REPAIR), run.now()
        run.store.outbox.set_state([op.id], state, at=now, due_at=now)
        kind = "operation.late_landing" if reading.marker else "operation.marker_lost"
        loser = shown(reading.marker) if reading.marker else None
        _note(run, kind, op, loser=loser, winner=shown(marker_of(run, op)))
    log.warning("sent again after a late landing", cid=run.correlation_id, op=op.id)
    return True


def _at_rest(run: Run, op: Operation) -> bool:
    """Whether nothing was begun in the lane since the look was taken."""
    flying = (OpState.LEASED, OpState.UNKNOWN)
    lane = run.store.outbox.pending(run.connection, op.lane)
    now = run.store.outbox.get(op.id)
    delivered = now is not None and now.state is OpState.DELIVERED
    return delivered and not any(one.state in flying for one in lane)


def _later_writes(run: Run, op: Operation) -> tuple[Operation, ...]:
    """Give later writes of the slot that wait, or that only a person can help."""
    slot, states = slot_of(run, op), (*PENDING, OpState.CONFLICT, OpState.DEAD)
    lane = run.store.outbox.list(run.connection, states=states, lane=op.lane, after=op.seq)
    return tuple(
        one for one in lane if one.kind is OpKind.WRITE_QUOTE and slot_of(run, one) == slot
    )


def _leave_to(run: Run, taken: LateLook, op: Operation, later: tuple[Operation, ...]) -> None:
    """Leave the slot to a later write: what its guard refuses to replace, nobody else may.

    What is held goes when somebody has mended its cause, and its delivery sets the time anew: until
    then a look each hour is for the case that it is dropped instead.
    """
    if waiting := {one.state for one in later} & {*PENDING}:
        pause = UNTIL_MENDED if waiting == {OpState.HELD} else run.limits.late_look
        run.store.looks.put_off(taken, run.now() + pause, tries=taken.tries)
    elif run.store.looks.close(taken):
        _note(run, "operation.look_ended", op, why="A person decides about a later write.")


def _not_seen(run: Run, taken: LateLook, op: Operation, failure: RemoteFailure) -> None:
    """Look again later; what is gone needs no look, and what cannot be seen at last is told."""
    if failure.error_class is ErrorClass.PERMANENT and any(
        one.code in ABSENCE for one in failure.diagnostics
    ):
        return _end(run, taken, op, failure.message)
    tries = taken.tries + (failure.error_class not in door.CLOSED)
    with run.store.transaction("look failed"):
        if tries >= run.limits.retry.max_attempts:
            return _give_up(run, taken, op, f"The CRM could not be looked at: {failure.message}")
        pause = max(run.limits.late_look, delay(tries, run.ports.jitter(), run.limits.retry))
        run.store.looks.put_off(taken, run.now() + pause, tries=tries)
    return None


def _give_up(run: Run, taken: LateLook, op: Operation, why: str) -> None:
    """Leave it to a person, inside a transaction: whether the quote still stands is not known."""
    draft = items.about(op, ConflictType.UNKNOWN_OUTCOME, why, local=str(op.version))
    return _tell(run, taken, op, draft)


def _overtaken(run: Run, taken: LateLook, op: Operation) -> None:
    """Somebody else looked, or delivered, meanwhile: this look changes nothing (G9)."""
    _note(run, "operation.late_result", op, token=taken.lease_token, why="the look was overtaken")


def _note(run: Run, kind: str, op: Operation, **body: object) -> None:
    note(
        run,
        kind,
        entity=op.entity,
        entity_id=op.entity_id,
        operation=op.id,
        version=op.version,
        ordered_by=op.correlation_id,
        **body,
    )
