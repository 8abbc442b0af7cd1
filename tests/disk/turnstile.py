"""A neighbour at the database: sees what others commit at once, and may stand in their way."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import apsw

_STEP = 0.0001
"""Seconds between two looks; nobody makes and commits a further change in so short a time."""

Alive = Callable[[], None]
"""Raises when there is nobody left to wait for."""


class Turnstile:
    """Watches what others commit. Close it, or nobody may write any more."""

    def __init__(self, database: Path, alive: Alive) -> None:
        self._alive = alive
        self._connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READWRITE)
        self._connection.set_busy_handler(self._wait)

    def await_commit(self) -> None:
        """Wait until somebody commits."""
        before = self._seen()
        while self._seen() == before:
            self._wait(0)

    def await_more(self, table: str) -> None:
        """Wait until a commit of somebody's has brought a row more."""
        before = self._count(table)
        while self._count(table) == before:
            self._wait(0)

    def hold(self) -> None:
        """Let nobody begin another change."""
        self._connection.execute("BEGIN IMMEDIATE")

    def close(self) -> None:
        """Get out of the way."""
        self._connection.close()

    def _wait(self, _calls: int) -> bool:
        self._alive()
        time.sleep(_STEP)
        return True

    def _seen(self) -> int:
        return self._number("PRAGMA data_version")

    def _count(self, table: str) -> int:
        return self._number(f"SELECT count(*) FROM {table}")  # noqa: S608 - a name of ours

    def _number(self, sql: str) -> int:
        [[found]] = self._connection.execute(sql)
        assert isinstance(found, int)
        return found
