"""What the end of one operation settles: questions about it, and older operations it overtakes.

Every function is called inside a transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from quotey.contract.journal import PENDING, Operation, OpState
from quotey.contract.reconciliation import (
    ABOUT_SENDING,
    OVERWROTE_OTHER,
    ConflictType,
    Reconciliation,
)
from quotey.decide.lifecycle import OpEvent, move
from quotey.decide.outbound import overtakes, takes_over
from quotey.sync.door import note
from quotey.sync.items import resolve
from quotey.sync.ports import Run

_OVERTAKEN = (*ABOUT_SENDING, ConflictType.STALE_OUTBOUND_WRITE)
"""What is asked about a write and is moot once a later one has taken its place."""


def close_after(run: Run, op: Operation) -> None:
    """Close what an operation that came through has made moot.

    That is what was said of the operation itself, and of older ones that were given up and of which
    nothing is left to send: they are superseded. But what was lost to another writer stays until a
    person has seen it.
    """
    why = f"Version {op.version} has been delivered."
    for item in _waiting(run, op):
        if _is_about_sending(item, op):
            resolve(run, item, why)
        elif (old := _overtaken(run, item, op)) is not None:
            resolve(run, item, why)
            if old.state in (OpState.CONFLICT, OpState.DEAD):
                supersede(run, [old], f"taken over by {op.id}")


def close_moot(run: Run, op: Operation, but: Collection[ConflictType]) -> None:
    """Close what was said of sending an operation that has ended otherwise, except for `but`."""
    for item in _waiting(run, op):
        if _is_about_sending(item, op) and item.conflict_type not in but:
            resolve(run, item, "The operation has ended in another way.")


def give_way(run: Run, op: Operation) -> bool:
    """Let a newer write of the quote's place go on past one that was just refused; False if none.

    Else the newer would wait behind it until a person acts. It takes over what the refused one was
    allowed to replace, because that is what the CRM still holds.
    """
    refused = run.store.outbox.get(op.id)
    assert refused is not None, "settled in this transaction"
    newer = takes_over(refused, run.store.outbox.pending(op.connection, op.lane))
    if newer is None:
        return False
    supersede(run, [refused], f"taken over by {newer.id}")
    run.store.outbox.set_state(
        [newer.id],
        newer.state,
        at=run.now(),
        hold=newer.hold,
        error_class=newer.error_class,
        error=newer.error,
        replaces=newer.replaces,
    )
    return True


def supersede(run: Run, ops: Sequence[Operation], why: str) -> None:
    """End operations that something newer has taken over, and close what was said of sending them.

    Their payload stays in the audit (G2a). Raises IllegalMoveError where the table holds no such
    move.
    """
    for op in ops:
        state = move("outbox", op.state, OpEvent.SUPERSEDE)
        moved = run.store.outbox.set_state([op.id], state, at=run.now(), error=why)
        assert moved == 1, "read in this transaction, and not leased"
        note(
            run,
            f"operation.{state}",
            entity=op.entity,
            entity_id=op.entity_id,
            operation=op.id,
            operation_kind=str(op.kind),
            version=op.version,
            payload=op.payload,
            was=str(op.state),
            why=why,
        )
        for item in _waiting(run, op):
            if _is_about_sending(item, op):
                resolve(run, item, why)


def _waiting(run: Run, op: Operation) -> tuple[Reconciliation, ...]:
    return run.store.items.open_for(op.entity, (op.entity_id,)).get(op.entity_id, ())


def _is_about_sending(item: Reconciliation, op: Operation) -> bool:
    return item.operation_id == op.id and item.conflict_type in ABOUT_SENDING


def _overtaken(run: Run, item: Reconciliation, op: Operation) -> Operation | None:
    """Give the ended operation that this item tells of, when `op` has left nothing of it to do."""
    if item.operation_id is None or item.detail == OVERWROTE_OTHER:
        return None
    if item.conflict_type not in _OVERTAKEN:
        return None
    old = run.store.outbox.get(item.operation_id)
    return old if old is not None and old.state not in PENDING and overtakes(op, old) else None
