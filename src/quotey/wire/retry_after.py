"""`Retry-After` and `Date` by the strict grammar of RFC 9110, sections 5.6.7 and 10.2.3.

Only the preferred form of a date is read; anything else is as if nothing had been said.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_SECONDS = re.compile(r"[0-9]{1,9}")
_DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DATE = re.compile(
    rf"({'|'.join(_DAYS)}), ([0-9]{{2}}) ({'|'.join(_MONTHS)}) ([0-9]{{4}}) "
    r"([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)


def retry_after(text: str | None, now: datetime) -> timedelta | None:
    """Give the time to wait, never negative; None when none was said in the grammar.

    `now` is the sender's own clock where it is known (its Date header).

    >>> retry_after("20", datetime(2023, 9, 29, tzinfo=UTC))
    datetime.timedelta(seconds=20)
    >>> retry_after("-10", datetime(2023, 9, 29, tzinfo=UTC)) is None
    True
    """
    if text is None:
        return None
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=int(text))
    at = http_date(text)
    return None if at is None else max(at - now, timedelta())


def http_date(text: str | None) -> datetime | None:
    """Read an IMF-fixdate; None for anything else.

    >>> http_date("Fri, 29 Sep 2023 16:26:57 GMT").isoformat()
    '2023-09-29T16:26:57+00:00'
    >>> http_date("Sat, 29 Sep 2023 16:26:57 GMT") is None  # it was a Friday
    True
    """
    found = _DATE.fullmatch(text or "")
    if found is None:
        return None
    day, month = int(found[2]), _MONTHS.index(found[3]) + 1
    try:
        hour, minute, second = map(int, found.group(5, 6, 7))
        at = datetime(int(found[4]), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return at if _DAYS[at.weekday()] == found[1] else None
