"""The files of a database: made with the right modes, or refused. Reads and writes no rows."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from quotey.contract.errors import StoreError
from quotey.store.faults import NOTHING_CHANGED
from quotey.store.place import Place, refuse_folder


def prepare(path: Path, place: Place) -> None:
    """Make folder (0700) and empty file (0600) where they are missing.

    StoreError when the place is not fit (see `place`), is taken by something that is no plain file
    or was lost, or cannot be made. An existing file is only looked at: to open and close it
    would drop the locks that this process holds on it (https://sqlite.org/howtocorrupt.html, 2.2).
    """
    refuse_folder(path.parent, place)
    make_folder(path)
    _refuse_lost(path)
    try:
        create(path)
    except FileExistsError:
        _refuse_other_kinds(path)
    except OSError as error:
        raise _cannot_make(path, error) from error


def _refuse_lost(path: Path) -> None:
    """Refuse to begin anew beside a key: one is made only when the database holds something.

    SQLite would make a new database where the file is gone or empty, as if no quote had ever been.
    """
    if path.is_symlink() or (path.exists() and path.stat().st_size):
        return
    key = key_path(path)
    if key.is_file() and read_key(key) is not None:
        how = "empty" if path.exists() else "gone"
        raise StoreError(
            f"The database {path} is {how}, but its audit key stands beside it: what it held is "
            f"lost. {NOTHING_CHANGED} Restore the newest sound backup.",
            next=("quotey db restore FILE",),
        )


def make_folder(path: Path) -> None:
    """Make the folder of a database, for its owner alone; StoreError when it cannot be made."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        _refuse_other_kinds(path)
    except OSError as error:
        raise _cannot_make(path, error) from error


def _cannot_make(path: Path, error: OSError) -> StoreError:
    return StoreError(f"The database {path} cannot be made: {error.strerror}. {NOTHING_CHANGED}")


def create(path: Path, content: bytes = b"") -> None:
    """Make a new file that only its owner can read. FileExistsError when there is one."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _refuse_other_kinds(path: Path) -> None:
    if not path.parent.is_dir():
        raise StoreError(
            f"The database {path} cannot be made: {path.parent} is not a folder. {NOTHING_CHANGED}"
        )
    mode = path.lstat().st_mode
    if not stat.S_ISREG(mode):
        kind = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a symbolic link"}.get(
            stat.S_IFMT(mode), "a pipe, socket or device"
        )
        raise StoreError(f"The database {path} is {kind}, not a plain file. {NOTHING_CHANGED}")


def key_path(path: Path) -> Path:
    """Give the place of the audit key: beside the database, never in it (design section 9)."""
    return path.with_suffix(".key")


def write_key(path: Path, key: bytes) -> None:
    """Put the key in its place whole, replacing what is there; durable when it returns."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    create(fresh, key.hex().encode())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was made or renamed in a folder last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def next_key_path(path: Path) -> Path:
    """Give where a new audit key waits until the database that it belongs to is in place."""
    return key_path(path).with_name(f"{key_path(path).name}.next")


def take_next_key(path: Path) -> None:
    """Let the waiting key be the key; nothing when none waits."""
    if next_key_path(path).exists():
        next_key_path(path).replace(key_path(path))
        sync_folder(path.parent)


def read_key(path: Path) -> bytes | None:
    """Read the key; None when there is no whole one."""
    try:
        key = bytes.fromhex(path.read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None


KEY_BYTES = 32


def open_to_others(path: Path) -> bool:
    """Say whether anybody but the owner can read the file."""
    return bool(path.stat().st_mode & 0o077)
