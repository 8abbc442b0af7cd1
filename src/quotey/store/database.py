"""One connection to one SQLite file, with named statements and our errors. Knows no table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import sleep

import apsw

from quotey.contract.errors import StoreError
from quotey.store.faults import (
    NOTHING_CHANGED,
    damaged_row,
    explained,
    in_doubt,
    in_our_words,
)
from quotey.store.shapes import Cell, Row
from quotey.store.statements import statements

Params = Mapping[str, Cell] | tuple[Cell, ...]

# Source: reliability 2.D, D2. The library's defaults differ between builds, so all are said.
_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA recursive_triggers = ON",
    "PRAGMA secure_delete = ON",  # what is erased from the audit is gone from the file
    "PRAGMA cache_size = -16000",
    # A page of records touches many pages of the indexes on hashed ids; to copy them from the log
    # to the file once for several commits saves a seventh of the CPU. 32 MB, then cut back.
    "PRAGMA wal_autocheckpoint = 8000",
    "PRAGMA journal_size_limit = 33554432",
)
_CONFIG = (
    (apsw.SQLITE_DBCONFIG_DQS_DML, 0),
    (apsw.SQLITE_DBCONFIG_DQS_DDL, 0),
    (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
    (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
    # Else a statement on a table with a partial index is planned anew whenever it is bound anew.
    (apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1),
)
_STATEMENTS = 512
"""How many prepared statements are kept. The library gives every row of `write_many` a new place
among them, so that a few places would be cleared by one page of records."""
_STEP = 0.002
"""Seconds between two looks at a lock. SQLite's own handler waits up to 0.1 s and so misses the
short gaps that a busy writer leaves between its pages."""


def carries_wal_fix(version: str) -> bool:
    """Say whether this SQLite is free of the WAL-reset defect (3.7.0 to 3.51.2).

    Source: reliability D1.

    >>> [carries_wal_fix(v) for v in ("3.40.1", "3.44.6", "3.50.6", "3.50.7", "3.51.2", "3.54.1")]
    [False, True, False, True, False, True]
    """
    parts = tuple(map(int, version.split(".")[:3]))
    return parts >= (3, 51, 3) or any(
        parts[:2] == fixed[:2] and parts >= fixed for fixed in ((3, 50, 7), (3, 44, 6))
    )


def connect(path: Path, *, busy_timeout: float) -> apsw.Connection:
    """Open an existing file for writing, with the settings that all our connections share."""
    version = apsw.sqlite_lib_version()
    if not carries_wal_fix(version):
        raise StoreError(
            f"SQLite {version} can lose committed data when two processes write. {NOTHING_CHANGED}",
            next=("pip install --upgrade apsw",),
        )
    connection = apsw.Connection(
        str(path), flags=apsw.SQLITE_OPEN_READWRITE, statementcachesize=_STATEMENTS
    )
    connection.set_busy_handler(_patience(busy_timeout))
    for option, value in _CONFIG:
        connection.config(option, value)
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    return connection


def _patience(seconds: float) -> Callable[[int], bool]:
    tries = int(seconds / _STEP)

    def wait(calls: int) -> bool:
        if calls >= tries:
            return False
        sleep(_STEP)
        return True

    return wait


class Database:
    """Runs named statements on a connection. `writing` is set inside a transaction."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path
        self.writing = False
        self.reading = False
        self._sql = statements()

    def rows(self, name: str, params: Params = ()) -> list[Row]:
        """Read all rows."""
        try:
            return self.connection.execute(self._sql[name], params).fetchall()
        except (apsw.Error, UnicodeEncodeError) as error:
            raise explained(error, self.path) from error
        except UnicodeDecodeError as error:
            raise damaged_row(error) from error

    def row(self, name: str, params: Params = ()) -> Row | None:
        """Read the first row; the statement ends, so that no read lock stays behind."""
        return next(iter(self.rows(name, params)), None)

    def write(self, name: str, params: Params = ()) -> int:
        """Run one write and give how many rows it changed."""
        self._must_write(name)
        try:
            self.connection.execute(self._sql[name], params)
        except (apsw.Error, UnicodeEncodeError) as error:
            raise explained(error, self.path) from error
        return self.connection.changes()

    def write_rows(self, name: str, params: Params = ()) -> list[Row]:
        """Run one write and give the rows that it returns."""
        self._must_write(name)
        return self.rows(name, params)

    def write_many(self, name: str, rows: Iterable[Params]) -> int:
        """Run one write for each of these and give how many rows they changed."""
        self._must_write(name)
        before = self.connection.total_changes()
        try:
            self.connection.executemany(self._sql[name], rows)
        except (apsw.Error, UnicodeEncodeError) as error:
            raise explained(error, self.path) from error
        return self.connection.total_changes() - before

    @contextmanager
    def changing(self, commit: Callable[[], None] | None = None) -> Iterator[None]:
        """Write all of it or nothing; `commit` takes the place of a plain COMMIT."""
        self.run("BEGIN IMMEDIATE")
        self.writing = True
        try:
            yield
            (commit or self.commit)()
        except BaseException:
            self.roll_back()
            raise
        finally:
            self.writing = False

    def commit(self) -> None:
        """Make the changes last. StoreError says so when it is not known whether they do."""
        try:
            self.connection.execute("COMMIT")
        except apsw.IOError as error:
            raise in_doubt(error, self.path) from error
        except apsw.Error as error:
            raise explained(error, self.path) from error

    def roll_back(self) -> None:
        """Undo what is open. SQLite has done it already after a full disk or an I/O error."""
        if self.connection.in_transaction:
            self.run("ROLLBACK")

    def run(self, sql: str) -> None:
        """Run BEGIN, COMMIT and their like."""
        with in_our_words(self.path):
            self.connection.execute(sql)

    def pragma(self, name: str) -> Cell:
        """Read a pragma that answers one value."""
        with in_our_words(self.path):
            [[value]] = self.connection.execute(f"PRAGMA {name}").fetchall()
            assert value is None or isinstance(value, str | int | bytes | float)
            return value

    def lines(self, sql: str) -> list[str]:
        """Run a check of the library's own and give the first column of its answer."""
        with in_our_words(self.path):
            return [str(row[0]) for row in self.connection.execute(sql).fetchall()]

    def _must_write(self, name: str) -> None:
        if not self.writing:
            raise RuntimeError(f"{name} was called outside of transaction().")
