"""Updating a record in the CRM: read it first, merge as inbound would, send what still stands.

A field that the CRM has changed meanwhile is decided by policy in the very code that inbound uses;
what loses there is dropped from the update and audited.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from quotey.contract.adapter import Call
from quotey.contract.dto import Canonical, CrmSyncResultDto, RemoteRecord, RemoteWrite
from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.journal import Hold, MirrorRecord, Operation, OpKind, RecordState
from quotey.contract.reconciliation import ConflictType
from quotey.decide.items import revision
from quotey.decide.lifecycle import OpEvent
from quotey.decide.plan import ItemDraft
from quotey.sync import changes, door, items, parking
from quotey.sync.carry import carry_out
from quotey.sync.ending import (
    Columns,
    Ended,
    failed,
    finish,
    give_back,
    hold,
    in_conflict,
    superseded,
)
from quotey.sync.heard import brief
from quotey.sync.marking import lease_allows, mark_sent
from quotey.sync.ports import Run
from quotey.sync.proof import Proof, confirm
from quotey.sync.pull import whole
from quotey.sync.push_create import answered, values_of
from quotey.sync.push_quote import answered_by_another


class Standing(msgspec.Struct, frozen=True):
    """What becomes of an update's fields, by the mirror as it stands after the read.

    `send` differs from what the CRM holds; `there` is held there already; `dropped` no longer
    stands or is parked, with the reason. `revision` is that of the record as it was read.
    """

    send: Canonical
    there: Canonical
    dropped: dict[str, str]
    revision: str
    parked: bool = False


def push_update(run: Run, op: Operation) -> Ended:
    """Carry one leased UPDATE_DEAL or UPDATE_ACCOUNT as far as it goes now."""
    if op.kind is OpKind.UPDATE_ACCOUNT and not run.ports.adapter.capabilities.updates_accounts:
        why = f"{run.ports.adapter.provider} cannot update accounts."
        draft = items.about(op, ConflictType.ATTEMPTS_EXHAUSTED, why)
        return in_conflict(run, op, draft)
    ref = run.store.records.ref_of(op.entity, op.entity_id)
    if ref is None:
        why = f"{op.entity} {op.entity_id} is not in the CRM yet."
        return hold(run, op, Hold.PARENT, why)
    try:
        record = _read(run, op, ref)
    except RemoteFailure as failure:
        return failed(run, op, failure, sent=None)
    if record is None or record.deleted or record.merged_into is not None:
        return in_conflict(run, op, _not_there(op, ref, record))
    standing = _stand(run, op, record)
    if standing is None:
        why = f"{op.entity} {ref} is kept out: nothing of it was taken, so nothing was sent."
        return hold(run, op, Hold.MAPPING, why)
    return _send(run, op, ref, standing) if standing.send else _unsent(run, op, standing)


def _read(run: Run, op: Operation, ref: str) -> RemoteRecord | None:
    def request(call: Call) -> CrmSyncResultDto:
        return whole(run.ports.adapter.read_records(op.entity, (ref,), call=call), op.entity)

    timeout = run.limits.read_timeout
    answer = door.ask(run, request, timeout=timeout, lease_until=op.lease_until)
    if answer.failures:
        raise RemoteFailure(brief(answer.failures[0].message), error_class=ErrorClass.TRANSIENT)
    return next((one for one in answer.records if one.crm_ref == ref), None)


def _stand(run: Run, op: Operation, record: RemoteRecord) -> Standing | None:
    """Let inbound judge the record as it is now, then see what is left to send.

    None when it is kept out, because it breaks the contract, lacks its parent or is not itself:
    then nothing can be compared. Inbound lets the operation go together with the record.
    """
    seen, _ = changes.gather(run, op.entity, (record,))
    with run.store.transaction("compare"):
        if seen:
            carry_out(run, op.entity, changes.judge(run, op.entity, seen), carrying=op)
        mirror = run.store.records.get(op.entity, op.entity_id)
        parked = {one.field: one.sentence for one in parking.omitted(run, op)}
        run.store.schemas.leave_out(run.connection, op.entity, op.entity_id, parked)
        if run.store.quarantine.by_refs(run.connection, op.entity, (record.crm_ref,)):
            return None
    return _standing(op, mirror, revision(record), parked)


def _standing(
    op: Operation, mirror: MirrorRecord | None, seen: str, parked: Mapping[str, str]
) -> Standing:
    send: Canonical = {}
    there: Canonical = {}
    dropped: dict[str, str] = {}
    for name, value in op.payload.items():
        if mirror is None or mirror.state is RecordState.GONE:
            dropped[name] = "the record is gone"
        elif name in mirror.remote:
            dropped[name] = "a person has to decide"
        elif mirror.local.get(name) != value:
            dropped[name] = "another value stands here now"
        elif name in mirror.base and mirror.base[name] == value:
            there[name] = value
        elif name in parked:
            dropped[name] = parked[name]
        else:
            send[name] = value
    return Standing(send, there, dropped, seen, parked=bool(parked))


def _unsent(run: Run, op: Operation, standing: Standing) -> Ended:
    """End an operation that has nothing left to send."""
    if not standing.there:
        body: dict[str, object] = {"dropped": _lost(op, standing)}
        return superseded(run, op, _why_unsent(standing), body)
    if op.attempts:
        shown = f"the CRM holds {', '.join(sorted(standing.there))} as sent"
        return confirm(run, op, Proof(complete=True, shown=shown))
    body = {"already_there": standing.there, "dropped": _lost(op, standing)}
    columns = Columns(sent_at=None)
    return finish(run, op, OpEvent.DELIVER, columns, kind="operation.delivered", body=body)


def _why_unsent(standing: Standing) -> str:
    if standing.parked:
        return "Its values are sent once their fields are not parked any more."
    return "None of its values stands any more."


def _lost(op: Operation, standing: Standing) -> dict[str, object]:
    return {name: {"loser": op.payload[name], "why": why} for name, why in standing.dropped.items()}


def _send(run: Run, op: Operation, ref: str, standing: Standing) -> Ended:
    try:
        values = values_of(run, op.entity, standing.send)
    except RemoteFailure as failure:
        return failed(run, op, failure, sent=None)
    if not lease_allows(run, op, run.limits.write_timeout):
        return give_back(run, op)
    sent = mark_sent(run, op)
    if isinstance(sent, Ended):
        return sent
    adapter = run.ports.adapter
    update = adapter.update_deal if op.entity is Entity.DEAL else adapter.update_account

    def request(call: Call) -> RemoteWrite:
        return update(ref, values, key=_key(op, standing), call=call)

    try:
        written = door.ask(run, request, timeout=run.limits.write_timeout)
    except RemoteFailure as failure:
        return failed(run, op, failure, sent=sent)
    if written.crm_ref != ref:
        return in_conflict(run, sent, answered_by_another(sent, ref, written.crm_ref))
    return _delivered(run, sent, standing, written)


def _key(op: Operation, standing: Standing) -> str:
    """Give the idempotency key; what is sent under one key is always the same request.

    A repetition is a request of its own once the record has changed: what is answered to the first
    one tells of a state that has passed, and would hide what stands there now (G2c).
    """
    parts = [op.key]
    if standing.send != op.payload:
        parts.append(",".join(sorted(standing.send)))
    if op.attempts:
        parts.append(standing.revision)
    return "/".join(parts)


def _delivered(run: Run, op: Operation, standing: Standing, written: RemoteWrite) -> Ended:
    def move_base() -> None:
        record = run.store.records.get(op.entity, op.entity_id)
        if record is not None:
            run.store.records.put_many([answered(record, standing.send, written)])

    body: dict[str, object] = {
        "sent": standing.send,
        "answered": written.values,
        "dropped": _lost(op, standing),
        "source_version": written.source_version,
    }
    if written.trace:
        body["trace"] = written.trace
    return finish(
        run,
        op,
        OpEvent.DELIVER,
        Columns(sent_at=None),
        kind="operation.delivered",
        body=body,
        inside=move_base,
    )


def _not_there(op: Operation, ref: str, record: RemoteRecord | None) -> ItemDraft:
    """Draft the item of a record that is gone, or that became another one (G15)."""
    survivor = record.merged_into if record is not None else None
    if survivor is not None:
        return answered_by_another(op, ref, survivor)
    why = f"{op.entity} {ref} is gone from the CRM."
    return items.about(op, ConflictType.REMOTE_GONE, why, seen=ref)
