"""The outbox as an operator handles it: look, let go again, drop with a reason.

Sending is not done here. What is being sent right now belongs to whoever leased it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quotey.contract.counting import counted
from quotey.contract.errors import NotFoundError, RefusedError, UsageError
from quotey.contract.fields import Entity
from quotey.contract.journal import PENDING, AuditEvent, Hold, Operation, OpKind, OpState
from quotey.contract.reconciliation import ABOUT_SENDING, Reconciliation
from quotey.contract.values import NAME_BYTES, read_text, shown
from quotey.decide.lifecycle import OUTBOX_MOVES, OpEvent, move
from quotey.decide.outbound import says_all
from quotey.desk.changing import is_unsent
from quotey.desk.dropping import MANY, drop, items_of, note_operation
from quotey.desk.ports import DeskPorts, readable_mapping
from quotey.desk.record_writes import updates_with
from quotey.desk.stale import close

_RELEASED_BY = {
    Hold.AUTH: "quotey crm connect {provider}",
    Hold.MAPPING: "quotey crm mapping check",
    Hold.PARENT: "quotey crm sync",
}


class OperationView(msgspec.Struct, frozen=True, kw_only=True):
    """An operation with the items that speak of it, and its audit trail, newest first."""

    operation: Operation
    items: tuple[Reconciliation, ...] = ()
    events: tuple[AuditEvent, ...] = ()


class OperationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a command did to an operation: as it stands now, and the items that it closed.

    `left` are the fields that stand here and not in the CRM now that nothing carries them; `next`
    are the commands that send them after all.
    """

    operation: Operation
    before: OpState
    closed_items: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    next: tuple[str, ...] = ()


def list_operations(
    desk: DeskPorts,
    connection: str,
    *,
    states: Sequence[OpState] = PENDING,
    reference: tuple[Entity, str] | None = None,
    limit: int = 100,
    after: int = 0,
) -> tuple[Operation, ...]:
    """Give operations of a connection in their order; those that wait, unless told otherwise."""
    entity, entity_id = reference or (None, None)
    with desk.store.snapshot():
        return desk.store.outbox.list(
            connection,
            states=states,
            entity=entity,
            entity_id=entity_id,
            limit=limit,
            after=after,
        )


def show(desk: DeskPorts, operation_id: str) -> OperationView:
    """Show one operation; raises `NotFoundError`."""
    with desk.store.snapshot():
        op = _find(desk, operation_id)
        events = desk.store.audit.list(entity=op.entity, entity_id=op.entity_id, limit=1000)
        return OperationView(
            operation=op,
            items=items_of(desk, op),
            events=tuple(one for one in events if one.body.get("operation") == op.id),
        )


def retry(desk: DeskPorts, operation_id: str) -> OperationAnswer:
    """Queue an operation that is dead, was dropped, or is held for a person, for the next sync.

    It keeps its key, and sync looks before it writes. Items about its sending are closed. Raises
    `RefusedError` when something else releases it, or when something newer has taken its place.
    """
    with desk.store.transaction("outbox.retry"):
        op = _find(desk, operation_id)
        _refuse_retry(desk, op)
        closed = requeue_for(desk, op)
        return OperationAnswer(operation=_find(desk, op.id), before=op.state, closed_items=closed)


def requeue_for(desk: DeskPorts, op: Operation, *, in_hand: str = "") -> tuple[str, ...]:
    """Queue an operation again at once and close what spoke of its sending, but for `in_hand`.

    Inside the caller's transaction; gives the closed items.
    """
    state = move("outbox", op.state, OpEvent.AGAIN)
    desk.store.outbox.set_state([op.id], state, at=desk.now(), due_at=desk.now())
    body: dict[str, object] = {
        "operation": op.id,
        "before": {"state": str(op.state), "hold": op.hold, "error": op.error},
        "after": {"state": str(state)},
        "attempts": op.attempts,
    }
    note_operation(desk, "operation.requeued", op, body)
    return tuple(
        close(desk, item, "the operation was queued again")
        for item in items_of(desk, op)
        if item.conflict_type in ABOUT_SENDING and item.id != in_hand
    )


def discard(desk: DeskPorts, operation_id: str, *, reason: str) -> OperationAnswer:
    """Drop an operation; its payload stays in the audit, and the local change stays here.

    Raises `UsageError` without a reason, `RefusedError` while it is being sent, when it has ended,
    or when other operations wait for it.
    """
    why = _reason(reason)
    with desk.store.transaction("outbox.discard"):
        op = _find(desk, operation_id)
        _refuse_discard(desk, op)
        closed = discard_for(desk, op, why)
        return OperationAnswer(
            operation=_find(desk, op.id),
            before=op.state,
            closed_items=closed,
            left=_left(desk, op),
            next=(_after_all(op),),
        )


def discard_for(desk: DeskPorts, op: Operation, why: str, *, in_hand: str = "") -> tuple[str, ...]:
    """Drop an operation and close what spoke of it, but for `in_hand`.

    Inside the caller's transaction; gives the closed items.
    """
    about_sending = drop(desk, [op], OpEvent.DISCARD, why, in_hand=in_hand)
    others = [item for item in items_of(desk, op) if item.id != in_hand]
    return about_sending + tuple(
        close(desk, item, f"operation discarded: {why}") for item in others
    )


def _left(desk: DeskPorts, op: Operation) -> tuple[str, ...]:
    """Name what stands here only, since no operation carries it any more."""
    record = desk.store.records.get(op.entity, op.entity_id)
    if record is None:
        return ()
    return tuple(
        name
        for name in sorted(op.payload)
        if is_unsent(record, name) and not updates_with(desk, record, name)
    )


def _after_all(op: Operation) -> str:
    """Give the command that sends a dropped operation after all; a quote needs a new version."""
    if op.kind == OpKind.WRITE_QUOTE:
        return f"quotey quote revise {op.entity_id}"
    return f"quotey crm outbox retry {op.id}"


def may(op: Operation, event: OpEvent) -> bool:
    """Say whether the outbox's table holds this move."""
    return (op.state, event) in OUTBOX_MOVES


def overtaken(desk: DeskPorts, op: Operation) -> Operation | None:
    """Give a later operation that says something newer about the same thing, if there is one.

    Nothing overtakes what is held: what is newer waits behind it, and goes after it.
    """
    if op.state is OpState.HELD:
        return None
    later = desk.store.outbox.list(
        op.connection, entity=op.entity, entity_id=op.entity_id, after=op.seq, limit=MANY
    )
    return next((one for one in later if _says_all(one, op)), None)


def _says_all(later: Operation, op: Operation) -> bool:
    """An update of which a later one took only a part goes: sync sends what still stands of it."""
    return later.state != OpState.DISCARDED and says_all(later, op)


def _find(desk: DeskPorts, operation_id: str) -> Operation:
    op = desk.store.outbox.get(operation_id.strip())
    if op is None:
        raise NotFoundError("operation", shown(operation_id), next=("quotey crm outbox list",))
    return op


def _released_by(desk: DeskPorts, op: Operation, hold: Hold) -> str:
    """Give the command that releases it; a creation that was given up has to be taken up first."""
    given_up = desk.store.outbox.list(
        op.connection, states=(OpState.DISCARDED, OpState.DEAD), lane=op.lane, limit=MANY
    )
    create = next((one for one in given_up if one.kind == OpKind.CREATE_DEAL), None)
    if hold == Hold.PARENT and create is not None:
        return f"quotey crm outbox retry {create.id}"
    row = desk.store.connections.get(op.connection)
    provider = row.provider if row else readable_mapping(desk, op.connection).provider
    return _RELEASED_BY[hold].format(provider=provider)


def _refuse_retry(desk: DeskPorts, op: Operation) -> None:
    if op.state == OpState.HELD and op.hold in _RELEASED_BY:
        raise RefusedError(
            f"Operation {op.id} is held ({op.hold}): {op.error or 'it waits'}. It goes by itself "
            "once that is mended. Nothing was changed.",
            next=(_released_by(desk, op, op.hold),),
        )
    if op.state == OpState.DISCARDED and op.kind == OpKind.WRITE_QUOTE:
        raise RefusedError(
            f"Operation {op.id} was dropped; a quote is written again as a new version. "
            "Nothing was changed.",
            next=(_after_all(op),),
        )
    if not may(op, OpEvent.AGAIN):
        raise RefusedError(
            f"Operation {op.id} is {op.state}; only what is queued, held, unknown, dead or dropped "
            "can be sent again. Nothing was changed.",
            next=(f"quotey crm outbox show {op.id}",),
        )
    if newer := overtaken(desk, op):
        raise RefusedError(
            f"Operation {op.id} was overtaken by {newer.id} ({newer.state}); sending it would put "
            "an older state in the CRM. Nothing was changed.",
            next=(f"quotey crm outbox discard {op.id} --reason overtaken",),
        )


def _refuse_discard(desk: DeskPorts, op: Operation) -> None:
    if op.state == OpState.LEASED:
        raise RefusedError(
            f"Operation {op.id} is being sent right now. Nothing was changed.",
            next=(f"quotey crm outbox show {op.id}",),
        )
    if not may(op, OpEvent.DISCARD):
        raise RefusedError(
            f"Operation {op.id} has ended ({op.state}). Nothing was changed.",
            next=(f"quotey crm outbox show {op.id}",),
        )
    waiting = [one for one in desk.store.outbox.pending(op.connection, op.lane) if one.id != op.id]
    if op.kind == OpKind.CREATE_DEAL and waiting:
        raise RefusedError(
            f"{counted(len(waiting), 'operation waits', 'operations wait')} for the deal that "
            f"{op.id} creates. "
            "Nothing was changed.",
            next=tuple(f"quotey crm outbox discard {one.id} --reason …" for one in waiting[:3]),
        )


def _reason(reason: str) -> str:
    try:
        why = read_text(reason, NAME_BYTES)
    except ValueError as error:
        raise UsageError(f"The reason cannot be kept: {error}. Nothing was changed.") from None
    if not why:
        raise UsageError(
            "Dropping an operation needs a reason; it stays in the audit. Nothing was changed."
        )
    return why
