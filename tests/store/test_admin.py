"""Check, backup, restore."""

from __future__ import annotations

import shutil
from pathlib import Path

import apsw
import pytest

from quotey.contract.errors import StoreError
from quotey.contract.fields import Entity
from quotey.store import Store, open_store
from quotey.store.statements import migrations
from tests.store.make import deal, event


def fill(store: Store) -> None:
    with store.transaction():
        store.records.put_many([deal(number) for number in range(300)])
        store.audit.append([event(number) for number in range(300)])


def codes(store: Store) -> list[str]:
    return [problem.code for problem in store.admin.check()]


def test_a_sound_database_has_nothing_to_report(store: Store) -> None:
    fill(store)
    assert store.admin.check() == ()


def test_a_backup_is_whole_private_and_can_be_opened(store: Store, tmp_path: Path) -> None:
    fill(store)
    to = tmp_path / "backups" / "monday.db"
    store.admin.backup(to)
    assert sorted(file.name for file in to.parent.iterdir()) == ["monday.db", "monday.key"]
    assert {file.stat().st_mode & 0o777 for file in to.parent.iterdir()} == {0o600}
    with open_store(to, role="desk") as copy:
        assert copy.records.get(Entity.DEAL, "deal_7") == deal(7)
        assert copy.audit.verify(store.audit.head()).ok


def test_a_backup_is_made_while_others_write(store: Store, path: Path, tmp_path: Path) -> None:
    fill(store)
    with open_store(path, role="sync") as other, other.transaction():
        other.records.put_many([deal(999)])
        store.admin.backup(tmp_path / "b.db")
    with open_store(tmp_path / "b.db", role="desk") as copy:
        assert copy.records.get(Entity.DEAL, "deal_999") is None
        assert copy.records.count("main", Entity.DEAL) == 300


@pytest.mark.parametrize("taken", ["b.db", "b.key"])
def test_a_backup_overwrites_nothing(store: Store, tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("precious")
    with pytest.raises(StoreError, match="cannot be made"):
        store.admin.backup(tmp_path / "b.db")
    assert (tmp_path / taken).read_text() == "precious"


@pytest.mark.parametrize("taken", ["b.db", "b.key"])
def test_a_backup_that_fails_leaves_nothing_half_made(
    store: Store, tmp_path: Path, taken: str
) -> None:
    (tmp_path / taken).write_text("mine")
    with pytest.raises(StoreError):
        store.admin.backup(tmp_path / "b.db")
    made = {each.name for each in tmp_path.iterdir() if each.name.startswith("b.")}
    assert made == {taken}
    assert (tmp_path / taken).read_text() == "mine"


def test_a_backup_of_a_broken_chain_is_not_called_sound(path: Path, tmp_path: Path) -> None:
    with open_store(path, role="admin") as store:
        fill(store)
        store._db.run("DROP TRIGGER audit_event_is_fixed")
        store._db.run("UPDATE audit_event SET actor = 'x' WHERE seq = 5")
        assert codes(store) == ["audit_broken", "database_altered"]
        with pytest.raises(StoreError, match="is not sound") as caught:
            store.admin.backup(tmp_path / "b.db")
        assert "breaks at event 5" in caught.value.diagnostics[0].message


@pytest.mark.parametrize(
    "change",
    [
        "DROP TRIGGER audit_event_is_fixed",
        "DROP INDEX item_open",
        "CREATE TRIGGER more AFTER INSERT ON item BEGIN SELECT 1; END",
        "CREATE VIEW more AS SELECT 1",
    ],
)
def test_a_guard_that_was_taken_out_or_put_in_is_told(path: Path, change: str) -> None:
    with open_store(path, role="admin") as store:
        assert codes(store) == []
        store._db.run(change)
        assert codes(store) == ["database_altered"]
        [found] = store.admin.check()
    name = " ".join(change.lower().split()[1:3])
    how = "is missing" if change.startswith("DROP") else "is not as Quotey made it"
    assert found.message == f"{name} {how}."


def test_a_restored_copy_takes_a_new_instance_id(store: Store, path: Path, tmp_path: Path) -> None:
    fill(store)
    store.admin.backup(tmp_path / "b.db")
    restored = tmp_path / "restored" / "quotey.db"
    restored.parent.mkdir()
    shutil.copy(tmp_path / "b.db", restored)
    shutil.copy(tmp_path / "b.key", restored.with_suffix(".key"))
    with open_store(restored, role="admin") as again:
        assert again.instance_id == store.instance_id
        with again.transaction():
            fresh = again.admin.new_epoch()
        assert again.instance_id == fresh != store.instance_id
        assert again.audit.verify().ok
    with open_store(restored, role="sync") as again:
        assert again.instance_id == fresh


def test_broken_pages_and_references_are_reported(path: Path) -> None:
    with open_store(path, role="admin") as store:
        fill(store)
        store._db.run("PRAGMA wal_checkpoint(TRUNCATE)")
    raw = apsw.Connection(str(path))
    raw.execute("PRAGMA foreign_keys = OFF")
    raw.execute(
        "INSERT INTO alias (connection, entity, crm_ref, id) VALUES ('m', 'deal', 'x', 'y')"
    )
    [[root]] = raw.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'audit_of_entity'")
    raw.close()
    assert isinstance(root, int)
    content = bytearray(path.read_bytes())
    content[(root - 1) * 4096 + 8 : (root - 1) * 4096 + 12] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    with open_store(path, role="desk") as store:
        assert set(codes(store)) == {"database_damaged", "database_reference_broken"}


def test_files_that_others_can_read_are_reported(store: Store, path: Path) -> None:
    path.chmod(0o644)
    path.with_suffix(".key").chmod(0o640)
    assert [problem.fix for problem in store.admin.check()] == [
        f"chmod 600 {path}",
        f"chmod 600 {path.with_suffix('.key')}",
    ]


def test_versions_are_told(store: Store) -> None:
    assert store.admin.library_version() == apsw.sqlite_lib_version()
    assert store.admin.schema_version() == len(migrations())
