"""The store: one connection to one database file, its groups of rows, its transactions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from time import sleep
from types import TracebackType
from typing import Self

import apsw

from quotey.contract.errors import StoreBusyError, StoreError
from quotey.store.admin import Admin
from quotey.store.audit import Audit
from quotey.store.chain import Seal
from quotey.store.connections import Connections
from quotey.store.database import Database, connect
from quotey.store.faults import NOTHING_CHANGED, in_our_words
from quotey.store.files import prepare
from quotey.store.guard import Role, authorizer_of
from quotey.store.identity import Entropy, Identity
from quotey.store.items import Items
from quotey.store.locks import Locks
from quotey.store.looks import Looks
from quotey.store.outbox import Outbox
from quotey.store.place import Place
from quotey.store.quarantine import Quarantine
from quotey.store.quotes import Quotes
from quotey.store.records import Records
from quotey.store.schema import check_owner, migrate, use_wal
from quotey.store.schemas import Schemas
from quotey.store.statements import migrations
from quotey.store.sweeps import Sweeps
from quotey.store.sync_state import SyncStates
from quotey.store.tokens import Requests, Tokens

_TURNS, _TURN = 20, 0.01
"""How often a first start looks again while another one makes the same file, and after how long."""


class Store:
    """One connection; use one per thread. Every writer must be called inside `transaction()`."""

    def __init__(self, db: Database, identity: Identity) -> None:
        self._db = db
        self._identity = identity
        self._schema = db.pragma("user_version")
        self.records = Records(db)
        self.locks = Locks(db)
        self.sync_state = SyncStates(db)
        self.sweeps = Sweeps(db)
        self.quarantine = Quarantine(db)
        self.outbox = Outbox(db)
        self.looks = Looks(db)
        self.schemas = Schemas(db)
        self.items = Items(db)
        self.audit = Audit(db, Seal(identity.key))
        self.quotes = Quotes(db)
        self.connections = Connections(db)
        self.tokens = Tokens(db)
        self.requests = Requests(db)
        self.admin = Admin(db, identity)

    @property
    def instance_id(self) -> str:
        """Who we are in markers; changes with `admin.new_epoch()` only."""
        return self._identity.instance_id

    @property
    def former_instances(self) -> frozenset[str]:
        """Who we were in markers before this file was restored from a backup, each time."""
        return self._identity.former

    @property
    def in_transaction(self) -> bool:
        """Whether a `transaction()` is open."""
        return self._db.writing

    @contextmanager
    def transaction(self, label: str = "") -> Iterator[None]:
        """Write all of it or nothing: BEGIN IMMEDIATE … COMMIT.

        `label` is for whoever watches commits. StoreBusyError when another process holds the file
        for longer than the busy time-out; StoreError when the schema was upgraded or a backup
        restored meanwhile.
        Nesting is a RuntimeError.
        """
        self._must_not_nest()
        with self._db.changing(partial(self._commit, label)):
            self._check_schema()
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read one unchanging state; writers are refused inside. Nesting is a RuntimeError."""
        self._must_not_nest()
        self._db.run("BEGIN DEFERRED")
        self._db.reading = True
        try:
            self._db.rows("snapshot_pin")
            yield
        finally:
            self._db.reading = False
            self._db.roll_back()

    def _must_not_nest(self) -> None:
        if self._db.writing or self._db.reading:
            raise RuntimeError("A transaction is open already; transactions do not nest.")

    def _check_schema(self) -> None:
        if self._db.pragma("user_version") != self._schema:
            raise StoreError(
                f"{self._db.path} was upgraded while this was running. {NOTHING_CHANGED} "
                "Start it again."
            )
        if not self._identity.still_stands():
            raise StoreError(
                f"{self._db.path} was restored from a backup while this was running. "
                f"{NOTHING_CHANGED} Start it again."
            )

    def _commit(self, label: str) -> None:  # noqa: ARG002 - for a harness
        """Commit; a harness overrides it to stop before or after."""
        self._db.commit()

    def close(self) -> None:
        """Give back the file; may be called twice.

        A disk that fails now takes nothing away: what was committed is in the log beside the file,
        where the next start reads it. So it must not hide what the command itself was told.
        """
        with suppress(apsw.IOError, apsw.FullError):
            self._db.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_store(
    path: Path,
    *,
    role: Role,
    busy_timeout: float = 5.0,
    entropy: Entropy = os.urandom,
    kind: type[Store] = Store,
    place: Place = Place(),  # noqa: B008 - frozen
) -> Store:
    """Open the database file, making or upgrading it when needed.

    `busy_timeout` is in seconds. `entropy` makes the audit key and the instance id, once per file.
    `place` says what is accepted of the folder. StoreError when the folder is not fit, and when the
    file is damaged, too new, another program's or not writable.
    """
    prepare(path, place)
    with in_our_words(path):
        connection = connect(path, busy_timeout=busy_timeout)
    try:
        db = Database(connection, path)
        _make_ready_in_turn(db)
        identity = Identity(db, entropy)
        connection.set_authorizer(authorizer_of(role))
        return kind(db, identity)
    except BaseException:
        connection.close()
        raise


def _make_ready_in_turn(db: Database) -> None:
    """Try again while others switch the file to write-ahead logging, for which SQLite never waits.

    Every step can be repeated.
    """
    for _ in range(_TURNS):
        with suppress(StoreBusyError):
            return _make_ready(db)
        sleep(_TURN)
    return _make_ready(db)


def _make_ready(db: Database) -> None:
    scripts = migrations()
    check_owner(db, len(scripts))
    if db.connection.readonly("main"):
        raise StoreError(f"{db.path} cannot be written. {NOTHING_CHANGED}")
    use_wal(db)
    migrate(db, scripts)
