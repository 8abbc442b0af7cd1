"""When a sweep is due, and which listed records incremental reading had missed.

Source: reliability R7; crm-semantics 2H "Coverage invariant".
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from quotey.contract.dto import Listed
from quotey.contract.sweep import Sweep, SweepCounts
from quotey.decide.order import Revision, ahead
from quotey.decide.plan import RecordPlan


class Cause(StrEnum):
    """How reading had missed a record: never seen, an older state here, or it has ended."""

    MISSING = "missing"
    STALE = "stale"
    GONE = "gone"


def is_due(sweep: Sweep, now: datetime, every: timedelta, *, cursor_lost: bool) -> bool:
    """Say whether to sweep: one is under way, a cursor was lost, or the last is long ago.

    An `every` of zero never sweeps for the time alone.
    """
    if sweep.under_way or cursor_lost:
        return True
    late = sweep.finished_at is None or now - sweep.finished_at >= every
    return bool(every) and late


def compare(listed: Listed, mirror: Revision | None, kept_out: Revision | None) -> Cause | None:
    """Say what is wrong with our copy of a listed record; None when it is as new as the list.

    A record that is kept out of the mirror is known all the same.
    """
    known = [one for one in (mirror, kept_out) if one is not None]
    if not known:
        return Cause.MISSING
    return Cause.STALE if all(ahead(one, listed) > 0 for one in known) else None


_NO_FIND = frozenset({"unchanged", "stale"})
"""Plans of a record that turned out to say nothing new: only its stamp had moved."""


def count(cause: Cause, plan: RecordPlan, *, due: bool) -> SweepCounts:
    """Count one find by its cause, once it is known what it comes to.

    >>> count(Cause.MISSING, RecordPlan(kind="create"), due=True).missing
    1
    """
    if plan.kind in _NO_FIND:
        return SweepCounts()
    return SweepCounts(**{str(cause) if due else "ahead": 1})
