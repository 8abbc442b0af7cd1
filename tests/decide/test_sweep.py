"""When a sweep is due, and what a listed record says of our copy of it (R7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from quotey.contract.dto import Listed
from quotey.contract.fields import Entity
from quotey.contract.sweep import Sweep, SweepCounts
from quotey.decide.plan import PlanKind, RecordPlan
from quotey.decide.sweep import Cause, compare, count, is_due

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
SWEPT = Sweep(connection="main", entity=Entity.DEAL, finished_at=NOW - DAY)


def listed(version: int) -> Listed:
    return Listed(crm_ref="D-1", source_ts=NOW, source_version=str(version))


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
    ours = [None if one is None else listed(one) for one in (mirror, kept_out)]
    assert compare(listed(5), *ours) is cause


@pytest.mark.parametrize("kind", ["unchanged", "stale"])
def test_a_find_that_says_nothing_new_counts_for_nothing(kind: PlanKind) -> None:
    assert count(Cause.STALE, RecordPlan(kind=kind), due=True) == SweepCounts()


@pytest.mark.parametrize("cause", list(Cause))
def test_a_find_is_counted_by_its_cause_or_as_ahead_of_reading(cause: Cause) -> None:
    plan = RecordPlan(kind="update")
    assert count(cause, plan, due=True) == SweepCounts(**{str(cause): 1})
    assert count(cause, plan, due=False) == SweepCounts(ahead=1)
