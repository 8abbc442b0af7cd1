"""When a sweep is due, and what a listed record says of our copy of it (R7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from quotey.contract.dto import Listed, RemoteRecord
from quotey.contract.fields import Entity
from quotey.contract.journal import MirrorRecord, RecordState
from quotey.contract.sweep import Sweep, SweepCounts
from quotey.decide.gone import is_stale
from quotey.decide.plan import PlanKind, RecordPlan
from quotey.decide.sweep import Cause, compare, count, is_due, returned

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
SWEPT = Sweep(connection="main", entity=Entity.DEAL, finished_at=NOW - DAY)


def listed(version: int) -> Listed:
    return Listed(crm_ref="D-1", source_ts=NOW, source_version=str(version))


def remote(version: int) -> RemoteRecord:
    return RemoteRecord(crm_ref="D-1", source_ts=NOW, source_version=str(version), payload=b"{}")


def mirrored(version: int) -> MirrorRecord:
    return MirrorRecord(
        connection="main",
        entity=Entity.DEAL,
        id="deal_1",
        crm_ref="D-1",
        local={},
        base={},
        source_ts=NOW,
        source_version=str(version),
        content_hash="h",
    )


@pytest.mark.parametrize(
    ("ago", "every", "due"),
    [
        (DAY, DAY, True),
        (DAY - timedelta(seconds=1), DAY, False),
        (DAY * 30, timedelta(), False),
    ],
)
def test_it_is_due_when_the_last_one_is_as_long_ago_as_was_set(
    ago: timedelta, every: timedelta, *, due: bool
) -> None:
    before = msgspec.structs.replace(SWEPT, finished_at=NOW - ago)
    assert is_due(before, NOW, every, cursor_lost=False) is due


def test_it_is_due_when_there_was_none_unless_it_never_is() -> None:
    never = msgspec.structs.replace(SWEPT, finished_at=None)
    assert is_due(never, NOW, DAY, cursor_lost=False)
    assert not is_due(never, NOW, timedelta(), cursor_lost=False)


def test_one_that_is_under_way_is_due_at_once() -> None:
    cut_off = msgspec.structs.replace(SWEPT, finished_at=NOW, started_at=NOW)
    assert is_due(cut_off, NOW, timedelta(), cursor_lost=False)


def test_it_is_due_after_a_lost_cursor() -> None:
    fresh = msgspec.structs.replace(SWEPT, finished_at=NOW)
    assert is_due(fresh, NOW, DAY, cursor_lost=True)
    assert not is_due(fresh, NOW, DAY, cursor_lost=False)


@pytest.mark.parametrize(
    ("mirror", "kept_out", "cause"),
    [
        (None, None, Cause.MISSING),
        (4, None, Cause.STALE),
        (5, None, None),
        (6, None, None),
        (None, 4, Cause.STALE),
        (None, 5, None),
        (4, 5, None),
        (4, 4, Cause.STALE),
    ],
)
def test_a_record_that_is_listed_in_a_newer_state_than_any_of_ours_is_stale(
    mirror: int | None, kept_out: int | None, cause: Cause | None
) -> None:
    ours = None if mirror is None else mirrored(mirror)
    kept = None if kept_out is None else listed(kept_out)
    assert compare(listed(5), ours, kept) is cause


@pytest.mark.parametrize("version", [4, 5, 6])
def test_a_record_that_has_ended_here_and_is_listed_is_missing_whatever_its_stamp(
    version: int,
) -> None:
    ended = msgspec.structs.replace(mirrored(version), state=RecordState.GONE)
    assert compare(listed(5), ended, None) is Cause.MISSING
    assert compare(listed(5), ended, listed(5)) is None  # it waits in quarantine already


def test_a_record_that_has_returned_is_dated_behind_its_tombstone() -> None:
    tombstone = msgspec.structs.replace(mirrored(9), state=RecordState.GONE)
    found = returned(remote(5), tombstone)
    assert (found.source_version, found.source_ts) == ("10", NOW + timedelta(milliseconds=1))
    assert not is_stale(tombstone, found)


def test_where_versions_are_opaque_the_moment_tells_that_it_has_returned() -> None:
    gone = msgspec.structs.replace(mirrored(9), source_version="v-9", state=RecordState.GONE)
    found = returned(remote(5), gone)
    assert found.source_version == "v-9"
    assert not is_stale(gone, found)


@pytest.mark.parametrize(
    ("record", "tombstone"),
    [
        (remote(12), mirrored(9)),
        (msgspec.structs.replace(remote(5), deleted=True), mirrored(9)),
        (msgspec.structs.replace(remote(5), merged_into="D-2"), mirrored(9)),
        (remote(5), msgspec.structs.replace(mirrored(9), source_ts=None)),
    ],
)
def test_nothing_else_is_dated_anew(record: RemoteRecord, tombstone: MirrorRecord) -> None:
    assert returned(record, tombstone) is record


@pytest.mark.parametrize("kind", ["unchanged", "stale"])
def test_a_find_that_says_nothing_new_counts_for_nothing(kind: PlanKind) -> None:
    assert count(Cause.STALE, RecordPlan(kind=kind), due=True) == SweepCounts()


@pytest.mark.parametrize("cause", list(Cause))
def test_a_find_is_counted_by_its_cause_or_as_ahead_of_reading(cause: Cause) -> None:
    plan = RecordPlan(kind="update")
    assert count(cause, plan, due=True) == SweepCounts(**{str(cause): 1})
    assert count(cause, plan, due=False) == SweepCounts(ahead=1)
