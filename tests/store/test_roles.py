"""The sync connection cannot touch quotes: SQLite itself says no (reliability G1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quotey.contract.errors import StoreError
from quotey.store import QUOTE_TABLES, Role, Store, open_store
from tests.store.make import NOW, deal, event, operation, quote, version

VERBS = {
    "insert": "INSERT INTO {table} SELECT * FROM {table}",
    "replace": "REPLACE INTO {table} SELECT * FROM {table}",
    "update": "UPDATE {table} SET {column} = {column}",
    "delete": "DELETE FROM {table}",
    "drop": "DROP TABLE {table}",
    "alter": "ALTER TABLE {table} ADD COLUMN more TEXT",
    "rename": "ALTER TABLE {table} RENAME TO other",
    "index": "CREATE INDEX more ON {table} ({column})",
    "trigger": "CREATE TRIGGER more AFTER INSERT ON {table} BEGIN SELECT 1; END",
    "trigger from outside": (
        "CREATE TRIGGER more AFTER INSERT ON client_token BEGIN DELETE FROM {table}; END"
    ),
    "temporary trigger": (
        "CREATE TEMP TRIGGER more AFTER INSERT ON client_token BEGIN DELETE FROM {table}; END"
    ),
    "drop trigger": "DROP TRIGGER {table}_stays",
    "drop index": "DROP INDEX quote_one_published",
    "schema": "UPDATE sqlite_schema SET sql = '' WHERE name = '{table}'",
}
COLUMNS = {"quote": "published", "quote_version": "version"}


@pytest.fixture
def sync(path: Path) -> Iterator[Store]:
    with open_store(path, role="desk") as desk, desk.transaction():
        desk.records.put_many([deal()])
        desk.quotes.add(quote())
        desk.audit.append([event()])
    with open_store(path, role="sync") as opened:
        yield opened


def test_the_quote_domain_is_every_table_named_after_it(sync: Store) -> None:
    names = {
        name
        for (name,) in sync._db.connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table'"
        )
    }
    assert {name for name in names if str(name).startswith("quote")} == QUOTE_TABLES
    assert set(COLUMNS) == QUOTE_TABLES


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("table", sorted(QUOTE_TABLES))
def test_the_sync_connection_cannot_write_quotes(sync: Store, table: str, verb: str) -> None:
    before = sync.quotes.versions("q_1"), sync.quotes.list()
    statement = VERBS[verb].format(table=table, column=COLUMNS[table])
    with pytest.raises(StoreError), sync.transaction():
        sync._db.run(statement)
    assert (sync.quotes.versions("q_1"), sync.quotes.list()) == before


def test_the_sync_connection_cannot_use_the_quote_writers_either(sync: Store) -> None:
    with pytest.raises(StoreError, match="may not write"), sync.transaction():
        sync.quotes.add(quote("q_2", published=False))
    with pytest.raises(StoreError, match="may not write"), sync.transaction():
        sync.quotes.add_version(version(2))
    with pytest.raises(StoreError, match="may not write"), sync.transaction():
        sync.quotes.set_published("deal_1", "q_1")
    assert sync.quotes.get("q_1") == quote()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO audit_erasure (seq) VALUES (1)",
        "DELETE FROM audit_body",
        "UPDATE audit_body SET json = '{}'",
        "ATTACH ':memory:' AS other",
        "PRAGMA writable_schema = ON",
        "PRAGMA foreign_keys = OFF",
        "DROP TRIGGER audit_event_stays",
    ],
)
def test_the_sync_connection_cannot_get_round_the_rules(sync: Store, statement: str) -> None:
    with pytest.raises(StoreError, match="may not write"):
        sync._db.run(statement)


def test_the_sync_connection_can_do_its_own_work(sync: Store) -> None:
    with sync.transaction():
        sync.records.put_many([deal(2)])
        sync.outbox.add(operation())
        sync.audit.append([event(2)])
    assert sync.records.count("main", deal().entity) == 2
    assert sync.audit.verify().events == 2


def test_the_desk_writes_quotes_but_reshapes_nothing(store: Store) -> None:
    with store.transaction():
        store.records.put_many([deal()])
        store.quotes.add(quote())
    with pytest.raises(StoreError, match="may not write"):
        store._db.run("DROP TRIGGER quote_version_is_fixed")


AUDIT_COLUMNS = {"audit_event": "actor", "audit_body": "json", "audit_erasure": "seq"}
UNDOING = ("update", "delete", "replace", "drop", "alter", "rename", "trigger", "drop trigger")


@pytest.mark.parametrize("role", ["desk", "sync"])
@pytest.mark.parametrize("table", AUDIT_COLUMNS)
@pytest.mark.parametrize("verb", UNDOING)
def test_no_role_that_works_can_change_or_remove_what_the_audit_says(
    path: Path, role: Role, table: str, verb: str
) -> None:
    with open_store(path, role="desk") as desk:
        with desk.transaction():
            desk.audit.append([event(), event(2), event(3)])
        with desk.transaction():
            desk.audit.erase([2], at=NOW, actor="ann", correlation_id="c_1", reason="asked")
    statement = VERBS[verb].format(table=table, column=AUDIT_COLUMNS[table])
    with open_store(path, role=role) as store:
        before = store.audit.list(), store.audit.head()
        with pytest.raises(StoreError, match=r"may not write|append-only"), store.transaction():
            store._db.run(statement)
        assert (store.audit.list(), store.audit.head()) == before
        assert store.audit.verify(before[1]).ok
