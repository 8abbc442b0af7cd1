"""How a written JSON value becomes a stored one, and how a stored one is written out.

Source: crm-semantics.md 1S "Null/empty", "Numbers", "Multicurrency", "Dates".
"""

import re
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from quotey.testing.simulators.salesforce.errors import SalesforceError, refused
from quotey.testing.simulators.salesforce.ids import normal
from quotey.testing.simulators.salesforce.schema import Field, Value

_NUMBERS = frozenset({"currency", "double", "percent", "int"})
_HALF_WIDTH = " \t\r\n"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_BIG = Decimal(10) ** 7


def stored(field: Field, raw: object) -> Value:
    """The value that is kept for a written one; blank text is null.

    Raises:
        SalesforceError: 400 with the field's name.
    """
    if raw is None:
        return False if field.type == "boolean" else None
    if field.type in _NUMBERS:
        return _number(field, raw)
    if field.type == "boolean":
        return _boolean(field, raw)
    if not isinstance(raw, str):
        raise _malformed(field, raw)
    # 1S: half-width blanks are trimmed by the server, full-width ones stay.
    text = raw.strip(_HALF_WIDTH)
    return None if text == "" else _text(field, text)


def _text(field: Field, text: str) -> str:
    match field.type:
        case "reference":
            return _reference(field, text)
        case "date":
            return _date(field, text)
        case "datetime":
            return moment_text(_moment(field, text))
        case "email" if not _EMAIL.fullmatch(text):
            message = f"{field.name}: invalid email address: {text}"
            raise refused("INVALID_EMAIL_ADDRESS", message, field.name)
        case "picklist" if field.restricted and text not in field.options:
            message = f"bad value for restricted picklist field: {text}"
            raise refused("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, field.name)
        case _ if len(text) > field.length:
            message = f"{field.name}: data value too large: {text} (max length={field.length})"
            raise refused("STRING_TOO_LONG", message, field.name)
        case _:
            return text


def _number(field: Field, raw: object) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, int | Decimal):
        raise _malformed(field, raw)
    exact = Decimal(raw)
    if exact.copy_abs() >= Decimal(10) ** (field.precision - field.scale):
        message = f"{field.name}: value outside of valid range on numeric field: {raw}"
        raise refused("NUMBER_OUTSIDE_VALID_RANGE", message, field.name)
    # 1S: rounded half-up to the field's scale, without a word.
    return exact.quantize(Decimal(1).scaleb(-field.scale), rounding=ROUND_HALF_UP)


def _boolean(field: Field, raw: object) -> bool:
    if not isinstance(raw, bool):
        raise _malformed(field, raw)
    return raw


def _reference(field: Field, text: str) -> str:
    record_id = normal(text)
    if record_id is None:
        raise refused("MALFORMED_ID", f"malformed id {text}", field.name)
    return record_id


def _date(field: Field, text: str) -> str:
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError as error:
        raise _malformed(field, text) from error


def _moment(field: Field, text: str) -> datetime:
    moment = moment_of(text)
    if moment is None:
        raise _malformed(field, text)
    return moment


def _malformed(field: Field, raw: object) -> SalesforceError:
    message = f"Cannot deserialize instance of {field.type} from value {raw} at [line:1, column:1]"
    return refused("JSON_PARSER_ERROR", message)


def moment_of(text: str) -> datetime | None:
    """The moment of an ISO text with or without a colon in its offset; None when it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def moment_text(moment: datetime) -> str:
    """A moment as the vendor writes it: no colon in the offset, milliseconds always zero (1S)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def written(field: Field, value: Value, *, exponents: bool) -> object:
    """A stored value as JSON: money is a number, never text (section 0.8)."""
    if not isinstance(value, Decimal):
        return value
    if field.type == "int":
        return int(value)
    return msgspec.Raw(_decimal_text(value, exponents=exponents).encode())


def _decimal_text(value: Decimal, *, exponents: bool) -> str:
    plain = format(value.normalize(), "f")
    plain = plain if "." in plain else f"{plain}.0"
    if not exponents or value.copy_abs() < _BIG:
        return plain
    # Java's way with doubles from ten millions on: 12345678.5 is 1.23456785E7.
    power = value.copy_abs().adjusted()
    digits = format(value.scaleb(-power).normalize(), "f")
    return f"{digits if '.' in digits else f'{digits}.0'}E{power}"
