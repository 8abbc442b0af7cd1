"""When a sweep is due, and which listed records incremental reading had missed.

Source: reliability R7; crm-semantics 2H "Coverage invariant".
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec.structs import replace

from quotey.contract.dto import Listed, RemoteRecord
from quotey.contract.journal import MirrorRecord, RecordState
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


def compare(listed: Listed, mirror: MirrorRecord | None, kept_out: Revision | None) -> Cause | None:
    """Say what is wrong with our copy of a listed record; None when it is as new as the list.

    A record that is kept out of the mirror is known all the same. One that has ended here and is
    listed is missing, whatever its stamp: coming out of a recycle bin may move none (2H).
    """
    known = [one for one in (mirror, kept_out) if one is not None]
    if not known or (kept_out is None and has_ended(mirror)):
        return Cause.MISSING
    return Cause.STALE if all(ahead(one, listed) > 0 for one in known) else None


def has_ended(mirror: MirrorRecord | None) -> bool:
    """Whether a record stands here as one that has ended."""
    return mirror is not None and mirror.state is RecordState.GONE


def returned(record: RemoteRecord, tombstone: MirrorRecord) -> RemoteRecord:
    """Date a record behind its tombstone, once a list and a read by id both say that it lives.

    Else it would be taken for a late page about the dead (reliability G13).
    """
    ended = record.deleted or record.merged_into is not None
    if ended or tombstone.source_ts is None or ahead(tombstone, record) > 0:
        return record
    version = tombstone.source_version
    return replace(
        record,
        source_ts=tombstone.source_ts + timedelta(milliseconds=1),
        source_version=str(int(version) + 1) if version.isdecimal() else version,
    )


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
