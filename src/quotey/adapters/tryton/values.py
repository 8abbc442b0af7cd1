"""Values as Tryton's JSON has them: an object with `__class__` where JSON has no such type."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

Doc = dict[str, Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = ("year", "month", "day")
_MOMENT = (*_DATE, "hour", "minute", "second", "microsecond")


def to_wire(value: object) -> object:
    """Write a value, and whatever is in it. Moments are sent in UTC, without a zone.

    >>> to_wire([Decimal("1.10"), date(2026, 5, 31)])[0]
    {'__class__': 'Decimal', 'decimal': '1.10'}
    """
    match value:
        case Decimal():
            return {"__class__": "Decimal", "decimal": str(value)}
        case datetime():
            at = value.astimezone(UTC)
            return {"__class__": "datetime", **{part: getattr(at, part) for part in _MOMENT}}
        case date():
            return {"__class__": "date", **{part: getattr(value, part) for part in _DATE}}
        case Mapping():
            return {name: to_wire(one) for name, one in value.items()}
        case list() | tuple():
            return [to_wire(one) for one in value]
        case _:
            return value


def from_wire(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Read a value, and whatever is in it; `currency.` beside `currency` takes its place.

    Raises ValueError for an object that is not what its class says.

    >>> from_wire({"currency": 1, "currency.": {"id": 1, "code": "EUR"}})
    {'currency': {'id': 1, 'code': 'EUR'}}
    """
    if isinstance(value, list):
        return [from_wire(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "__class__" in value:
        return _typed(value)
    plain = {name: from_wire(one) for name, one in value.items() if not name.endswith(".")}
    nested = {name[:-1]: from_wire(one) for name, one in value.items() if name.endswith(".")}
    return {**plain, **nested}


def _typed(value: Doc) -> object:
    try:
        match value["__class__"]:
            case "Decimal":
                return _decimal(value["decimal"])
            case "date":
                return date(*(value[part] for part in _DATE))
            case "datetime":
                return datetime(**{part: value[part] for part in _MOMENT}, tzinfo=UTC)
            case "timedelta":
                return timedelta(seconds=float(value["seconds"]))
            case _:
                return value
    except (KeyError, TypeError, OverflowError, InvalidOperation) as error:
        raise ValueError(f"it holds a malformed {value['__class__']}") from error


def _decimal(text: object) -> Decimal:
    number = Decimal(str(text))
    if not number.is_finite():
        raise InvalidOperation
    return number


def microseconds(at: datetime) -> int:
    """Give a moment as whole microseconds since 1970.

    >>> microseconds(EPOCH + timedelta(seconds=2))
    2000000
    """
    return (at - EPOCH) // timedelta(microseconds=1)


def at_microseconds(count: int) -> datetime:
    """Give the moment of so many microseconds since 1970."""
    return EPOCH + timedelta(microseconds=count)
