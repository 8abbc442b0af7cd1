"""Restoring: verified, whole or not at all, the old state kept, the two lives told apart."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import msgspec
import pytest

from quotey.contract.errors import ExitCode, StoreBusyError, StoreError
from quotey.contract.fields import Entity
from quotey.contract.journal import AuditEvent
from quotey.store import Orders, Restored, open_store, restore
from quotey.store.database import Database
from quotey.store.files import key_path, next_key_path
from quotey.store.place import Place
from quotey.store.schema import migrate
from quotey.store.statements import migrations
from tests.store.make import NOW, deal, event, quote, version

NEWEST = len(migrations())


def told(body: dict[str, object]) -> AuditEvent:
    return msgspec.structs.replace(event(), kind="database.restored", at=NOW, body=body)


ORDERS = Orders(event=told)


@pytest.fixture
def backup(path: Path, tmp_path: Path) -> Path:
    """A backup with a quote of one version; since then the database has a second one."""
    to = tmp_path / "backups" / "monday.db"
    with open_store(path, role="desk") as store:
        with store.transaction():
            store.records.put_many([deal()])
            store.quotes.add(quote())
            store.audit.append([event(1)])
        store.admin.backup(to)
        with store.transaction():
            store.quotes.add_version(version(2))
            store.audit.append([event(2), event(3)])
    return to


def versions(path: Path) -> list[int]:
    with open_store(path, role="desk") as store:
        assert store.admin.check() == ()
        return [one.version for one in store.quotes.versions("q_1")]


def digests(*files: Path) -> list[str]:
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def refused(path: Path, source: Path, orders: Orders = ORDERS) -> StoreError:
    """Restore, be refused, and see that nothing at all has changed."""
    before = versions(path) if path.exists() else None
    theirs = digests(source) if source.is_file() else None
    beside = sorted(source.parent.iterdir())
    with pytest.raises(StoreError) as caught:
        restore(path, source, orders)
    assert caught.value.exit_code == ExitCode.DATABASE
    assert "Nothing was changed" in caught.value.message
    assert (digests(source) if source.is_file() else None) == theirs
    assert sorted(source.parent.iterdir()) == beside
    assert (versions(path) if path.exists() else None) == before
    assert not list(path.parent.glob("restoring-*"))
    assert not list(path.parent.glob("*.replaced-*"))
    return caught.value


def test_a_backup_takes_the_place_and_what_stood_there_is_kept(path: Path, backup: Path) -> None:
    with open_store(path, role="desk") as store:
        before = store.instance_id
    made = restore(path, backup, ORDERS)
    assert made == Restored(
        path=str(path),
        source=str(backup),
        quotes=1,
        events=2,
        former_instance=before,
        instance_id=made.instance_id,
        newer=("q_1 2",),
        saved_as=str(path.with_name("quotey.replaced-1.db")),
    )
    assert versions(path) == [1]
    assert versions(Path(made.saved_as)) == [1, 2]
    with open_store(path, role="desk") as store:
        assert store.instance_id == made.instance_id != before
        assert store.former_instances == {before}
        [last, _] = store.audit.list()
        assert (last.kind, last.body["former_instance"]) == ("database.restored", before)
        assert store.audit.verify().ok


def test_what_was_kept_can_be_put_back_in_turn(path: Path, backup: Path) -> None:
    first = restore(path, backup, ORDERS)
    second = restore(path, Path(first.saved_as), ORDERS)
    assert versions(path) == [1, 2]
    assert second.newer == ()
    assert second.saved_as.endswith("quotey.replaced-2.db")
    with open_store(path, role="desk") as store:
        assert store.former_instances == {first.former_instance}
        assert store.instance_id not in {first.former_instance, first.instance_id}


def test_every_file_is_the_owners_alone(path: Path, backup: Path) -> None:
    before = os.umask(0)
    try:
        backup.chmod(0o644)
        restore(path, backup, ORDERS)
        assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    finally:
        os.umask(before)


def test_a_preview_changes_nothing(path: Path, backup: Path) -> None:
    names = sorted(path.parent.iterdir())
    made = restore(path, backup, ORDERS._replace(dry_run=True))
    assert (made.dry_run, made.saved_as, made.newer) == (True, "", ("q_1 2",))
    assert versions(path) == [1, 2]
    assert sorted(path.parent.iterdir()) == names


def test_a_backup_is_restored_where_nothing_is(backup: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh" / "quotey.db"
    made = restore(fresh, backup, ORDERS)
    assert (made.saved_as, made.newer) == ("", ())
    assert versions(fresh) == [1]
    assert fresh.parent.stat().st_mode & 0o777 == 0o700


def test_what_has_it_open_must_start_again(path: Path, backup: Path) -> None:
    with open_store(path, role="sync") as running:
        restore(path, backup, ORDERS)
        with pytest.raises(StoreError, match="was restored from a backup"), running.transaction():
            raise AssertionError("it may write nothing under its old name")
        with running.snapshot():
            assert running.records.get(Entity.DEAL, "deal_1") == deal()


def test_a_reader_that_is_at_it_goes_on_seeing_one_state(path: Path, backup: Path) -> None:
    with open_store(path, role="desk") as reader:
        with reader.snapshot():
            assert len(reader.quotes.versions("q_1")) == 2
            restore(path, backup, ORDERS)
            assert len(reader.quotes.versions("q_1")) == 2
        assert len(reader.quotes.versions("q_1")) == 1


def test_a_writer_that_does_not_end_is_told_of(
    path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quotey.store.replace._TURNS", 2)
    monkeypatch.setattr("quotey.store.replace.PATIENCE", 0.01)
    with open_store(path, role="desk") as other, other.transaction():
        with pytest.raises(StoreBusyError, match="Another process"):
            restore(path, backup, ORDERS)
        other.tokens.once("t", "a")
    assert versions(path) == [1, 2]
    assert not list(path.parent.glob("*.replaced-*"))


@pytest.mark.parametrize("number", range(1, NEWEST + 1))
def test_a_backup_of_every_older_schema_is_brought_to_this_one(
    path: Path, tmp_path: Path, number: int
) -> None:
    old = tmp_path / "old" / "quotey.db"
    old.parent.mkdir(mode=0o700)
    _file_of_schema(old, number)
    theirs = digests(old)
    restore(path, old, ORDERS)
    with open_store(path, role="desk") as store:
        assert store.admin.schema_version() == NEWEST
        assert store.tokens.find("token") == "answer"
        assert store.admin.check() == ()
    assert digests(old) == theirs


def _file_of_schema(path: Path, number: int) -> None:
    """Make what a release with this schema has left: its tables, a row, its key and name."""
    from quotey.store.identity import Identity

    db = Database(apsw.Connection(str(path)), path)
    migrate(db, migrations()[:number])
    Identity(db, os.urandom)
    with db.changing():
        db.write("tokens_add", {"token": "token", "answer": "answer"})
    db.connection.close()


# --- what is refused --------------------------------------------------------------------------


def _garbage(file: Path) -> None:
    file.write_bytes(bytes(range(256)) * 64)


def _truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _newer(file: Path) -> None:
    connection = apsw.Connection(str(file))
    connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
    connection.close()


def _other_program(file: Path) -> None:
    file.unlink()
    connection = apsw.Connection(str(file))
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()


def _flipped(file: Path) -> None:
    """Break an index so that only a look at every page finds it."""
    connection = apsw.Connection(str(file))
    [[root]] = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'quote_of_deal'")
    connection.close()
    assert isinstance(root, int)
    content = bytearray(file.read_bytes())
    content[(root - 1) * 4096 + 8 : (root - 1) * 4096 + 12] = b"\xff\xff\xff\xff"
    file.write_bytes(content)


def _chain_cut(file: Path) -> None:
    connection = apsw.Connection(str(file))
    connection.execute("DROP TRIGGER audit_event_is_fixed")
    connection.execute("UPDATE audit_event SET actor = 'x' WHERE seq = 1")
    connection.close()


def _other_key(file: Path) -> None:
    key_path(file).write_text("11" * 32)


def _short_key(file: Path) -> None:
    key_path(file).write_text("11")


def _log_beside(file: Path) -> None:
    file.with_name(f"{file.name}-wal").write_bytes(b"x")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_garbage, "not a database"),
        (_truncated, "damaged"),
        (_empty, "empty"),
        (_newer, f"schema {NEWEST + 1}"),
        (_other_program, "another program"),
        (_flipped, "damaged"),
        (_chain_cut, "not sound"),
        (_other_key, "audit key"),
        (_short_key, "audit key"),
        (_log_beside, "in use"),
    ],
)
def test_a_backup_that_is_not_whole_is_refused_and_left_alone(
    path: Path, backup: Path, spoil: Callable[[Path], None], says: str
) -> None:
    spoil(backup)
    error = refused(path, backup)
    assert says in error.message
    assert "restoring-" not in error.message, "the reader knows nothing of our copy"


def test_pages_that_are_torn_anywhere_are_never_taken(path: Path, backup: Path) -> None:
    whole = backup.read_bytes()
    for start in range(4096, len(whole), 4096):
        content = bytearray(whole)
        content[start : start + 512] = b"\xa5" * 512
        backup.write_bytes(content)
        refused(path, backup)
    backup.write_bytes(whole)
    restore(path, backup, ORDERS)
    assert versions(path) == [1]


def test_a_folder_a_pipe_and_the_database_itself_are_refused(path: Path, backup: Path) -> None:
    refused(path, backup.parent)
    os.mkfifo(backup.parent / "pipe")
    refused(path, backup.parent / "pipe")
    assert "the database itself" in refused(path, path).message


def test_a_missing_key_is_taken_from_the_installation_or_refused(
    path: Path, backup: Path, tmp_path: Path
) -> None:
    key_path(backup).unlink()
    elsewhere = tmp_path / "other" / "quotey.db"
    with open_store(elsewhere, role="desk"):
        pass
    assert "not the one that was saved" in refused(elsewhere, backup).message
    assert "is missing" in refused(tmp_path / "none" / "quotey.db", backup).message
    restore(path, backup, ORDERS)
    assert versions(path) == [1]


def test_a_place_that_is_not_fit_is_refused(path: Path, backup: Path) -> None:
    share = Place(mounts=lambda: "1 0 0:1 / / rw - nfs h:/ rw")
    assert "network" in refused(path, backup, ORDERS._replace(place=share)).message


def test_another_programs_database_is_not_written_over(backup: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.db"
    theirs.parent.chmod(0o700)
    _other_program_at(theirs)
    content = theirs.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        restore(theirs, backup, ORDERS)
    assert theirs.read_bytes() == content


def _other_program_at(file: Path) -> None:
    file.touch()
    _other_program(file)


# --- what it replaces may be damaged -----------------------------------------------------------


@pytest.mark.parametrize("spoil", [_garbage, _empty, _truncated, _flipped, _chain_cut, _newer])
def test_a_damaged_database_is_kept_byte_by_byte_and_replaced(
    path: Path, backup: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(path)
    made = restore(path, backup, ORDERS)
    assert versions(path) == [1]
    assert Path(made.saved_as).exists()
    assert key_path(Path(made.saved_as)).read_text() == key_path(path).read_text()


def test_what_cannot_be_opened_is_moved_with_its_log(path: Path, backup: Path) -> None:
    _garbage(path)
    log = path.with_name("quotey.db-wal")
    log.write_bytes(b"the log of a damaged file")
    made = restore(path, backup, ORDERS)
    assert made.newer is None
    assert Path(made.saved_as).read_bytes() == bytes(range(256)) * 64
    assert Path(f"{made.saved_as}-wal").read_bytes() == b"the log of a damaged file"
    assert versions(path) == [1]


# --- two installations -------------------------------------------------------------------------


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A backup of another installation, with a key of its own."""
    home, to = tmp_path / "foreign" / "quotey.db", tmp_path / "backups" / "foreign.db"
    with open_store(home, role="desk") as store:
        with store.transaction():
            store.audit.append([event(1)])
        store.admin.backup(to)
    return to


def test_the_key_goes_with_its_database(path: Path, backup: Path, foreign: Path) -> None:
    ours = key_path(path).read_text()
    made = restore(path, foreign, ORDERS)
    assert key_path(path).read_text() == key_path(foreign).read_text() != ours
    assert key_path(Path(made.saved_as)).read_text() == ours
    assert not next_key_path(path).exists()
    assert versions(path) == []
    restore(path, backup, ORDERS)
    assert versions(path) == [1]


class Died(BaseException):
    """The process ended."""


STEPS = ("copy", "epoch", "save", "write", "key")


@pytest.mark.parametrize("source", ["own", "foreign"])
@pytest.mark.parametrize("step", STEPS)
def test_a_restore_that_dies_at_any_step_leaves_one_whole_state_and_can_be_repeated(
    path: Path, backup: Path, foreign: Path, step: str, source: str
) -> None:
    chosen, restored = (backup, [1]) if source == "own" else (foreign, [])
    met: list[str] = []

    def die(here: str) -> None:
        met.append(here)
        if here == step:
            os._exit(9)

    child = os.fork()
    if child == 0:
        restore(path, chosen, ORDERS._replace(mark=die))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    again = shutil.copytree(path.parent, path.parent.with_name("again")) / path.name
    assert versions(path) == (restored if step == "key" else [1, 2])
    # Repeated at once, without a start between: the waiting key is not forgotten.
    made = restore(again, chosen, ORDERS)
    assert versions(again) == restored
    assert versions(Path(made.saved_as)) == (restored if step == "key" else [1, 2])
    assert not list(again.parent.glob("restoring-*"))


def test_every_step_is_met(path: Path, backup: Path) -> None:
    met: list[str] = []
    restore(path, backup, ORDERS._replace(mark=met.append))
    assert tuple(met) == STEPS
