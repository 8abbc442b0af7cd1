"""Accepting that a record is gone from the CRM: what waited to be written to it is dropped.

Quotes stay as they are, and so does the record, as a tombstone. Every function runs inside the
caller's transaction. Source: ADR 0004.
"""

from __future__ import annotations

import msgspec

from quotey.contract.counting import counted
from quotey.contract.errors import RefusedError
from quotey.contract.journal import MirrorRecord, Operation, OpState, RecordState
from quotey.contract.reconciliation import ConflictType, Reconciliation
from quotey.decide.lifecycle import OpEvent
from quotey.decide.settle import Settlement
from quotey.desk import outbox
from quotey.desk.dropping import MANY
from quotey.desk.effect import Effect
from quotey.desk.ports import DeskPorts
from quotey.desk.rebinding import close_siblings, subject
from quotey.desk.record_writes import note_record

_LEFT = (OpState.QUEUED, OpState.UNKNOWN, OpState.HELD, OpState.CONFLICT, OpState.DEAD)
"""States in which a person may still drop an operation."""


def accept_gone(desk: DeskPorts, item: Reconciliation, _settlement: Settlement) -> Effect:
    """Let the CRM's deletion stand; it cannot be undone, but a record that returns is seen.

    Raises `RefusedError` while something is being sent to the record.
    """
    record = subject(desk, item)
    lane = f"{record.entity}/{record.id}"
    _refuse_sending(desk, item, lane)
    waiting = desk.store.outbox.list(record.connection, states=_LEFT, lane=lane, limit=MANY)
    why = f"{record.entity} {record.id} is gone from the CRM, accepted by {desk.actor}"
    closed = _dropped(desk, item, waiting, why)
    closed += close_siblings(desk, item, record, why, (ConflictType.REMOTE_GONE,))
    _bury(desk, record)
    return Effect(
        sentence=_sentence(record, len(waiting)),
        before=str(record.state),
        after=str(RecordState.GONE),
        operation_id=item.operation_id,
        facts={"record": record.id, "discarded": [op.id for op in waiting]},
        closed_items=tuple(dict.fromkeys(closed)),
    )


def _refuse_sending(desk: DeskPorts, item: Reconciliation, lane: str) -> None:
    sending = desk.store.outbox.list(item.connection, states=(OpState.LEASED,), lane=lane, limit=1)
    if sending:
        raise RefusedError(
            f"{item.id}: operation {sending[0].id} is being sent right now; decide once it has "
            "ended. Nothing was changed.",
            next=(f"quotey crm outbox show {sending[0].id}",),
        )


def _dropped(
    desk: DeskPorts, item: Reconciliation, waiting: tuple[Operation, ...], why: str
) -> tuple[str, ...]:
    """Drop operations and close what spoke of them, but for the item in hand."""
    assert all(outbox.may(op, OpEvent.DISCARD) for op in waiting), "the table allows them all"
    return tuple(
        closed for op in waiting for closed in outbox.discard_for(desk, op, why, in_hand=item.id)
    )


def _bury(desk: DeskPorts, record: MirrorRecord) -> None:
    """Make a tombstone of a record whose deletion only a write has told us of so far.

    Its content hash stays, so that only a newer revision brings it back (reliability G13).
    """
    if record.state is RecordState.GONE or record.crm_ref is None or _came_back(desk, record):
        return
    gone = msgspec.structs.replace(record, state=RecordState.GONE)
    desk.store.records.put_many([gone])
    note_record(desk, "record.gone", gone, None, {}, crm_ref=record.crm_ref, merged_into=None)


def _came_back(desk: DeskPorts, record: MirrorRecord) -> bool:
    """Whether it lives here because the CRM has shown it again after its end was told of."""
    kind, id_ = "record.gone", record.id
    return bool(desk.store.audit.list(entity=record.entity, entity_id=id_, kind=kind, limit=1))


def _sentence(record: MirrorRecord, count: int) -> str:
    what = f"{record.entity} {record.id}"
    about = f"{what} is not made in the CRM" if record.crm_ref is None else f"{what} is gone"
    dropped = counted(count, "operation is", "operations are")
    return f"Accepted that {about}; {dropped} discarded, and its quotes are untouched."
