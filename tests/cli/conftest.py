"""A terminal in a folder of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.terminal import Terminal


@pytest.fixture
def quotey(tmp_path: Path) -> Terminal:
    """A terminal in an empty folder."""
    return Terminal(tmp_path)


@pytest.fixture
def synced(quotey: Terminal) -> Terminal:
    """A terminal after the first sync of the demo data."""
    assert quotey("crm", "sync").code == 3
    return quotey
