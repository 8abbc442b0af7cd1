"""What one inbound record changes here: mirror, items, audit, and what is to be sent again.

Reading the record is the mapping's affair and storing the plan the shell's; the merge of a single
field is in `merge`. Source: seed 4, 5; design sections 4, 5, 9; ADR 0002.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from quotey.contract.dto import Canonical, RemoteRecord
from quotey.contract.journal import Lock, MirrorRecord, RecordState
from quotey.contract.mapping import EntityMapping, FieldMapping
from quotey.contract.reconciliation import ConflictType
from quotey.decide.currency import is_in_other_currency
from quotey.decide.evidence import evidence
from quotey.decide.gone import (
    MassCounts,
    MassLimits,
    is_stale,
    mass_change,
    plan_gone,
    plan_old_ref,
)
from quotey.decide.items import ACCEPTED, WHOLE_RECORD, drafts, settled
from quotey.decide.merge import merge_field
from quotey.decide.plan import FieldDecision, ItemDraft, PlanKind, RecordFacts, RecordPlan
from quotey.decide.quarantine import PARENT, other_identity, plan_reject, without_parent
from quotey.decide.verdict import (
    Ask,
    FieldFacts,
    Keep,
    Pending,
    Reassert,
    Side,
    Take,
    carry_out,
    is_quiet,
)

__all__ = [
    "WHOLE_RECORD",
    "FieldDecision",
    "ItemDraft",
    "MassCounts",
    "MassLimits",
    "RecordFacts",
    "RecordPlan",
    "first_sight",
    "held_facts",
    "is_stale",
    "mass_change",
    "plan_gone",
    "plan_old_ref",
    "plan_record",
    "plan_reject",
]


def plan_record(facts: RecordFacts) -> RecordPlan:
    """Plan one record that the mapping could read. Planning it twice is planning it once.

    An older revision changes nothing; a record whose parent or identity is in doubt goes to
    quarantine and leaves the mirror's values alone, with its content hash emptied, so that it is
    looked at again even if the CRM goes back to what we knew.
    """
    mirror = facts.mirror
    if mirror is not None and is_stale(mirror, facts.record):
        return RecordPlan(kind="stale")
    if not facts.parent_known and facts.values.get(PARENT) is not None:
        return without_parent(facts)
    return _create(facts) if mirror is None else _update(facts, mirror)


def first_sight(facts: RecordFacts) -> tuple[FieldDecision, ...]:
    """Give the decisions of a record that is seen for the first time: everything is taken."""
    return tuple(
        FieldDecision(
            facts=_field_facts(facts, field, None),
            verdict=Take(facts.values[field.name], rule="first_seen"),
        )
        for field in facts.mapping.fields
        if field.name in facts.values
    )


def held_facts(
    mirror: MirrorRecord, mapping: EntityMapping, *, now: datetime, locks: dict[str, Lock]
) -> RecordFacts:
    """Give the facts to plan the values that were not taken, once a lock has ended.

    They are what the CRM last said, so nothing has to be read again.
    """
    return RecordFacts(
        id=mirror.id,
        connection=mirror.connection,
        mapping=mapping,
        values=mirror.remote,
        record=RemoteRecord(
            crm_ref=mirror.crm_ref or "",
            source_ts=mirror.source_ts or now,
            source_version=mirror.source_version,
            payload=b"",
        ),
        content_hash=mirror.content_hash,
        now=now,
        mirror=mirror,
        locks=locks,
        extras=mirror.extras,
    )


# --- a record that is new ------------------------------------------------------------------------


def _create(facts: RecordFacts) -> RecordPlan:
    """Take everything: there is nothing here that could clash.

    This is the hot path of a first load, so it builds no decisions (`first_sight` does).
    """
    record = MirrorRecord(
        connection=facts.connection,
        entity=facts.mapping.entity,
        id=facts.id,
        crm_ref=facts.record.crm_ref,
        local=dict(facts.values),
        base=dict(facts.values),
        source_ts=facts.record.source_ts,
        source_version=facts.record.source_version,
        content_hash=facts.content_hash,
        extras=facts.extras,
    )
    body: dict[str, object] = {"rule": "first_seen", "values": record.local}
    return RecordPlan(
        kind="create",
        record=record,
        resolved=ACCEPTED if facts.may_have_items else (),
        audit=(("record.created", body),),
        diagnostics=facts.diagnostics,
    )


# --- a record that we know -----------------------------------------------------------------------


def _update(facts: RecordFacts, mirror: MirrorRecord) -> RecordPlan:
    decisions = tuple(_decide(facts, mirror))
    mismatched = tuple(
        one
        for one in decisions
        if isinstance(one.verdict, Ask)
        and one.verdict.conflict_type is ConflictType.IDENTITY_MISMATCH
    )
    if mismatched:
        return other_identity(facts, mirror, mismatched)
    record = _carried_out(facts, mirror, decisions)
    told = tuple(one for one in decisions if not is_quiet(one.verdict))
    items = drafts(told, record, facts.record)
    return RecordPlan(
        kind=_kind(mirror, record, asks=bool(items)),
        record=record if record != mirror else None,
        decisions=told,
        items=items,
        resolved=settled(facts, mirror, decisions),
        reassert=tuple(one.field for one in decisions if _goes_out(one, mirror)),
        audit=evidence(facts.record, told),
        diagnostics=facts.diagnostics,
    )


def _goes_out(one: FieldDecision, mirror: MirrorRecord) -> bool:
    """Whether the local value is to be sent.

    What was edited here while the record was gone, or while a person was asked about the field, was
    not sent then; once the CRM is back where it was, it goes.
    """
    if isinstance(one.verdict, Keep | Pending) and (
        mirror.state is RecordState.GONE or one.field in mirror.remote
    ):
        return one.facts.field.flows_out
    return isinstance(one.verdict, Reassert)


def _decide(facts: RecordFacts, mirror: MirrorRecord) -> Iterable[FieldDecision]:
    """Merge the fields that the CRM spoke of, past those that stand as they stood."""
    for field in facts.mapping.fields:
        remote: Side = facts.values.get(field.name, UNSET)
        if remote is UNSET or (
            remote == mirror.base.get(field.name, UNSET) == mirror.local.get(field.name, UNSET)
            and field.name not in mirror.remote
        ):
            continue
        field_facts = _field_facts(facts, field, mirror)
        yield FieldDecision(facts=field_facts, verdict=merge_field(field_facts))


def _field_facts(
    facts: RecordFacts, field: FieldMapping, mirror: MirrorRecord | None
) -> FieldFacts:
    name = field.name
    lock = facts.locks.get(name)
    other_currency = mirror is not None and is_in_other_currency(field, facts.values, mirror)
    return FieldFacts(
        entity=facts.mapping.entity,
        field=field,
        base=mirror.base.get(name, UNSET) if mirror and not other_currency else UNSET,
        local=mirror.local.get(name, UNSET) if mirror else UNSET,
        remote=facts.values.get(name, UNSET),
        lock=lock if lock is not None and lock.until > facts.now else None,
        in_flight=facts.in_flight.get(name, ()),
        local_ts=mirror.local_ts.get(name) if mirror else None,
        remote_ts=facts.record.source_ts,
        tolerance_seconds=facts.tolerance_seconds,
        source_priority=facts.source_priority,
        bound=mirror is not None and mirror.crm_ref is not None,
        other_currency=other_currency,
    )


def _carried_out(
    facts: RecordFacts, mirror: MirrorRecord, decisions: tuple[FieldDecision, ...]
) -> MirrorRecord:
    """Give the mirror as it stands once every verdict is carried out."""
    local, base, held = dict(mirror.local), dict(mirror.base), dict(mirror.remote)
    local_ts = dict(mirror.local_ts)
    for one in decisions:
        sides = carry_out(one.verdict, one.facts)
        _put(base, one.field, sides.base)
        _put(local, one.field, sides.local)
        _put(held, one.field, sides.held)
        if isinstance(one.verdict, Take):
            local_ts.pop(one.field, None)
    return replace(
        mirror,
        crm_ref=mirror.crm_ref or facts.record.crm_ref,
        local=local,
        base=base,
        remote=held,
        local_version=mirror.local_version + (local != mirror.local),
        local_ts=local_ts,
        source_ts=facts.record.source_ts,
        source_version=facts.record.source_version,
        content_hash=facts.content_hash,
        extras=facts.extras,
        state=RecordState.LIVE,
    )


def _put(values: Canonical, field: str, side: Side) -> None:
    if isinstance(side, UnsetType):
        values.pop(field, None)
    else:
        values[field] = side


def _kind(mirror: MirrorRecord, record: MirrorRecord, *, asks: bool) -> PlanKind:
    """Name what becomes of it: a change that a person must allow first is no update."""
    if not _differs(mirror, record):
        return "unchanged"
    stands = (record.local, record.state) == (mirror.local, mirror.state)
    return "conflict" if asks and stands else "update"


def _differs(mirror: MirrorRecord, record: MirrorRecord) -> bool:
    """Whether more than the revision changed; an emptied hash asks to be looked at again."""
    return not mirror.content_hash or record != replace(
        mirror,
        source_ts=record.source_ts,
        source_version=record.source_version,
        content_hash=record.content_hash,
        extras=record.extras,
    )
