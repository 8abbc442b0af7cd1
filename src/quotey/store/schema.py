"""Brings a file to our schema: checks whose it is, migrates whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import apsw

from quotey.contract.errors import StoreError
from quotey.store.database import Database
from quotey.store.faults import NOTHING_CHANGED, in_our_words
from quotey.store.files import create
from quotey.store.statements import migrations

APPLICATION_ID = 0x51544559
""""QTEY" in the file's header, so that we know our files and others know them too."""


# One statement, so that the answers are of one moment: another process may be making the file.
_WHOSE = """
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
FROM pragma_application_id, pragma_user_version
"""


def check_owner(db: Database, latest: int) -> int:
    """Give the file's schema version, 0 when it is empty.

    StoreError when another program or a newer Quotey made it. Source: reliability D12.
    """
    with in_our_words(db.path):
        [[application, version, used]] = db.connection.execute(_WHOSE).fetchall()
    assert isinstance(version, int)
    if application != APPLICATION_ID and (application or version or used):
        raise StoreError(f"{db.path} is a database of another program. {NOTHING_CHANGED}")
    if version > latest:
        raise StoreError(
            f"{db.path} has schema {version}; this Quotey knows up to {latest}. {NOTHING_CHANGED}",
            next=("pip install --upgrade quotey",),
        )
    return version


def use_wal(db: Database) -> None:
    """Switch the file to write-ahead logging, once; the file remembers."""
    if db.pragma("journal_mode") != "wal" and db.pragma("journal_mode = WAL") != "wal":
        raise StoreError(f"{db.path} cannot use write-ahead logging. {NOTHING_CHANGED}")


def migrate(db: Database, scripts: Sequence[str]) -> Path | None:
    """Apply the scripts that the file lacks, all in one transaction; give the backup made first.

    A file without data is not backed up. Another process that migrates at the same time is waited
    for. Source: reliability CP-19.
    """
    if check_owner(db, len(scripts)) == len(scripts):
        return None
    with db.changing():
        # Somebody else may have migrated while we waited.
        version = check_owner(db, len(scripts))
        backup = _backup_of(db, version) if 0 < version < len(scripts) else None
        for number, script in enumerate(scripts[version:], start=version + 1):
            db.run(script)
            db.run(f"PRAGMA user_version = {number}")
        db.run(f"PRAGMA application_id = {APPLICATION_ID}")
    return backup


def schema_of(connection: apsw.Connection) -> dict[str, str]:
    """Give every table, index, trigger and view of a file with the words that made it."""
    found = connection.execute(
        "SELECT type || ' ' || name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*'"
    ).fetchall()
    return {str(name): str(sql) for name, sql in found}


def expected_schema() -> dict[str, str]:
    """Give what all migrations together make."""
    connection = apsw.Connection(":memory:")
    try:
        for script in migrations():
            connection.execute(script)
        return schema_of(connection)
    finally:
        connection.close()


def _backup_of(db: Database, version: int) -> Path:
    """Copy what is committed, by a second connection: the first one holds the write lock."""
    place = next(
        path
        for number in count(1)
        if not (path := db.path.with_name(f"{db.path.name}.schema-{version}.{number}")).exists()
    )
    with in_our_words(db.path):
        source = apsw.Connection(str(db.path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            copy(source, place)
        finally:
            source.close()
    return place


def copy(source: apsw.Connection, to: Path) -> None:
    """Copy a database in use into a new file of its own; FileExistsError when there is one.

    What fails half-way leaves no file behind.
    """
    create(to)
    try:
        _fill(source, to)
    except BaseException:
        to.unlink()
        raise


def _fill(source: apsw.Connection, to: Path) -> None:
    target = apsw.Connection(str(to), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        with target.backup("main", source, "main") as backup:
            backup.step()
        target.execute("PRAGMA journal_mode = DELETE").fetchall()
    finally:
        target.close()
