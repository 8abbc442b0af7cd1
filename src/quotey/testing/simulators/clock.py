"""The simulators' time and chance: both are given, so that a run can be repeated to the byte.

Nothing here reads the wall clock; a caller that wants real time passes a clock of its own.
"""

import hashlib
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")

START = datetime(2026, 3, 10, 12, tzinfo=UTC)


class Clock(Protocol):
    """What a simulator asks about time."""

    def now(self) -> datetime:
        """The present, in UTC."""
        ...

    def tick(self) -> None:
        """Told once per request; a clock may move on by what a request takes."""
        ...


class VirtualClock:
    """A clock that moves only when it is told to, and by `per_request` with every request."""

    def __init__(self, start: datetime = START, *, per_request: timedelta = timedelta()) -> None:
        self._now = start
        self._guard = threading.Lock()
        self.per_request = per_request

    def now(self) -> datetime:
        """The present, in UTC."""
        with self._guard:
            return self._now

    def advance(self, seconds: float) -> datetime:
        """Let `seconds` pass and answer the new present."""
        with self._guard:
            self._now += timedelta(seconds=seconds)
            return self._now

    def tick(self) -> None:
        """Move on by what one request takes."""
        if self.per_request:
            self.advance(self.per_request.total_seconds())


class RunningClock:
    """Somebody else's clock, for simulators that people work with: it goes by itself."""

    def __init__(self, ask: Callable[[], datetime]) -> None:
        self._ask = ask

    def now(self) -> datetime:
        """The present, in UTC."""
        return self._ask()

    def tick(self) -> None:
        """Nothing: time passes without being told."""


class Dice:
    """Chance by seed: the same seed and the same questions give the same numbers."""

    def __init__(self, seed: int, label: str) -> None:
        self._key = f"{seed}:{label}"
        self._drawn = 0

    def number(self) -> int:
        """The next number, below 2**64."""
        self._drawn += 1
        digest = hashlib.blake2b(f"{self._key}:{self._drawn}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big")

    def between(self, low: float, high: float) -> float:
        """The next number in [low, high)."""
        return low + (high - low) * (self.number() / 2**64)

    def uuid(self) -> str:
        """The next correlation id in the usual form."""
        text = f"{self.number():016x}{self.number():016x}"
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))

    def shuffled(self, items: Sequence[_Item]) -> list[_Item]:
        """The same items in another, repeatable order."""
        return [item for _, item in sorted(((self.number(), i) for i in items), key=lambda p: p[0])]


def http_date(moment: datetime) -> str:
    """RFC 1123 text of a moment, as the Date header carries it."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)
