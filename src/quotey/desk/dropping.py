"""Ending operations that are not sent: dropped by a person, or taken over by something newer.

Their payload stays in the audit (G2a), and questions about their sending are answered by it. Every
function runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence

from quotey.contract.journal import Operation, OpState
from quotey.contract.reconciliation import ABOUT_SENDING, Reconciliation
from quotey.decide.lifecycle import OpEvent, move
from quotey.decide.outbound import says_all
from quotey.desk.ports import DeskPorts, audit
from quotey.desk.stale import close

MANY = 10_000
"""More operations than one record or quote ever has."""


def drop(
    desk: DeskPorts, ops: Sequence[Operation], how: OpEvent, why: str, *, in_hand: str = ""
) -> tuple[str, ...]:
    """End operations by DISCARD or SUPERSEDE; gives the items about their sending that it closed.

    The item `in_hand` is left to whoever is settling it. Raises IllegalMoveError where the table
    holds no such move.
    """
    for op in ops:
        state = move("outbox", op.state, how)
        moved = desk.store.outbox.set_state([op.id], state, at=desk.now(), error=why)
        assert moved == 1, "read in this transaction, and not leased"
        body: dict[str, object] = {
            "operation": op.id,
            "operation_kind": str(op.kind),
            "version": op.version,
            "payload": op.payload,
            "was": str(op.state),
            "why": why,
        }
        note_operation(desk, f"operation.{state}", op, body)
    return tuple(
        close(desk, item, why)
        for op in ops
        for item in items_of(desk, op)
        if item.conflict_type in ABOUT_SENDING and item.id != in_hand
    )


def retire(desk: DeskPorts, op: Operation, *, in_hand: str = "") -> tuple[str, ...]:
    """Supersede what ended badly and says nothing that this new operation does not say.

    That which a person still has to decide about for another reason stays. Gives the closed items.
    """
    ended = desk.store.outbox.list(
        op.connection,
        states=(OpState.CONFLICT, OpState.DEAD),
        entity=op.entity,
        entity_id=op.entity_id,
        limit=MANY,
    )
    moot = [
        old
        for old in ended
        if says_all(op, old)
        and all(
            item.conflict_type in ABOUT_SENDING or item.id == in_hand
            for item in items_of(desk, old)
        )
    ]
    return drop(desk, moot, OpEvent.SUPERSEDE, f"taken over by {op.id}", in_hand=in_hand)


def items_of(desk: DeskPorts, op: Operation) -> tuple[Reconciliation, ...]:
    """Give the waiting items that speak of this operation."""
    items = desk.store.items.open_for(op.entity, [op.entity_id]).get(op.entity_id, ())
    return tuple(item for item in items if item.operation_id == op.id)


def note_operation(desk: DeskPorts, kind: str, op: Operation, body: dict[str, object]) -> None:
    """Audit what a command did to an operation."""
    audit(
        desk,
        kind,
        connection=op.connection,
        entity=op.entity,
        entity_id=op.entity_id,
        body=body,
    )
