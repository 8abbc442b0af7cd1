"""How a moment is written for a person, in every sentence and on every page; which are believed.

JSON documents and the audit keep ISO 8601; nothing is parsed here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def moment(at: datetime) -> str:
    """Write a moment in UTC, to the second.

    >>> moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02 03:04:05Z'
    """
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def moment_text(text: str) -> str:
    """Write a moment that is kept as ISO 8601; what is none stays as it is.

    >>> moment_text("2026-01-02T03:04:05.678+00:00"), moment_text("soon")
    ('2026-01-02 03:04:05Z', 'soon')
    """
    try:
        return moment(datetime.fromisoformat(text))
    except ValueError:
        return text


LONGEST_LEASE = timedelta(hours=1)
"""No lease is given for longer; settings cannot ask for more."""


def is_ahead(until: datetime | None, now: datetime, longest: timedelta) -> bool:
    """Say whether what was to last until a moment, and for `longest` at most, still lasts.

    A moment further ahead than that was noted by a clock that has been set back since; whoever
    believed it would wait for as long as that jump was (reliability 2.C).

    >>> at = datetime(2026, 1, 15, 12, tzinfo=UTC)
    >>> [is_ahead(at + timedelta(hours=h), at, LONGEST_LEASE) for h in (0, 1, 24)]
    [False, True, False]
    """
    return until is not None and now < until <= now + longest
