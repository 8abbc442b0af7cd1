"""How a written value is checked, and the text as which it is kept.

Source: crm-semantics.md 1H "Values": everything is text on the wire.
"""

import re
from datetime import UTC, date, datetime, timedelta

from quotey.testing.simulators.hubspot.errors import Problem
from quotey.testing.simulators.hubspot.schema import Property

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 86_400_000
_NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)")
_INTEGER = re.compile(r"-?\d{1,15}")
MAX_TEXT = 65_536


def stamp(moment: datetime) -> str:
    """A moment as the vendor writes it: no fraction when the milliseconds are zero (1H)."""
    utc = moment.astimezone(UTC)
    whole = utc.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}Z" if utc.microsecond < 1000 else f"{whole}.{utc.microsecond // 1000:03d}Z"  # noqa: PLR2004 - one millisecond


def moment_ms(text: str) -> int | None:
    """Milliseconds since 1970 of an ISO text, a plain date or an epoch number; None if neither."""
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (parsed.replace(tzinfo=parsed.tzinfo or UTC) - _EPOCH) // timedelta(milliseconds=1)


def moment_of(milliseconds: int) -> datetime:
    """The moment of an epoch number."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def to_text(raw: object) -> str:
    """The text that the vendor makes of a JSON value; null clears like an empty text."""
    if raw is None:
        return ""
    return str(raw).lower() if isinstance(raw, bool) else str(raw)


def kept(definition: Property, text: str) -> str | Problem:
    """The text that is stored for a written one, or why it is refused. Blank is for the caller."""
    match definition.type:
        case "number":
            return _number(definition, text)
        case "date":
            return _date(definition, text)
        case "datetime":
            return _datetime(definition, text)
        case "enumeration" | "bool":
            return _option(definition, text)
        case _:
            return _text(definition, text)


def _number(definition: Property, text: str) -> str | Problem:
    # Commas are rejected; what is accepted comes back exactly as written.
    if _NUMBER.fullmatch(text):
        return text
    return Problem(definition.name, "INVALID_LONG", f"{text} was not a valid long.")


def _date(definition: Property, text: str) -> str | Problem:
    milliseconds = moment_ms(text)
    if milliseconds is None:
        return Problem(definition.name, "INVALID_DATE", f"{text} was not a valid date.")
    if milliseconds % _DAY_MS:
        # hubspot-api-php#74: epoch seconds land here too.
        clock = moment_of(milliseconds).strftime("%H:%M:%S.%f")[:-3]
        why = f"{text} is at {clock} UTC, not midnight!"
        return Problem(definition.name, "INVALID_DATE", why)
    return date.isoformat(moment_of(milliseconds).date())


def _datetime(definition: Property, text: str) -> str | Problem:
    milliseconds = moment_ms(text)
    if milliseconds is None:
        return Problem(definition.name, "INVALID_DATE", f"{text} was not a valid date.")
    return stamp(moment_of(milliseconds))


def _option(definition: Property, text: str) -> str | Problem:
    allowed = {value for value, _ in definition.options}
    several = definition.field_type == "checkbox"
    chosen = [part for part in text.split(";") if part] if several else [text]
    wrong = [part for part in chosen if allowed and part not in allowed]
    if not wrong:
        return text
    listed = ", ".join(f'label: "{label}"\nvalue: "{value}"' for value, label in definition.options)
    why = f"{wrong[0]} was not one of the allowed options: [{listed}]"
    return Problem(definition.name, "INVALID_OPTION", why)


def _text(definition: Property, text: str) -> str | Problem:
    if len(text) > MAX_TEXT:
        why = f"Property values must be at most {MAX_TEXT} characters."
        return Problem(definition.name, "PROPERTY_VALUE_TOO_LONG", why)
    if definition.name == "email":
        # 0.10: the vendor normalises e-mail case and domains.
        valid = re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text.strip())
        bad = Problem("email", "INVALID_EMAIL", f"Email address {text} is invalid")
        return text.strip().lower() if valid else bad
    if definition.name == "domain":
        return re.sub(r"^(https?://)?(www\.)?", "", text.strip().lower()).split("/", 1)[0]
    return text
