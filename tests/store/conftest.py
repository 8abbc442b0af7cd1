"""A fresh database file for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quotey.store import Store, open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "quotey.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with open_store(path, role="desk", busy_timeout=0.1) as opened:
        yield opened
