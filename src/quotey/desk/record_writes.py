"""How a mirrored record is changed by a person: mirror, outbox operation, audit, all or nothing.

Every function runs inside the caller's transaction. What may be asked is checked elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from quotey.contract.dto import Canonical
from quotey.contract.errors import Diagnostic
from quotey.contract.journal import Hold, MirrorRecord, Operation, OpKind, OpState
from quotey.decide.lifecycle import OpEvent
from quotey.decide.outbound import (
    UPDATE_OF,
    Order,
    absorb,
    superseded_by,
    waits_unsent,
    write_of,
)
from quotey.desk.dropping import drop, retire
from quotey.desk.ports import DeskPorts, audit


class RecordAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a command did to a record.

    `operation_id` is the queued write, None when nothing goes out; `superseded` are queued writes
    that it took over; `closed_items` are reconciliations that it made moot. `changed` is False when
    the record said so already.
    """

    record: MirrorRecord
    changed: bool = True
    operation_id: str | None = None
    superseded: tuple[str, ...] = ()
    closed_items: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def changed(desk: DeskPorts, record: MirrorRecord, values: Canonical) -> MirrorRecord:
    """Give the record with these local values, as a person's edit made now."""
    stamps = dict.fromkeys(values, desk.now())
    return msgspec.structs.replace(
        record,
        local=record.local | values,
        local_version=record.local_version + 1,
        local_ts=record.local_ts | stamps,
    )


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """A write that was queued, what it took over, and the items that it made moot."""

    id: str
    superseded: tuple[str, ...] = ()
    closed_items: tuple[str, ...] = ()


def queue_update(
    desk: DeskPorts, record: MirrorRecord, fields: Iterable[str], *, in_hand: str = ""
) -> Queued:
    """Queue the record's local values of these fields; takes over what it makes needless.

    The item `in_hand` is left to whoever is settling it.
    """
    op = _update(desk, record, {name: record.local.get(name) for name in fields})
    return enqueue(desk, op, in_hand=in_hand)


def enqueue(desk: DeskPorts, op: Operation, *, in_hand: str = "") -> Queued:
    """Add an operation to its lane in place of those that it supersedes."""
    waiting = desk.store.outbox.pending(op.connection, op.lane)
    gone = superseded_by(op, waiting)
    whole = absorb(op, waiting)
    needless = [old for old in waiting if old.id in gone]
    why = f"taken over by {op.id}"
    closed = drop(desk, needless, OpEvent.SUPERSEDE, why, in_hand=in_hand)
    desk.store.outbox.add(whole)
    return Queued(
        id=op.id, superseded=gone, closed_items=closed + retire(desk, whole, in_hand=in_hand)
    )


def queue_create(desk: DeskPorts, record: MirrorRecord, *, parent_bound: bool) -> str:
    """Queue the creation of a deal; held until its account is in the CRM."""
    op = _operation(desk, record, OpKind.CREATE_DEAL, record.local)
    if not parent_bound:
        op = msgspec.structs.replace(op, state=OpState.HELD, hold=Hold.PARENT)
    desk.store.outbox.add(op)
    return op.id


def withdraw(desk: DeskPorts, record: MirrorRecord, field: str) -> None:
    """Take one field out of the record's waiting updates, because its value lost.

    What may have landed is left alone: the merge knows its echo.
    """
    gone = waiting_with(desk, record, field)
    rest: Canonical = {}
    for op in gone:
        rest |= {name: text for name, text in op.payload.items() if name != field}
    if rest:
        op = _update(desk, record, rest)
        drop(desk, gone, OpEvent.SUPERSEDE, f"taken over by {op.id}")
        desk.store.outbox.add(op)
    else:
        drop(desk, gone, OpEvent.DISCARD, f"{record.entity}.{field} was decided otherwise")


def waiting_with(desk: DeskPorts, record: MirrorRecord, field: str) -> list[Operation]:
    """Give the record's updates that carry this field and that nothing of can have landed."""
    return [op for op in updates_with(desk, record, field) if waits_unsent(op)]


def updates_with(desk: DeskPorts, record: MirrorRecord, field: str) -> list[Operation]:
    """Give the record's updates that carry this field and have not come to their end."""
    return [
        op
        for op in desk.store.outbox.pending_for(record.entity, record.id)
        if op.kind == UPDATE_OF.get(record.entity) and field in op.payload
    ]


def _update(desk: DeskPorts, record: MirrorRecord, payload: Canonical) -> Operation:
    return _operation(desk, record, UPDATE_OF[record.entity], payload)


def _operation(
    desk: DeskPorts, record: MirrorRecord, kind: OpKind, payload: Canonical
) -> Operation:
    order = Order(
        id=desk.ids("op"),
        instance=desk.store.instance_id,
        now=desk.now(),
        actor=desk.actor,
        correlation_id=desk.correlation_id,
    )
    return write_of(record, kind, payload, order)


def note_record(
    desk: DeskPorts,
    kind: str,
    record: MirrorRecord,
    before: Canonical | None,
    after: Canonical,
    **more: object,
) -> None:
    """Audit what a command did to a record: the changed fields before and after."""
    body: dict[str, object] = {"before": before, "after": after, **more}
    audit(
        desk,
        kind,
        connection=record.connection,
        entity=record.entity,
        entity_id=record.id,
        body=body,
    )
