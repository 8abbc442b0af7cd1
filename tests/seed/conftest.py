"""The worlds that the tests of the seed start with, closed afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.cli.terminal import Terminal
from tests.seed.house import terminal
from tests.sync.world import World, make_world


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep the log out of the tests' output."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A home and a CRM, nothing read yet."""
    made = make_world(tmp_path)
    yield made
    made.close()


@pytest.fixture
def synced(world: World) -> World:
    """A world that was read once: three accounts, two contacts, three deals."""
    report = world.sync()
    assert report.exit_code == 0, report
    return world


@pytest.fixture
def quotey(tmp_path: Path) -> Terminal:
    """A terminal over the small data set, read once."""
    made = terminal(tmp_path)
    assert made("crm", "sync").code == 0
    return made
