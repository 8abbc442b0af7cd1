"""Care of the database file: check, backup, new epoch after a restore."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

from quotey.contract.errors import Diagnostic, Severity, StoreError
from quotey.store.audit import verify
from quotey.store.chain import Seal
from quotey.store.database import Database, connect
from quotey.store.faults import NOTHING_CHANGED, in_our_words
from quotey.store.files import create, key_path, open_to_others
from quotey.store.identity import Identity
from quotey.store.schema import copy, expected_schema, schema_of

LONG_LOG = 64 * 1024 * 1024
"""Bytes of the write-ahead log from which on somebody is told: it is emptied at half of that,
unless a reader stands in the way (reliability D13)."""

_RESTORE = "Stop writing and restore the newest sound backup."


class Admin:
    """Housekeeping, for any role."""

    def __init__(self, db: Database, identity: Identity) -> None:
        self._db = db
        self._identity = identity

    def check(self) -> tuple[Diagnostic, ...]:
        """Look at pages, keys, audit chain, guards and file modes; empty when all is well."""
        return (
            *unsound(self._db, self._identity.key),
            *_found(self._db, self._identity.key, altered),
            *_exposed(self._db.path),
        )

    def log_bytes(self) -> int:
        """Give how long the write-ahead log is; 0 where there is none."""
        try:
            return self._db.path.with_name(f"{self._db.path.name}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def remarks(self) -> tuple[Diagnostic, ...]:
        """Tell what is no damage and should be looked after all the same."""
        length = self.log_bytes()
        if length < LONG_LOG:
            return ()
        return (
            Diagnostic(
                code="log_too_long",
                severity=Severity.WARNING,
                message=f"The log of the database has grown to {length // 2**20:,} MB: somebody "
                "reads it for so long that it cannot be emptied.",
                fix="End what has the database open for long, a tool of somebody else's perhaps.",
            ),
        )

    def backup(self, to: Path) -> None:
        """Copy the database while in use, and its audit key beside the copy; verify the copy.

        The copy is one file (0600) and the key another (0600): keep both, restore both, then call
        `new_epoch()`. StoreError when a target exists or the copy is not sound.
        """
        try:
            to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with in_our_words(self._db.path):
                copy(self._db.connection, to)
            self._copy_key(to)
        except OSError as error:
            raise StoreError(
                f"The backup {error.filename or to} cannot be made: {error.strerror}. "
                f"{NOTHING_CHANGED}"
            ) from error
        self._verify(to)

    def new_epoch(self) -> str:
        """Take a new instance id, after a restore, so that markers tell the two lives apart.

        Called inside a transaction. Source: reliability G5, CP-23.
        """
        return self._identity.renew_instance()

    def library_version(self) -> str:
        """Give the version of the SQLite library."""
        return apsw.sqlite_lib_version()

    def schema_version(self) -> int:
        """Give the version of the schema in the file."""
        version = self._db.pragma("user_version")
        assert isinstance(version, int)
        return version

    def _copy_key(self, to: Path) -> None:
        """Put the key beside the copy; without it the copy is worth nothing and goes too."""
        try:
            create(key_path(to), self._identity.key.hex().encode())
        except OSError:
            to.unlink()
            raise

    def _verify(self, to: Path) -> None:
        with in_our_words(to):
            connection = connect(to, busy_timeout=0)
            try:
                found = tuple(unsound(Database(connection, to), self._identity.key))
            finally:
                connection.close()
        if found:
            raise StoreError(f"The backup {to} is not sound; do not use it.", diagnostics=found)


def unsound(db: Database, key: bytes) -> Iterator[Diagnostic]:
    """Look at pages, foreign keys and audit chain of any database of ours; nothing when sound."""
    yield from _found(db, key, _broken_pages, _broken_references, _broken_chain)


Look = Callable[[Database, bytes], Iterator[Diagnostic]]


def _found(db: Database, key: bytes, *looks: Look) -> Iterator[Diagnostic]:
    for look in looks:
        try:
            yield from look(db, key)
        except StoreError as error:
            yield _error("database_damaged", error.message, _RESTORE)


def _broken_pages(db: Database, _key: bytes) -> Iterator[Diagnostic]:
    for problem in db.lines("PRAGMA integrity_check"):
        if problem != "ok":
            yield _error("database_damaged", problem, _RESTORE)


def _broken_references(db: Database, _key: bytes) -> Iterator[Diagnostic]:
    for table in db.lines("PRAGMA foreign_key_check"):
        sentence = f"Table {table} names a row that is gone."
        yield _error("database_reference_broken", sentence, _RESTORE)


def _broken_chain(db: Database, key: bytes) -> Iterator[Diagnostic]:
    report = verify(db, Seal(key))
    if not report.ok:
        sentence = f"The audit chain breaks at event {report.broken_at}: {report.problem}."
        yield _error("audit_broken", sentence, "Compare with the newest backup.")


def altered(db: Database, _key: bytes) -> Iterator[Diagnostic]:
    """Look whether every table, index and guard still is as the migrations made it."""
    with in_our_words(db.path):
        ours, there = expected_schema(), schema_of(db.connection)
    for name in sorted(ours.keys() | there.keys()):
        if ours.get(name) != there.get(name):
            how = "is missing" if name not in there else "is not as Quotey made it"
            yield _error("database_altered", f"{name} {how}.", _RESTORE)


def _exposed(path: Path) -> Iterator[Diagnostic]:
    for file in (path, key_path(path)):
        if open_to_others(file):
            yield Diagnostic(
                code="file_open_to_others",
                severity=Severity.WARNING,
                message=f"Other users of this machine can read {file}.",
                fix=f"chmod 600 {file}",
            )


def _error(code: str, message: str, fix: str) -> Diagnostic:
    return Diagnostic(code=code, severity=Severity.ERROR, message=message, fix=fix)
