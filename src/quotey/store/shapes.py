"""Turns rows into values and back: one place for times, JSON, money. Knows no table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, TypeVar

import msgspec

from quotey.store.faults import damaged_row, no_text

Cell = str | int | bytes | float | None
Row = tuple[Any, ...]
T = TypeVar("T", bound=msgspec.Struct)

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder().decode


def to_text(moment: datetime) -> str:
    """Write a time as UTC text of one width, so that the order of texts is the order of times.

    >>> to_text(datetime(2026, 2, 23, tzinfo=UTC))
    '2026-02-23T00:00:00.000000+00:00'
    """
    assert moment.tzinfo is not None, "times are aware"
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")


def to_text_or_none(moment: datetime | None) -> str | None:
    """Write a time, or None."""
    return None if moment is None else to_text(moment)


def to_time(text: str) -> datetime:
    """Read what `to_text` wrote."""
    return datetime.fromisoformat(text)


def to_json(value: object) -> str:
    """Write JSON with sorted keys, so that equal values are equal texts.

    Raises UsageError for a text that is not Unicode.
    """
    try:
        return _encode(value).decode()
    except UnicodeEncodeError as error:
        raise no_text(error) from error


def from_json(text: str) -> Any:  # noqa: ANN401 - it is JSON
    """Read JSON."""
    return _decode(text)


def texts(values: Iterable[str]) -> str:
    """Write a list of texts for `json_each`."""
    return to_json(list(values))


class Shape(Generic[T]):
    """How a Struct stands in a row: its fields in order; `json` names those kept as JSON."""

    def __init__(self, kind: type[T], *json: str) -> None:
        self._kind = kind
        self._json = frozenset(json)
        self.columns: tuple[str, ...] = kind.__struct_fields__

    def read(self, row: Row) -> T:
        """Read a row whose columns are the Struct's fields, in order. StoreError when damaged."""
        try:
            values = {
                name: from_json(cell) if name in self._json else cell
                for name, cell in zip(self.columns, row, strict=True)
            }
            return msgspec.convert(values, self._kind, strict=False)
        except msgspec.MsgspecError as error:
            raise damaged_row(error) from error

    def read_all(self, rows: Sequence[Row]) -> tuple[T, ...]:
        """Read several rows."""
        return tuple(map(self.read, rows))

    def write(self, value: T) -> dict[str, Cell]:
        """Give the cells by column name."""
        return {
            name: to_json(getattr(value, name))
            if name in self._json
            else to_cell(getattr(value, name))
            for name in self.columns
        }


def to_cell(value: object) -> Cell:
    """Write one plain value the way that every table keeps it."""
    match value:
        case datetime():
            return to_text(value)
        case Enum():
            return str(value)
        case Decimal():
            return f"{value:f}"
        case bool():
            return int(value)
        case None | str() | int() | bytes():
            return value
        case _:
            raise TypeError(f"No column holds a {type(value).__name__}.")
