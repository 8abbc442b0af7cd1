"""Settling who a record is: from now on another ref of the CRM leads to it.

A binding is never edited; an alias is added, and cannot be taken away. Every function runs inside
the caller's transaction.
"""

from __future__ import annotations

import msgspec

from quotey.contract.errors import Diagnostic, RefusedError, Severity
from quotey.contract.fields import Entity
from quotey.contract.identity import local_id
from quotey.contract.journal import (
    MirrorRecord,
    Operation,
    OpKind,
    OpState,
    Quarantined,
    RecordState,
)
from quotey.contract.reconciliation import ConflictType, Reconciliation
from quotey.contract.values import shown
from quotey.decide.lifecycle import OpEvent
from quotey.decide.outbound import UPDATE_OF
from quotey.decide.settle import Settlement
from quotey.desk import stale
from quotey.desk.dropping import MANY, drop, items_of
from quotey.desk.effect import Effect
from quotey.desk.ports import DeskPorts
from quotey.desk.quote_writes import missed
from quotey.desk.record_writes import note_record, queue_update
from quotey.desk.settle_fields import record_of
from quotey.desk.settle_operations import new_version

WHOLE = (ConflictType.REMOTE_GONE, ConflictType.IDENTITY_MISMATCH)
"""Conflicts about who a record is; one rebinding answers all of them."""


def rebind(desk: DeskPorts, item: Reconciliation, settlement: Settlement) -> Effect:
    """Let another ref of the CRM stand for our record, from now on; a binding is never edited.

    What met the dead record is written to the new one. Raises `RefusedError` when the ref is the
    record's own, or another record of ours that is in use answers for it.
    """
    record = subject(desk, item)
    ref = settlement.value or ""
    before = desk.store.records.ref_of(record.entity, record.id)
    _refuse_own(item, record, before, ref)
    let_go = _make_room(desk, item, record, ref)
    desk.store.records.alias(record.connection, record.entity, ref, record.id)
    alive = _as_another(record)
    desk.store.records.put_many([alive])
    if before is not None:  # what was wrong with the record under its old ref is moot
        desk.store.quarantine.remove(record.connection, record.entity, [before])
    desk.store.quarantine.put_many([_to_be_read(desk, record, ref)])
    closed = close_siblings(desk, item, record, f"rebound to {ref}")
    closed += _close_stranger(desk, record, ref)
    _send_updates_again(desk, alive, item, ref)
    operation = _write_published_again(desk, record, item)
    return Effect(
        sentence=f"{record.entity} {record.id} is {ref} in the CRM from now on.{let_go}",
        before=before,
        after=ref,
        operation_id=operation,
        facts={"crm_ref": ref, "record": record.id},
        closed_items=closed,
    )


def subject(desk: DeskPorts, item: Reconciliation) -> MirrorRecord:
    """Give the record whose identity an item means; of a quote it is its deal's."""
    if item.entity_type != Entity.QUOTE:
        return record_of(desk, item)
    quote = desk.store.quotes.get(item.entity_id)
    assert quote is not None, "quotes are never deleted"
    deal = desk.store.records.get(Entity.DEAL, quote.deal_id)
    assert deal is not None, "a quote's deal is never deleted"
    return deal


# --- one remote record, one record here (reliability G14) -----------------------------------------


def _refuse_own(item: Reconciliation, record: MirrorRecord, before: str | None, ref: str) -> None:
    if ref == before:
        raise RefusedError(
            f"{item.id}: {record.entity} {record.id} is {ref} already, and the CRM says that it is "
            "gone. If it comes back there, the next sync sees it. Nothing was changed.",
            next=("quotey crm sync", f"quotey crm reconcile show {item.id}"),
        )


def _make_room(desk: DeskPorts, item: Reconciliation, record: MirrorRecord, ref: str) -> str:
    """Let go the record that was mirrored under this ref; one that is in use has to stay.

    Gives a warning that names the record that was let go, so that a preview shows a wrong ref.
    """
    found = desk.store.records.by_refs(record.connection, record.entity, [ref])
    other = found.get(ref)
    if other is None or other.id == record.id:
        return ""
    if _in_use(desk, other):
        raise RefusedError(
            f"{item.id}: {ref} is mirrored here as {other.id}, which has quotes, waiting writes or "
            "open items of its own. Nothing was changed.",
            next=(f"quotey crm {other.entity} show {other.id}",),
        )
    gone = msgspec.structs.replace(other, state=RecordState.GONE)
    desk.store.records.put_many([gone])
    note_record(desk, "record.gone", gone, None, {}, crm_ref=ref, merged_into=record.id)
    return _let_go(record, other, ref)


def _let_go(record: MirrorRecord, other: MirrorRecord, ref: str) -> str:
    """Warn that another record stood for this ref, and when it belongs to somebody else."""
    parent = other.local.get("account_id")
    elsewhere = (
        f", of another account ({parent})" if parent != record.local.get("account_id") else ""
    )
    return (
        f" Warning: {ref} was mirrored here as {other.id} ({shown(other.local.get('name') or '')})"
        f"{elsewhere}; that {other.entity} is let go here."
    )


def _in_use(desk: DeskPorts, record: MirrorRecord) -> bool:
    if desk.store.outbox.pending(record.connection, f"{record.entity}/{record.id}"):
        return True
    if record.id in desk.store.items.open_for(record.entity, [record.id]):
        return True
    return record.entity == Entity.DEAL and bool(desk.store.quotes.list(record.id, 1))


def _as_another(record: MirrorRecord) -> MirrorRecord:
    """Give the record as it stands before the new one was read: revisions of two differ in kind."""
    return msgspec.structs.replace(
        record, state=RecordState.LIVE, content_hash="", source_version="", source_ts=None
    )


def _to_be_read(desk: DeskPorts, record: MirrorRecord, ref: str) -> Quarantined:
    """Have the new record read at the next sync: it may never change again by itself."""
    why = Diagnostic(
        code="rebound",
        severity=Severity.NOTE,
        message=f"{record.entity} {record.id} is {ref} from now on; it is read at the next sync.",
        entity=str(record.entity),
        crm_ref=ref,
    )
    return Quarantined(
        connection=record.connection,
        entity=record.entity,
        crm_ref=ref,
        payload=None,
        source_ts=desk.now(),
        source_version="",
        fingerprint="",
        reasons=(why,),
        first_seen=desk.now(),
        correlation_id=desk.correlation_id,
    )


# --- what it answers ------------------------------------------------------------------------------


def close_siblings(
    desk: DeskPorts,
    item: Reconciliation,
    record: MirrorRecord,
    why: str,
    kinds: tuple[ConflictType, ...] = WHOLE,
) -> tuple[str, ...]:
    """Close what else asked about the identity of this record and its quotes."""
    waiting = list(desk.store.items.open_for(record.entity, [record.id]).get(record.id, ()))
    if record.entity == Entity.DEAL:
        quotes = [quote.id for quote in desk.store.quotes.list(record.id, MANY)]
        found = desk.store.items.open_for(Entity.QUOTE, quotes) if quotes else {}
        waiting += [one for items in found.values() for one in items]
    return tuple(
        stale.close(desk, one, why)
        for one in waiting
        if one.id != item.id and one.conflict_type in kinds
    )


def _close_stranger(desk: DeskPorts, record: MirrorRecord, ref: str) -> tuple[str, ...]:
    """Close what was asked of the ref while it was nobody's; it is asked anew under our id."""
    would_be = local_id(record.connection, record.entity, ref)
    if desk.store.records.get(record.entity, would_be) is not None:
        return ()
    waiting = desk.store.items.open_for(record.entity, [would_be]).get(would_be, ())
    return tuple(stale.close(desk, one, f"it is {record.id} from now on") for one in waiting)


def _send_updates_again(
    desk: DeskPorts, record: MirrorRecord, item: Reconciliation, ref: str
) -> None:
    """Send to the new record what met the dead one; a creation has found its record."""
    met = [op for op in _in_conflict(desk, record) if _answered(desk, op, item)]
    fields = sorted(
        name for op in met if op.kind == UPDATE_OF.get(record.entity) for name in op.payload
    )
    if fields:
        queue_update(desk, record, fields, in_hand=item.id)
    created = [op for op in met if op.kind == OpKind.CREATE_DEAL]
    drop(desk, created, OpEvent.SUPERSEDE, f"rebound to {ref}", in_hand=item.id)


def _in_conflict(desk: DeskPorts, record: MirrorRecord) -> tuple[Operation, ...]:
    return desk.store.outbox.list(
        record.connection,
        states=(OpState.CONFLICT,),
        entity=record.entity,
        entity_id=record.id,
        limit=MANY,
    )


def _answered(desk: DeskPorts, op: Operation, item: Reconciliation) -> bool:
    """Whether nothing is asked of the operation any more but what is being settled."""
    return all(one.id == item.id for one in items_of(desk, op))


def _write_published_again(
    desk: DeskPorts, record: MirrorRecord, item: Reconciliation
) -> str | None:
    """A published quote whose last write met the dead record goes to the new one."""
    quote = desk.store.quotes.published(record.id) if record.entity == Entity.DEAL else None
    if quote is None or not missed(desk, quote):
        return None
    return new_version(desk, quote.id, "quote.resent", in_hand=item.id)
