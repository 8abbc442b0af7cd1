"""What a mapping's transforms do: a CRM's way of writing a value to ours, and back where possible.

Each raises `ValueError` with a sentence; which field and record it was is said by the mapper.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache, partial
from typing import assert_never
from zoneinfo import ZoneInfo

from quotey.contract.dto import Value
from quotey.contract.fields import FieldType
from quotey.contract.mapping import (
    Bucket,
    DateIn,
    DomainOf,
    Join,
    MoneyIn,
    Transform,
    ValueMap,
)
from quotey.contract.values import READERS, in_range, parse, read_text, shown

Reader = Callable[[object], Value]
"""A raw value (never null, never absent) to a typed one; None where the transform says null."""

Writer = Callable[[Value], object]
"""A typed value (never null) to what is put on the wire."""

ISO = "iso"
EPOCH_MS = "epoch_ms"

RESULT: dict[type, tuple[FieldType, ...]] = {
    ValueMap: tuple(FieldType),
    Bucket: (FieldType.TEXT,),
    DomainOf: (FieldType.DOMAIN,),
    DateIn: (FieldType.DATE,),
    MoneyIn: (FieldType.MONEY,),
    Join: (FieldType.TEXT,),
}
"""The field types that each transform can answer with."""

REVERSIBLE = (ValueMap, DateIn, MoneyIn)
"""Transforms that know the way back; a field with another one cannot be written."""


class UnknownWordError(ValueError):
    """A value map met a word that it does not hold."""


def reader_of(transform: Transform | None, type: FieldType, max_bytes: int) -> Reader:  # noqa: A002
    """Compile the way in."""
    match transform:
        case ValueMap():
            return _value_map_reader(transform, type, max_bytes)
        case Bucket():
            return _bucket_reader(transform)
        case DomainOf():
            return lambda raw: host_of(read_text(raw))
        case DateIn():
            return partial(_read_date, transform.format, zone_of(transform.timezone))
        case MoneyIn():
            return partial(_read_scaled, transform.scale)
        case Join() | None:
            return _plain_reader(type, max_bytes)
        case _:
            assert_never(transform)


def writer_of(transform: Transform | None) -> Writer:
    """Compile the way out. Raises `TypeError` for a transform that is not `REVERSIBLE`."""
    match transform:
        case ValueMap():
            return partial(_write_word, transform, reverse(transform))
        case DateIn():
            return partial(_write_date, transform.out or transform.format)
        case MoneyIn():
            return partial(_write_scaled, transform.scale)
        case None:
            return lambda value: value.isoformat() if isinstance(value, date) else value
        case Bucket() | DomainOf() | Join():
            raise TypeError(f"{type(transform).__name__} has no way back")
        case _:
            assert_never(transform)


def zone_of(name: str) -> tzinfo:
    """Give a time zone by its IANA name; "UTC" needs no zone data.

    Raises `ValueError` or `KeyError` (`ZoneInfoNotFoundError`) for an unknown one.
    """
    return UTC if name == "UTC" else ZoneInfo(name)


def reverse(words: ValueMap) -> dict[str, str]:
    """Give our word to theirs. Of several of theirs the first of the file is written.

    >>> reverse(ValueMap(values={"tech": "it", "technolgy": "it"}))
    {'it': 'tech'}
    """
    back: dict[str, str] = {}
    for theirs, ours in words.values.items():
        back.setdefault(ours, theirs)
    return back


def host_of(text: str) -> str:
    """Give the bare host name of a web address or e-mail.

    Raises `ValueError` when nothing like a host name is in it.

    >>> host_of("https://www.Acme.com:443/about?x=1"), host_of("jo@mail.acme.com")
    ('acme.com', 'mail.acme.com')
    """
    rest = text.split("://", 1)[-1]
    for end in "/?#":
        rest = rest.split(end, 1)[0]
    host = rest.rsplit("@", 1)[-1].split(":", 1)[0].rstrip(".").lower().removeprefix("www.")
    return str(READERS[FieldType.DOMAIN](host))


def _plain_reader(type: FieldType, max_bytes: int) -> Reader:  # noqa: A002
    text = type is FieldType.TEXT
    return partial(read_text, max_bytes=max_bytes) if text else READERS[type]


def _value_map_reader(words: ValueMap, type: FieldType, max_bytes: int) -> Reader:  # noqa: A002
    known = {
        theirs: parse(ours, type, max_bytes=max_bytes) for theirs, ours in words.values.items()
    }

    def read(raw: object) -> Value:
        theirs = read_text(raw)
        if theirs in known:
            return known[theirs]
        if words.otherwise == "null":
            return None
        if words.otherwise == "keep":
            return parse(theirs, type, max_bytes=max_bytes)
        raise UnknownWordError(f"{shown(theirs)} is not in the value map")

    return read


def _write_word(words: ValueMap, back: dict[str, str], value: Value) -> object:
    text = str(value)
    if text in back:
        return back[text]
    # A word that is theirs for something else must not be written as if it were ours.
    if words.otherwise == "keep" and text not in words.values:
        return text
    raise ValueError(f"{shown(text)} has no word in the value map")


def _bucket_reader(bucket: Bucket) -> Reader:
    bounds = tuple((Decimal(bound), name) for bound, name in bucket.below)

    def read(raw: object) -> Value:
        number = READERS[FieldType.MONEY](raw)
        assert isinstance(number, Decimal)
        return next((name for bound, name in bounds if number < bound), bucket.above)

    return read


def _read_date(pattern: str, zone: tzinfo, raw: object) -> date:
    text = read_text(raw)
    if not text.isascii():
        raise ValueError(f"{shown(raw)} is not a date")
    try:
        return _day(text, pattern, zone)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{shown(text)} is not a date of the form {pattern}: {error}") from error


@lru_cache(maxsize=8_192)
def _day(text: str, pattern: str, zone: tzinfo) -> date:
    """Read a date; the same few thousand days come again and again, and `strptime` is slow."""
    if pattern == ISO:
        moment = datetime.fromisoformat(text)
    elif pattern == EPOCH_MS:
        moment = datetime.fromtimestamp(int(str(READERS[FieldType.INTEGER](text))) / 1000, UTC)
    else:
        moment = datetime.strptime(text, pattern)  # noqa: DTZ007 - the zone follows
    return in_range((moment.astimezone(zone) if moment.tzinfo else moment).date())


def _write_date(pattern: str, value: Value) -> object:
    assert isinstance(value, date)
    if pattern == ISO:
        return value.isoformat()
    moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return int(moment.timestamp()) * 1000 if pattern == EPOCH_MS else moment.strftime(pattern)


def _read_scaled(scale: int, raw: object) -> Value:
    amount = READERS[FieldType.MONEY](raw)
    assert isinstance(amount, Decimal)
    return READERS[FieldType.MONEY](amount.scaleb(scale))


def _write_scaled(scale: int, value: Value) -> object:
    assert isinstance(value, Decimal)
    return READERS[FieldType.MONEY](value.scaleb(-scale))
