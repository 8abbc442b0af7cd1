"""The virtual clock, counting ids and repeating jitter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from quotey.testing.clock import START, VirtualClock, counting_ids, repeating_jitter


def test_sleeping_moves_the_clock_and_takes_no_time() -> None:
    clock = VirtualClock()
    clock.sleep(3600)
    assert clock.now() == START + timedelta(hours=1)
    assert clock.slept == [3600]


def test_a_sleep_of_nothing_or_less_moves_nothing() -> None:
    clock = VirtualClock()
    clock.sleep(0)
    clock.sleep(-5)
    assert clock.now() == START


def test_a_clock_can_be_set_back() -> None:
    clock = VirtualClock()
    clock.advance(timedelta(days=-1))
    assert clock.now() == START - timedelta(days=1)


def test_a_clock_speaks_utc() -> None:
    east = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert VirtualClock(east).now() == datetime(2026, 1, 1, tzinfo=UTC)
    assert VirtualClock(east).now().tzinfo is UTC


def test_a_moment_without_a_zone_is_our_bug() -> None:
    with pytest.raises(AssertionError):
        VirtualClock(datetime(2026, 1, 1))  # noqa: DTZ001 - the wrong thing, on purpose


def test_ids_count_and_never_meet() -> None:
    ids = counting_ids()
    assert [ids("op"), ids("op"), ids("q")] == ["op_0001", "op_0002", "q_0003"]


def test_jitter_repeats_what_it_was_given() -> None:
    jitter = repeating_jitter([0.0, 0.75])
    assert [jitter() for _ in range(3)] == [0.0, 0.75, 0.0]


@pytest.mark.parametrize("values", [(), (1.0,), (-0.1,)])
def test_jitter_outside_its_range_is_our_bug(values: tuple[float, ...]) -> None:
    with pytest.raises(AssertionError):
        repeating_jitter(values)
