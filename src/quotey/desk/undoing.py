"""Taking a decision back, while nothing of it has reached the CRM.

What was sent cannot be called back: then the record is changed again, forwards.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from quotey.contract.errors import RefusedError
from quotey.contract.journal import Lock, MirrorRecord, Operation, OpState
from quotey.contract.reconciliation import ItemState, Reconciliation
from quotey.decide.lifecycle import OpEvent
from quotey.desk import outbox
from quotey.desk.dropping import drop
from quotey.desk.ports import DeskPorts, audit
from quotey.desk.reconcile_views import find_item
from quotey.desk.record_writes import queue_update, withdraw


class UndoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The item that is open again, and the value that stands here again."""

    item: Reconciliation
    value: str | None
    operation_id: str | None = None


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What `settling` left to undo by; `field` is empty when no value was changed.

    `after` is the value that the decision left, `operation` the write that it queued, `queued` says
    that a write of the field had been waiting before.
    """

    action: str
    field: str = ""
    local: str | None = None
    had_local: bool = True
    base: str | None = None
    had_base: bool = True
    remote: str | None = None
    local_ts: datetime | None = None
    after: str | None = None
    queued: bool = False
    operation: str | None = None
    lock: Lock | None = None


def undo(desk: DeskPorts, item_id: str) -> UndoAnswer:
    """Open a settled item again and put back what stood before.

    Raises `RefusedError` naming why it is too late: sent, changed since, or of a kind that cannot
    be taken back.
    """
    with desk.store.transaction("reconcile.undo"):
        item = find_item(desk, item_id)
        note = _note_of(desk, item)
        _refuse_sent(desk, item, note)
        value, operation = _put_back(desk, item, note) if note.field else (None, None)
        lock = _lock_again(desk, note)
        if not note.field:
            _drop_queued(desk, item, note)
        if not desk.store.items.reopen(item.id, item.rev):
            raise _too_late(item, "the same trouble has been noted again since")
        desk.store.requests.remove(item.id)
        _audit(desk, item, note, value, lock)
        return UndoAnswer(item=find_item(desk, item.id), value=value, operation_id=operation)


def _note_of(desk: DeskPorts, item: Reconciliation) -> Note:
    if item.state != ItemState.RESOLVED:
        raise _too_late(item, f"it is {item.state}, so there is no decision to take back")
    kept = desk.store.requests.get(item.id)
    if kept is None:
        raise _too_late(item, "it was settled in a way that is not taken back")
    return msgspec.convert(kept, Note)


def _refuse_sent(desk: DeskPorts, item: Reconciliation, note: Note) -> None:
    """A request that may have left cannot be called back."""
    op = desk.store.outbox.get(note.operation) if note.operation else None
    if op is None:
        return
    if not _unsent_since(op, item):
        raise _too_late(item, f"operation {op.id} was sent already ({op.state})")
    if op.state == OpState.SUPERSEDED:
        raise _too_late(item, f"operation {op.id} was taken over by a later change")


def _unsent_since(op: Operation, item: Reconciliation) -> bool:
    """Whether nothing left after the decision; an operation sent again had left before it."""
    if op.state in (OpState.LEASED, OpState.DELIVERED):
        return False
    return op.sent_at is None or (item.resolved_at is not None and op.sent_at < item.resolved_at)


def _drop_queued(desk: DeskPorts, item: Reconciliation, note: Note) -> None:
    """Take back an operation that was queued again; the decision's item is open again instead."""
    op = desk.store.outbox.get(note.operation) if note.operation else None
    if op is not None and outbox.may(op, OpEvent.DISCARD):
        drop(desk, [op], OpEvent.DISCARD, f"{item.id} was taken back")


def _put_back(desk: DeskPorts, item: Reconciliation, note: Note) -> tuple[str | None, str | None]:
    """Put the field's three sides and its waiting write back as they were."""
    record = desk.store.records.get(item.entity_type, item.entity_id)
    assert record is not None, "records are never deleted"
    name = note.field
    moved = record.local.get(name) != note.after or record.base.get(name) != note.remote
    if moved or name in record.remote:
        raise _too_late(item, f"{item.entity_type}.{name} has changed since")
    withdraw(desk, record, name)
    before = _restored(record, note)
    desk.store.records.put_many([before])
    operation = queue_update(desk, before, [name]).id if note.queued else None
    return note.local, operation


def _restored(record: MirrorRecord, note: Note) -> MirrorRecord:
    name = note.field
    local, base, stamps = dict(record.local), dict(record.base), dict(record.local_ts)
    local.pop(name, None)
    base.pop(name, None)
    stamps.pop(name, None)
    if note.had_local:
        local[name] = note.local
    if note.had_base:
        base[name] = note.base
    if note.local_ts is not None:
        stamps[name] = note.local_ts
    return msgspec.structs.replace(
        record,
        local=local,
        base=base,
        remote=record.remote | {name: note.remote},
        local_version=record.local_version + 1,
        local_ts=stamps,
    )


def _lock_again(desk: DeskPorts, note: Note) -> Lock | None:
    """Put the lock back that the decision ended, unless its time is over or another one stands."""
    lock = note.lock
    if lock is None or lock.until <= desk.now():
        return None
    standing = desk.store.locks.active(lock.entity, [lock.entity_id], desk.now())
    if lock.field in standing.get(lock.entity_id, {}):
        return None
    desk.store.locks.put(lock)
    return lock


def _too_late(item: Reconciliation, why: str) -> RefusedError:
    return RefusedError(
        f"{item.id} was not taken back: {why}. Nothing was changed.",
        next=(f"quotey crm reconcile show {item.id}",),
    )


def _audit(
    desk: DeskPorts, item: Reconciliation, note: Note, value: str | None, lock: Lock | None
) -> None:
    body: dict[str, object] = {
        "item": item.id,
        "conflict_type": str(item.conflict_type),
        "field": item.field_name,
        "action": note.action,
        "before": note.after,
        "after": value,
        "resolution": item.resolution,
        "lock": msgspec.to_builtins(lock),
    }
    audit(
        desk,
        "reconciliation.undone",
        connection=item.connection,
        entity=item.entity_type,
        entity_id=item.entity_id,
        body=body,
    )
