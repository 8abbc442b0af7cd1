"""Draws quotes: what a command did, one quote whole, many in a table."""

from __future__ import annotations

from quotey.app.listing import Listing
from quotey.app.quotes import QuoteAnswer, QuoteDetail
from quotey.cli.draw_items import draw_items
from quotey.cli.draw_records import draw_operations
from quotey.cli.money import shown_total
from quotey.cli.screen import Screen
from quotey.contract.counting import counted
from quotey.contract.quote import Quote, QuoteVersion


def money(version: QuoteVersion) -> str:
    """Write a total in the minor unit of its currency, never rounded."""
    return shown_total(version.total, version.currency)


def draw_done(screen: Screen, answer: QuoteAnswer) -> None:
    """Draw what a command made of a quote, and whether its summary waits to be written."""
    quote, current = answer.quote, answer.quote.current
    done = "" if answer.changed else "  (already so; nothing was changed)"
    screen.line(f"{quote.id} version {current.version}: {current.status}, {money(current)}{done}")
    pairs: list[tuple[str, object]] = [
        ("deal", quote.deal_id),
        ("published", "yes" if quote.published else "no; the CRM does not see it"),
        ("valid until", current.valid_until),
        ("attachment", current.attachment_ref),
        ("to be written", answer.operation_id or "nothing"),
    ]
    if answer.superseded:
        pairs.append(("superseded", ", ".join(answer.superseded)))
    if answer.closed_items:
        pairs.append(("settled", ", ".join(answer.closed_items)))
    screen.pairs(pairs)


def draw_quote(screen: Screen, detail: QuoteDetail) -> None:
    """Draw a quote whole."""
    quote, current = detail.quote, detail.quote.current
    conflict = ", conflict" if detail.conflict else ""
    screen.line(f"{quote.id}: {current.status}, {money(current)}{conflict}", style="bold")
    screen.pairs(
        [
            ("deal", quote.deal_id),
            ("version", current.version),
            ("published", "yes" if quote.published else "no"),
            ("valid until", current.valid_until),
            ("approver", current.approver or None),
            ("attachment", current.attachment_ref),
            ("note", current.note or None),
            ("price trace", current.price_trace or None),
        ]
    )
    if current.lines:
        screen.line()
        screen.table(
            ("line", "quantity", "total"),
            [
                (line.name, f"{line.quantity:f}", shown_total(line.total, current.currency))
                for line in current.lines
            ],
        )
    screen.line()
    screen.table(
        ("version", "status", "total", "by", "at"),
        [
            (one.version, one.status, money(one), one.actor, one.created_at)
            for one in detail.versions
        ],
    )
    if detail.operations:
        screen.line()
        draw_operations(screen, Listing(items=detail.operations))
    if detail.items:
        screen.line()
        draw_items(screen, detail.items)


def draw_quotes(screen: Screen, quotes: Listing[Quote]) -> None:
    """Draw many quotes, one a line."""
    screen.line(counted(len(quotes.items), "quote"))
    if quotes.items:
        screen.table(
            ("quote", "deal", "version", "status", "total", "published", "valid until"),
            [
                (
                    one.id,
                    one.deal_id,
                    one.current.version,
                    one.current.status,
                    money(one.current),
                    "yes" if one.published else "no",
                    one.current.valid_until,
                )
                for one in quotes.items
            ],
        )
