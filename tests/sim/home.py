"""One home: a database file, and stores on it whose transactions are port calls of a process."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from quotey.contract.errors import StoreBusyError
from quotey.store import Store, open_store
from quotey.store.faults import explained
from quotey.store.guard import Role
from quotey.testing.crash import SimulatedCrash
from tests.sim.faults import Dice
from tests.sim.scheduler import Process

LATENCY = 0.02


def entropy(count: int) -> bytes:
    """Give the same bytes for every home: there is one template for all."""
    return bytes(range(count))


@dataclass
class Home:
    """The file, and what may happen to those who write to it."""

    path: Path
    dice: Dice
    committed: Callable[[Process, str, str], None] = lambda _process, _role, _label: None
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def next_id(self, prefix: str) -> str:
        """Give ids that never repeat within one play."""
        return f"{prefix}_{next(self.numbers):06d}"

    def open(self, process: Process, role: Role) -> Store:
        """Open the file for a process. Nobody waits for a lock: giving way takes its place."""
        home = self

        class SimStore(Store):
            """A store that gives way before BEGIN and after COMMIT, and may fail or die there."""

            @contextmanager
            def transaction(self, label: str = "") -> Iterator[None]:
                home.before(process)
                with super().transaction(label):
                    yield
                home.after(process, role, label)

            def _commit(self, label: str) -> None:
                home.at_commit(label)
                super()._commit(label)

        return open_store(self.path, role=role, busy_timeout=0.0, entropy=entropy, kind=SimStore)

    def before(self, process: Process) -> None:
        """Give way before a transaction begins."""
        if self.dice.strikes("crash_point"):
            raise SimulatedCrash("before a transaction")
        if self.dice.strikes("pause"):
            process.pause(self.dice.between("pause", 30.0, 120.0))
        process.wait(self.dice.between("latency", 0.0, LATENCY))
        if self.dice.strikes("busy"):
            raise StoreBusyError("Another process is writing for longer than we wait.")

    def at_commit(self, label: str) -> None:
        """Fail or die with everything written and nothing committed."""
        if self.dice.strikes("disk_full"):
            raise explained(apsw.FullError("database or disk is full"), self.path)
        if self.dice.strikes("crash_point"):
            raise SimulatedCrash(f"before commit {label}")

    def after(self, process: Process, role: str, label: str) -> None:
        """Tell the oracles, then give way once what was written stands."""
        self.committed(process, role, label)
        if self.dice.strikes("crash_point"):
            raise SimulatedCrash(f"after commit {label}")
        if self.dice.strikes("pause"):
            process.pause(self.dice.between("pause", 30.0, 120.0))
        process.wait(self.dice.between("latency", 0.0, LATENCY))


def make_template(folder: Path) -> Path:
    """Make an empty database once; every play begins with a copy."""
    path = folder / "quotey.db"
    open_store(path, role="sync", entropy=entropy).close()
    return folder


def copied(template: Path, home: Path) -> Path:
    """Copy the template; gives the database file."""
    shutil.copytree(template, home)
    return home / "quotey.db"
