"""Putting a backup in the place of a database: verified first, whole or not at all, reversible.

The backup is read, never opened: what is checked, brought to this schema and given a new epoch is a
copy of it. That copy is then written over the live database in one transaction of SQLite's own, so
that whoever has it open sees the state before or the state after. Source: reliability G5, CP-23.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import apsw
import msgspec

from quotey.contract.errors import Diagnostic, StoreError
from quotey.contract.journal import AuditEvent
from quotey.store.admin import altered, unsound
from quotey.store.audit import Audit
from quotey.store.chain import Seal
from quotey.store.database import Database, connect
from quotey.store.faults import NOTHING_CHANGED, in_our_words
from quotey.store.files import key_path, make_folder
from quotey.store.identity import Entropy, Identity
from quotey.store.outbox import Outbox
from quotey.store.place import Place, refuse_folder
from quotey.store.replace import look_at, put_in_place
from quotey.store.schema import check_owner, migrate
from quotey.store.statements import migrations


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was put back, or would be.

    `saved_as` is the copy of what stood there, "" when nothing did, and in a preview. `newer` names
    the quote versions that stood there and are not in the backup, as "<quote> <version>", None when
    what stood there could not be read.
    """

    path: str
    source: str
    quotes: int
    events: int
    former_instance: str
    instance_id: str
    newer: tuple[str, ...] | None = ()
    saved_as: str = ""
    dry_run: bool = False


class Orders(NamedTuple):
    """How to restore. `event` makes the audit event from its body; `mark` is told each step.

    A harness ends the process in `mark`.
    """

    event: Callable[[dict[str, object]], AuditEvent]
    entropy: Entropy = os.urandom
    place: Place = Place()
    dry_run: bool = False
    mark: Callable[[str], None] = lambda _step: None


def restore(path: Path, source: Path, orders: Orders) -> Restored:
    """Put the backup `source`, with its key beside it, in the place of the database `path`.

    StoreError, and nothing was changed, when the backup is not whole, not ours, too new, or broken,
    or when its audit key is missing; StoreBusyError when somebody writes for longer than we wait.
    The backup itself is only read. To be repeated after a crash.
    """
    refuse_folder(path.parent, orders.place)
    _refuse_source(path, source)
    make_folder(path)
    with _staging(path) as staged:
        orders.mark("copy")
        _fetch(source, path, staged)
        with in_our_words(source):
            made = _prepare(path, source, staged, orders)
        if orders.dry_run:
            return msgspec.structs.replace(made, dry_run=True)
        saved = put_in_place(path, staged, orders.mark)
    return msgspec.structs.replace(made, saved_as=str(saved) if saved else "")


def _refuse_source(path: Path, source: Path) -> None:
    if not source.is_file():
        raise StoreError(f"{source} is not a plain file. {NOTHING_CHANGED}")
    if path.exists() and source.samefile(path):
        raise StoreError(f"{source} is the database itself, not a backup. {NOTHING_CHANGED}")
    log = source.with_name(f"{source.name}-wal")
    if log.is_file() and log.stat().st_size:
        raise StoreError(
            f"{source} is in use, or was copied while it was: {log.name} beside it holds part of "
            f"it. {NOTHING_CHANGED}",
            next=("quotey db backup FILE",),
        )


@contextmanager
def _staging(path: Path) -> Iterator[Path]:
    """Give the place of the copy, in a folder of its own on the same disk; it goes afterwards.

    What a restore that was killed has left goes now.
    """
    for left in path.parent.glob("restoring-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="restoring-", dir=path.parent) as folder:
        yield Path(folder) / path.name


def _fetch(source: Path, path: Path, staged: Path) -> None:
    """Copy the backup, and the key that was saved with it or else that of this installation."""
    keys = [one for one in (key_path(source), key_path(path)) if one.is_file()]
    if not keys:
        raise StoreError(
            f"The audit key {key_path(source)} is missing. {NOTHING_CHANGED} Put back the key that "
            "was saved with the backup."
        )
    try:
        shutil.copyfile(source, staged)
        shutil.copyfile(keys[0], key_path(staged))
    except OSError as error:
        raise StoreError(
            f"The backup {error.filename or source} cannot be copied: {error.strerror}. "
            f"{NOTHING_CHANGED}"
        ) from error
    for file in (staged, key_path(staged)):
        file.chmod(0o600)


def _prepare(path: Path, source: Path, staged: Path, orders: Orders) -> Restored:
    """Verify the copy, bring it to this schema, give it a new epoch, and say so in its audit."""
    connection = connect(staged, busy_timeout=0)
    try:
        db = Database(connection, staged)
        _refuse_unsound(db, source)
        # Before anything is written: a trigger that somebody planted would run with it.
        _refuse_problems(tuple(altered(db, b"")), source)
        identity = _identity(db, source, orders.entropy)
        former = identity.instance_id
        newer = _newer(path, db)
        orders.mark("epoch")
        with db.changing():
            fresh = identity.renew_instance()
            body: dict[str, object] = {
                "source": source.name,
                "former_instance": former,
                "instance": fresh,
                "newer": None if newer is None else len(newer),
            }
            event = orders.event(body)
            Outbox(db).doubt_pending(event.at)
            Audit(db, Seal(identity.key)).append([event])
        _refuse_problems(tuple(unsound(db, identity.key)), source)
        [quotes] = db.lines("SELECT count(*) FROM quote")
        [events] = db.lines("SELECT count(*) FROM audit_event")
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    finally:
        connection.close()
    return Restored(
        path=str(path),
        source=str(source),
        quotes=int(quotes),
        events=int(events),
        former_instance=former,
        instance_id=fresh,
        newer=newer,
    )


def _refuse_unsound(db: Database, source: Path) -> None:
    """Look whose it is and at its pages, then bring it to this schema."""
    scripts = migrations()
    try:
        version = check_owner(db, len(scripts))
        pages = db.lines("PRAGMA integrity_check") if version else []
        if pages == ["ok"]:
            migrate(db, scripts)
    except StoreError as error:
        told = error.message.replace(str(db.path), str(source))
        raise StoreError(told, next=error.next) from error
    if not version:
        raise StoreError(f"{source} is empty: it holds nothing of Quotey. {NOTHING_CHANGED}")
    if pages != ["ok"]:
        first = pages[0] if pages else "nothing was answered"
        raise StoreError(f"The backup {source} is damaged ({first}). {NOTHING_CHANGED}")


def _identity(db: Database, source: Path, entropy: Entropy) -> Identity:
    """Read who the backup is; its key must be the one that its audit was chained with."""
    if not db.lines("SELECT value FROM meta WHERE name = 'audit_key_check'"):
        raise StoreError(f"{source} was never used: it has no audit. {NOTHING_CHANGED}")
    try:
        return Identity(db, entropy)
    except StoreError as error:
        raise StoreError(
            f"The audit key beside {source} is not the one that was saved with it. "
            f"{NOTHING_CHANGED} Put {key_path(source).name} of that backup beside it."
        ) from error


def _refuse_problems(problems: tuple[Diagnostic, ...], source: Path) -> None:
    if problems:
        raise StoreError(
            f"The backup {source} is not sound ({problems[0].message}). {NOTHING_CHANGED}",
            diagnostics=problems,
        )


_VERSIONS = "SELECT quote_id || ' ' || version FROM quote_version ORDER BY quote_id, version"


def _newer(path: Path, backup: Database) -> tuple[str, ...] | None:
    """Name the quote versions of the live database that the backup lacks; None: cannot be read."""
    if not path.exists():
        return ()
    there = set(backup.lines(_VERSIONS))
    try:
        look_at(path)
        live = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            found = [str(row[0]) for row in live.execute(_VERSIONS)]
        finally:
            live.close()
    except apsw.Error:
        return None
    return tuple(one for one in found if one not in there)
