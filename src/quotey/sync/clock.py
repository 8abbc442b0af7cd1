"""The only place where wall clock, chance and fresh ids come in; all else takes them as arguments.

A simulator replaces all three, and then the same inputs give the same audit bytes (law 6).
"""

from __future__ import annotations

import random
import time
import uuid
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the engine knows of time."""

    def now(self) -> datetime:
        """Give the present moment, aware, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait; zero or less returns at once."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Give the present moment in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait; zero or less returns at once."""
        if seconds > 0:
            time.sleep(seconds)


def fresh_id(prefix: str) -> str:
    """Make a new id: the prefix, an underscore, and 16 hex digits that were never used before."""
    return f"{prefix}_{uuid.uuid4().hex[:16]}"


def roll() -> float:
    """Roll the jitter: a float in [0, 1)."""
    return random.random()  # noqa: S311 - spreads retries; guards no secret
