"""Draws what waits for a person: by cause, one by one, and one item whole."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quotey.app.reports import ApplyReport, ItemGroup, ItemList, ItemView, UndoAnswer
from quotey.cli.phrases import in_words
from quotey.cli.screen import Screen
from quotey.contract.counting import counted
from quotey.contract.dto import QuoteMarker
from quotey.contract.reconciliation import Reconciliation


def place(entity: str, field: str) -> str:
    """Name a field as everywhere, `deal.stage`; the entity alone when it is about the record."""
    return f"{entity}.{field}" if field and field != "*" else entity


def draw_causes(screen: Screen, causes: Sequence[ItemGroup]) -> None:
    """Draw items by cause, most first."""
    screen.table(
        ("items", "where", "conflict", "cause", "oldest"),
        [
            (
                one.count,
                place(one.entity_type, one.field_name),
                one.conflict_type,
                in_words(one.detail),
                one.oldest,
            )
            for one in causes
        ],
    )


def draw_list(screen: Screen, found: ItemList) -> None:
    """Draw the list: the count, then causes or single items."""
    screen.line(f"{counted(found.total, 'item')} for a person to settle")
    if found.total:
        screen.line()
    if found.groups:
        draw_causes(screen, found.groups)
    if found.items:
        draw_items(screen, found.items)
    if found.items and len(found.items) < found.total:
        screen.line(f"{found.total - len(found.items):,} more; --limit shows them")


def draw_items(screen: Screen, items: Sequence[Reconciliation]) -> None:
    """Draw items, one a line, oldest first."""
    screen.table(
        (
            "item",
            "state",
            "conflict",
            "where",
            "record",
            "local",
            "crm",
            "cause",
            "first seen",
            "n",
        ),
        [
            (
                one.id,
                one.state,
                one.conflict_type,
                place(one.entity_type, one.field_name),
                one.entity_id,
                side(one.local_value),
                side(one.remote_value),
                in_words(one.detail),
                one.first_seen_ts,
                one.occurrences,
            )
            for one in items
        ],
    )


def side(value: str | None) -> str | None:
    """Give a value to show; a quote marker becomes who wrote which version."""
    if value is None or not value.startswith("{"):
        return value
    try:
        marker = msgspec.json.decode(value, type=QuoteMarker)
    except msgspec.DecodeError:
        return value
    return f"{marker.quote_id} v{marker.version} by {marker.instance_id}"


def draw_item(screen: Screen, view: ItemView) -> None:
    """Draw one item with the nine fields of seed 7.1, and what helps to decide it."""
    item = view.item
    screen.line(f"{item.id} {item.conflict_type}: {item.state}", style="bold")
    screen.pairs(
        [
            ("record", _record(view)),
            ("field", item.field_name),
            ("cause", in_words(item.detail) or None),
            ("base", item.base_value),
            ("local", side(item.local_value)),
            ("crm", side(item.remote_value)),
            ("policy", item.field_policy_mode),
            ("first seen", item.first_seen_ts),
            ("last attempt", item.last_attempt_ts),
            ("occurrences", item.occurrences),
            ("key", item.key),
            ("operation", item.operation_id),
            ("deferred until", item.deferred_until),
            ("resolution", item.resolution or None),
            ("correlation", item.correlation_id),
            ("undo", f"possible: quotey crm reconcile undo {item.id}" if view.undoable else None),
        ]
    )
    if view.record:
        screen.line()
        screen.line(f"{view.record.entity}/{view.record.id} (crm {view.record.crm_ref})")
        screen.pairs([(f"  {name}", value) for name, value in view.record.local.items()])
    if view.reasons:
        screen.line()
        screen.line(
            f"{counted(len(view.reasons), 'problem keeps', 'problems keep')} the record out:"
        )
        for reason in view.reasons:
            screen.line(f"  {reason.message}  {reason.fix}".rstrip())


def _record(view: ItemView) -> str:
    """Name the record; one that was kept out has no other place that tells its id in the CRM."""
    item = view.item
    kept_out = f" (crm {view.quarantined.crm_ref})" if view.quarantined else ""
    return f"{item.entity_type}/{item.entity_id}{kept_out}"


def draw_applied(screen: Screen, report: ApplyReport, *, only_shown: bool) -> None:
    """Draw what was, or would be, settled, one row an item."""
    verb = "would be settled" if report.dry_run else "settled"
    done = len(report.rows) - report.refused
    screen.line(f"{done:,} {verb}, {report.refused:,} refused")
    if report.rows:
        screen.table(
            ("item", "outcome", "where", "record", "before", "after", "operation", "why"),
            [
                (
                    one.item_id,
                    one.outcome,
                    place(one.entity_type, one.field_name),
                    one.entity_id,
                    one.before,
                    one.after,
                    one.operation_id,
                    one.sentence,
                )
                for one in report.rows
            ],
        )
    if only_shown:
        screen.line("Nothing was changed. The same command with --yes does it.")


def draw_undone(screen: Screen, answer: UndoAnswer) -> None:
    """Draw what an undo brought back."""
    screen.line(f"{answer.item.id} is {answer.item.state} again.")
