"""Inbound records: gather what is known of them, let them be judged, apply the verdicts.

Nothing is decided here (`quotey.decide` does) and nothing is asked of the CRM. `gather` may run
outside a transaction; `judge` and `apply` run inside the one that stores their effects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from quotey.contract.drift import parked_fingerprint
from quotey.contract.dto import Canonical, RemoteRecord
from quotey.contract.fields import Entity
from quotey.contract.identity import content_hash, local_id
from quotey.contract.journal import (
    Counts,
    MirrorRecord,
    RecordState,
)
from quotey.contract.mapper import Mapped, Rejected, Taken
from quotey.contract.reconciliation import ConflictType
from quotey.decide.inbound import (
    RecordFacts,
    RecordPlan,
    plan_gone,
    plan_old_ref,
    plan_record,
    plan_reject,
)
from quotey.decide.quarantine import missing_for, wait_for_create, wait_for_fields
from quotey.store import Known
from quotey.sync import parking
from quotey.sync.order import is_older, newest
from quotey.sync.page_facts import PARENT, PageFacts, page_facts
from quotey.sync.ports import Run


class Seen(msgspec.Struct, frozen=True):
    """An inbound record that is not known to be unchanged, looked at with the mapping.

    `mapped` is None for a record that the CRM says has ended.
    """

    record: RemoteRecord
    content_hash: str
    mapped: Mapped | Taken | Rejected | None

    @property
    def parent_ref(self) -> str | None:
        """The parent's `crm_ref`, if the record names one."""
        read = self.mapped if isinstance(self.mapped, Mapped | Taken) else None
        return read.values.get(PARENT) if read is not None else None


class Judged(msgspec.Struct, frozen=True):
    """A record, our id for it, and what is to become of it; `was_out`: it stands in quarantine."""

    seen: Seen
    entity_id: str
    plan: RecordPlan
    parent_ref: str = ""
    was_out: bool = False


def gather(
    run: Run, entity: Entity, records: Sequence[RemoteRecord], *, force: bool = False
) -> tuple[list[Seen], int]:
    """Map what changed; unchanged records cost one look-up each and are only counted.

    Of a record that comes twice the newest revision stays. `force` looks at all of them. One that
    says the same under another revision is looked at too: were that revision not noted, a late page
    from before it would be taken for news (reliability G13).
    """
    fresh = newest(records)
    parked = parking.not_taken(run, entity)
    fingerprint = parked_fingerprint(run.mapped(entity).fingerprint, parked)
    known = {} if force else run.store.records.hashes(run.connection, entity, list(fresh))
    seen: list[Seen] = []
    for ref, record in fresh.items():
        digest = content_hash(fingerprint, record)
        if not _is_known(known.get(ref), record, digest):
            seen.append(Seen(record, digest, _look(run, entity, record, parked)))
    return seen, len(fresh) - len(seen)


def _is_known(known: Known | None, record: RemoteRecord, digest: str) -> bool:
    """Whether we have this revision, with this content."""
    return (
        known is not None
        and known.content_hash == digest
        and known.source_version == record.source_version
    )


def _look(
    run: Run, entity: Entity, record: RemoteRecord, parked: frozenset[str]
) -> Mapped | Taken | Rejected | None:
    if record.deleted or record.merged_into is not None:
        return None
    if parked:
        return run.mapper.read_without(entity, record, parked)
    return run.mapper.read(entity, record)


def judge(
    run: Run,
    entity: Entity,
    seen: Sequence[Seen],
    *,
    more_parents: Mapping[str, str] | None = None,
) -> list[Judged]:
    """Say what becomes of each record, by what the store holds now.

    `more_parents` are parents that a dry run would have created, by ref.
    """
    parent_refs = sorted({one.parent_ref for one in seen if one.parent_ref is not None})
    stamps = {one.record.crm_ref: one.record.source_ts for one in seen}
    known = page_facts(run, entity, stamps, parent_refs, more_parents or {})
    judged = [_judge_one(run, entity, one, known) for one in seen]
    if not known.kept_out:
        return judged
    return [
        msgspec.structs.replace(one, was_out=one.seen.record.crm_ref in known.kept_out)
        for one in judged
    ]


def _judge_one(run: Run, entity: Entity, seen: Seen, known: PageFacts) -> Judged:
    record = seen.record
    mirror = known.mirrors.get(record.crm_ref)
    id_ = mirror.id if mirror else known.ids[record.crm_ref]
    waiting = known.kept_out.get(record.crm_ref)
    if waiting is not None and waiting.payload is not None and is_older(record, waiting):
        return Judged(seen, id_, RecordPlan(kind="stale"))
    current = known.aliases.get(id_, record.crm_ref)
    if mirror is not None and current != record.crm_ref:
        return Judged(seen, id_, plan_old_ref(mirror, record, current))
    match seen.mapped:
        case None:
            return Judged(seen, id_, _ended(run, entity, seen, mirror))
        case Rejected(problems=problems):
            mapping = run.mapped(entity)
            plan = plan_reject(record, problems, mapping=mapping, entity_id=id_, mirror=mirror)
            return Judged(seen, id_, plan)
        case Mapped() | Taken() as mapped:
            return _judge_mapped(run, entity, seen, mapped, id_, mirror, known)


def _judge_mapped(
    run: Run,
    entity: Entity,
    seen: Seen,
    mapped: Mapped | Taken,
    id_: str,
    mirror: MirrorRecord | None,
    known: PageFacts,
) -> Judged:
    values, parent_ref = _with_parent(mapped.values, known.parents)
    if mirror is None and values.get(PARENT) in known.creating_for:
        return Judged(seen, id_, wait_for_create(seen.record, entity))
    waits = missing_for(run.mapped(entity), known.parked) if mirror is None and known.parked else ()
    if waits:
        return Judged(seen, id_, wait_for_fields(seen.record, entity, waits))
    plan = plan_record(
        RecordFacts(
            id=id_,
            connection=run.connection,
            mapping=run.mapped(entity),
            values=values,
            record=seen.record,
            content_hash=seen.content_hash,
            now=known.now,
            mirror=mirror,
            locks=known.locks.get(id_, {}),
            in_flight=known.in_flight.get(id_, {}),
            extras=mapped.extras,
            diagnostics=mapped.diagnostics,
            tolerance_seconds=run.ports.mapping.clock_tolerance_seconds,
            source_priority=run.ports.mapping.source_priority,
            parent_known=not parent_ref,
            may_have_items=id_ in known.with_items,
        )
    )
    return Judged(seen, id_, plan, parent_ref)


def _with_parent(values: Canonical, parents: Mapping[str, str]) -> tuple[Canonical, str]:
    """Turn the parent's ref into our id; gives the ref that is not known here, else ""."""
    ref = values.get(PARENT)
    if ref is None:
        return values, ""
    if ref in parents:
        return {**values, PARENT: parents[ref]}, ""
    return values, ref


def _ended(run: Run, entity: Entity, seen: Seen, mirror: MirrorRecord | None) -> RecordPlan:
    """Plan a record that was deleted or merged; one that we never let in leaves nothing behind.

    What kept it out is moot then.
    """
    if mirror is None:
        return RecordPlan(kind="unchanged", resolved=_MOOT)
    in_use = mirror.state is RecordState.LIVE and _in_use(run, entity, mirror.id)
    plan = plan_gone(mirror, seen.record, content_hash=seen.content_hash, in_use=in_use)
    return plan if plan.kind == "stale" else msgspec.structs.replace(plan, resolved=_MOOT)


_MOOT = tuple(
    ("*", type_, "The CRM no longer has the record.")
    for type_ in (ConflictType.SCHEMA_MAPPING_MISMATCH, ConflictType.MISSING_PARENT)
)


def _in_use(run: Run, entity: Entity, id_: str) -> bool:
    """Whether quotes, waiting operations or a person's lock hang on the record."""
    if run.store.outbox.pending(run.connection, f"{entity}/{id_}"):
        return True
    if run.store.locks.active(entity, (id_,), run.now()):
        return True
    return entity is Entity.DEAL and bool(run.store.quotes.list(id_, 1))


def tally(judged: Iterable[Judged], unchanged: int) -> Counts:
    """Count what the plans would do; conflicts are counted when their items are recorded."""
    counts = Counts(unchanged=unchanged, read=unchanged)
    for one in judged:
        counts.read += 1
        if one.plan.kind != "conflict":
            name = _COUNTED[one.plan.kind]
            setattr(counts, name, getattr(counts, name) + 1)
    return counts


_COUNTED = {
    "create": "created",
    "update": "updated",
    "unchanged": "unchanged",
    "stale": "stale",
    "gone": "gone",
    "reject": "rejected",
    "quarantine": "rejected",
}


def id_of(run: Run, entity: Entity, crm_ref: str) -> str:
    """Give our id of a record: the bound one, or the one that it would get."""
    bound = run.store.records.ids_of(run.connection, entity, (crm_ref,))
    return bound.get(crm_ref) or local_id(run.connection, entity, crm_ref)
