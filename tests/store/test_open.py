"""Opening a file: what is made, what is refused, and that what is refused is left alone."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw
import pytest

from quotey.contract.errors import ExitCode, StoreError
from quotey.store import Role, open_store
from quotey.store.statements import migrations

ROLES: tuple[Role, ...] = ("desk", "sync", "admin")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0, 0o022])
def test_every_file_is_the_owners_alone_whatever_the_umask(path: Path, mask: int) -> None:
    with umask(mask), open_store(path, role="desk") as store, store.transaction():
        store.tokens.once("t", "a")
        files = sorted(path.parent.iterdir())
        assert [file.name for file in files] == [
            "quotey.db", "quotey.db-shm", "quotey.db-wal", "quotey.key",
        ]  # fmt: skip
        assert [mode(file) for file in files] == [0o600] * 4
        assert mode(path.parent) == 0o700


@pytest.mark.parametrize("role", ROLES)
def test_every_connection_has_the_settings_that_keep_commits(path: Path, role: Role) -> None:
    with open_store(path, role=role) as store:
        settings = {
            name: store._db.pragma(name)
            for name in (
                "journal_mode", "synchronous", "foreign_keys", "trusted_schema",
                "cell_size_check", "recursive_triggers", "application_id", "user_version",
            )
        }  # fmt: skip
        assert settings == {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "trusted_schema": 0,
            "cell_size_check": 1,
            "recursive_triggers": 1,
            "application_id": 0x51544559,
            "user_version": len(migrations()),
        }
        connection = store._db.connection
        assert connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, -1) == 0
        assert connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, -1) == 0
        assert connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, -1) == 1


def test_every_table_is_strict(path: Path) -> None:
    with open_store(path, role="admin") as store:
        tables = store._db.connection.execute(
            "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        ).fetchall()
    ours = {name: strict for name, strict in tables if not str(name).startswith("sqlite_")}
    assert len(ours) > 10
    assert set(ours.values()) == {1}


def test_opening_twice_finds_what_was_kept(path: Path) -> None:
    with open_store(path, role="desk") as store:
        instance = store.instance_id
        with store.transaction():
            store.tokens.once("token", "answer")
    with open_store(path, role="sync") as store:
        assert store.tokens.find("token") == "answer"
        assert store.instance_id == instance


def test_closing_twice_is_harmless(path: Path) -> None:
    store = open_store(path, role="desk")
    store.close()
    store.close()


def test_key_and_instance_come_from_the_given_entropy(path: Path) -> None:
    with open_store(path, role="desk", entropy=lambda size: b"\x07" * size) as store:
        assert store.instance_id == "ins_" + "07" * 8
    assert path.with_suffix(".key").read_text() == "07" * 32


def refused(path: Path) -> StoreError:
    with pytest.raises(StoreError) as caught:
        open_store(path, role="desk")
    assert caught.value.exit_code == ExitCode.DATABASE
    assert "Nothing was changed" in caught.value.message
    assert path.stem in caught.value.message
    return caught.value


def test_a_file_of_garbage_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    garbage = bytes(range(256)) * 64
    path.write_bytes(garbage)
    assert "not a database" in refused(path).message
    assert path.read_bytes() == garbage


def test_a_truncated_database_is_refused_and_left_alone(path: Path) -> None:
    with open_store(path, role="desk"):
        pass
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path)
    assert path.read_bytes() == whole[: len(whole) // 2]


def test_a_database_that_was_emptied_is_refused_and_no_new_one_is_begun(path: Path) -> None:
    with open_store(path, role="desk"):
        pass
    path.write_bytes(b"")
    assert "is empty, but its audit key" in refused(path).message
    assert path.read_bytes() == b""


def test_a_database_that_is_gone_is_missed_and_no_new_one_is_begun(path: Path) -> None:
    with open_store(path, role="desk"):
        pass
    path.unlink()
    assert "is gone, but its audit key" in refused(path).message
    assert not path.exists()


def test_an_empty_file_that_never_had_a_key_becomes_a_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"")
    with open_store(path, role="desk") as store:
        assert store.audit.verify().ok


def test_a_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE theirs(x)")
    other.close()
    content = path.read_bytes()
    assert "another program" in refused(path).message
    assert path.read_bytes() == content


def test_a_newer_database_is_refused_and_says_what_to_do(path: Path) -> None:
    with open_store(path, role="admin") as store:
        store._db.run("PRAGMA user_version = 99")
    error = refused(path)
    assert "schema 99" in error.message
    assert error.next == ("pip install --upgrade quotey",)


def test_a_folder_in_its_place_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    assert "a folder" in refused(path).message


def test_a_pipe_in_its_place_is_refused_without_waiting(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    assert "a pipe" in refused(path).message


def test_a_symbolic_link_is_refused_and_nothing_is_made_elsewhere(
    path: Path, tmp_path: Path
) -> None:
    path.parent.mkdir()
    elsewhere = tmp_path / "elsewhere.db"
    path.symlink_to(elsewhere)
    assert "symbolic link" in refused(path).message
    assert not elsewhere.exists()


def test_a_file_where_the_folder_should_be_is_refused(path: Path) -> None:
    path.parent.write_text("not a folder")
    refused(path)


def test_a_folder_that_cannot_be_made_is_refused() -> None:
    refused(Path("/proc/nowhere/quotey.db"))


def test_a_missing_audit_key_is_refused_and_no_new_one_is_made(path: Path) -> None:
    with open_store(path, role="desk"):
        pass
    path.with_suffix(".key").unlink()
    assert "audit key" in refused(path).message
    assert not path.with_suffix(".key").exists()


def test_an_audit_key_that_cannot_be_read_is_told_in_our_words(path: Path) -> None:
    with open_store(path, role="desk"):
        pass
    key = path.with_suffix(".key")
    key.unlink()
    key.mkdir()
    assert "audit key" in refused(path).message


def test_an_audit_key_that_cannot_be_made_is_told_in_our_words(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".key").mkdir()
    assert "audit key" in refused(path).message


def test_another_audit_key_is_refused(path: Path) -> None:
    with open_store(path, role="desk"):
        pass
    path.with_suffix(".key").write_text("11" * 32)
    assert "audit key" in refused(path).message


def test_a_key_cut_short_by_a_crash_at_the_first_start_is_made_anew(path: Path) -> None:
    path.parent.mkdir()
    path.with_suffix(".key").write_text("11")
    path.with_name("quotey.key.new").write_text("1")
    with open_store(path, role="desk") as store:
        assert store.audit.verify().ok
    assert len(path.with_suffix(".key").read_text()) == 64


def test_a_database_that_can_only_be_read_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Tests may run as root, whom file modes do not stop; SQLite's own flag does.
    with open_store(path, role="desk"):
        pass
    monkeypatch.setattr(apsw, "SQLITE_OPEN_READWRITE", apsw.SQLITE_OPEN_READONLY)
    assert "cannot be written" in refused(path).message


def test_a_library_that_can_lose_commits_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.50.6")
    with pytest.raises(StoreError, match=r"SQLite 3\.50\.6 can lose committed data"):
        open_store(path, role="desk")


@contextmanager
def no_more_handles() -> Iterator[None]:
    """Let this process open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open("/dev/null", os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 1, hard))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for handle in taken:
            os.close(handle)


def test_where_no_handle_is_left_it_is_told_and_nothing_is_changed(path: Path) -> None:
    with open_store(path, role="desk") as store, store.transaction():
        store.tokens.once("before", "a")
    with no_more_handles(), pytest.raises(StoreError):
        open_store(path, role="desk")
    with open_store(path, role="desk") as store:
        assert store.tokens.find("before") == "a"
        with no_more_handles(), store.transaction():
            store.tokens.once("meanwhile", "b")
        assert store.admin.check() == ()
    with open_store(path, role="desk") as store:
        assert store.tokens.find("meanwhile") == "b"


def test_where_no_handle_is_left_no_half_home_is_made(path: Path) -> None:
    with no_more_handles(), pytest.raises(StoreError):
        open_store(path, role="desk")
    with open_store(path, role="desk") as store:
        assert store.admin.check() == ()
