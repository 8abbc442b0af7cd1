"""Queueing what inbound decided to send again (`Reassert`), in the page's own transaction.

What a person's command sends is queued by that command, not here.
"""

from __future__ import annotations

from collections.abc import Sequence

from quotey.contract.dto import Canonical
from quotey.contract.fields import Entity
from quotey.contract.identity import payload_digest
from quotey.contract.journal import MirrorRecord, Operation, OpKind, OpState
from quotey.decide.outbound import absorb, superseded_by
from quotey.sync.door import note
from quotey.sync.ports import Run

_UPDATE = {Entity.ACCOUNT: OpKind.UPDATE_ACCOUNT, Entity.DEAL: OpKind.UPDATE_DEAL}


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
    if not payload or record.entity not in _UPDATE:
        return None
    op = _operation(run, record, payload)
    queued = run.store.outbox.pending(run.connection, op.lane)
    return _add(run, op, queued)


def _operation(run: Run, record: MirrorRecord, payload: Canonical) -> Operation:
    kind, id_, now = _UPDATE[record.entity], run.ports.ids("op"), run.now()
    return Operation(
        id=id_,
        connection=run.connection,
        lane=f"{record.entity}/{record.id}",
        kind=kind,
        entity=record.entity,
        entity_id=record.id,
        version=record.local_version,
        key=f"{run.store.instance_id}/{kind}/{record.id}/{record.local_version}/{id_}",
        payload=payload,
        digest=payload_digest(payload),
        created_at=now,
        due_at=now,
        actor=run.actor,
        correlation_id=run.correlation_id,
    )


def _add(run: Run, op: Operation, queued: Sequence[Operation]) -> Operation:
    """Add it, in place of older ones that it makes needless."""
    replaced = superseded_by(op, queued)
    op = absorb(op, queued)
    if replaced:
        run.store.outbox.set_state(replaced, OpState.SUPERSEDED, at=run.now())
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
