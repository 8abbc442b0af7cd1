"""Canonical text: one way to write each value, so that equality is equality of text.

Decimals lose trailing zeros, dates are ISO 8601, currencies are upper case; null stays None.
The strict grammars are here too: what does not match is a `ValueError` with a sentence, never a
guess (reliability 2.F).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from quotey.contract.currencies import MINOR_UNITS
from quotey.contract.dto import Value
from quotey.contract.fields import FieldType

NAME_BYTES = 1_024
"""Longest name, title, stage or id, in bytes of UTF-8."""

FREE_TEXT_BYTES = 32 * 1_024
"""Longest text of a custom field, in bytes of UTF-8."""

FIRST_YEAR, LAST_YEAR = 1970, 2100

_DIGITS = 15
_ID_DIGITS = 32
_MONEY = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")
_INTEGER = re.compile(r"-?[0-9]{1,15}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LABEL = r"(?![-_])[\w-]{1,63}(?<![-_])"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_EMAIL = re.compile(rf"[^\s@\"(),:;<>\[\]\\]{{1,64}}@{_LABEL}(?:\.{_LABEL})*")
_STATUS = re.compile(r"[a-z][a-z_]{0,63}")
_ALLOWED_CONTROLS = "\t\n\r"


def canonical(value: Value, type: FieldType) -> str | None:  # noqa: A002 - the word of the file
    """Write a typed value in canonical text; null stays None.

    Raises `ValueError` with a sentence when the value does not fit the type.

    >>> canonical(Decimal("1500.00"), FieldType.MONEY), canonical(None, FieldType.MONEY)
    ('1500', None)
    >>> canonical(date(2026, 3, 1), FieldType.DATE)
    '2026-03-01'
    """
    return None if value is None else as_text(parse(value, type, max_bytes=FREE_TEXT_BYTES))


def typed(text: str | None, type: FieldType) -> Value:  # noqa: A002 - the word of the file
    """Read canonical text back; the inverse of `canonical`.

    Raises `ValueError` with a sentence when the text is not canonical text of the type.

    >>> typed("1500", FieldType.MONEY)
    Decimal('1500')
    """
    return None if text is None else parse(text, type, max_bytes=FREE_TEXT_BYTES)


def as_text(value: Value) -> str:
    """Write a value that `parse` gave; unlike `canonical` it checks nothing.

    >>> as_text(Decimal("-0.50")), as_text(Decimal("1E+3"))
    ('-0.5', '1000')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return _plain(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def parse(raw: object, type: FieldType, *, max_bytes: int = NAME_BYTES) -> Value:  # noqa: A002
    """Read a raw JSON or CSV value (not null) as this type, by a strict grammar.

    Outer white space does not count, text is brought to Unicode NFC. `max_bytes` bounds free text.
    Raises `ValueError` with a sentence.

    >>> parse(" 12.50 ", FieldType.MONEY), parse(7, FieldType.REF)
    (Decimal('12.50'), '7')
    >>> parse("1_000", FieldType.MONEY)
    Traceback (most recent call last):
    ValueError: '1_000' is not an amount: at most 15 digits, then at most 6 after a point
    """
    if type is FieldType.TEXT:
        return read_text(raw, max_bytes)
    return READERS[type](raw)


def minor_unit(currency: str) -> int | None:
    """Give the number of decimals of a currency; None when it is no current ISO 4217 code.

    >>> [minor_unit(code) for code in ("JPY", "USD", "KWD", "CLF", "DEM", "usd")]
    [0, 2, 3, 4, None, None]
    """
    return MINOR_UNITS.get(currency)


def total_problem(total: Decimal, currency: str) -> str | None:
    """Say what is wrong with a total in this currency; None when it can be billed.

    Totals are never rounded (reliability 2.F).

    >>> total_problem(Decimal("1.005"), "USD")
    '1.005 is finer than USD allows (2 decimals)'
    >>> total_problem(Decimal("1000.00"), "JPY") is None
    True
    """
    try:
        exact = _money(total)
        decimals = MINOR_UNITS[_currency(currency)]
    except ValueError as error:
        return str(error)
    if exact != round(exact, decimals):
        return f"{_plain(exact)} is finer than {currency} allows ({decimals} decimals)"
    return None


def show_money(amount: Decimal, currency: str) -> str:
    """Write an amount for people, in the minor unit of its currency; nothing is rounded away.

    >>> show_money(Decimal(12000), "EUR"), show_money(Decimal("1200.00"), "JPY")
    ('12000.00 EUR', '1200 JPY')
    """
    exact = _plain(amount)
    decimals = max(MINOR_UNITS.get(currency, 0), len(exact.partition(".")[2]))
    return f"{Decimal(exact):.{decimals}f} {currency}"


def is_blank(raw: object) -> bool:
    """Say whether a raw value is a text of white space only; null is not blank.

    >>> is_blank(" "), is_blank(None), is_blank(0)
    (True, False, False)
    """
    return isinstance(raw, str) and not raw.strip()


def read_text(raw: object, max_bytes: int = NAME_BYTES) -> str:
    """Read a text of at most so many bytes; numbers and truth values are written out.

    Raises `ValueError` for lists and objects, lone surrogates and control characters (tab and line
    ends are allowed).
    """
    text = raw.strip() if isinstance(raw, str) else _written(raw)
    if text.isascii() and text.isprintable():  # nearly all is: nothing to normalise or to refuse
        return text if len(text) <= max_bytes else _measured(text, max_bytes)
    _refuse_controls(text)
    return _measured(unicodedata.normalize("NFC", text).strip(), max_bytes)


def shown(raw: object) -> str:
    """Show a raw value within a sentence: quoted, escaped, cut short.

    >>> shown("x" * 100)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'"
    """
    if isinstance(raw, int) and abs(raw) >= 10**_DIGITS:
        return "a number of more than 15 digits"
    if isinstance(raw, list | dict):
        return "a list" if isinstance(raw, list) else "an object"
    text = ascii(raw[:40] if isinstance(raw, str) else raw)
    return text if len(text) <= 40 else f"{text[:38]}…'"  # noqa: PLR2004


def _refuse_controls(text: str) -> None:
    """Raise `ValueError` for what no text may hold; tabs and line ends are allowed."""
    for char in text:
        if char.isprintable() or char in _ALLOWED_CONTROLS:
            continue
        kind = unicodedata.category(char)
        if kind in ("Cc", "Cs"):
            what = "a control character" if kind == "Cc" else "half a surrogate pair"
            raise ValueError(f"it holds {what} (U+{ord(char):04X})")


def _measured(text: str, max_bytes: int) -> str:
    if len(text) > max_bytes // 4 and len(text.encode()) > max_bytes:
        raise ValueError(f"it is longer than {max_bytes:,} bytes")
    return text


def _written(raw: object) -> str:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int | Decimal):
        return _plain(_number(raw, f"{shown(raw)} is no text"))
    if isinstance(raw, date) and not isinstance(raw, datetime):
        return raw.isoformat()
    raise ValueError(f"{shown(raw)} is no text")


def _plain(number: Decimal) -> str:
    """Write a number without exponent and without trailing zeros; zero has no sign."""
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _number(raw: object, problem: str) -> Decimal:
    """Take a JSON number exactly. A power of ten that would need more digits is refused."""
    if isinstance(raw, int) and not isinstance(raw, bool) and abs(raw) < 10**18:
        return Decimal(raw)
    if isinstance(raw, Decimal) and raw.is_finite() and -18 <= raw.adjusted() <= 18:  # noqa: PLR2004
        return raw
    raise ValueError(problem)


def _money(raw: object) -> Decimal:
    problem = "is not an amount: at most 15 digits, then at most 6 after a point"
    if not isinstance(raw, str):
        raw = _plain(_number(raw, f"{shown(raw)} {problem}"))
    text = raw.strip()
    if not _MONEY.fullmatch(text):
        raise ValueError(f"{shown(raw)} {problem}")
    return Decimal(text) or Decimal(0)  # zero has no sign


def _integer(raw: object) -> int:
    problem = "is not a whole number of at most 15 digits"
    if not isinstance(raw, str):
        raw = _plain(_number(raw, f"{shown(raw)} {problem}"))
    text = raw.strip()
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{shown(raw)} {problem}")
    return int(text)


def _date(raw: object) -> date:
    if isinstance(raw, date) and not isinstance(raw, datetime):
        return in_range(raw)
    text = raw.strip() if isinstance(raw, str) else ""
    if not _DATE.fullmatch(text):
        raise ValueError(f"{shown(raw)} is not a date like 2026-01-31")
    return _day(text)


@lru_cache(maxsize=8_192)  # the same few thousand days come again and again
def _day(text: str) -> date:
    try:
        return in_range(date.fromisoformat(text))
    except ValueError as error:
        raise ValueError(f"{text} is not a date: {error}") from error


def in_range(day: date) -> date:
    """Give back a date of 1970 to 2100; raise `ValueError` for any other."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"the year is outside {FIRST_YEAR} to {LAST_YEAR}")
    return day


def _ref(raw: object) -> str:
    """Read an id; it is opaque, so it is not normalised, not even to NFC."""
    if isinstance(raw, int) and not isinstance(raw, bool) and abs(raw) < 10**_ID_DIGITS:
        return str(raw)
    text = raw.strip() if isinstance(raw, str) else ""
    if not text:
        raise ValueError(f"{shown(raw)} is not an id")
    if not (text.isascii() and text.isprintable()):
        _refuse_controls(text)
    return _measured(text, NAME_BYTES)


def _currency(raw: object) -> str:
    text = raw.strip() if isinstance(raw, str) else ""
    if text in MINOR_UNITS:
        return text
    hint = f"; write {text.upper()}" if text.upper() in MINOR_UNITS else ""
    raise ValueError(f"{shown(raw)} is not a current ISO 4217 currency code{hint}")


def _matching(pattern: re.Pattern[str], longest: int, what: str) -> Callable[[object], str]:
    def read(raw: object) -> str:
        text = unicodedata.normalize("NFC", read_text(raw).lower()) if isinstance(raw, str) else ""
        if len(text) > longest or not pattern.fullmatch(text):
            raise ValueError(f"{shown(raw)} is not {what}")
        return text

    return read


READERS: dict[FieldType, Callable[[object], Value]] = {
    FieldType.TEXT: read_text,
    FieldType.REF: _ref,
    FieldType.DOMAIN: _matching(_DOMAIN, 253, "a host name like example.com"),
    FieldType.EMAIL: _matching(_EMAIL, 254, "an e-mail address"),
    FieldType.MONEY: _money,
    FieldType.CURRENCY: _currency,
    FieldType.DATE: _date,
    FieldType.INTEGER: _integer,
    FieldType.STATUS: _matching(_STATUS, 64, "a status like pending_approval"),
}
"""The reader of each type; what `parse` uses, for those that compile a mapping."""
