"""The world that every test of sync starts with, closed afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.sync.world import World, make_world


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep the log out of the tests' output."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path)
    yield made
    made.close()


@pytest.fixture
def synced(world: World) -> World:
    """A world that was read once."""
    report = world.sync()
    assert report.exit_code == 0, report
    return world
