"""The story of one field: who set it, when, by which rule, what lost, how its sides stand now.

Everything comes from mirror and audit; nothing is asked of the CRM. Source: seed 5.3, 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

import msgspec

from quotey.contract.drift import Parked
from quotey.contract.dto import Canonical
from quotey.contract.fields import BY_PATH, Direction, Need, Owner, Policy, Strategy
from quotey.contract.journal import AuditEvent, Lock, MirrorRecord, Operation
from quotey.contract.mapping import FieldMapping
from quotey.contract.reconciliation import Reconciliation
from quotey.desk.ports import DeskPorts
from quotey.desk.provenance import Change, changes_in, unique
from quotey.desk.standing import standing


class Loser(msgspec.Struct, frozen=True, kw_only=True):
    """A value that did not stand, and why."""

    value: str | None
    at: datetime
    actor: str
    rule: str
    sentence: str
    correlation_id: str


class FieldStory(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one field of one record.

    `set_by` and `set_at` tell who put `local` there; `rule`, `sentence` and `correlation_id` are of
    the newest decision that let it stand. They are empty when the audit does not tell (its body
    was erased). `remote` is what the CRM holds as far as it is known: the value not taken, else the
    base. `in_flight` are values sent and not settled. `standing` says how our value stands to
    theirs, `next` what helps where nothing goes by itself. `parked` says why the field does not
    flow because of how the CRM defines it.
    """

    field: str
    local: str | None
    base: str | None
    remote: str | None
    owner: Owner
    direction: Direction
    policy: Policy
    need: Need
    path: str
    strategy: Strategy | None = None
    set_by: str = ""
    set_at: datetime | None = None
    rule: str = ""
    sentence: str = ""
    correlation_id: str = ""
    losers: tuple[Loser, ...] = ()
    lock: Lock | None = None
    items: tuple[Reconciliation, ...] = ()
    waiting: tuple[Operation, ...] = ()
    in_flight: tuple[str | None, ...] = ()
    history: tuple[Change, ...] = ()
    correlation_ids: tuple[str, ...] = ()
    standing: str = ""
    next: tuple[str, ...] = ()
    parked: Parked | None = None


def story_of(
    desk: DeskPorts,
    record: MirrorRecord,
    field: FieldMapping,
    *,
    items: Sequence[Reconciliation],
    events: Sequence[AuditEvent],
) -> FieldStory:
    """Tell the story of one field; `items` and `events` (newest first) are those of the record."""
    name, ids, store = field.name, [record.id], desk.store
    row = BY_PATH.get(f"{record.entity}.{name}")
    history = changes_in(events, name)
    local = _side(record, record.local, name)
    base = _side(record, record.base, name)
    in_flight = store.outbox.in_flight_values(record.connection, record.entity, ids)
    waiting = store.outbox.pending_for(record.entity, record.id)
    speaking = tuple(item for item in items if item.field_name in (name, "*"))
    how = standing(record, field, waiting=waiting, items=speaking)
    return FieldStory(
        field=name,
        local=local,
        base=base,
        remote=record.remote.get(name, base),
        owner=row.owner if row else Owner.POLICY,
        direction=field.direction,
        policy=field.policy,
        need=field.need,
        path=field.path,
        strategy=field.strategy,
        losers=tuple(_loser(one) for one in history if one.has_loser),
        lock=store.locks.active(record.entity, ids, desk.now()).get(record.id, {}).get(name),
        items=speaking,
        waiting=tuple(op for op in waiting if name in op.payload),
        in_flight=in_flight.get(record.id, {}).get(name, ()),
        history=history,
        correlation_ids=unique(one.correlation_id for one in history),
        standing=how.sentence,
        next=how.next,
        parked=_parked(desk, record, name),
        **_origin([one for one in history if one.after == local]),
    )


def _parked(desk: DeskPorts, record: MirrorRecord, name: str) -> Parked | None:
    found = desk.store.schemas.parked(record.connection)
    mine = (one for one in found if (one.entity, one.field) == (record.entity, name))
    return next(mine, None)


def _side(record: MirrorRecord, side: Canonical, name: str) -> str | None:
    """Give a side's value; the id of a record is its ref."""
    return record.crm_ref if name == "id" else side.get(name)


class _Origin(TypedDict, total=False):
    set_by: str
    set_at: datetime
    rule: str
    sentence: str
    correlation_id: str


def _origin(upheld: Sequence[Change]) -> _Origin:
    """Tell who set the value and by which rule it stands; `upheld` are its events, newest first."""
    if not upheld:
        return {}
    setter = next((one for one in upheld if one.sets), upheld[-1])
    return {
        "set_by": "the CRM" if setter.by_crm else setter.actor,
        "set_at": setter.at,
        "rule": upheld[0].rule,
        "sentence": upheld[0].sentence,
        "correlation_id": upheld[0].correlation_id,
    }


def _loser(change: Change) -> Loser:
    return Loser(
        value=change.loser,
        at=change.at,
        actor=change.actor,
        rule=change.rule,
        sentence=change.sentence,
        correlation_id=change.correlation_id,
    )
