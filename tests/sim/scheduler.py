"""One virtual time for all: an event heap, and processes as greenlets that give way at port calls.

Nothing here knows what the processes do. Order is (time, number), so that a seed decides it.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import greenlet

from quotey.testing.crash import SimulatedCrash

START = datetime(2026, 2, 1, 8, 0, tzinfo=UTC)


@dataclass
class Scheduler:
    """Virtual seconds since START; `events` counts what happened."""

    now: float = 0.0
    events: int = 0
    _heap: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def moment(self) -> datetime:
        """Give the true time as a moment."""
        return START + timedelta(seconds=self.now)

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Have something happen at a time, never before now."""
        heapq.heappush(self._heap, (max(when, self.now), next(self._numbers), act))

    def run(self, until: float) -> None:
        """Let everything happen that is due before `until`."""
        while self._heap and self._heap[0][0] <= until:
            when, _, act = heapq.heappop(self._heap)
            self.now = when
            self.events += 1
            act()
        self.now = max(self.now, until)


@dataclass
class Process:
    """One process: a function that runs in a greenlet and waits in virtual time.

    `died` is called once when it ends by a crash; anything else that it raises ends the play.
    """

    name: str
    scheduler: Scheduler
    body: Callable[[Process], None]
    died: Callable[[Process], None]
    awake_at: float = 0.0
    crashed: bool = False

    def start(self) -> None:
        """Begin at the present moment."""
        self._let = greenlet.greenlet(self._run)
        self.scheduler.at(self.scheduler.now, self._resume)

    def _run(self) -> None:
        try:
            self.body(self)
        except SimulatedCrash:
            self.crashed = True
            self.died(self)

    def _resume(self) -> None:
        """Go on, unless the process is paused: then when it is let go."""
        if self.awake_at > self.scheduler.now:
            self.scheduler.at(self.awake_at, self._resume)
        else:
            self._let.switch()

    def wait(self, seconds: float) -> None:
        """Give way to the others for so long (or longer, when paused)."""
        self.scheduler.at(self.scheduler.now + max(0.0, seconds), self._resume)
        self._let.parent.switch()

    def pause(self, seconds: float) -> None:
        """Stop where it stands, as SIGSTOP does; the process does not know."""
        self.awake_at = self.scheduler.now + seconds
        self.wait(0.0)

    @property
    def is_waiting(self) -> bool:
        """Whether it has begun, and not ended."""
        return bool(self._let) and not self._let.dead

    def stop(self, seconds: float) -> None:
        """Have it stopped by somebody else, for so long from now on."""
        self.awake_at = max(self.awake_at, self.scheduler.now + seconds)

    def end(self) -> None:
        """Unwind a process that is waiting, once the play is over."""
        if not self._let.dead:
            self._let.throw(SimulatedCrash("the play is over"))


@dataclass
class SkewedClock:
    """The clock of one process: true time and an offset; sleeping gives way."""

    process: Process
    offset: float = 0.0

    def now(self) -> datetime:
        """Give the present moment, as this process sees it."""
        return self.process.scheduler.moment() + timedelta(seconds=self.offset)

    def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        if seconds > 0:
            self.process.wait(seconds)
