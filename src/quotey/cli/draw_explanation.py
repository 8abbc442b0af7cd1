"""Draws why a record's values, or a quote's writes, stand as they do, and why one was kept out."""

from __future__ import annotations

from quotey.app.reports import Explanation, FieldStory, KeptOut, QuoteExplanation
from quotey.cli.draw_items import draw_items
from quotey.cli.money import shown_field, shown_total
from quotey.cli.screen import Screen
from quotey.contract.counting import counted


def draw_explanation(screen: Screen, told: Explanation) -> None:
    """Draw a record's fields, one field with its whole story, or a quote's versions."""
    if told.quote is not None:
        _draw_quote(screen, told.quote)
        return
    screen.line(f"{told.entity}/{told.id}  (crm {told.crm_ref or 'not bound yet'})", style="bold")
    screen.pairs(_head(told))
    if told.kept_out is not None:
        _draw_kept_out(screen, told.kept_out, is_new=told.state is None)
    if len(told.fields) == 1:
        _draw_story(screen, told, told.fields[0])
    elif told.fields:
        _draw_fields(screen, told)
    if told.items:
        screen.line()
        draw_items(screen, told.items)
    if told.extras:
        screen.line()
        many = counted(len(told.extras), "further property stays", "further properties stay")
        screen.line(f"{many} with the adapter:")
        screen.pairs([(f"  {name}", value) for name, value in told.extras.items()])


def _head(told: Explanation) -> list[tuple[str, object]]:
    if told.state is None:
        return [("connection", told.connection), ("state", "in quarantine, never mirrored")]
    state = f"{told.state}, conflict" if told.conflict else str(told.state)
    return [
        ("connection", told.connection),
        ("state", f"{state}, in quarantine" if told.kept_out else state),
        ("local version", told.local_version),
        ("source time", told.source_ts),
    ]


def _draw_kept_out(screen: Screen, kept: KeptOut, *, is_new: bool) -> None:
    """Draw every reason that keeps a record, or its newest revision, out of the mirror."""
    what = "the record" if is_new else "its newest revision"
    reasons = counted(len(kept.reasons), "problem keeps", "problems keep")
    screen.line()
    screen.line(f"{reasons} {what} out:", style="warn")
    for reason in kept.reasons:
        screen.line(f"  {reason.message}  {reason.fix}".rstrip())
    screen.pairs(
        [
            ("since", kept.since),
            ("correlation", kept.correlation_id),
            ("waits for", f"account {kept.parent_ref}" if kept.parent_ref else None),
        ]
    )


def _draw_fields(screen: Screen, told: Explanation) -> None:
    screen.line()
    screen.table(
        ("field", "local", "base", "crm", "policy", "set by", "at", "rule"),
        [
            (
                one.field,
                *(_shown(told, one, side) for side in (one.local, one.base, one.remote)),
                one.policy,
                one.set_by or None,
                one.set_at,
                one.rule or None,
            )
            for one in told.fields
        ],
    )


def _draw_story(screen: Screen, told: Explanation, one: FieldStory) -> None:
    policy = f"{one.policy} by {one.strategy}" if one.strategy else str(one.policy)
    screen.line()
    screen.pairs(
        [
            ("field", one.field),
            ("local", _shown(told, one, one.local)),
            ("base", _shown(told, one, one.base)),
            ("crm", _shown(told, one, one.remote)),
            ("stands", one.standing or None),
            ("parked", one.parked.sentence if one.parked else None),
            ("policy", f"{policy}, {one.direction}, owned by {one.owner}"),
            ("set by", one.set_by or None),
            ("at", one.set_at),
            ("rule", one.sentence or one.rule or None),
            ("lost", _shown(told, one, one.losers[0].value) if one.losers else None),
            ("correlation", one.correlation_id or None),
            ("locked until", one.lock.until if one.lock else None),
            ("open items", ", ".join(item.id for item in one.items) or None),
            ("to be written", ", ".join(op.id for op in one.waiting) or None),
        ]
    )
    if one.history:
        screen.line()
        screen.table(
            ("at", "what", "by", "rule", "value", "lost", "correlation"),
            [
                (
                    step.at,
                    step.kind,
                    step.actor,
                    step.rule,
                    _shown(told, one, step.after),
                    _shown(told, one, step.loser) if step.has_loser else None,
                    step.correlation_id,
                )
                for step in one.history
            ],
        )


def _shown(told: Explanation, one: FieldStory, value: str | None) -> str | None:
    return shown_field(told.entity, one.field, value, told.currency)


def _draw_quote(screen: Screen, told: QuoteExplanation) -> None:
    """Draw each version, what became of its write, and the marker that was left in the CRM."""
    quote = told.quote
    conflict = ", conflict" if told.items else ""
    screen.line(f"quote/{quote.id}: {quote.current.status}{conflict}", style="bold")
    published = "yes" if quote.published else "no; the CRM does not see it"
    screen.pairs(
        [("deal", quote.deal_id), ("connection", quote.connection), ("published", published)]
    )
    screen.line()
    screen.table(
        ("version", "status", "total", "by", "at", "operation", "write", "tries", "sent", "why"),
        [
            (
                one.version,
                one.status,
                shown_total(one.total, one.currency),
                one.actor,
                one.at,
                one.operation_id,
                one.state or "not sent",
                one.attempts,
                one.sent_at,
                one.error or None,
            )
            for one in told.versions
        ],
    )
    markers = [one.marker for one in told.versions if one.marker is not None]
    if markers:
        screen.line()
        screen.table(
            ("marker of version", "instance", "payload digest"),
            [(one.version, one.instance_id, one.payload_digest) for one in markers],
        )
    if told.items:
        screen.line()
        draw_items(screen, told.items)
