"""Notes that all processes of a home share: a small file of their own beside the database.

A commit here is not synced to the disk each time, so that it costs microseconds, and never waits
for a page of records that is written to the database. See docs/adr/0007.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from threading import Lock
from time import sleep as pause
from typing import TypeVar

import apsw

from quotey.contract.errors import StoreBusyError
from quotey.contract.shared import Notes
from quotey.store.database import Database, connect
from quotey.store.faults import in_our_words
from quotey.store.files import prepare
from quotey.store.place import Place
from quotey.store.shapes import texts

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds that a change waits for others; each of theirs takes less than a millisecond."""

_TURNS, _TURN = 20, 0.01
_TABLE = "CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT) STRICT, WITHOUT ROWID"
# This file has a schema of its own, so these are not among the statements of the database.
_GET = "SELECT name, value FROM note WHERE name IN (SELECT value FROM json_each(?))"
_PUT = "INSERT INTO note VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


class SharedNotes:
    """`quotey.contract.shared.Shared` on a file, opened when it is first needed.

    May be used from several threads. `now` and `sleep` are the house's clock.
    """

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], None],
        place: Place,
    ) -> None:
        self._path = path
        self._place = place
        self._one = Lock()
        self.now = now
        self.sleep = sleep

    def change(self, names: Sequence[str], change: Callable[[Notes], tuple[Notes, T]]) -> T:
        """Change notes as `Shared.change` says."""
        with self._one, self._file.changing():
            connection = self._file.connection
            with in_our_words(self._path):
                found = connection.execute(_GET, (texts(names),)).fetchall()
            kept, answer = change({str(name): str(value) for name, value in found})
            with in_our_words(self._path):
                connection.executemany(_PUT, kept.items())
        return answer

    def close(self) -> None:
        """Give back the file; may be called twice."""
        opened = self.__dict__.pop("_file", None)
        if opened is not None:
            opened.connection.close()

    @cached_property
    def _file(self) -> Database:
        prepare(self._path, self._place)
        with in_our_words(self._path):
            connection = connect(self._path, busy_timeout=PATIENCE)
        try:
            self._make_ready_in_turn(connection)
        except BaseException:
            connection.close()
            raise
        return Database(connection, self._path)

    def _make_ready_in_turn(self, connection: apsw.Connection) -> None:
        """Try again while others do the same: SQLite never waits for this switch."""
        for _ in range(_TURNS):
            with suppress(StoreBusyError):
                return self._make_ready(connection)
            pause(_TURN)
        return self._make_ready(connection)

    def _make_ready(self, connection: apsw.Connection) -> None:
        with in_our_words(self._path):
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            # After a power cut the last notes may be missing, and the file is whole.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA wal_autocheckpoint = 1000")
            connection.execute(_TABLE)
