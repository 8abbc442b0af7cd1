"""Locks: a person freezes one field of one record for a while, with a reason.

While it stands, what the CRM says is not taken but shown to a person (seed 5.2, class 2).
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from quotey.contract.errors import NotFoundError, UsageError
from quotey.contract.fields import Policy
from quotey.contract.journal import Lock, MirrorRecord
from quotey.contract.problems import did_you_mean
from quotey.contract.values import NAME_BYTES, read_text
from quotey.desk.durations import parse_span
from quotey.desk.ports import DeskPorts, audit, problem, readable_mapping, told
from quotey.desk.references import find, mirrored, split


def lock(desk: DeskPorts, reference: str, field: str, *, duration: str, reason: str) -> Lock:
    """Freeze a field of `deal/<id>` for so long (`48h`, `2d`, `90m`), in place of any earlier lock.

    Raises `UsageError` with every problem, `NotFoundError` for an unknown record.
    """
    entity, key = split(reference)
    with desk.store.transaction("lock"):
        record = find(desk, mirrored(entity), key)
        now = desk.now()
        span, why = _checked(desk, record, field, duration, reason)
        before = _standing(desk, record, field)
        after = Lock(
            entity=record.entity,
            entity_id=record.id,
            field=field,
            actor=desk.actor,
            reason=why,
            since=now,
            until=now + span,
        )
        desk.store.locks.put(after)
        _note(desk, "lock.set", record, field, (before, after))
        return after


def unlock(desk: DeskPorts, reference: str, field: str) -> Lock:
    """Lift a lock before its time; what it kept out is judged again at the next sync.

    Raises `NotFoundError` when no lock stands.
    """
    entity, key = split(reference)
    with desk.store.transaction("unlock"):
        record = find(desk, mirrored(entity), key)
        lifted = desk.store.locks.end(record.entity, record.id, field, desk.now(), desk.actor)
        if lifted is None:
            raise NotFoundError(
                "lock", f"on {record.entity}/{record.id} {field}", next=("quotey crm locks",)
            )
        _note(desk, "lock.lifted", record, field, (lifted, None))
        return lifted


def list_locks(desk: DeskPorts) -> tuple[Lock, ...]:
    """Give every lock that stands now, those that end first at the top."""
    with desk.store.snapshot():
        return desk.store.locks.list(desk.now())


def _checked(
    desk: DeskPorts, record: MirrorRecord, field: str, duration: str, reason: str
) -> tuple[timedelta, str]:
    problems = []
    mapping = readable_mapping(desk, record.connection).entities[record.entity]
    mapped, span, why = mapping.field(field), timedelta(0), ""
    if mapped is None:
        known = [one.name for one in mapping.fields if one.name != "id"]
        fix = did_you_mean(field, known)
        problems.append(problem("unknown_field", record.entity, field[:80], "no such field", fix))
    elif mapped.policy == Policy.IMMUTABLE_AFTER_BIND:
        problems.append(problem("not_lockable", record.entity, field, "it never changes"))
    try:
        span = parse_span(duration)
    except ValueError as error:
        problems.append(problem("bad_value", "lock", "duration", str(error)))
    try:
        why = read_text(reason, NAME_BYTES)
    except ValueError as error:
        problems.append(problem("bad_value", "lock", "reason", str(error)))
    if not why and not reason.strip():
        problems.append(problem("missing", "lock", "reason", "a lock says why"))
    if problems:
        raise UsageError(told("The field was not locked", problems), diagnostics=tuple(problems))
    return span, why


def _standing(desk: DeskPorts, record: MirrorRecord, field: str) -> Lock | None:
    active = desk.store.locks.active(record.entity, [record.id], desk.now())
    return active.get(record.id, {}).get(field)


def _note(
    desk: DeskPorts,
    kind: str,
    record: MirrorRecord,
    field: str,
    change: tuple[Lock | None, Lock | None],
) -> None:
    before, after = change
    audit(
        desk,
        kind,
        connection=record.connection,
        entity=record.entity,
        entity_id=record.id,
        body={
            "field": field,
            "before": msgspec.to_builtins(before),
            "after": msgspec.to_builtins(after),
        },
    )
