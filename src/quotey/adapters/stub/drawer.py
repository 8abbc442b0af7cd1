"""The stub CRM's memory: one file with records, past records, keys, faults and effects.

What a change means is decided by the callers; only keeping it is here.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import msgspec

from quotey.adapters.stub.opening import open_file
from quotey.contract.errors import StoreError
from quotey.contract.fields import Entity

_COLUMNS = "revision, entity, ref, payload, at, gone, merged_into, slot, broken"


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """One record as the stub keeps it; `payload` is JSON text.

    `revision` is 0 before it is put. `at` is a moment that a tool or a data set gave it; else the
    moment follows from the revision. `broken` says why it cannot be read ("" = it can).
    """

    entity: Entity
    ref: str
    payload: str
    revision: int = 0
    at: datetime | None = None
    gone: bool = False
    merged_into: str | None = None
    slot: int = 0
    broken: str = ""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What made a change.

    `operation` is the adapter's, or `tool.<name>` for an edit made in the CRM itself. `key` is the
    idempotency key; `quote_id` and `version` are set for quotes only.
    """

    operation: str
    key: str = ""
    quote_id: str = ""
    version: int = 0
    body: dict[str, object] = msgspec.field(default_factory=dict)


class Effect(Cause, frozen=True, kw_only=True):
    """One change that the stub CRM really made: the cause, the record, and its new revision."""

    entity: str
    ref: str
    revision: int
    at: datetime
    seq: int = 0


class Drawer:
    """An open stub file. Threads take turns; processes are kept apart by SQLite."""

    def __init__(self, path: Path) -> None:
        """Open or create the file (0600, its folder 0700).

        Raises StoreError when it is damaged, not a stub's, too new, or cannot be written.
        """
        self.path = path
        self._turn = threading.RLock()
        self._as_of: datetime | None = None
        try:
            self._db = open_file(path)
        except (apsw.Error, OSError) as error:
            raise StoreError(
                f"The stub's file {path.name} cannot be used: {error}. Nothing was changed."
            ) from error

    def close(self) -> None:
        """Give the file back; may be called twice."""
        with self._turn:
            self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the file for writing; all of it lands, or nothing."""
        with self._turn, self._between("BEGIN IMMEDIATE"):
            yield

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Hold one state of the file for reading."""
        with self._turn, self._between("BEGIN"):
            yield

    @contextlib.contextmanager
    def _between(self, begin: str) -> Iterator[None]:
        self._db.execute(begin)
        self._as_of = None  # another process may have changed it
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def rows(self, sql: str, *values: apsw.SQLiteValue) -> list[tuple[Any, ...]]:
        """Run one statement and give its rows."""
        with self._turn:
            return list(self._db.execute(sql, values))

    # --- settings and counters ---------------------------------------------------------------

    def setting(self, name: str, default: str = "") -> str:
        """Read one setting of the file."""
        found = self.rows("SELECT value FROM setting WHERE name = ?", name)
        return str(found[0][0]) if found else default

    def set_setting(self, name: str, value: str) -> None:
        """Write one setting of the file."""
        self.rows("INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)", name, value)

    def next_number(self, counter: str) -> int:
        """Count one further; the first is 1. Only inside a transaction."""
        number = int(self.setting(counter, "0")) + 1
        self.set_setting(counter, str(number))
        return number

    @property
    def revision(self) -> int:
        """The newest revision ever given; it never goes back."""
        return int(self.setting("revision", "0"))

    def moment(self, stored: Stored) -> datetime:
        """Give the record's time: its own, or the data set's `as_of` plus revision milliseconds."""
        return stored.at or self.moment_of(stored.revision)

    def moment_of(self, revision: int) -> datetime:
        """Give the stub's clock at a revision. The wall clock is never asked."""
        if self._as_of is None:
            self._as_of = datetime.fromisoformat(self.setting("as_of"))
        return self._as_of + timedelta(milliseconds=revision)

    # --- records -----------------------------------------------------------------------------

    def get(self, entity: Entity, ref: str) -> Stored | None:
        """Read one record."""
        sql = f"SELECT {_COLUMNS} FROM record WHERE entity = ? AND ref = ?"  # noqa: S608
        found = self.rows(sql, entity.value, ref)
        return _stored(found[0]) if found else None

    def put(self, stored: Stored) -> Stored:
        """Keep a record under the next revision; what it was before goes to the past."""
        revision = self.next_number("revision")
        where = (stored.entity.value, stored.ref)
        self.rows(
            f"INSERT INTO past ({_COLUMNS}) "  # noqa: S608 - the columns are ours
            f"SELECT {_COLUMNS} FROM record WHERE entity = ? AND ref = ?",
            *where,
        )
        self.rows("DELETE FROM record WHERE entity = ? AND ref = ?", *where)
        kept = msgspec.structs.replace(stored, revision=revision)
        self.fill([kept])
        return kept

    def fill(self, records: Iterable[Stored]) -> None:
        """Insert new records that have their revision already (first load)."""
        marks = ", ".join("?" * len(_COLUMNS.split(",")))
        sql = f"INSERT INTO record ({_COLUMNS}) VALUES ({marks})"  # noqa: S608
        with self._turn:
            self._db.executemany(sql, (_row(record) for record in records))

    def page(self, entity: Entity, after: int, limit: int) -> list[Stored]:
        """Read the records of one entity whose revision is above `after`, in order of revision."""
        sql = (
            f"SELECT {_COLUMNS} FROM record "  # noqa: S608
            "WHERE entity = ? AND revision > ? ORDER BY revision LIMIT ?"
        )
        return [_stored(row) for row in self.rows(sql, entity.value, after, limit)]

    def living(self, entity: Entity, after: str, limit: int) -> list[Stored]:
        """Read the records of one entity that have not ended, in order of ref."""
        sql = (
            f"SELECT {_COLUMNS} FROM record "  # noqa: S608
            "WHERE entity = ? AND ref > ? AND NOT gone ORDER BY ref LIMIT ?"
        )
        return [_stored(row) for row in self.rows(sql, entity.value, after, limit)]

    def every(self, entity: Entity) -> list[Stored]:
        """Read all records of one entity, also those that are gone."""
        return self.page(entity, 0, -1)

    def past(self, entity: Entity, ref: str) -> list[Stored]:
        """Read what a record was before, oldest first."""
        sql = f"SELECT {_COLUMNS} FROM past WHERE entity = ? AND ref = ? ORDER BY revision"  # noqa: S608
        return [_stored(row) for row in self.rows(sql, entity.value, ref)]

    # --- keys and effects --------------------------------------------------------------------

    def answer_to(self, key: str) -> tuple[str, str] | None:
        """Give the request digest and the answer that belong to an idempotency key."""
        found = self.rows("SELECT request, body FROM answer WHERE key = ?", key)
        return (str(found[0][0]), str(found[0][1])) if found else None

    def keep_answer(self, key: str, request: str, body: str) -> None:
        """Keep the answer for an idempotency key; it is kept for ever."""
        self.rows("INSERT INTO answer (key, request, body) VALUES (?, ?, ?)", key, request, body)

    def log(self, effect: Effect) -> None:
        """Add to the list of effects."""
        body = msgspec.json.encode(effect.body).decode()
        self.rows(
            "INSERT INTO effect "
            "(operation, entity, ref, revision, at, key, quote_id, version, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(effect.operation, effect.entity, effect.ref, effect.revision, effect.at.isoformat()),
            *(effect.key, effect.quote_id, effect.version, body),
        )

    def effects(self) -> tuple[Effect, ...]:
        """Read all effects, oldest first."""
        rows = self.rows(
            "SELECT seq, operation, entity, ref, revision, at, key, quote_id, version, body "
            "FROM effect ORDER BY seq"
        )
        return tuple(_effect(row) for row in rows)


def _row(stored: Stored) -> tuple[Any, ...]:
    at = stored.at.isoformat() if stored.at else None
    head = (stored.revision, stored.entity.value, stored.ref, stored.payload, at)
    return (*head, int(stored.gone), stored.merged_into, stored.slot, stored.broken)


def _stored(row: tuple[Any, ...]) -> Stored:
    revision, entity, ref, payload, at, gone, merged_into, slot, broken = row
    return Stored(
        entity=Entity(entity),
        ref=ref,
        payload=payload,
        revision=revision,
        at=datetime.fromisoformat(at) if at else None,
        gone=bool(gone),
        merged_into=merged_into,
        slot=slot,
        broken=broken,
    )


def _effect(row: tuple[Any, ...]) -> Effect:
    names = ("seq", "operation", "entity", "ref", "revision", "at", "key", "quote_id", "version")
    fields = dict(zip(names, row[:-1], strict=True))
    return msgspec.convert({**fields, "body": msgspec.json.decode(row[-1])}, Effect)
