"""Changing the fields of a mirrored deal or account that flow out to the CRM.

Both entities are changed in one way; `deals` and `accounts` only name them.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf

from quotey.contract.dto import Canonical, Value
from quotey.contract.errors import RefusedError, UsageError
from quotey.contract.fields import Entity
from quotey.contract.journal import MirrorRecord, RecordState
from quotey.contract.moments import moment
from quotey.contract.reconciliation import ConflictType
from quotey.desk.ports import DeskPorts
from quotey.desk.record_checks import Changes, checked, record_currency
from quotey.desk.record_writes import (
    RecordAnswer,
    changed,
    note_record,
    queue_update,
    updates_with,
)
from quotey.desk.references import find

_UNDECIDED = (ConflictType.LOCKED_FIELD_OVERWRITE, ConflictType.UNDECIDED_MERGE)


def update(
    desk: DeskPorts, entity: Entity, reference: str, asked: MappingOf[str, Value]
) -> RecordAnswer:
    """Change fields of a record here and queue them for the CRM; null and blank clear.

    A waiting update of the same record is taken over. Fields that say so already are left out,
    unless the CRM holds something else and nothing is on its way (their update was dropped).
    Raises `UsageError` with every problem, `NotFoundError`, and `RefusedError` when the record is
    gone, somebody else locked the field, or the field waits for a decision.
    """
    if not asked:
        raise UsageError(
            f"No field of the {entity} was named. Nothing was changed.",
            next=(f"quotey crm {entity} update {reference} field=value",),
        )
    with desk.store.transaction(f"{entity}.update"):
        record = find(desk, entity, reference)
        values = checked(_changes(desk, record, asked), f"The {entity} was not updated")
        new = {name: text for name, text in values.items() if _is_news(desk, record, name, text)}
        if not new:
            return RecordAnswer(record=record, changed=False)
        _refuse(desk, record, new)
        after = changed(desk, record, new)
        desk.store.records.put_many([after])
        queued = queue_update(desk, after, new)
        before: Canonical = {name: record.local[name] for name in new if name in record.local}
        note_record(desk, f"{entity}.updated", after, before, new, operation=queued.id)
        return RecordAnswer(
            record=after,
            operation_id=queued.id,
            superseded=queued.superseded,
            closed_items=queued.closed_items,
        )


def _changes(desk: DeskPorts, record: MirrorRecord, asked: MappingOf[str, Value]) -> Changes:
    return Changes(
        mapping=desk.mapping_of(record.connection),
        entity=record.entity,
        asked=dict(asked),
        currency=record_currency(record),
    )


def _is_news(desk: DeskPorts, record: MirrorRecord, name: str, text: str | None) -> bool:
    """Whether a value is another one, or one that stands here only and that nothing carries."""
    if name not in record.local or record.local[name] != text:
        return True
    return is_unsent(record, name) and not updates_with(desk, record, name)


def is_unsent(record: MirrorRecord, name: str) -> bool:
    """Whether the CRM, as far as we know, holds another value than the one that stands here.

    Not asked of a record that the CRM does not have yet, nor of a value that a person must decide.
    """
    if record.crm_ref is None or name in record.remote or name not in record.local:
        return False
    return name not in record.base or record.base[name] != record.local[name]


def _refuse(desk: DeskPorts, record: MirrorRecord, new: Canonical) -> None:
    """Refuse what a person has to settle first."""
    refuse_gone(record)
    _refuse_locked(desk, record, new)
    _refuse_undecided(desk, record, new)


def refuse_gone(record: MirrorRecord) -> None:
    """Raise `RefusedError` when the record is gone in the CRM."""
    if record.state == RecordState.GONE:
        raise RefusedError(
            f"{record.entity.capitalize()} {record.id} is gone in the CRM. Nothing was changed.",
            next=(f"quotey crm reconcile list --entity {record.entity}/{record.id}",),
        )


def _refuse_locked(desk: DeskPorts, record: MirrorRecord, new: Canonical) -> None:
    """A lock freezes a field for everybody but the person who set it."""
    locks = desk.store.locks.active(record.entity, [record.id], desk.now()).get(record.id, {})
    for name, lock in locks.items():
        if name in new and lock.actor != desk.actor:
            raise RefusedError(
                f"{record.entity}.{name} of {record.id} is locked by {lock.actor} until "
                f"{moment(lock.until)} ({lock.reason}). Nothing was changed.",
                next=(f"quotey crm unlock {record.entity}/{record.id} {name}",),
            )


def _refuse_undecided(desk: DeskPorts, record: MirrorRecord, new: Canonical) -> None:
    items = desk.store.items.open_for(record.entity, [record.id]).get(record.id, ())
    for item in items:
        if item.field_name in new and item.conflict_type in _UNDECIDED:
            raise RefusedError(
                f"{record.entity}.{item.field_name} of {record.id} waits for a decision "
                f"({item.id}): settle it with the value you want. Nothing was changed.",
                next=(
                    f"quotey crm reconcile show {item.id}",
                    f"quotey crm reconcile apply {item.id} --value …",
                ),
            )
