"""Writing a prepared database over the live one, with a copy of what stood there.

A sound one is written over in one transaction, while others have it open; one that SQLite cannot
open any more is moved out of the way. Two files change, database and audit key, and no file system
changes two at once: the new key waits as `quotey.key.next` until the database is there, and
whoever opens a database whose key is the waiting one takes it (`identity`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import sleep

import apsw

from quotey.contract.errors import StoreError
from quotey.store.database import connect
from quotey.store.faults import NOTHING_CHANGED, explained, in_our_words
from quotey.store.files import (
    create,
    key_path,
    next_key_path,
    read_key,
    sync_folder,
    take_next_key,
    write_key,
)
from quotey.store.identity import take_waiting
from quotey.store.schema import APPLICATION_ID, copy

Mark = Callable[[str], None]

_TURNS, _TURN = 500, 0.01
"""How often the write lock is asked for, and after how many seconds again."""

PATIENCE = 5.0
"""Seconds that the other locks are waited for."""

_UNREADABLE = (apsw.NotADBError, apsw.CorruptError)


def put_in_place(path: Path, staged: Path, mark: Mark) -> Path | None:
    """Replace the database; give where the copy of the old one is, None when there was none.

    Raises StoreBusyError, or StoreError; then the old one stands.
    """
    try:
        with in_our_words(path):
            return _put_in_place(path, staged, mark)
    except OSError as error:
        raise StoreError(
            f"{error.filename or path} cannot be written: {error.strerror}. The old database "
            f"stands. {NOTHING_CHANGED}"
        ) from error


def _put_in_place(path: Path, staged: Path, mark: Mark) -> Path | None:
    _settle_key(path)
    _leave_next_key(path, staged)
    if not path.exists():
        mark("move")
        return _move(path, staged, None)
    saved = _free_name(path)
    try:
        look_at(path)
        _write_over(path, staged, saved, mark)
    except _UNREADABLE:
        mark("move")
        return _move(path, staged, saved)
    mark("key")
    take_next_key(path)
    return saved


def _settle_key(path: Path) -> None:
    """End an earlier restore that stopped before its key was taken."""
    if not (path.exists() and next_key_path(path).exists()):
        return
    try:
        look_at(path)
        found = _key_checks(path)
    except apsw.Error:
        return  # it cannot be read, so no key belongs to it
    for expected in found:
        take_waiting(path, expected)


def _key_checks(path: Path) -> list[str]:
    live = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        rows = live.execute("SELECT value FROM meta WHERE name = 'audit_key_check'").fetchall()
    finally:
        live.close()
    return [str(row[0]) for row in rows]


def look_at(path: Path) -> None:
    """Raise apsw.NotADBError when the file is no database, without any change to it or its log.

    An empty one is none either: SQLite would take it for a new one. To open a file in earnest reads
    its log, and throws away one that does not belong to it.
    """
    if not path.stat().st_size:
        raise apsw.NotADBError(f"{path.name} is empty")
    place = f"{path.absolute().as_uri()}?immutable=1"
    eye = apsw.Connection(place, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        eye.execute("PRAGMA schema_version").fetchall()
    finally:
        eye.close()


def _leave_next_key(path: Path, staged: Path) -> None:
    """Let the new key wait beside the old one, where it is another."""
    fresh = read_key(key_path(staged))
    assert fresh is not None, "the copy was opened with it"
    next_key_path(path).unlink(missing_ok=True)
    if fresh != read_key(key_path(path)):
        write_key(next_key_path(path), fresh)


def _free_name(path: Path) -> Path:
    """Give a name for the copy that neither a database nor a key has."""
    names = (path.with_name(f"{path.stem}.replaced-{number}.db") for number in count(1))
    return next(one for one in names if not one.exists() and not key_path(one).exists())


def _write_over(path: Path, staged: Path, saved: Path, mark: Mark) -> None:
    """Copy page by page in one transaction; the old state is saved under the same write lock."""
    live = connect(path, busy_timeout=PATIENCE)
    fresh = apsw.Connection(str(staged), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        _refuse_other_programs(live, path)
        with live.backup("main", fresh, "main") as pages:
            _lock(pages, path)
            mark("save")
            _save(path, saved)
            mark("write")
            pages.step()
    finally:
        fresh.close()
        live.close()


def _refuse_other_programs(live: apsw.Connection, path: Path) -> None:
    [[owner]] = live.execute("PRAGMA application_id").fetchall()
    [[used]] = live.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    if used and owner != APPLICATION_ID:
        raise StoreError(f"{path} is a database of another program. {NOTHING_CHANGED}")


def _lock(pages: apsw.Backup, path: Path) -> None:
    """Copy the first page: from then on nobody else writes until all are copied."""
    for turn in range(_TURNS):
        try:
            pages.step(1)
        except (apsw.BusyError, apsw.LockedError) as error:
            if turn == _TURNS - 1:
                raise explained(error, path) from error
            sleep(_TURN)
        else:
            return


def _save(path: Path, saved: Path) -> None:
    """Copy what is committed, with its key, by a connection of its own."""
    reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        copy(reader, saved)
    finally:
        reader.close()
    _save_key(path, saved)


def _save_key(path: Path, saved: Path) -> None:
    key = read_key(key_path(path))
    if key is not None:
        create(key_path(saved), key.hex().encode())


def _move(path: Path, staged: Path, saved: Path | None) -> Path | None:
    """Put the file itself in place; what cannot be opened is copied byte by byte before.

    Its log goes first: it must never be read as part of another database.
    """
    if saved is not None:
        for suffix in ("", "-wal"):
            old = Path(f"{path}{suffix}")
            if old.is_file():
                create(Path(f"{saved}{suffix}"))
                shutil.copyfile(old, Path(f"{saved}{suffix}"))
        if not key_path(saved).exists():
            _save_key(path, saved)
    for suffix in ("-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    staged.replace(path)
    sync_folder(path.parent)
    take_next_key(path)
    return saved
