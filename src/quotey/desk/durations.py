"""Spans of time as people type them: `90m`, `48h`, `2d`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_SPAN = re.compile(r"^([0-9]{1,5})\s?([mhdw])$")
_UNIT = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

LONGEST = timedelta(days=366)
"""A lock or a deferral that outlives a year is a policy, not a window."""


def parse_span(text: str) -> timedelta:
    """Turn a typed span into a `timedelta`; raises `ValueError` with a sentence.

    >>> parse_span("48h") == parse_span("2d")
    True
    """
    found = _SPAN.match(text.strip().lower())
    if found is None:
        raise ValueError(f"{text[:40]!r} is not a duration; write it as 90m, 48h, 2d or 1w")
    span = timedelta(**{_UNIT[found[2]]: int(found[1])})
    if not timedelta(0) < span <= LONGEST:
        raise ValueError(f"{text[:40]!r} must be more than nothing and at most {LONGEST.days}d")
    return span


def parse_moment(text: str, now: datetime) -> datetime:
    """Turn a span from now, a date or a moment with its offset into a moment in UTC, ahead of now.

    Raises `ValueError` with a sentence. A date means its first moment in UTC.

    >>> from datetime import UTC
    >>> parse_moment("2d", datetime(2026, 3, 1, tzinfo=UTC)).isoformat()
    '2026-03-03T00:00:00+00:00'
    """
    try:
        return now + parse_span(text)
    except ValueError:
        moment = _read_moment(text)
    if not now < moment <= now + LONGEST:
        raise ValueError(f"{text[:40]!r} must lie ahead, by at most {LONGEST.days} days.")
    return moment


def _read_moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            f"{text[:40]!r} is neither a duration (48h, 2d) nor a date (2026-03-01)."
        ) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
