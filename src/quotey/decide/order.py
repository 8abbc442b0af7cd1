"""Which of two revisions of one record is the newer one. Source: law 11; reliability G13."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Protocol

_NUMBER = re.compile(r"[0-9]{1,30}")


class Revision(Protocol):
    """What tells revisions of one record apart; mirrors, records and quarantined ones have it."""

    @property
    def source_version(self) -> str:
        """Orders revisions where the source has such a thing."""

    @property
    def source_ts(self) -> datetime | None:
        """The moment of the source; None for what never came from there."""


def ahead(known: Revision, other: Revision) -> int:
    """Give 1 when the other is newer than the known one, 0 when the same, -1 when older.

    Versions that are plain numbers are compared; all others are opaque, and the source's time
    decides. Anything is newer than what never came from the source.
    """
    ours, theirs = known.source_version, other.source_version
    if _NUMBER.fullmatch(ours) and _NUMBER.fullmatch(theirs):
        return _sign(int(theirs) > int(ours), int(theirs) < int(ours))
    if known.source_ts is None or other.source_ts is None:
        return 1
    return _sign(other.source_ts > known.source_ts, other.source_ts < known.source_ts)


def _sign(more: bool, less: bool) -> int:  # noqa: FBT001 - two comparisons of one pair
    return int(more) - int(less)
