"""Time, ids and chance for tests: all move only when told to, and the same way every time."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 15, 12, tzinfo=UTC)


class VirtualClock:
    """A clock that moves only by `sleep` and `advance`. Threads may share it.

    >>> clock = VirtualClock()
    >>> clock.sleep(90)
    >>> clock.now() - START
    datetime.timedelta(seconds=90)
    """

    def __init__(self, start: datetime = START) -> None:
        """Start at a moment, which must be aware."""
        assert start.tzinfo is not None, "a clock's moment is aware"
        self._now = start.astimezone(UTC)
        self._turn = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Give the present moment, in UTC."""
        with self._turn:
            return self._now

    def sleep(self, seconds: float) -> None:
        """Move on by so many seconds at once, and remember it; zero or less moves nothing."""
        with self._turn:
            self.slept.append(seconds)
            self._now += timedelta(seconds=max(0.0, seconds))

    def advance(self, by: timedelta) -> None:
        """Move by a span, backwards too (a clock that is set back), without sleeping."""
        with self._turn:
            self._now += by


def counting_ids() -> Callable[[str], str]:
    """Make a source of ids that counts: op_0001, op_0002, q_0003.

    >>> ids = counting_ids()
    >>> ids("op"), ids("q")
    ('op_0001', 'q_0002')
    """
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}_{next(numbers):04d}"


def repeating_jitter(values: Iterable[float] = (0.5,)) -> Callable[[], float]:
    """Make a source of jitter that gives these values over and over; each must be in [0, 1).

    >>> jitter = repeating_jitter([0.0, 0.25])
    >>> jitter(), jitter(), jitter()
    (0.0, 0.25, 0.0)
    """
    given = tuple(values)
    assert given, "jitter needs at least one value"
    assert all(0.0 <= value < 1.0 for value in given), "jitter is in [0, 1)"
    source = itertools.cycle(given)
    return lambda: next(source)
