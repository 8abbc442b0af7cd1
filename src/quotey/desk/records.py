"""A mirrored record as it is shown: its values, and what hangs on it. Nothing is changed here."""

from __future__ import annotations

import msgspec

from quotey.contract.fields import Entity
from quotey.contract.journal import Lock, MirrorRecord, Operation
from quotey.contract.quote import Quote
from quotey.contract.reconciliation import Reconciliation
from quotey.desk.ports import DeskPorts
from quotey.desk.references import find, mirrored


class RecordView(msgspec.Struct, frozen=True, kw_only=True):
    """A record with its open items, locks by field, waiting operations and (of a deal) quotes.

    `conflict` is derived: an item of the record is open or deferred.
    """

    record: MirrorRecord
    conflict: bool
    items: tuple[Reconciliation, ...] = ()
    locks: dict[str, Lock] = msgspec.field(default_factory=dict)
    operations: tuple[Operation, ...] = ()
    quotes: tuple[Quote, ...] = ()
    parent: MirrorRecord | None = None


def show(desk: DeskPorts, entity: Entity, reference: str) -> RecordView:
    """Show one record, named by our id or the CRM's; raises `NotFoundError` with near matches."""
    with desk.store.snapshot():
        record = find(desk, mirrored(entity), reference)
        store, ids = desk.store, [record.id]
        items = store.items.open_for(entity, ids).get(record.id, ())
        parent = record.local.get("account_id")
        return RecordView(
            record=record,
            conflict=bool(items),
            items=items,
            locks=store.locks.active(entity, ids, desk.now()).get(record.id, {}),
            operations=store.outbox.pending_for(entity, record.id),
            quotes=store.quotes.list(record.id) if entity == Entity.DEAL else (),
            parent=store.records.get(Entity.ACCOUNT, parent) if parent else None,
        )


def list_records(
    desk: DeskPorts, entity: Entity, *, connection: str, limit: int = 100, after: str = ""
) -> tuple[MirrorRecord, ...]:
    """Page through the mirrored records of one connection, by id."""
    with desk.store.snapshot():
        return desk.store.records.list(connection, mirrored(entity), limit, after)
