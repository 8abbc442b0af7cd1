"""Where a database may not lie: links, folders of everybody, disks of other machines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quotey.app.facade import open_quotey
from quotey.contract.errors import ExitCode, StoreError
from quotey.store import Place, open_store
from quotey.store.place import NETWORK_TYPES, read_mounts, type_of
from tests.store.test_open import mode, umask


def mounted(at: Path, kind: str) -> Place:
    """Pretend that a network share is mounted over a real root."""
    table = (
        f"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:5 / {at} rw shared:1 - {kind} host:/ rw\n"
    )
    return Place(mounts=lambda: table)


@pytest.mark.parametrize("kind", sorted(NETWORK_TYPES))
def test_a_network_file_system_is_refused_and_nothing_is_made(path: Path, kind: str) -> None:
    with pytest.raises(StoreError, match=f"network file system \\({kind}\\)") as caught:
        open_store(path, role="desk", place=mounted(path.parent.parent, kind))
    assert caught.value.exit_code == ExitCode.DATABASE
    assert "allow_network_fs" in caught.value.message
    assert not path.parent.exists()


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "apfs"])
def test_a_file_system_of_this_machine_is_taken(path: Path, kind: str) -> None:
    with open_store(path, role="desk", place=mounted(path.parent.parent, kind)) as store:
        assert store.admin.check() == ()


def test_a_network_file_system_is_taken_when_asked_for(path: Path) -> None:
    place = mounted(path.parent.parent, "nfs4")._replace(allow_network=True)
    with open_store(path, role="desk", place=place) as store:
        assert store.admin.check() == ()


def test_without_a_table_of_mounts_nothing_is_refused(path: Path) -> None:
    with open_store(path, role="desk", place=Place(mounts=lambda: "")) as store:
        assert store.admin.check() == ()


def test_lines_of_the_table_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    table = "\nnonsense\n1 2 3 - nfs\n1 2 3:4 / / rw nfs h:/\n22 1 8:1 / / rw - ext4 /dev/x rw\n"
    assert type_of(tmp_path, table) == "ext4"


def test_of_two_mounts_on_one_point_the_later_counts(tmp_path: Path) -> None:
    table = "1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / / rw - nfs b rw\n"
    assert type_of(tmp_path, table) == "nfs"


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="only Linux has the table")
def test_the_real_table_is_read() -> None:
    assert type_of(Path("/proc/self"), read_mounts()) == "proc"


def test_a_link_to_a_network_share_is_seen_through(tmp_path: Path) -> None:
    share = tmp_path / "share"
    (share / "real").mkdir(parents=True)
    (tmp_path / "link").symlink_to(share)
    assert type_of(tmp_path / "link" / "real", mounted(share, "cifs").mounts()) == "cifs"


def test_a_symbolic_link_as_folder_is_refused_and_nothing_is_made_there(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "real")
    with pytest.raises(StoreError, match="symbolic link"):
        open_store(tmp_path / "home" / "quotey.db", role="desk")
    assert list((tmp_path / "real").iterdir()) == []


@pytest.mark.parametrize("bits", [0o770, 0o702, 0o777, 0o1777])
def test_a_folder_that_others_can_write_to_is_refused(path: Path, bits: int) -> None:
    path.parent.mkdir()
    path.parent.chmod(bits)
    with pytest.raises(StoreError, match="can write to the folder") as caught:
        open_store(path, role="desk")
    assert caught.value.next == (f"chmod 700 {path.parent}",)
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_others_can_write_to_is_refused_though_the_database_is_there(
    path: Path,
) -> None:
    with open_store(path, role="desk"):
        pass
    path.parent.chmod(0o770)
    with pytest.raises(StoreError, match="can write to the folder"):
        open_store(path, role="desk")
    path.parent.chmod(0o700)
    with open_store(path, role="desk") as store:
        assert store.admin.check() == ()


def test_the_setting_is_read_from_the_environment(tmp_path: Path) -> None:
    with open_quotey(cwd=tmp_path, environ={"QUOTEY_ALLOW_NETWORK_FS": "true"}) as quotey:
        assert quotey._house.settings.allow_network_fs
    with open_quotey(cwd=tmp_path) as quotey:
        assert not quotey._house.settings.allow_network_fs


@pytest.mark.parametrize("mask", [0, 0o022])
def test_files_stay_the_owners_alone_after_checkpoint_backup_and_crash(
    path: Path, mask: int
) -> None:
    with umask(mask):
        _die_inside(path)
        with open_store(path, role="admin") as store:
            store._db.run("PRAGMA wal_checkpoint(TRUNCATE)")
            store.admin.backup(path.with_name("copy.db"))
            with store.transaction():
                store.tokens.once("t", "a")
            files = sorted(path.parent.iterdir())
            assert [file.name for file in files] == [
                "copy.db", "copy.key", "quotey.db", "quotey.db-shm", "quotey.db-wal", "quotey.key",
            ]  # fmt: skip
            assert {mode(file) for file in files} == {0o600}
            assert mode(path.parent) == 0o700


def _die_inside(path: Path) -> None:
    """Let a process make the file, write, and end without closing anything."""
    child = os.fork()
    if child == 0:
        store = open_store(path, role="desk")
        with store.transaction():
            store.tokens.once("before", "a")
        store._db.run("BEGIN IMMEDIATE")
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert path.with_name("quotey.db-wal").exists(), "it was not closed"
