"""Draws mirrored records, operations, locks and audit events."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quotey.app.listing import Listing
from quotey.app.lookup import Found, FoundRecord, RecordList
from quotey.app.reports import OperationAnswer, OperationView, RecordAnswer, RecordView
from quotey.cli.audit_words import told
from quotey.cli.draw_items import draw_items
from quotey.cli.money import shown_field, shown_total
from quotey.cli.phrases import in_words
from quotey.cli.screen import Screen, moment
from quotey.contract.counting import counted
from quotey.contract.fields import fields_of
from quotey.contract.journal import AuditEvent, Lock, MirrorRecord, Operation

# --- locks and audit ------------------------------------------------------------------------------


def draw_lock(screen: Screen, lock: Lock) -> None:
    """Draw one lock."""
    screen.line(f"{lock.entity}/{lock.entity_id} {lock.field} is locked until {moment(lock.until)}")
    screen.pairs([("reason", lock.reason), ("by", lock.actor)])


def draw_locks(screen: Screen, locks: Listing[Lock]) -> None:
    """Draw the locks that stand."""
    screen.line(counted(len(locks.items), "lock"))
    if locks.items:
        screen.table(
            ("record", "field", "until", "by", "reason"),
            [
                (f"{one.entity}/{one.entity_id}", one.field, one.until, one.actor, one.reason)
                for one in locks.items
            ],
        )


def draw_audit(screen: Screen, events: Listing[AuditEvent], *, body: bool = False) -> None:
    """Draw audit events, newest first, each in a sentence, or with `body` as it is kept."""
    screen.line(f"{counted(len(events.items), 'event')}, newest first")
    if events.items:
        screen.table(
            ("seq", "at", "kind", "record", "by", "correlation", "body" if body else "what"),
            [
                (
                    one.seq,
                    one.at,
                    one.kind,
                    f"{one.entity}/{one.entity_id}".rstrip("/") or None,
                    one.actor,
                    one.correlation_id,
                    compact(one.body) if body else told(one),
                )
                for one in events.items
            ],
        )


def compact(body: object) -> str:
    """Write an event's body, or any other value, in one line of JSON."""
    return msgspec.json.encode(body).decode()


# --- outbox ---------------------------------------------------------------------------------------


def draw_operations(screen: Screen, operations: Listing[Operation]) -> None:
    """Draw operations, one a line, in the order in which they go out."""
    screen.line(counted(len(operations.items), "operation"))
    if operations.items:
        screen.table(
            ("operation", "what", "record", "version", "state", "tries", "due", "why"),
            [
                (
                    one.id,
                    one.kind,
                    f"{one.entity}/{one.entity_id}",
                    one.version,
                    f"{one.state} ({one.hold})" if one.hold else one.state,
                    one.attempts,
                    one.due_at,
                    in_words(one.error) or None,
                )
                for one in operations.items
            ],
        )


def draw_operation(screen: Screen, operation: Operation) -> None:
    """Draw one operation whole."""
    hold = f" ({operation.hold})" if operation.hold else ""
    screen.line(f"{operation.id} {operation.kind}: {operation.state}{hold}", style="bold")
    screen.pairs(
        [
            ("record", f"{operation.entity}/{operation.entity_id}"),
            ("lane", operation.lane),
            ("version", operation.version),
            ("key", operation.key),
            ("tries", operation.attempts),
            ("created", operation.created_at),
            ("due", operation.due_at),
            ("sent", operation.sent_at),
            ("finished", operation.finished_at),
            ("error", in_words(operation.error) or None),
            ("class", operation.error_class),
            ("may replace", operation.replaces),
            ("by", operation.actor),
            ("correlation", operation.correlation_id),
        ]
    )
    screen.line()
    screen.table(("payload", "value"), list(operation.payload.items()))


def draw_view(screen: Screen, view: OperationView) -> None:
    """Draw one operation, what waits for a person because of it, and its trail."""
    draw_operation(screen, view.operation)
    if view.items:
        screen.line()
        draw_items(screen, view.items)
    if view.events:
        screen.line()
        draw_audit(screen, Listing(items=view.events))


def draw_settled(screen: Screen, answer: OperationAnswer) -> None:
    """Draw what a command did to an operation."""
    after = answer.operation
    screen.line(f"{after.id} {after.kind}: {answer.before} -> {after.state}")
    if answer.closed_items:
        screen.pairs([("settled", ", ".join(answer.closed_items))])
    if answer.left:
        screen.pairs([("stands here only", ", ".join(answer.left))])


# --- records --------------------------------------------------------------------------------------


def draw_found(screen: Screen, found: Found) -> None:
    """Draw what a search found, best first, and where it was looked for."""
    where = "in the CRM" if found.source == "crm" else "in the mirror"
    screen.line(f"{len(found.records)} found {where}")
    if found.records:
        draw_rows(screen, found.records)


def draw_rows(screen: Screen, records: Sequence[FoundRecord]) -> None:
    """Draw records of one entity, one a line; money in its currency, which needs no column then."""
    names = [name for name in records[0].values if name not in ("account_id", "currency")]
    screen.table(
        ("id", "crm id", *names),
        [(one.id, one.crm_ref, *(_cell(one, name) for name in names)) for one in records],
    )


def _cell(record: FoundRecord, name: str) -> str | None:
    currency = record.values.get("currency")
    return shown_field(record.entity, name, record.values.get(name), currency)


def draw_list(screen: Screen, found: RecordList) -> None:
    """Draw a page of records and say how many there are."""
    screen.line(f"{len(found.records):,} of {counted(found.total, found.entity)}")
    if found.records:
        draw_rows(screen, found.records)


def draw_record(screen: Screen, view: RecordView) -> None:
    """Draw a record as it stands here, and what hangs on it."""
    record = view.record
    conflict = ", conflict" if view.conflict else ""
    screen.line(
        f"{record.entity}/{record.id}: {record.state}{conflict}  "
        f"(crm {record.crm_ref or 'not bound yet'})",
        style="bold",
    )
    if view.parent:
        screen.pairs([("account", f"{view.parent.local.get('name')} ({view.parent.id})")])
    screen.table(
        ("field", "value", "locked until"),
        [
            (name, value, view.locks[name].until if name in view.locks else None)
            for name, value in shown_values(record)
        ],
    )
    if view.quotes:
        screen.line()
        screen.table(
            ("quote", "version", "status", "total", "published"),
            [
                (
                    one.id,
                    one.current.version,
                    one.current.status,
                    shown_total(one.current.total, one.current.currency),
                    "yes" if one.published else "no",
                )
                for one in view.quotes
            ],
        )
    if view.operations:
        screen.line()
        draw_operations(screen, Listing(items=view.operations))
    if view.items:
        screen.line()
        draw_items(screen, view.items)


def shown_values(record: MirrorRecord) -> list[tuple[str, str | None]]:
    """Give the values in order, money in the record's currency."""
    currency = record.local.get("currency")
    return [
        (name, shown_field(record.entity, name, value, currency))
        for name, value in in_order(record)
    ]


def in_order(record: MirrorRecord) -> list[tuple[str, str | None]]:
    """Give the values in the order of the field dictionary, custom ones last."""
    names = [field.name for field in fields_of(record.entity)]
    rank = {name: number for number, name in enumerate(names)}
    return sorted(record.local.items(), key=lambda pair: (rank.get(pair[0], len(rank)), pair[0]))


def draw_change(screen: Screen, answer: RecordAnswer) -> None:
    """Draw what a command made of a record, and whether it waits to be written."""
    record = answer.record
    done = "" if answer.changed else "  (already so; nothing was changed)"
    screen.line(f"{record.entity}/{record.id} version {record.local_version}{done}")
    screen.pairs([(f"  {name}", value) for name, value in shown_values(record)])
    screen.pairs(
        [
            ("to be written", answer.operation_id or "nothing"),
            *((("superseded", ", ".join(answer.superseded)),) if answer.superseded else ()),
        ]
    )
    for note in answer.diagnostics:
        screen.line(f"{note.severity}: {note.message}")
