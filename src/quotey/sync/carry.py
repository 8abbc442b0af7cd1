"""Carrying out what was judged: mirror, audit, items, quarantine and re-assertions together.

Called inside one transaction, which the caller also moves its cursor in (law 7).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quotey.contract.dto import ItemFailure
from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Entity
from quotey.contract.identity import local_id
from quotey.contract.journal import AuditEvent, Hold, Operation, OpState, Quarantined
from quotey.contract.reconciliation import ConflictKey, ConflictType
from quotey.decide.items import WHOLE_RECORD
from quotey.decide.plan import ItemDraft, RecordPlan
from quotey.sync import items, parking
from quotey.sync.changes import Judged
from quotey.sync.door import event
from quotey.sync.enqueue import reassert
from quotey.sync.heard import brief
from quotey.sync.ports import Run

UNREAD = "unread"
READ_AGAIN = "read_again"
_KEPT_OUT = ("reject", "quarantine")


def carry_out(
    run: Run, entity: Entity, judged: Sequence[Judged], *, carrying: Operation | None = None
) -> int:
    """Store all effects of the judged records; gives how many conflicts were new.

    `carrying` is the operation that is being sent while this is decided, if any.
    """
    run.store.records.put_many([one.plan.record for one in judged if one.plan.record is not None])
    run.store.audit.append(_events(run, entity, judged))
    _quarantine(run, entity, judged)
    conflicts = 0
    for one in judged:
        if one.plan.items:
            conflicts += _leave_items(run, one.plan)
        closed = items.close(run, entity, one.entity_id, one.plan.resolved)
        if closed or (one.was_out and _is_let_in(one)):
            _let_go(run, entity, one.entity_id)
        if one.plan.reassert and one.plan.record is not None:
            reassert(run, one.plan.record, one.plan.reassert, carrying=carrying)
    _have_children_follow(run, judged)
    return conflicts


def _have_children_follow(run: Run, judged: Sequence[Judged]) -> None:
    """Have what hangs on merged accounts read again: moving a link need not move its stamp (2H)."""
    merged = [
        one.entity_id
        for one in judged
        if one.plan.kind == "gone" and one.seen.record.merged_into is not None
    ]
    for entity, ref in run.store.records.children(run.connection, merged) if merged else ():
        if entity in run.readable():
            read_again(run, entity, ref, "Its account was merged into another.")


def _is_let_in(one: Judged) -> bool:
    """Whether nothing keeps it out; a late page is no reason to let go what a newer one keeps."""
    return one.plan.kind not in (*_KEPT_OUT, "stale")


def _let_go(run: Run, entity: Entity, entity_id: str) -> None:
    """Queue updates that were held because the record itself broke the contract over there."""
    held = [
        op.id
        for op in run.store.outbox.pending_for(entity, entity_id)
        if op.state is OpState.HELD and op.hold is Hold.MAPPING
    ]
    if held:
        run.store.outbox.set_state(held, OpState.QUEUED, at=run.now(), due_at=run.now())


def _events(run: Run, entity: Entity, judged: Sequence[Judged]) -> list[AuditEvent]:
    """Build the events of a page: it is one transaction, so they have one moment."""
    now = run.now()
    return [
        event(run, kind, entity=entity, entity_id=one.entity_id, body=_body(one, body), at=now)
        for one in judged
        for kind, body in one.plan.audit
    ]


def _body(one: Judged, body: dict[str, object]) -> dict[str, object]:
    """Add to the decisions what was known when they were taken (seed 5.3, G4)."""
    record, kept = one.seen.record, one.plan.record
    known: dict[str, object] = {
        **body,
        "crm_ref": record.crm_ref,
        "source_ts": record.source_ts.isoformat(),
        "source_version": record.source_version,
        "local_version": kept.local_version if kept is not None else 0,
    }
    if one.plan.decisions:
        known["sentences"] = {each.field: each.sentence for each in one.plan.decisions}
    return known


def _leave_items(run: Run, plan: RecordPlan) -> int:
    fresh = sum(items.record(run, draft)[1] for draft in plan.items)
    return 0 if plan.kind in _KEPT_OUT else fresh


def _quarantine(run: Run, entity: Entity, judged: Sequence[Judged]) -> None:
    kept_out = [one for one in judged if one.plan.kind in _KEPT_OUT]
    let_in = [one.seen.record.crm_ref for one in judged if _is_let_in(one)]
    run.store.quarantine.put_many([_row(run, entity, one) for one in kept_out])
    if let_in:
        run.store.quarantine.remove(run.connection, entity, let_in)


def _row(run: Run, entity: Entity, one: Judged) -> Quarantined:
    record = one.seen.record
    return Quarantined(
        connection=run.connection,
        entity=entity,
        crm_ref=record.crm_ref,
        payload=record.payload,
        source_ts=record.source_ts,
        source_version=record.source_version,
        fingerprint=parking.fingerprint(run, entity),
        reasons=one.plan.diagnostics,
        first_seen=run.now(),
        correlation_id=run.correlation_id,
        parent_ref=one.parent_ref,
    )


def keep_unread(run: Run, entity: Entity, failures: Sequence[ItemFailure]) -> None:
    """Remember records that the source itself could not give, to ask for them again (law 8)."""
    failures = [msgspec.structs.replace(one, message=brief(one.message)) for one in failures]
    run.store.quarantine.put_many([_unread(run, entity, failure) for failure in failures])
    refs = [failure.crm_ref for failure in failures]
    known = run.store.records.ids_of(run.connection, entity, refs) if refs else {}
    for failure in failures:
        ref = failure.crm_ref
        id_ = known.get(ref) or local_id(run.connection, entity, ref)
        draft = ItemDraft(
            entity_type=entity,
            entity_id=id_,
            field_name=WHOLE_RECORD,
            conflict_type=ConflictType.SCHEMA_MAPPING_MISMATCH,
            local_value=None,
            remote_value=None,
            key=ConflictKey(
                entity_id=id_,
                field_name=WHOLE_RECORD,
                local_version=UNREAD,
                remote_version_or_timestamp=failure.message,
            ),
            detail=f"{entity} {UNREAD}",
        )
        items.record(run, draft)


def _unread(run: Run, entity: Entity, failure: ItemFailure) -> Quarantined:
    why = Diagnostic(
        code=UNREAD,
        severity=Severity.ERROR,
        message=failure.message,
        entity=str(entity),
        crm_ref=failure.crm_ref,
    )
    return Quarantined(
        connection=run.connection,
        entity=entity,
        crm_ref=failure.crm_ref,
        payload=None,
        source_ts=run.now(),
        source_version="",
        fingerprint=parking.fingerprint(run, entity),
        reasons=(why,),
        first_seen=run.now(),
        correlation_id=run.correlation_id,
    )


def read_again(run: Run, entity: Entity, crm_ref: str, why: str) -> None:
    """Have one record read at the next run, wherever the cursor stands; nobody need look at it."""
    note = Diagnostic(
        code=READ_AGAIN,
        severity=Severity.NOTE,
        message=why,
        entity=str(entity),
        crm_ref=crm_ref,
    )
    row = _unread(run, entity, ItemFailure(crm_ref=crm_ref, message=why))
    run.store.quarantine.put_many([msgspec.structs.replace(row, fingerprint="", reasons=(note,))])
