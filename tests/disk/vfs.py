"""A layer between SQLite and the disk that is told of every write, and may let one fail.

All bytes go on to the real files, so that SQLite works as ever (its shared memory among them).
Source: reliability 3.6.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Protocol

import apsw

_NUMBERS = count()
_PLAIN = apsw.vfs_names()[0]
"""The layer that SQLite uses by itself; the first is the default."""


class Watcher(Protocol):
    """Is told before each operation on a database file; what it raises happens in its place.

    `met` gives how many bytes of a write are still written before it raises; None: do it all.
    """

    def met(self, kind: str, path: Path, offset: int, content: bytes) -> int | None: ...

    def failure(self) -> apsw.Error: ...


class WatchedFile(apsw.VFSFile):
    """One open file."""

    def __init__(
        self, base: str, name: str | apsw.URIFilename | None, flags: list[int], watcher: Watcher
    ) -> None:
        super().__init__(base, name, flags)
        found = name.filename() if isinstance(name, apsw.URIFilename) else name
        self.path = Path(found) if found else None
        self.watcher = watcher

    def _met(self, kind: str, offset: int = 0, content: bytes = b"") -> int | None:
        if self.path is None:
            return None
        return self.watcher.met(kind, self.path, offset, content)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - SQLite's name
        """See SQLite."""
        if self._met("read", offset) is not None:
            raise self.watcher.failure()
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        """See SQLite."""
        data = bytes(data)
        short = self._met("write", offset, data)
        if short is None:
            super().xWrite(data, offset)
            return
        if short:
            super().xWrite(data[:short], offset)
        raise self.watcher.failure()

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        """See SQLite."""
        if self._met("truncate", newsize) is not None:
            raise self.watcher.failure()
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        """See SQLite."""
        if self._met("sync") is not None:
            raise self.watcher.failure()
        super().xSync(flags)

    def excepthook(self, etype: object, value: object, trace: object) -> bool:
        """Say nothing of failures that SQLite itself passes over."""
        return True


class WatchedDisk(apsw.VFS):
    """The disk of this machine, watched."""

    def __init__(self, watcher: Watcher) -> None:
        self.name = f"watched-{next(_NUMBERS)}"
        self.watcher = watcher
        super().__init__(self.name, _PLAIN, makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> WatchedFile:  # noqa: N802
        """See SQLite."""
        return WatchedFile(_PLAIN, name, flags, self.watcher)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's
        """See SQLite."""
        if self.watcher.met("delete", Path(filename), int(syncdir), b"") is not None:
            raise self.watcher.failure()
        super().xDelete(filename, syncdir)

    def excepthook(self, etype: object, value: object, trace: object) -> bool:
        """Say nothing of failures that SQLite itself passes over."""
        return True


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Put the layer under everything that is opened meanwhile."""
    disk = WatchedDisk(watcher)
    try:
        yield
    finally:
        disk.unregister()
