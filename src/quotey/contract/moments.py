"""How a moment is written for a person, in every sentence, table and page: in UTC, to the second.

JSON documents and the audit keep ISO 8601; nothing is parsed here.
"""

from __future__ import annotations

from datetime import UTC, datetime


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
