"""What makes a quote's terms wrong, all of it at once. Nothing is stored here.

Totals are `Decimal`, never rounded; a currency that a deal does not have is refused.
Source: seed 3.2; design sections 4 (law 10) and 9; reliability 2.F.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import TypeVar

import msgspec

from quotey.contract.dto import Attachment, Value
from quotey.contract.errors import Diagnostic
from quotey.contract.fields import FieldType
from quotey.contract.quote import QuoteLine
from quotey.contract.values import (
    FREE_TEXT_BYTES,
    NAME_BYTES,
    is_blank,
    parse,
    read_text,
    show_money,
    shown,
    total_problem,
)
from quotey.desk.ports import problem

MAX_LINES = 1_000

T = TypeVar("T")


class LineTerms(msgspec.Struct, frozen=True, kw_only=True):
    """One line as it was typed; `total` is what it adds to the quote."""

    name: str
    total: Value
    quantity: Value = "1"


class QuoteTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, as it was typed.

    None keeps what is there (or leaves it out of a new quote); "" clears `valid_until`, `note`,
    `price_trace` and `attachment`. A new `total` without `lines` drops lines that do not sum to it;
    `lines` without a `total` are summed. `attachment` is a name inside the attachment root.
    """

    total: Value = None
    lines: tuple[LineTerms, ...] | None = None
    currency: str | None = None
    valid_until: Value = None
    note: str | None = None
    price_trace: str | None = None
    attachment: str | None = None


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """Terms that passed every check; these are what an approval speaks of."""

    total: Decimal
    currency: str
    valid_until: str | None = None
    lines: tuple[QuoteLine, ...] = ()
    note: str = ""
    price_trace: str = ""
    attachment: Attachment | None = None


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What terms are judged against. `deal_currency` is None when the deal has none."""

    today: date
    deal_currency: str | None
    default_currency: str | None
    before: Agreed | None = None


def check_terms(
    asked: QuoteTerms, setting: Setting, attachment: Attachment | None
) -> tuple[Agreed | None, tuple[Diagnostic, ...]]:
    """Judge terms; gives what was agreed, or None and every problem.

    `attachment` is what `asked.attachment` was fixed to; a refusal of it is told elsewhere.
    """
    check = _Check(asked, setting)
    currency = check.currency()
    lines = check.lines(currency)
    total = check.total(currency, lines)
    valid_until = check.valid_until()
    note = check.text("note", asked.note, FREE_TEXT_BYTES)
    trace = check.text("price_trace", asked.price_trace, FREE_TEXT_BYTES)
    if check.problems or total is None or currency is None:
        return None, tuple(check.problems)
    before = setting.before
    return Agreed(
        total=total,
        currency=currency,
        valid_until=valid_until,
        lines=lines,
        note=note,
        price_trace=trace,
        attachment=before.attachment if before and asked.attachment is None else attachment,
    ), ()


class _Check:
    """One judgement; every method notes its problems and goes on."""

    def __init__(self, asked: QuoteTerms, setting: Setting) -> None:
        self.asked = asked
        self.setting = setting
        self.problems: list[Diagnostic] = []

    def note(self, field: str, message: str, fix: str = "", code: str = "bad_value") -> None:
        self.problems.append(problem(code, "quote", field, message, fix))

    def read(self, field: str, reader: Callable[[], T]) -> T | None:
        """Give what the reader gives; its refusal becomes a problem of this field."""
        try:
            return reader()
        except ValueError as error:
            self.note(field, str(error))
            return None

    def currency(self) -> str | None:
        before, expected = self.setting.before, self.setting.deal_currency
        asked = self.asked.currency
        if asked is None:
            known = (before.currency if before else None) or expected
            code = known or self.setting.default_currency
            if code is None:
                self.note("currency", "the deal has no currency, so the quote must name one")
        else:
            code = self.read("currency", lambda: str(parse(asked, FieldType.CURRENCY)))
        # The deal may have moved to another currency since; a note on an old quote is no offer.
        if code and expected and code != expected and self._is_offer():
            self.note(
                "currency",
                f"the quote is in {code}, its deal in {expected}",
                fix=f"Quote in {expected}; nothing is converted.",
                code="currency_differs",
            )
        return code

    def total(self, currency: str | None, lines: tuple[QuoteLine, ...]) -> Decimal | None:
        asked, before = self.asked, self.setting.before
        if asked.total is not None:
            total = self.money("total", asked.total, currency)
            if total is not None and asked.lines and lines:
                self._sums(total, lines, currency or "")
            return total
        if asked.lines:
            summed = sum((line.total for line in lines), Decimal(0))
            return self.money("total", summed, currency)
        if before is None:
            self.note("total", "a quote needs a total, or lines that sum to it")
            return None
        return self.money("total", before.total, currency)

    def _sums(self, total: Decimal, lines: tuple[QuoteLine, ...], currency: str) -> None:
        summed = sum((line.total for line in lines), Decimal(0))
        if summed != total:
            told = (show_money(amount, currency).strip() for amount in (summed, total))
            self.note("total", "the lines sum to {}, not to {}".format(*told), code="not_the_sum")

    def money(self, field: str, raw: Value, currency: str | None) -> Decimal | None:
        """Read an amount in the quote's currency; only a line may be less than zero."""
        amount = self.read(field, lambda: parse(raw, FieldType.MONEY))
        if not isinstance(amount, Decimal):
            return None
        finer = total_problem(amount, currency) if currency else None
        if finer:
            self.note(field, finer)
        elif field == "total" and amount < 0:
            self.note(field, f"{show_money(amount, currency or '').strip()} is less than zero")
        return amount

    def lines(self, currency: str | None) -> tuple[QuoteLine, ...]:
        asked, before = self.asked.lines, self.setting.before
        if asked is None:
            return self._kept_lines() if before else ()
        if len(asked) > MAX_LINES:
            self.note("lines", f"{len(asked):,} lines are more than {MAX_LINES:,}")
            return ()
        read = [self.line(place, line, currency) for place, line in enumerate(asked, start=1)]
        return tuple(line for line in read if line is not None)

    def _kept_lines(self) -> tuple[QuoteLine, ...]:
        """Keep the lines that were there unless a new total leaves them behind."""
        assert self.setting.before is not None, "asked only of a revision"
        kept = self.setting.before.lines
        if self.asked.total is None:
            return kept
        try:
            total = parse(self.asked.total, FieldType.MONEY)
        except ValueError:
            return kept  # told as a problem of the total
        return kept if sum((line.total for line in kept), Decimal(0)) == total else ()

    def line(self, place: int, line: LineTerms, currency: str | None) -> QuoteLine | None:
        field = f"lines[{place}]"
        name = self.read(f"{field}.name", lambda: read_text(line.name, NAME_BYTES))
        total = self.money(f"{field}.total", line.total, currency)
        quantity = self.read(f"{field}.quantity", lambda: parse(line.quantity, FieldType.MONEY))
        if name == "":
            self.note(f"{field}.name", "it is blank")
        if isinstance(quantity, Decimal) and quantity <= 0:
            self.note(f"{field}.quantity", f"{quantity:f} is not more than zero")
        if name is None or total is None or not isinstance(quantity, Decimal):
            return None
        return QuoteLine(name=name, total=total, quantity=quantity)

    def valid_until(self) -> str | None:
        raw = self.asked.valid_until
        if raw is None:
            raw = self.setting.before.valid_until if self.setting.before else None
        if raw is None or is_blank(raw):
            return None
        day = self.read("valid_until", lambda: parse(raw, FieldType.DATE))
        if not isinstance(day, date):
            return None
        if day < self.setting.today and self._is_offer():
            self.note(
                "valid_until",
                f"{day.isoformat()} is past (today is {self.setting.today.isoformat()} in UTC)",
                code="past_date",
            )
        return day.isoformat()

    def _is_offer(self) -> bool:
        """Whether this says anything new of price or time; a note on an old quote does not."""
        asked = self.asked
        named = (asked.total, asked.lines, asked.currency, asked.valid_until)
        return self.setting.before is None or any(one is not None for one in named)

    def text(self, field: str, asked: str | None, max_bytes: int) -> str:
        if asked is None:
            before = self.setting.before
            return str(getattr(before, field)) if before else ""
        return self.read(field, lambda: read_text(asked, max_bytes)) or ""


def attachment_problem(ref: str, reason: str) -> Diagnostic:
    """Say why an attachment is refused, with its name fit to show."""
    return problem(
        "bad_attachment",
        "quote",
        "attachment_ref",
        f"{shown(ref)} cannot be attached: {reason}",
        fix="Name a regular file from the attachment root (`attachments` in the home, if the "
        "settings say nothing else), or have one copied: quotey quote attach QUOTE FILE --copy",
    )
