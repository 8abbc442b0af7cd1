"""Queueing what inbound decided to send again (`Reassert`), in the page's own transaction.

What a person's command sends is queued by that command, not here.
"""

from __future__ import annotations

from collections.abc import Sequence

from quotey.contract.dto import Canonical
from quotey.contract.journal import MirrorRecord, Operation
from quotey.decide.outbound import UPDATE_OF, Order, absorb, superseded_by, write_of
from quotey.sync.door import note
from quotey.sync.moot import supersede
from quotey.sync.ports import Run


def reassert(
    run: Run, record: MirrorRecord, fields: Sequence[str], *, carrying: Operation | None = None
) -> Operation | None:
    """Queue these fields' local values; None when there is nothing to add to what is under way.

    `carrying` is the operation that is being sent right now: its own fields need no second one.
    """
    under_way: Canonical = carrying.payload if carrying is not None else {}
    payload = {
        field: record.local.get(field)
        for field in fields
        if field not in under_way or under_way[field] != record.local.get(field)
    }
    if not payload or record.entity not in UPDATE_OF:
        return None
    op = _operation(run, record, payload)
    queued = run.store.outbox.pending(run.connection, op.lane)
    return _add(run, op, queued)


def _operation(run: Run, record: MirrorRecord, payload: Canonical) -> Operation:
    order = Order(
        id=run.ports.ids("op"),
        instance=run.store.instance_id,
        now=run.now(),
        actor=run.actor,
        correlation_id=run.correlation_id,
    )
    return write_of(record, UPDATE_OF[record.entity], payload, order)


def _add(run: Run, op: Operation, queued: Sequence[Operation]) -> Operation:
    """Add it, in place of older ones that it makes needless."""
    replaced = superseded_by(op, queued)
    op = absorb(op, queued)
    needless = [old for old in queued if old.id in replaced]
    supersede(run, needless, f"taken over by {op.id}")
    run.store.outbox.add(op)
    note(
        run,
        "operation.queued",
        entity=op.entity,
        entity_id=op.entity_id,
        operation=op.id,
        kind_of_operation=str(op.kind),
        payload=op.payload,
        supersedes=list(replaced),
        why="reassert",
    )
    return op
