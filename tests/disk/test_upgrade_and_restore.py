"""A migration and a restore, stopped at every statement and cut at every write: old or new, whole.

Source: reliability CP-19, CP-23, G16.
"""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from quotey.store import Orders, open_store, restore
from quotey.store.database import Database, connect
from quotey.store.identity import Identity
from quotey.store.schema import migrate, use_wal
from quotey.store.statements import migrations
from quotey.testing.crash import SimulatedCrash
from tests.disk.day import look
from tests.disk.powercut import Disk, Recorder
from tests.disk.vfs import watched
from tests.proof import keep, size
from tests.store.make import deal, event, quote, version
from tests.store.test_restore import told

NEWEST = len(migrations())
DRAWS = size("DRAWS", every_run=2, soak=20)
"""How many leftovers are drawn for each place of a cut."""


def released(path: Path, number: int) -> Path:
    """Make a database as a release with this schema has left it, with a row in it."""
    path.parent.mkdir(mode=0o700, parents=True)
    path.touch(mode=0o600)
    db = Database(connect(path, busy_timeout=0), path)
    use_wal(db)
    migrate(db, migrations()[:number])
    Identity(db, lambda count: b"\x07" * count)
    with db.changing():
        db.write("tokens_add", {"token": "token", "answer": "answer"})
    db.connection.close()
    return path


def schema_of(path: Path) -> tuple[object, object]:
    """Read the version and what it is made of, as another program does."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        [[number]] = connection.execute("PRAGMA user_version").fetchall()
        parts = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    finally:
        connection.close()
    return number, parts


@pytest.mark.parametrize("number", range(1, NEWEST))
def test_a_migration_that_ends_at_any_statement_leaves_the_old_schema_whole(
    ram: Path, number: int
) -> None:
    path = released(ram / "home" / "quotey.db", number)
    before = schema_of(path)
    place = 0
    while _dies_at(path, place):
        assert schema_of(path) == before, f"it ended at statement {place}"
        place += 1
    assert place > NEWEST - number, "each script has a statement"
    with open_store(path, role="desk") as store:
        assert store.admin.schema_version() == NEWEST
        assert store.tokens.find("token") == "answer"
        assert store.admin.check() == ()


def _dies_at(path: Path, place: int) -> bool:
    """Migrate, and end before the statement with this number; False when there are fewer."""
    db = Database(connect(path, busy_timeout=0), path)
    left = [place]

    def trace(_cursor: apsw.Cursor, sql: str, _values: object) -> bool:
        if sql.startswith(("PRAGMA", "SELECT", "BEGIN", "COMMIT", "ROLLBACK")):
            return True
        left[0] -= 1
        if left[0] < 0:
            raise SimulatedCrash(sql)
        return True

    db.connection.exec_trace = trace
    try:
        with contextlib.suppress(SimulatedCrash):
            migrate(db, migrations())
            return False
        return True
    finally:
        db.connection.exec_trace = None
        db.connection.close()


def cut_everywhere(
    home: Path, act: Callable[[], None], holds: Callable[[Path], str]
) -> dict[str, int]:
    """Cut the power at every operation of an act; `holds` names the state that is found."""
    before = shutil.copytree(home, home.with_name("before"))
    recorder = Recorder(folder=home)
    with watched(recorder):
        act()
    chance = random.Random(31)  # noqa: S311 - chance, not secrecy
    disk, found = Disk.of(before), dict.fromkeys(("old", "new", "neither"), 0)
    for step in [None, *recorder.steps]:
        if step is not None:
            disk.take(step)
        for _ in range(DRAWS):
            after = home.with_name("after")
            disk.write(after, chance, spared="quotey.key")
            found[holds(after / "quotey.db")] += 1
            shutil.rmtree(after)
    return found


@pytest.mark.parametrize("number", range(1, NEWEST))
def test_a_power_cut_in_a_migration_leaves_the_old_or_the_new_schema(
    ram: Path, number: int
) -> None:
    path = released(ram / "home" / "quotey.db", number)
    old, _ = schema_of(path)

    def upgrade() -> None:
        open_store(path, role="admin").close()

    def holds(database: Path) -> str:
        found, _ = schema_of(database)
        with open_store(database, role="desk") as store:
            sound = store.tokens.find("token") == "answer" and not store.admin.check()
        return {old: "old", NEWEST: "new"}.get(found, "neither") if sound else "neither"

    found = cut_everywhere(path.parent, upgrade, holds)
    keep(
        f"power-cuts-migration-{number}",
        "KEEP_PROOF=1 pytest tests/disk/test_upgrade_and_restore.py",
        runs=sum(found.values()),
        cuts=sum(found.values()),
        corrupt=found["neither"],
        old=found["old"],
        new=found["new"],
    )
    assert found["old"]
    assert found["new"]
    assert not found["neither"]


def test_a_power_cut_in_a_restore_leaves_the_old_or_the_restored_state(ram: Path) -> None:
    path, backup = ram / "home" / "quotey.db", ram / "backups" / "monday.db"
    with open_store(path, role="desk") as store:
        with store.transaction():
            store.records.put_many([deal()])
            store.quotes.add(quote())
            store.audit.append([event(1)])
        store.admin.backup(backup)
        with store.transaction():
            store.quotes.add_version(version(2))

    def put_back() -> None:
        restore(path, backup, Orders(event=told))

    def holds(database: Path) -> str:
        kept = look(database) or set()
        numbers = tuple(sorted(number for _, number, _ in kept))
        return {(1, 2): "old", (1,): "new"}.get(numbers, "neither")

    found = cut_everywhere(path.parent, put_back, holds)
    keep(
        "power-cuts-restore",
        "KEEP_PROOF=1 pytest tests/disk/test_upgrade_and_restore.py",
        runs=sum(found.values()),
        cuts=sum(found.values()),
        corrupt=found["neither"],
        old=found["old"],
        new=found["new"],
    )
    assert found["old"]
    assert found["new"]
    assert not found["neither"]
