"""Migrations: whole or not at all, with a backup first. And the statements fit the schema."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import apsw
import pytest
from apsw import ext

import quotey.store as room
from quotey.contract.errors import StoreError
from quotey.store import open_store
from quotey.store.database import Database
from quotey.store.items import ITEM
from quotey.store.locks import LOCK
from quotey.store.outbox import OPERATION
from quotey.store.quarantine import QUARANTINED
from quotey.store.quotes import VERSION
from quotey.store.schema import migrate
from quotey.store.shapes import Shape
from quotey.store.statements import migrations, statements
from quotey.store.sync_state import SYNC_STATE

SECOND = "CREATE TABLE second (x TEXT) STRICT; INSERT INTO second VALUES ('a');"
NEWEST = len(migrations())
BROKEN = "CREATE TABLE third (x TEXT) STRICT; INSERT INTO nowhere VALUES (1);"


@pytest.fixture
def old(path: Path) -> Path:
    """A database of the newest schema with data in it."""
    with open_store(path, role="desk") as store, store.transaction():
        store.tokens.once("token", "answer")
    return path


def database(path: Path) -> Database:
    return Database(apsw.Connection(str(path)), path)


def tables(db: Database) -> set[str]:
    return set(db.lines("SELECT name FROM sqlite_schema WHERE type = 'table'"))


def test_a_migration_keeps_the_data_and_makes_a_backup_first(old: Path) -> None:
    db = database(old)
    backup = migrate(db, [*migrations(), SECOND])
    assert db.pragma("user_version") == NEWEST + 1
    assert "second" in tables(db)
    assert db.row("tokens_find", {"token": "token"}) == ("answer",)
    assert backup is not None
    before = database(backup)
    assert backup.stat().st_mode & 0o777 == 0o600
    assert before.pragma("user_version") == NEWEST
    assert before.pragma("integrity_check") == "ok"
    assert before.row("tokens_find", {"token": "token"}) == ("answer",)


def test_a_migration_that_fails_leaves_the_old_schema_whole(old: Path) -> None:
    db = database(old)
    before = tables(db)
    with pytest.raises(StoreError, match="nowhere"):
        migrate(db, [*migrations(), SECOND, BROKEN])
    assert tables(db) == before
    assert db.pragma("user_version") == NEWEST
    with open_store(old, role="desk") as store:
        assert store.tokens.find("token") == "answer"


def test_a_second_try_does_not_overwrite_the_first_backup(old: Path) -> None:
    db = database(old)
    for _ in range(2):
        with pytest.raises(StoreError):
            migrate(db, [*migrations(), BROKEN])
    names = sorted(file.name for file in old.parent.glob("*.schema-*"))
    assert names == [f"quotey.db.schema-{NEWEST}.1", f"quotey.db.schema-{NEWEST}.2"]


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_a_database_of_any_older_schema_is_upgraded_with_its_data(path: Path, version: int) -> None:
    path.parent.mkdir(mode=0o700)
    path.touch(mode=0o600)
    db = database(path)
    migrate(db, migrations()[:version])
    with db.changing():
        db.write("tokens_add", {"token": "token", "answer": "answer"})
    db.connection.close()
    with open_store(path, role="desk") as store:
        assert store.admin.schema_version() == NEWEST
        assert store.tokens.find("token") == "answer"
        assert store.admin.check() == ()
    assert [file.name for file in path.parent.glob("*.schema-*")] == [
        f"quotey.db.schema-{version}.1"
    ]


def test_nothing_is_done_twice(old: Path) -> None:
    assert migrate(database(old), migrations()) is None
    assert list(old.parent.glob("*.schema-*")) == []


def test_a_fresh_file_is_made_without_a_backup(tmp_path: Path) -> None:
    db = database(tmp_path / "fresh.db")
    assert migrate(db, migrations()) is None
    assert list(tmp_path.iterdir()) == [tmp_path / "fresh.db"]


def test_every_statement_is_used_and_every_used_one_is_there() -> None:
    files = Path(str(room.__file__)).parent.glob("*.py")
    source = "\n".join(file.read_text() for file in files)
    quoted = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', source))
    assert set(statements()) <= quoted


def test_every_statement_fits_the_schema() -> None:
    connection = apsw.Connection(":memory:")
    for script in migrations():
        connection.execute(script)
    for name, sql in statements().items():
        asked = ext.query_info(connection, sql, explain=True)
        assert asked.explain, name


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("outbox_get", OPERATION),
        ("outbox_by_key", OPERATION),
        ("outbox_pending", OPERATION),
        ("outbox_pending_for", OPERATION),
        ("outbox_expired", OPERATION),
        ("outbox_list", OPERATION),
        ("items_get", ITEM),
        ("items_list", ITEM),
        ("items_open_same", ITEM),
        ("items_open_for", ITEM),
        ("locks_list", LOCK),
        ("locks_active", LOCK),
        ("quarantine_list", QUARANTINED),
        ("quarantine_stale", QUARANTINED),
        ("quarantine_waiting", QUARANTINED),
        ("quotes_versions", VERSION),
        ("sync_state_get", SYNC_STATE),
        ("sync_state_all", SYNC_STATE),
    ],
)
def test_columns_are_selected_in_the_order_of_the_struct(name: str, shape: Shape[Any]) -> None:
    selected = statements()[name].split("FROM")[0].removeprefix("SELECT")
    columns = [column.strip().rpartition(".")[2] for column in selected.split(",")]
    assert tuple(columns) == shape.columns
