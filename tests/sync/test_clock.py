"""Where time, ids and chance come in."""

from __future__ import annotations

from datetime import UTC

from quotey.sync.clock import SystemClock, fresh_id, roll


def test_the_system_clock_is_in_utc_and_a_sleep_of_nothing_returns() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    clock.sleep(0)
    clock.sleep(-1)
    clock.sleep(0.0001)


def test_fresh_ids_have_their_prefix_and_never_repeat() -> None:
    ids = {fresh_id("op") for _ in range(100)}
    assert len(ids) == 100
    assert all(id_.startswith("op_") and len(id_) == 19 for id_ in ids)


def test_a_roll_is_below_one() -> None:
    assert all(0.0 <= roll() < 1.0 for _ in range(100))
