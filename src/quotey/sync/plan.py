"""What a sync would do, as a value: everything is read and judged, and nothing is written.

The judging is the very code of `pull`; only the carrying out is left away. A penalty that the CRM
gives us meanwhile is stored all the same: it binds every process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UnsetType

from quotey.contract.adapter import Counting
from quotey.contract.dto import CrmSyncResultDto
from quotey.contract.errors import RemoteFailure
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.journal import (
    PENDING,
    Counts,
    Operation,
    OpKind,
    OpState,
    RecordState,
    SyncDirection,
)
from quotey.contract.mapper import Mapped, Taken
from quotey.contract.moments import moment
from quotey.decide.inbound import MassCounts, mass_change
from quotey.decide.plan import FieldDecision
from quotey.decide.verdict import Side, carry_out
from quotey.sync import changes, drift, late, parking, waiting
from quotey.sync.changes import Judged
from quotey.sync.engine import begin
from quotey.sync.ports import Ports, Run
from quotey.sync.pull import ask_page, blank_trail, brought, is_cursor_lost
from quotey.sync.report import (
    Failure,
    PlannedField,
    PlannedOperation,
    PlannedRecord,
    SyncPlan,
    exit_code,
    failure,
)

_CALLS = {
    OpKind.WRITE_QUOTE: 3,
    OpKind.CREATE_DEAL: 1,
    OpKind.UPDATE_DEAL: 2,
    OpKind.UPDATE_ACCOUNT: 2,
}
"""Requests that one operation costs when all goes well, where the adapter does not say."""


class _Draft(msgspec.Struct, kw_only=True):
    """A plan while it is made. `parents` are the accounts that would be created, by ref."""

    records: list[PlannedRecord] = msgspec.field(default_factory=list)
    counts: dict[str, Counts] = msgspec.field(default_factory=dict)
    parents: dict[str, str] = msgspec.field(default_factory=dict)
    mass: list[str] = msgspec.field(default_factory=list)
    failures: list[Failure] = msgspec.field(default_factory=list)
    calls: int = 0


def plan(
    ports: Ports, *, correlation_id: str | None = None, entities: Sequence[Entity] = MIRRORED
) -> SyncPlan:
    """Say what `engine.run` would do now, field by field, with the rule as a sentence.

    What cannot be read is told in `failures`; nothing is raised for it.
    """
    this, draft = begin(ports, correlation_id=correlation_id), _Draft()
    counting = ports.adapter if isinstance(ports.adapter, Counting) else None
    before = counting.calls_sent if counting else 0
    for entity in (one for one in this.readable() if one in entities):
        try:
            _plan_entity(this, entity, draft)
        except RemoteFailure as failed:
            draft.failures.append(_told(this, entity, failed))
            break
    # A sync reads what was read here, so what that took is what it will take.
    reads = counting.calls_sent - before if counting else draft.calls
    operations = tuple(_planned_operations(this))
    return SyncPlan(
        correlation_id=this.correlation_id,
        connection=this.connection,
        provider=ports.adapter.provider,
        mode=ports.mode,
        records=tuple(draft.records),
        operations=operations,
        counts=draft.counts,
        mass_change=tuple(draft.mass),
        parked=this.store.schemas.parked(this.connection),
        failures=tuple(draft.failures),
        calls=reads + sum(one.calls for one in operations) + late.due(this) + drift.calls(this),
        exit_code=_exit_of(draft),
    )


def _exit_of(draft: _Draft) -> int:
    needy = sum(bool(one.conflicts or one.problems) for one in draft.records) + len(draft.mass)
    return exit_code(tuple(draft.failures), needy)


def _told(this: Run, entity: Entity, failed: RemoteFailure) -> Failure:
    return failure(
        failed.error_class,
        failed.message,
        provider=this.ports.adapter.provider,
        correlation_id=this.correlation_id,
        entities=(str(entity),),
    )


def _plan_entity(this: Run, entity: Entity, draft: _Draft) -> None:
    state = this.store.sync_state.get(this.connection, entity, SyncDirection.INBOUND)
    same = state.fingerprint == parking.fingerprint(this, entity)
    cursor = state.cursor if same else ""
    counts = draft.counts[str(entity)] = Counts()
    for page in _pages(this, entity, cursor, draft):
        seen, unchanged = changes.gather(this, entity, page.records)
        with this.store.snapshot():
            judged = changes.judge(this, entity, seen, more_parents=draft.parents)
        counts.add(changes.tally(judged, unchanged))
        counts.rejected += len(page.failures)
        counts.conflicts += sum(len(one.plan.items) for one in judged if _is_conflict(one))
        draft.records += [_planned(entity, one) for one in judged if _is_news(one)]
        if entity is Entity.ACCOUNT:
            draft.parents |= {
                one.seen.record.crm_ref: one.entity_id
                for one in judged
                if one.plan.kind == "create"
            }
        this.show("plan", str(entity), counts.read)
    if cursor:
        _plan_let_in(this, entity, counts, draft)
    _plan_mass(this, entity, counts, draft, full=not cursor)


def _plan_let_in(this: Run, entity: Entity, counts: Counts, draft: _Draft) -> None:
    """Judge what would come out of quarantine; a full reading has met it on its pages."""
    for records in waiting.ready(this, entity, draft.parents):
        seen, _ = changes.gather(this, entity, records, force=True)
        with this.store.snapshot():
            judged = changes.judge(this, entity, seen, more_parents=draft.parents)
        conflicts = sum(len(one.plan.items) for one in judged if _is_conflict(one))
        counts.add(waiting.let_in(judged, conflicts))
        known = {(one.entity, one.crm_ref) for one in draft.records}
        draft.records += [
            _planned(entity, one)
            for one in judged
            if _is_news(one) and (entity, one.seen.record.crm_ref) not in known
        ]


def _pages(this: Run, entity: Entity, cursor: str, draft: _Draft) -> Iterator[CrmSyncResultDto]:
    trail, more = blank_trail(this, entity), True
    while more:
        page = _page(this, entity, cursor)
        draft.calls += 1
        trail.follow(cursor, page.next_cursor, brought=brought(page), more=page.has_more)
        yield page
        cursor, more = page.next_cursor, page.has_more


def _page(this: Run, entity: Entity, cursor: str) -> CrmSyncResultDto:
    """Ask for a page; for the first one when the source has lost the cursor, as a sync does."""
    try:
        return ask_page(this, entity, cursor)
    except RemoteFailure as failed:
        if not cursor or not is_cursor_lost(failed):
            raise
        return ask_page(this, entity, "")


def _plan_mass(this: Run, entity: Entity, counts: Counts, draft: _Draft, *, full: bool) -> None:
    live = this.store.records.count_by_state(this.connection, entity)[RecordState.LIVE]
    why = mass_change(
        MassCounts(
            mirrored=live,
            touched=counts.read + counts.rejected,
            gone=counts.gone,
            changed=counts.updated,
            full=full,
        ),
        this.limits.mass,
    )
    if why is not None:
        draft.mass.append(why)


_QUIET = ("unchanged", "stale")


def _is_news(one: Judged) -> bool:
    return one.plan.kind not in _QUIET or bool(one.plan.items)


def _is_conflict(one: Judged) -> bool:
    return one.plan.kind not in ("reject", "quarantine")


def _planned(entity: Entity, one: Judged) -> PlannedRecord:
    would_fail = not _is_conflict(one)
    action = "would_fail" if would_fail else "conflict" if one.plan.items else one.plan.kind
    problems = tuple(problem.message for problem in one.plan.diagnostics) if would_fail else ()
    return PlannedRecord(
        entity=entity,
        crm_ref=one.seen.record.crm_ref,
        entity_id=one.entity_id,
        action=action,
        name=(one.plan.record.local.get("name") or "") if one.plan.record is not None else "",
        fields=_first_values(one) if one.plan.kind == "create" else _fields(one.plan.decisions),
        conflicts=tuple(dict.fromkeys(item.conflict_type for item in one.plan.items)),
        problems=problems,
    )


def _first_values(one: Judged) -> tuple[PlannedField, ...]:
    """Every field of a new record is taken as it comes."""
    values = one.plan.record.local if one.plan.record is not None else {}
    assert isinstance(one.seen.mapped, Mapped | Taken), "only a mapped record is created"
    return tuple(
        PlannedField(
            field=name,
            rule="first_seen",
            sentence="It is seen for the first time, and taken.",
            remote=value,
            result=value,
        )
        for name, value in values.items()
    )


def _fields(decisions: Sequence[FieldDecision]) -> tuple[PlannedField, ...]:
    return tuple(
        PlannedField(
            field=one.field,
            rule=one.verdict.rule,
            sentence=one.sentence,
            base=_text(one.base),
            local=_text(one.local),
            remote=_text(one.remote),
            result=_text(carry_out(one.verdict, one.facts).local),
        )
        for one in decisions
    )


def _text(side: Side) -> str | None:
    return None if isinstance(side, UnsetType) else side


def _planned_operations(this: Run) -> Iterator[PlannedOperation]:
    after = 0
    lanes: set[str] = set()
    while batch := this.store.outbox.list(this.connection, states=PENDING, limit=500, after=after):
        after = batch[-1].seq
        for op in batch:
            yield _planned_operation(this, op, behind=op.lane in lanes)
            lanes.add(op.lane)


def _planned_operation(this: Run, op: Operation, *, behind: bool) -> PlannedOperation:
    action, sentence = _turn(this, op, behind=behind)
    return PlannedOperation(
        id=op.id,
        kind=op.kind,
        entity=op.entity,
        entity_id=op.entity_id,
        state=op.state,
        action=action,
        sentence=sentence,
        fields=tuple(sorted(op.payload)),
        due_at=op.due_at,
        calls=_calls_of(this, op.kind) if action in ("send", "verify", "follow") else 0,
    )


def _calls_of(this: Run, kind: OpKind) -> int:
    adapter = this.ports.adapter
    return adapter.calls_of(kind) if isinstance(adapter, Counting) else _CALLS[kind]


def _turn(this: Run, op: Operation, *, behind: bool) -> tuple[str, str]:
    """Say what this sync would do with one operation."""
    if op.state is OpState.HELD:
        return "hold", f"Held ({op.hold}): {op.error or 'until that is mended'}"
    if op.state is OpState.LEASED:
        return "leave", "Another worker is sending it."
    if op.due_at > this.now():
        return "wait", f"Not before {moment(op.due_at)}."
    if behind:
        return "follow", "Sent after what is before it in its lane."
    if op.sent_at is not None:
        return "verify", "It may have landed: looked at first, sent again only if it is not there."
    return "send", "Sent, unless the CRM turns out to hold something newer."
