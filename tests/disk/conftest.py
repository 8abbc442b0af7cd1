"""Where these tests work: in memory where there is such a place, because they make the faults."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it


@pytest.fixture
def ram(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk that costs nothing to sync, or an ordinary one."""
    if not (_MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="quotey-", dir=_MEMORY) as folder:
        yield Path(folder)
