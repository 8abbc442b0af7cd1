"""How many requests we allow ourselves: of the organisation, of the connection, of an endpoint.

What is left of each bucket, and until when we were asked to keep away, is in notes that all
processes share. A share of each bucket is kept for look-ups that a person waits for. A budget
refuses or delays; it never sends anything again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from quotey.contract.shared import Notes, Shared

T = TypeVar("T")

ORGANISATION, CONNECTION = "organisation", "connection"
"""The buckets that every request passes; an endpoint family may have one of its own besides."""

LONGEST = 25 * 3600.0
"""Seconds that we keep away at most: a daily quota ends within a day (crm-semantics 4H)."""


class Rate(msgspec.Struct, frozen=True):
    """So many requests in so many seconds."""

    requests: float
    seconds: float


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """What all processes know of a bucket: `level` tokens at the moment `at`.

    From `since` to `until` nothing may be sent, because we were asked to keep away.
    """

    level: float
    at: float
    since: float = 0.0
    until: float = 0.0


class Wait(msgspec.Struct, frozen=True):
    """How many seconds a request has to wait; `asked` when we were told to keep away."""

    seconds: float
    asked: bool = False


class Bucket:
    """A token bucket. It holds a tenth of its allowance, and never more than a second's worth.

    So no window of the other side sees more than a tenth above the allowance. `share` of what it
    holds is for people who wait.
    """

    def __init__(self, rate: Rate, share: float) -> None:
        self.speed = rate.requests / rate.seconds
        self.room = max(1.0 + share, min(self.speed, rate.requests / 10))
        self._kept = min(max(share, share * self.room), self.room - 1.0)

    def filled(self, before: Standing | None, now: float) -> Standing:
        """Give the standing as it is now; a new bucket is full.

        Where the clock was set back, the wait that was asked for begins anew, once.
        """
        if before is None:
            return Standing(self.room, now)
        level = min(self.room, before.level + max(0.0, now - before.at) * self.speed)
        since, until = before.since, before.until
        if now < since:
            since, until = now, now + (until - since)
        return Standing(level, now, since, until)

    def wait(self, standing: Standing, *, interactive: bool) -> Wait:
        """Say in how many seconds a token can be taken; 0.0 is now."""
        floor = 0.0 if interactive else self._kept
        refill = max(0.0, (1.0 + floor - standing.level) / self.speed)
        asked = max(0.0, standing.until - standing.at)
        # What is left of a rounding would be slept again and again.
        return Wait(max(refill if refill > 1e-6 else 0.0, asked), asked=asked > 0.0)  # noqa: PLR2004


class Budget:
    """The buckets that a request has to pass, by names that all connections of an account share.

    `rates` are by scope: the organisation's, the connection's, and those of endpoint families.
    """

    def __init__(
        self,
        names: Mapping[str, str],
        rates: Mapping[str, Rate],
        *,
        share: float,
        shared: Shared,
    ) -> None:
        self._names = names
        self._buckets = {scope: Bucket(rate, share) for scope, rate in rates.items()}
        self._shared = shared

    def admit(self, family: str, *, interactive: bool, patience: float) -> Wait:
        """Wait for a turn; 0 seconds when it is there, else those for which to come back later.

        No lock is held while waiting. Raises StoreError or StoreBusyError.
        """
        left = patience
        while True:
            wait = self._try(family, interactive=interactive)
            if not wait.seconds or wait.seconds > left:
                return wait
            self._shared.sleep(wait.seconds)
            left -= wait.seconds

    def keep_away(self, scope: str, seconds: float) -> None:
        """Note that nothing may be sent for so long; a longer wait that runs already stands."""
        bucket = self._buckets[scope]
        name = self._names[scope]

        def close(notes: Notes) -> tuple[Notes, None]:
            now = self._shared.now()
            standing = bucket.filled(_read(notes.get(name)), now)
            until = max(standing.until, now + min(seconds, LONGEST))
            closed = msgspec.structs.replace(standing, since=now, until=until)
            return {name: _write(closed)}, None

        self._shared.change((name,), close)

    def scope_of(self, family: str) -> str:
        """Give the narrowest bucket of an endpoint family."""
        return family if family in self._buckets else CONNECTION

    def _try(self, family: str, *, interactive: bool) -> Wait:
        scopes = dict.fromkeys((ORGANISATION, CONNECTION, self.scope_of(family)))
        names = {self._names[scope]: self._buckets[scope] for scope in scopes}

        def take(notes: Notes) -> tuple[Notes, Wait]:
            now = self._shared.now()
            found = {name: one.filled(_read(notes.get(name)), now) for name, one in names.items()}
            waits = (one.wait(found[name], interactive=interactive) for name, one in names.items())
            wait = max(waits, key=lambda one: one.seconds)
            spent = 0.0 if wait.seconds else 1.0
            return {name: _write(one, spent) for name, one in found.items()}, wait

        return self._shared.change(tuple(names), take)


def _read(note: str | None) -> Standing | None:
    """Read a note; one that is damaged is as good as none."""
    try:
        return None if note is None else msgspec.json.decode(note, type=Standing)
    except msgspec.DecodeError:
        return None


def _write(standing: Standing, spent: float = 0.0) -> str:
    left = msgspec.structs.replace(standing, level=standing.level - spent)
    return msgspec.json.encode(left).decode()


class Alone:
    """`Shared` for one adapter that nobody gave anything to share."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.now = clock
        self.sleep = sleep
        self._notes: dict[str, str] = {}
        self._one = threading.Lock()

    def change(self, names: Sequence[str], change: Callable[[Notes], tuple[Notes, T]]) -> T:
        """Change notes, alone."""
        with self._one:
            known = {name: self._notes[name] for name in names if name in self._notes}
            kept, answer = change(known)
            self._notes |= kept
        return answer
