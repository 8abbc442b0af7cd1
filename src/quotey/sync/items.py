"""How a run leaves something for a person, and how it closes what has settled itself.

What becomes an item is decided in `quotey.decide`; here it gets id, times and correlation id. What
the end of an operation settles is told in `moot`.
Every function is called inside a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable

from quotey.contract.fields import Entity
from quotey.contract.journal import Operation
from quotey.contract.reconciliation import (
    ConflictKey,
    ConflictType,
    ItemState,
    Reconciliation,
)
from quotey.decide.plan import ItemDraft
from quotey.sync.door import note
from quotey.sync.ports import Run

ANY_FIELD = "*"
"""The field name of an item that speaks of a whole record."""


def record(run: Run, draft: ItemDraft) -> tuple[Reconciliation, bool]:
    """Note one occurrence; True when it was not known yet, and then it is audited too."""
    now = run.now()
    item, is_new = run.store.items.record(
        Reconciliation(
            id=run.ports.ids("r"),
            connection=run.connection,
            entity_type=draft.entity_type,
            entity_id=draft.entity_id,
            field_name=draft.field_name,
            conflict_type=draft.conflict_type,
            local_value=draft.local_value,
            remote_value=draft.remote_value,
            base_value=draft.base_value,
            field_policy_mode=draft.field_policy_mode,
            first_seen_ts=now,
            last_attempt_ts=now,
            correlation_id=run.correlation_id,
            key=draft.key,
            detail=draft.detail,
            operation_id=draft.operation_id,
        )
    )
    if is_new:
        note(
            run,
            "reconciliation.recorded",
            entity=draft.entity_type,
            entity_id=draft.entity_id,
            item=item.id,
            conflict_type=str(draft.conflict_type),
            field=draft.field_name,
            key=str(draft.key),
            detail=draft.detail,
            base=draft.base_value,
            local=draft.local_value,
            remote=draft.remote_value,
        )
    return item, is_new


def close(
    run: Run, entity: Entity, entity_id: str, settled: Iterable[tuple[str, ConflictType, str]]
) -> int:
    """Close the record's waiting items that its new state has settled; give how many.

    `settled` holds field ("*" for any), conflict type and the sentence why. What is asked about an
    operation is not settled by what the CRM shows: it waits for that operation's end.
    """
    reasons = tuple(settled)
    if not reasons:
        return 0
    waiting = run.store.items.open_for(entity, (entity_id,)).get(entity_id, ())
    return sum(_close_one(run, item, reasons) for item in waiting)


def _close_one(
    run: Run, item: Reconciliation, reasons: tuple[tuple[str, ConflictType, str], ...]
) -> bool:
    why = next((why for field, type_, why in reasons if _speaks_of(item, field, type_)), None)
    return why is not None and resolve(run, item, why)


def _speaks_of(item: Reconciliation, field: str, conflict_type: ConflictType) -> bool:
    return (
        item.operation_id is None
        and item.conflict_type == conflict_type
        and field in (ANY_FIELD, item.field_name)
    )


def resolve(run: Run, item: Reconciliation, why: str) -> bool:
    """Close one item, audited; False when somebody was first."""
    if item.state == ItemState.RESOLVED:
        return False
    done = run.store.items.resolve(item.id, item.rev, resolution=why, at=run.now(), actor=run.actor)
    if done:
        note(
            run,
            "reconciliation.resolved",
            entity=item.entity_type,
            entity_id=item.entity_id,
            item=item.id,
            conflict_type=str(item.conflict_type),
            field=item.field_name,
            resolution=why,
        )
    return done


def about(
    op: Operation,
    conflict_type: ConflictType,
    detail: str,
    *,
    field: str = ANY_FIELD,
    local: str | None = None,
    remote: str | None = None,
    seen: str = "",
) -> ItemDraft:
    """Draft an item about an operation; `seen` is the remote version that makes its key."""
    return ItemDraft(
        entity_type=op.entity,
        entity_id=op.entity_id,
        field_name=field,
        conflict_type=conflict_type,
        local_value=local,
        remote_value=remote,
        key=ConflictKey(
            entity_id=op.entity_id,
            field_name=field,
            local_version=str(op.version),
            remote_version_or_timestamp=seen or op.id,
        ),
        detail=detail,
        operation_id=op.id,
    )
