"""Settling what was sent: drop an operation, believe the CRM, or send again after a look.

The look itself is taken by sync; a command never waits for the CRM. Every function runs inside the
caller's transaction.
"""

from __future__ import annotations

from quotey.contract.errors import RefusedError
from quotey.contract.journal import Operation, OpKind, OpState
from quotey.contract.reconciliation import Reconciliation
from quotey.decide.lifecycle import OpEvent
from quotey.decide.outbound import UPDATE_OF
from quotey.decide.settle import Settlement
from quotey.desk import outbox, stale
from quotey.desk.effect import Effect
from quotey.desk.ports import DeskPorts
from quotey.desk.quote_versions import following
from quotey.desk.quote_writes import add_version
from quotey.desk.record_writes import queue_update


def _operation(desk: DeskPorts, item: Reconciliation) -> Operation:
    op = desk.store.outbox.get(item.operation_id) if item.operation_id else None
    if op is None:
        raise RefusedError(
            f"{item.id} speaks of no operation that could be handled. Nothing was changed.",
            next=(f"quotey crm reconcile show {item.id}",),
        )
    return op


def _at_rest(desk: DeskPorts, item: Reconciliation) -> Operation:
    op = _operation(desk, item)
    if op.state == OpState.LEASED:
        raise RefusedError(
            f"Operation {op.id} is being sent right now; decide once it has ended. "
            "Nothing was changed.",
            next=(f"quotey crm outbox show {op.id}",),
        )
    return op


def discard(desk: DeskPorts, item: Reconciliation, _settlement: Settlement) -> Effect:
    """Drop the operation; one that has ended needs no dropping."""
    op = _at_rest(desk, item)
    if outbox.may(op, OpEvent.DISCARD):
        outbox.discard_for(desk, op, f"decided by {desk.actor} in {item.id}", in_hand=item.id)
    return Effect(
        sentence=f"What the CRM holds stands; operation {op.id} is not sent any more.",
        before=str(op.state),
        after=str(OpState.DISCARDED),
        operation_id=op.id,
        facts={"operation": op.id, "payload": op.payload},
        undo={"operation": None},
    )


def confirm(desk: DeskPorts, item: Reconciliation, settlement: Settlement) -> Effect:
    """Believe the CRM: what was delivered is confirmed; what is in doubt is looked at first."""
    op = _operation(desk, item)
    if op.state != OpState.DELIVERED:
        return send_again(desk, item, settlement)
    return Effect(
        sentence=f"A person confirmed that the CRM holds what operation {op.id} wrote.",
        before=str(op.state),
        after=str(op.state),
        operation_id=op.id,
        facts={"operation": op.id},
        undo={"operation": None},
    )


def send_again(desk: DeskPorts, item: Reconciliation, _settlement: Settlement) -> Effect:
    """Queue it again; sync looks at the marker before it writes, so nothing doubles."""
    op = _at_rest(desk, item)
    if outbox.may(op, OpEvent.AGAIN) and outbox.overtaken(desk, op) is None:
        outbox.requeue_for(desk, op, in_hand=item.id)
        fresh = op.id
    else:
        fresh = _write_anew(desk, item, op)
    return Effect(
        sentence=f"Operation {fresh} is queued; the next sync looks before it writes.",
        before=str(op.state),
        after=str(OpState.QUEUED),
        operation_id=fresh,
        facts={"operation": fresh, "instead_of": op.id},
        undo={"operation": fresh},
    )


def _write_anew(desk: DeskPorts, item: Reconciliation, op: Operation) -> str:
    """Make a new operation out of today's values, since the old one cannot be sent again."""
    if op.kind == OpKind.WRITE_QUOTE:
        written = new_version(desk, op.entity_id, "quote.resent", in_hand=item.id)
        if written is not None:
            return written
    record = desk.store.records.get(op.entity, op.entity_id)
    if op.kind in UPDATE_OF.values() and record is not None:
        return queue_update(desk, record, op.payload, in_hand=item.id).id
    raise RefusedError(
        f"{item.id}: operation {op.id} is {op.state} and cannot be sent again. "
        "Nothing was changed.",
        next=(f"quotey crm outbox show {op.id}",),
    )


def new_version(desk: DeskPorts, quote_id: str, kind: str, *, in_hand: str = "") -> str | None:
    """Give a quote a further version with the same terms, and queue its write (ADR 0003)."""
    quote = desk.store.quotes.get(quote_id)
    if quote is None:
        return None
    after = following(desk, quote, {}, marker=stale.found(desk, quote).version)
    return add_version(desk, quote, after, kind, in_hand=in_hand).operation_id
