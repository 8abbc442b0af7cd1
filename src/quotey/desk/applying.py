"""Settling one item, previewed or for good: judged, carried out, closed, audited.

A preview is the same work rolled back, so that it cannot differ from what is then done.
"""

from __future__ import annotations

import msgspec

from quotey.contract.dto import Value
from quotey.contract.errors import QuoteyError, RefusedError, UsageError
from quotey.contract.fields import Entity, FieldType, Policy
from quotey.contract.mapping import FieldMapping
from quotey.contract.reconciliation import ItemState, Reconciliation
from quotey.contract.values import NAME_BYTES, parse, read_text, shown
from quotey.decide.settle import Refusal, Settlement, settle
from quotey.desk.effect import Effect
from quotey.desk.ports import DeskPorts, audit
from quotey.desk.reconcile_views import find_item
from quotey.desk.record_checks import decided, record_currency
from quotey.desk.settling import carry_out


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decided: a policy, a value set by hand (as typed), or a rebinding.

    `rev` is the item's revision that the person saw; another one means that it moved on meanwhile.
    """

    policy: Policy | None = None
    value: Value = None
    rebind: bool = False
    rev: int | None = None


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a preview or of what was done.

    `outcome` is would_apply, applied or refused; `before` and `after` are the local value (or the
    operation's state, or the `crm_ref`) on both sides of the decision.
    """

    item_id: str
    entity_type: Entity
    entity_id: str
    field_name: str
    conflict_type: str
    outcome: str
    sentence: str
    action: str = ""
    before: str | None = None
    after: str | None = None
    operation_id: str | None = None
    closed_items: tuple[str, ...] = ()
    next: tuple[str, ...] = ()


class ApplyReport(msgspec.Struct, frozen=True, kw_only=True):
    """All rows of an apply, in the order of the items, and how many of each outcome."""

    dry_run: bool
    rows: tuple[Applied, ...]

    @property
    def refused(self) -> int:
        """Count the rows that a rule forbade."""
        return sum(row.outcome == "refused" for row in self.rows)


def apply_one(desk: DeskPorts, item_id: str, decision: Decision, *, dry_run: bool) -> Applied:
    """Settle in a transaction of its own; a preview is the same work, rolled back."""
    try:
        with desk.store.transaction("reconcile.apply"):
            row = _settle_item(desk, item_id, decision)
            _stop_preview(row, dry_run=dry_run)
    except _PreviewError as preview:
        return msgspec.structs.replace(preview.row, outcome="would_apply", operation_id=None)
    return row


def _stop_preview(row: Applied, *, dry_run: bool) -> None:
    if dry_run:
        raise _PreviewError(row)


class _PreviewError(Exception):
    """Carries a row out of a transaction that is rolled back."""

    def __init__(self, row: Applied) -> None:
        super().__init__(row.item_id)
        self.row = row


def _settle_item(desk: DeskPorts, item_id: str, decision: Decision) -> Applied:
    item = find_item(desk, item_id)
    if decision.rev is not None and decision.rev != item.rev:
        raise RefusedError(
            f"{item.id} moved on since it was shown (revision {decision.rev}, now {item.rev}). "
            "Nothing was changed.",
            next=(f"quotey crm reconcile show {item.id}",),
        )
    settlement = _judged(desk, item, decision)
    effect = carry_out(desk, item, settlement)
    _finish(desk, item, settlement, effect)
    return _row(item, settlement, effect)


def _judged(desk: DeskPorts, item: Reconciliation, decision: Decision) -> Settlement:
    """Ask the table; a refusal becomes `RefusedError` with its sentence and its commands."""
    mapping = desk.mapping_of(item.connection)
    entity = mapping.entities.get(item.entity_type)
    field = entity.field(item.field_name) if entity else None
    verdict = settle(
        item,
        decision.policy,
        _value(desk, item, field, decision),
        field=field,
        rebind=decision.rebind,
        now=desk.now(),
        source_priority=mapping.source_priority,
    )
    if isinstance(verdict, Refusal):
        raise RefusedError(verdict.sentence, next=verdict.next)
    return verdict


def _value(
    desk: DeskPorts, item: Reconciliation, field: FieldMapping | None, decision: Decision
) -> str | None:
    """Check a value set by hand against its field and its mapping; a rebinding's is a ref."""
    if decision.value is None:
        return None
    record = desk.store.records.get(item.entity_type, item.entity_id)
    currency = record_currency(record) if record else None
    try:
        if decision.rebind:
            return str(parse(decision.value, FieldType.REF))
        if field is None:
            return read_text(decision.value, NAME_BYTES)
        mapping = desk.mapping_of(item.connection)
        return decided(mapping, item.entity_type, field, decision.value, currency)
    except ValueError as error:
        raise UsageError(
            f"{shown(decision.value)} cannot stand for {item.entity_type}.{item.field_name}: "
            f"{error}. Nothing was changed.",
            next=(f"quotey crm reconcile show {item.id}",),
        ) from None


def _finish(desk: DeskPorts, item: Reconciliation, settlement: Settlement, effect: Effect) -> None:
    """Close the item by compare-and-set, remember how to undo it, audit it."""
    closed = desk.store.items.resolve(
        item.id, item.rev, resolution=effect.sentence, at=settlement.at, actor=desk.actor
    )
    if not closed:
        raise settled(item)
    if effect.undo is not None:
        desk.store.requests.put(item.id, {"action": settlement.action, **effect.undo})
    body: dict[str, object] = {
        "action": settlement.action,
        "before": effect.before,
        "after": effect.after,
        "sentence": effect.sentence,
        "operation": effect.operation_id,
        "ends_lock": settlement.ends_lock,
        **effect.facts,
    }
    note_item(desk, "reconciliation.resolved", item, body)


def settled(item: Reconciliation) -> RefusedError:
    """Say that somebody was first."""
    by = f" by {item.resolved_by}" if item.resolved_by else ""
    state = "settled" if item.state == ItemState.RESOLVED else "changed"
    return RefusedError(
        f"{item.id} was {state}{by} meanwhile. Nothing was changed.",
        next=(f"quotey crm reconcile show {item.id}",),
    )


def note_item(desk: DeskPorts, kind: str, item: Reconciliation, body: dict[str, object]) -> None:
    """Audit what a command did to an item."""
    facts: dict[str, object] = {
        "item": item.id,
        "conflict_type": str(item.conflict_type),
        "field": item.field_name,
    }
    audit(
        desk,
        kind,
        connection=item.connection,
        entity=item.entity_type,
        entity_id=item.entity_id,
        body=facts | body,
    )


def _row(item: Reconciliation, settlement: Settlement, effect: Effect) -> Applied:
    return msgspec.structs.replace(
        _bare_row(item, "applied", effect.sentence),
        action=settlement.action,
        before=effect.before,
        after=effect.after,
        operation_id=effect.operation_id,
        closed_items=effect.closed_items,
    )


def refused_row(desk: DeskPorts, item_id: str, refused: QuoteyError) -> Applied:
    """Give the row of an item that a rule forbade to settle so."""
    row = _bare_row(find_item(desk, item_id), "refused", refused.message)
    return msgspec.structs.replace(row, next=refused.next)


def _bare_row(item: Reconciliation, outcome: str, sentence: str) -> Applied:
    return Applied(
        item_id=item.id,
        entity_type=item.entity_type,
        entity_id=item.entity_id,
        field_name=item.field_name,
        conflict_type=str(item.conflict_type),
        outcome=outcome,
        sentence=sentence,
    )
