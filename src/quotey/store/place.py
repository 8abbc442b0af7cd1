"""Where a database may lie: in a real folder of ours, on a disk of this machine.

Nothing is made here; a place is looked at and refused. Source: reliability N3, SEC-33.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from quotey.contract.errors import StoreError
from quotey.store.faults import NOTHING_CHANGED

NETWORK_TYPES = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "coda", "ncpfs", "ceph", "glusterfs",
        "lustre", "beegfs", "orangefs", "pvfs2", "davfs", "fuse.sshfs", "fuse.davfs2",
        "fuse.glusterfs", "fuse.ceph", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.smbnetfs",
        "fuse.curlftpfs", "fuse.juicefs", "fuse.goofys", "fuse.blobfuse",
    }
)  # fmt: skip
"""File systems that reach another machine, as Linux names them: there locks and shared memory do
not hold between processes, and SQLite's own pages say so (https://sqlite.org/faq.html#q5)."""

_TABLE = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def read_mounts() -> str:
    """Give the kernel's table of mounts; "" where there is none, as on other systems than Linux."""
    try:
        return _TABLE.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""


class Place(NamedTuple):
    """What is accepted of a place: a network file system or not; `mounts` reads the table."""

    allow_network: bool = False
    mounts: Callable[[], str] = read_mounts


def refuse_folder(folder: Path, place: Place) -> None:
    """Refuse a folder that somebody else could swap, write to, or that is not of this machine.

    A folder that is not there yet passes. StoreError otherwise.
    """
    if folder.is_symlink():
        raise StoreError(
            f"The folder {folder} is a symbolic link; whoever can change the link decides where "
            f"quotes are kept. {NOTHING_CHANGED} Set `home` to {folder.resolve()} itself."
        )
    if folder.is_dir() and folder.stat().st_mode & _OTHERS_WRITE:
        raise StoreError(
            f"Other users of this machine can write to the folder {folder}, and so replace the "
            f"database. {NOTHING_CHANGED}",
            next=(f"chmod 700 {folder}",),
        )
    if not place.allow_network:
        _refuse_network(folder, place)


def _refuse_network(folder: Path, place: Place) -> None:
    kind = type_of(folder, place.mounts())
    if kind in NETWORK_TYPES:
        raise StoreError(
            f"The folder {folder} is on a network file system ({kind}), where locks do not hold "
            f"and a crash can damage the database. {NOTHING_CHANGED} Set `home` to a disk of this "
            "machine, or `allow_network_fs = true` if one process only will ever use it."
        )


def type_of(folder: Path, mounts: str) -> str:
    r"""Give the type of the file system that a folder is, or will be, on; "" when unknown.

    >>> table = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:5 / /mnt/a\\040b rw - nfs4 h:/ rw"
    >>> type_of(Path("/mnt/a b/home"), table), type_of(Path("/mnt/a"), table)
    ('nfs4', 'ext4')
    """
    wanted = Path(os.path.realpath(folder))
    best, kind = -1, ""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < _FIELDS or not right:
            continue
        point = Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), fields[_FIELDS - 1]))
        if wanted.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split()[0]
    return kind


_FIELDS = 5
"""The fifth field of a line is where something is mounted (proc_pid_mountinfo(5))."""
