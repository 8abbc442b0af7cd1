"""A long day in real time: people save, two workers sync, colleagues edit, and things go wrong.

Nothing is sped up: a lease takes as long as it takes, and what a killed worker held is taken over
when it ends. Source: reliability 3.5 and 5 (soak).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from quotey.contract.errors import ExitCode
from quotey.contract.fields import Entity
from quotey.testing.simulators.faults import Fault, FaultKind
from quotey.testing.simulators.hubspot import HubSpotCore
from tests.disk.clerk import BUSY
from tests.disk.market import Market

PAGE = os.sysconf("SC_PAGE_SIZE")
FAULTS: tuple[FaultKind, ...] = (
    *("timeout", "server_error", "rate_limited", "truncated", "html", "duplicate"),
)
BEYOND = 45
"""Seconds of a stop that outlasts the lease."""
ONE_IN = 20
"""A fault strikes one in so many requests."""
ENDED = (ExitCode.INTERRUPTED, -signal.SIGTERM)
"""How a process may end that was told to: by its own handler, or before it has one."""


@dataclass
class Hand:
    """A process at work, what it said of its troubles, and how much memory it held each second."""

    process: subprocess.Popen[str]
    troubles: Path
    memory: list[int] = field(default_factory=list)
    cache: int = 0
    """Bytes that SQLite held of it when it was heard last, where it tells that."""

    @property
    def pid(self) -> int:
        """The process."""
        return self.process.pid

    def lives(self) -> None:
        """Hold that it has not ended by itself; else tell what it said last."""
        assert self.process.poll() is None, self._last_words()

    def end(self) -> None:
        """Tell it to end, and hold that it ends as somebody does who was told to."""
        self.lives()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        assert self.process.returncode in ENDED, self._last_words()

    def _last_words(self) -> str:
        said = self.troubles.read_text("utf-8", errors="replace")[-4000:]
        return f"{self.process.args!r} ended with {self.process.returncode}: {said}"

    def look(self) -> None:
        """Note how much memory it holds beyond SQLite's cache, in bytes.

        The cache has a bound of its own, and a clerk needs some 16,000 saves to fill it.
        """
        pages = Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1]
        self.memory.append(int(pages) * PAGE - self.cache)

    def growth(self) -> float:
        """Give how much more it held in the last fifth of its day than in the middle one."""
        fifth = len(self.memory) // 5
        return median(self.memory[-fifth:]) / median(self.memory[2 * fifth : 3 * fifth]) - 1


Heard = Callable[[Hand, str], None]
"""Is told each line of a process."""


@dataclass
class Day:
    """Everybody who works, and what they were told; they end with the market at the latest."""

    market: Market
    chance: random.Random
    saves: float
    milliseconds: list[float] = field(default_factory=list)
    kills: int = 0
    stops: int = 0
    edits: int = 0
    faults: int = 0
    busy: int = 0
    """Saves that were given up, because a stopped worker held the database."""
    largest_wal: int = 0
    _ears: list[threading.Thread] = field(default_factory=list)

    def work(self, seconds: float, *, every: float) -> tuple[Hand, Hand]:
        """Let all work for so long; something is done to one of them each `every` seconds.

        Gives the worker and the clerk who were there all day.
        """
        elder, clerk = self.worker(), self.clerk()
        younger, second = self.worker(), self.clerk()
        end, next_at = time.monotonic() + seconds, time.monotonic() + every
        while time.monotonic() < end:
            self._colleagues()
            for hand in (elder, younger, clerk, second):
                hand.lives()
            for hand in (elder, clerk):
                hand.look()
            if time.monotonic() >= next_at:
                next_at += every
                younger, second = self._misfortune(younger, second, elder)
            time.sleep(1)
        for hand in (elder, younger, clerk, second):
            hand.end()
        for ear in self._ears:
            ear.join(timeout=60)
        return elder, clerk

    def worker(self) -> Hand:
        """Let a worker sync for ever, through the command line."""
        return self._start("quotey", "crm", "watch", "--every", "1s")

    def clerk(self) -> Hand:
        """Let a clerk save quotes for ever."""
        seed = self.chance.randrange(1 << 30)
        return self._start("tests.disk.clerk", str(self.saves), str(seed), heard=self._hear)

    def _start(self, *words: str, heard: Heard = lambda _hand, _line: None) -> Hand:
        troubles = self.market.folder / f"troubles-{len(self._ears)}.txt"
        with troubles.open("wb") as heard_late:
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=self.market.folder,
                env=self.market.environ,
                stdout=subprocess.PIPE,
                stderr=heard_late,
                text=True,
            )
        self.market.sellers.append(process)
        hand = Hand(process, troubles)

        def listen() -> None:
            assert process.stdout is not None
            with process.stdout as told:
                for line in told:
                    if line.endswith("\n"):
                        heard(hand, line)

        ear = threading.Thread(target=listen, daemon=True)
        ear.start()
        self._ears.append(ear)
        return hand

    def _hear(self, hand: Hand, line: str) -> None:
        said = json.loads(line)
        if said == BUSY:
            self.busy += 1
            return
        quote, version, total, spent, hand.cache = said
        self.market.told.add((quote, version, total))
        self.milliseconds.append(spent)

    def _colleagues(self) -> None:
        """Somebody edits a deal in the CRM, and the next fault is laid out; the WAL is measured."""
        vendor = self.market.rig.vendor
        assert isinstance(vendor, HubSpotCore)
        deal = self.chance.choice(sorted(self.market.rig.ids[Entity.DEAL].values()))
        self.edits += 1
        vendor.edit("deals", int(deal), {"dealname": f"Edited {self.edits}"})
        with vendor.guard:
            if not vendor.faults.waiting:
                vendor.faults.add(self._fault())
                self.faults += 1
        wal = Path(f"{self.market.database}-wal")
        self.largest_wal = max(self.largest_wal, wal.stat().st_size if wal.exists() else 0)

    def _fault(self) -> Fault:
        after, effect = self.chance.randrange(2 * ONE_IN), self.chance.random() < 0.5
        return Fault(self.chance.choice(FAULTS), after=after, effect=effect, retry_after="1")

    def _misfortune(self, younger: Hand, second: Hand, elder: Hand) -> tuple[Hand, Hand]:
        """Kill the younger worker or the second clerk and begin another, or stop the elder."""
        turn = (self.kills + self.stops) % 3
        if turn == 0:
            self._kill(younger)
            return self.worker(), second
        if turn == 1:
            self._kill(second)
            return younger, self.clerk()
        self.stops += 1
        elder.process.send_signal(signal.SIGSTOP)
        time.sleep(self.chance.choice((2, 5, BEYOND)))
        elder.process.send_signal(signal.SIGCONT)
        return younger, second

    def _kill(self, hand: Hand) -> None:
        hand.lives()
        hand.process.send_signal(signal.SIGKILL)
        hand.process.wait(timeout=30)
        self.kills += 1

    def percentile(self, hundredth: int) -> float:
        """Give how many milliseconds a save took at most, for so many of a hundred."""
        return round(quantiles(self.milliseconds, n=100)[hundredth - 1], 1)
