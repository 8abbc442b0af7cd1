"""Creating a deal in the CRM, once: the key was chosen before the first send and is kept.

On success the answered `crm_ref` is bound to our id in the transaction that settles the operation,
and what waited in the lane for it is released.
"""

from __future__ import annotations

import msgspec

from quotey.contract.adapter import Call
from quotey.contract.dto import Canonical, RemoteWrite, Value
from quotey.contract.errors import Diagnostic, ErrorClass, RemoteFailure, Severity
from quotey.contract.fields import Entity
from quotey.contract.identity import local_id
from quotey.contract.journal import Hold, MirrorRecord, Operation, OpState, RecordState
from quotey.contract.reconciliation import ConflictType
from quotey.contract.values import typed
from quotey.decide.lifecycle import OpEvent
from quotey.decide.order import ahead
from quotey.decide.plan import ItemDraft
from quotey.sync import door, items
from quotey.sync.carry import read_again
from quotey.sync.ending import (
    Columns,
    Ended,
    failed,
    finish,
    give_back,
    hold,
    in_conflict,
)
from quotey.sync.marking import lease_allows, mark_sent
from quotey.sync.page_facts import PARENT
from quotey.sync.ports import Run
from quotey.sync.proof import Proof, confirm


def push_create(run: Run, op: Operation) -> Ended:
    """Carry one leased CREATE_DEAL as far as it goes now."""
    parent_id = op.payload.get(PARENT) or ""
    parent = run.store.records.get(Entity.ACCOUNT, parent_id)
    parent_ref = run.store.records.ref_of(Entity.ACCOUNT, parent_id)
    if parent is None or parent_ref is None:
        return hold(run, op, Hold.PARENT, f"Account {parent_id} is not in the CRM yet.")
    if parent.state is RecordState.GONE and parent_ref == parent.crm_ref:
        why = f"Account {parent_ref} is gone from the CRM."
        return in_conflict(
            run, op, items.about(op, ConflictType.REMOTE_GONE, why, field=PARENT, seen=parent_ref)
        )
    if not lease_allows(run, op, run.limits.write_timeout):
        return give_back(run, op)
    return _create(run, op, parent_ref)


def _create(run: Run, op: Operation, parent_ref: str) -> Ended:
    try:
        values = values_of(run, Entity.DEAL, op.payload)
    except RemoteFailure as failure:
        return failed(run, op, failure, sent=None)
    sent = mark_sent(run, op)
    if isinstance(sent, Ended):
        return sent

    def request(call: Call) -> RemoteWrite:
        return run.ports.adapter.create_deal(parent_ref, values, key=op.key, call=call)

    try:
        written = door.ask(run, request, timeout=run.limits.write_timeout)
    except RemoteFailure as failure:
        return failed(run, op, failure, sent=sent)
    return _created(run, op, sent, written)


def values_of(run: Run, entity: Entity, payload: Canonical) -> dict[str, Value]:
    """Give a payload's typed values; the parent is named apart.

    Raises `RemoteFailure` (mapping) when the mapping has changed under a value since it was queued.
    """
    values: dict[str, Value] = {}
    problems: list[Diagnostic] = []
    for name, value in payload.items():
        if name == PARENT:
            continue
        field = run.mapped(entity).field(name)
        try:
            values[name] = typed(value, field.type) if field is not None else value
        except ValueError as error:
            problems.append(_misfit(entity, name, str(error)))
    if problems:
        raise RemoteFailure(
            f"What is to be sent of the {entity} does not fit its mapping. Nothing was sent.",
            error_class=ErrorClass.MAPPING,
            diagnostics=tuple(problems),
        )
    return values


def _misfit(entity: Entity, field: str, why: str) -> Diagnostic:
    return Diagnostic(
        code="malformed",
        severity=Severity.ERROR,
        message=f"{entity}.{field}: {why}",
        entity=str(entity),
        field=field,
    )


def _created(run: Run, op: Operation, sent: Operation, written: RemoteWrite) -> Ended:
    bound = run.store.records.ids_of(run.connection, Entity.DEAL, (written.crm_ref,))
    holder = bound.get(written.crm_ref, op.entity_id)
    if holder != op.entity_id:
        return in_conflict(run, sent, _bound_elsewhere(sent, written.crm_ref, holder))

    def bind() -> None:
        _bind(run, op, written)

    if op.sent_at is not None or not written.created:
        proof = Proof(complete=True, shown=f"{written.crm_ref} answers for key {op.key}")
        return confirm(run, sent, proof, inside=lambda: _bind_and_ask(run, op, written))
    body: dict[str, object] = {"crm_ref": written.crm_ref, "values": written.values}
    if written.trace:
        body["trace"] = written.trace
    return finish(
        run,
        sent,
        OpEvent.DELIVER,
        Columns(sent_at=None),
        kind="operation.delivered",
        body=body,
        inside=bind,
    )


def _bind_and_ask(run: Run, op: Operation, written: RemoteWrite) -> None:
    """Bind to what was made before, and have it read: it may have ended before it had a name here.

    An echo that waits for this is the newest reading already.
    """
    _bind(run, op, written)
    if not run.store.quarantine.by_refs(run.connection, Entity.DEAL, (written.crm_ref,)):
        read_again(run, Entity.DEAL, written.crm_ref, "It was made before; it is read once more.")


def _bind(run: Run, op: Operation, written: RemoteWrite) -> None:
    """Bind the record to what answered, and let go what waited in the lane for that."""
    record = run.store.records.get(Entity.DEAL, op.entity_id)
    if record is not None:
        run.store.records.put_many([answered(record, op.payload, written)])
    waiting = [
        other.id
        for other in run.store.outbox.pending(run.connection, op.lane)
        if other.state is OpState.HELD and other.hold is Hold.PARENT
    ]
    if waiting:
        run.store.outbox.set_state(waiting, OpState.QUEUED, at=run.now(), due_at=run.now())
    _judge_anew(run, written.crm_ref)


def _judge_anew(run: Run, crm_ref: str) -> None:
    """Have what was kept out before it had our id judged under it, and asked about under it."""
    rows = run.store.quarantine.by_refs(run.connection, Entity.DEAL, (crm_ref,)).values()
    if not rows:
        return
    run.store.quarantine.put_many([msgspec.structs.replace(row, fingerprint="") for row in rows])
    would_be = local_id(run.connection, Entity.DEAL, crm_ref)
    items.close(run, Entity.DEAL, would_be, (("*", type_, IS_OURS) for type_ in _KEPT_OUT))


IS_OURS = "It is a deal that was made here; what is wrong with it is asked under its own id."
_KEPT_OUT = (ConflictType.SCHEMA_MAPPING_MISMATCH, ConflictType.MISSING_PARENT)


WRITTEN = "written"
"""A content hash that no payload has: we wrote to the record, and have not read it since."""


def answered(record: MirrorRecord, payload: Canonical, written: RemoteWrite) -> MirrorRecord:
    """Give the record after a write: the base is what the CRM now holds of what was sent.

    Where the CRM made another value of it and nobody has edited it since, ours follows: it is their
    way of writing the same. What was read before the write is not there any more, so its hash goes
    too: that somebody goes back to it is news.

    A sender that slept may come after a page that brought a newer revision. That has been judged
    with what was in flight, and stands as it is (G5).
    """
    if ahead(record, written) < 0:
        return record
    said = {
        name: payload[name] if name == PARENT else written.values.get(name, payload[name])
        for name in payload
    }
    local = {
        name: said[name] if name in said and value == payload[name] else value
        for name, value in record.local.items()
    }
    return msgspec.structs.replace(
        record,
        crm_ref=record.crm_ref or written.crm_ref,
        base=record.base | said,
        local=local,
        source_ts=written.source_ts,
        source_version=written.source_version,
        content_hash=WRITTEN,
    )


def _bound_elsewhere(op: Operation, crm_ref: str, holder: str) -> ItemDraft:
    return items.about(
        op,
        ConflictType.IDENTITY_MISMATCH,
        f"The CRM answers {crm_ref}, which is mirrored as {holder}.",
        local=op.entity_id,
        remote=crm_ref,
        seen=crm_ref,
    )
