"""How many requests we allow ourselves, of the organisation and of each endpoint family.

A share of each bucket is kept for look-ups that a person waits for. A budget refuses or
delays; it never sends anything again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """So many requests in so many seconds."""

    requests: float
    seconds: float


class Bucket:
    """A token bucket that begins full and holds a second's worth, at least one token.

    Short bursts keep a fixed-window limiter of the other side from ever seeing twice its limit.
    """

    def __init__(self, rate: Rate, share: float, now: float) -> None:
        self._speed = rate.requests / rate.seconds
        self._room = max(1.0, self._speed)
        self._kept = share * self._room if self._room > 1 else 0.0
        self._level = self._room
        self._at = now

    def wait(self, now: float, *, interactive: bool) -> float:
        """Say in how many seconds a token can be taken; 0.0 is now."""
        self._level = min(self._room, self._level + (now - self._at) * self._speed)
        self._at = now
        floor = 0.0 if interactive else min(self._kept, self._room - 1.0)
        return max(0.0, (1.0 + floor - self._level) / self._speed)

    def take(self) -> None:
        """Take a token that `wait` has promised."""
        self._level -= 1.0


class Budget:
    """The buckets that a request has to pass: the organisation's, and its family's."""

    def __init__(
        self,
        organisation: Bucket,
        families: Mapping[str, Rate],
        *,
        share: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._organisation = organisation
        self._families = {name: Bucket(rate, share, clock()) for name, rate in families.items()}
        self._clock = clock
        self._sleep = sleep

    def admit(self, family: str, *, interactive: bool, patience: float) -> float:
        """Wait for a turn; 0.0 when it is there, else the seconds for which to come back later."""
        end = self._clock() + patience
        while True:
            wait = self._try(family, interactive=interactive)
            if not wait or self._clock() + wait > end:
                return wait
            self._sleep(wait)

    def _try(self, family: str, *, interactive: bool) -> float:
        with _GUARD:
            now = self._clock()
            buckets = [self._organisation, self._families[family]]
            wait = max(bucket.wait(now, interactive=interactive) for bucket in buckets)
            if not wait:
                for bucket in buckets:
                    bucket.take()
            return wait


_GUARD = threading.Lock()
_ORGANISATIONS: dict[str, Bucket] = {}


def organisation(key_digest: str, rate: Rate, share: float, now: float) -> Bucket:
    """Give the bucket that all connections of this process share that use the same key."""
    with _GUARD:
        return _ORGANISATIONS.setdefault(key_digest, Bucket(rate, share, now))
