"""Settling a field: one value stands, the other is kept in the audit.

Every function runs inside the caller's transaction.
"""

from __future__ import annotations

import msgspec

from quotey.contract.errors import RefusedError
from quotey.contract.journal import Lock, MirrorRecord
from quotey.contract.reconciliation import ConflictType, Reconciliation
from quotey.decide.outbound import waits_unsent
from quotey.decide.settle import Action, Settlement
from quotey.desk.effect import Effect
from quotey.desk.ports import DeskPorts
from quotey.desk.reconcile_views import quarantined_as
from quotey.desk.record_writes import queue_update, updates_with, waiting_with, withdraw


def settle_field(desk: DeskPorts, item: Reconciliation, settlement: Settlement) -> Effect:
    """Let one value stand. The base becomes what the CRM last said, so what differs is ours."""
    record, name = record_of(desk, item), item.field_name
    remote = record.remote.get(name, item.remote_value)
    value = _standing_value(record, item, settlement, remote)
    queued = bool(waiting_with(desk, record, name))
    after = _with_value(desk, record, name, value, remote, by_hand=settlement.action == "set_value")
    desk.store.records.put_many([after])
    lock = _end_lock(desk, record, name) if settlement.ends_lock else None
    operation = None
    if (settlement.reassert and value != remote) or _may_land(desk, record, name):
        operation = queue_update(desk, after, [name]).id
    else:
        withdraw(desk, after, name)
    _read_again(desk, item)
    before = record.local.get(name)
    return Effect(
        sentence=_field_sentence(item, settlement.action, value, operation),
        before=before,
        after=value,
        operation_id=operation,
        facts={
            "fields": {name: _decision(record, settlement.action, name, value, remote)},
            "lock": msgspec.to_builtins(lock),
        },
        undo={
            "field": name,
            "local": record.local.get(name),
            "had_local": name in record.local,
            "base": record.base.get(name),
            "had_base": name in record.base,
            "remote": remote,
            "local_ts": _stamp(record, name),
            "after": value,
            "queued": queued,
            "operation": operation,
            "lock": msgspec.to_builtins(lock),
        },
    )


def record_of(desk: DeskPorts, item: Reconciliation) -> MirrorRecord:
    """Give the record that an item speaks of; raises `RefusedError` when it was kept out."""
    record = desk.store.records.get(item.entity_type, item.entity_id)
    if record is None:
        raise RefusedError(
            f"{item.id}: {item.entity_type} {item.entity_id} is not mirrored here (it was kept "
            "out), so there is no value to settle. Nothing was changed.",
            next=(f"quotey crm reconcile show {item.id}", "quotey crm sync"),
        )
    return record


def _standing_value(
    record: MirrorRecord, item: Reconciliation, settlement: Settlement, remote: str | None
) -> str | None:
    """Give the value that stands now; both sides may have moved since the item was shown."""
    if settlement.action == "take_remote":
        return remote
    if settlement.action == "keep_local":
        return record.local.get(item.field_name)
    return settlement.value


def _with_value(
    desk: DeskPorts,
    record: MirrorRecord,
    name: str,
    value: str | None,
    remote: str | None,
    *,
    by_hand: bool,
) -> MirrorRecord:
    stamps = {field: at for field, at in record.local_ts.items() if field != name}
    if by_hand:
        stamps[name] = desk.now()
    elif value != remote and name in record.local_ts:
        stamps[name] = record.local_ts[name]
    return msgspec.structs.replace(
        record,
        local=record.local | {name: value},
        base=record.base | {name: remote},
        remote={field: text for field, text in record.remote.items() if field != name},
        local_version=record.local_version + 1,
        local_ts=stamps,
    )


def _may_land(desk: DeskPorts, record: MirrorRecord, name: str) -> bool:
    """Whether a write of this field is being sent, or may have arrived, whatever is decided here.

    Then the decision has to be written after it, or the CRM would keep what lost.
    """
    return any(not waits_unsent(op) for op in updates_with(desk, record, name))


def _end_lock(desk: DeskPorts, record: MirrorRecord, name: str) -> Lock | None:
    return desk.store.locks.end(record.entity, record.id, name, desk.now(), desk.actor)


def _read_again(desk: DeskPorts, item: Reconciliation) -> None:
    """Have a record that was kept out for this field judged again at the next sync."""
    if item.conflict_type != ConflictType.IDENTITY_MISMATCH:
        return
    row = quarantined_as(desk, item.connection, item.entity_type, item.entity_id)
    if row is not None:
        desk.store.quarantine.put_many([msgspec.structs.replace(row, fingerprint="")])


def _stamp(record: MirrorRecord, name: str) -> str | None:
    at = record.local_ts.get(name)
    return at.isoformat() if at else None


def _decision(
    record: MirrorRecord, action: Action, name: str, value: str | None, remote: str | None
) -> dict[str, object]:
    """Write the decision down as sync writes its own: rule, winner, loser, three sides (G4)."""
    local = record.local.get(name)
    loser = local if action == "take_remote" else remote
    return {
        "rule": f"person_{action}",
        "winner": value,
        "loser": loser,
        "base": record.base.get(name),
        "local": local,
        "remote": remote,
    }


def _field_sentence(
    item: Reconciliation, action: Action, value: str | None, operation: str | None
) -> str:
    path = f"{item.entity_type}.{item.field_name}"
    who = {"take_remote": "the CRM's value", "keep_local": "our value"}.get(action, "this value")
    sent = "; it is queued for the CRM" if operation else ""
    return f"{path}: a person decided that {who} {_quoted(value)} stands{sent}."


def _quoted(value: str | None) -> str:
    return "null" if value is None else f"'{value}'"
