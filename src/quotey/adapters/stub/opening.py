"""Opening the stub's file: rights, journal mode, schema, and whose file it is."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import apsw

from quotey.contract.errors import StoreError

APPLICATION_ID = 0x51735442
"""Marks the file as a stub's ("QsTB"), so that no other database is taken for one."""

FORMAT = 2
_SECOND = """
ALTER TABLE fault ADD COLUMN delay INTEGER NOT NULL DEFAULT 0;
CREATE TABLE late (
    seq     INTEGER PRIMARY KEY,
    wait    INTEGER NOT NULL,
    request TEXT NOT NULL
) STRICT;
"""
"""What a file of the first format lacks: late effects."""

BUSY_MILLISECONDS = 10_000


def open_file(path: Path) -> apsw.Connection:
    """Open or create a stub's file.

    Raises StoreError for a file that is not a stub's or too new, apsw.Error or OSError for one that
    cannot be used.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone_in(path.parent):
        # Never open an existing database by hand: closing it would drop this process's locks on it.
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        db = apsw.Connection(str(path))
        try:
            _prepare(db)
        except BaseException:
            db.close()
            raise
    return db


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time open files here: switching to WAL cannot wait for another."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _prepare(db: apsw.Connection) -> None:
    db.set_busy_timeout(BUSY_MILLISECONDS)
    is_new = not list(db.execute("SELECT 1 FROM sqlite_schema"))
    if not is_new and db.pragma("application_id") != APPLICATION_ID:
        raise StoreError("This is not a stub's file. Nothing was changed.")
    is_first = not is_new and db.pragma("user_version") == 1
    if not is_new and not is_first and db.pragma("user_version") != FORMAT:
        raise StoreError("The stub's file is of another version. Nothing was changed.")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    if is_new:
        _create(db)
    if is_first:
        with db:
            db.execute(_SECOND)
            db.execute(f"PRAGMA user_version = {FORMAT}")


def _create(db: apsw.Connection) -> None:
    schema = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    with db:
        db.execute(schema)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {FORMAT}")
