"""A desk with one account and one deal, on a database file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quotey.contract.journal import MirrorRecord
from tests.desk.desk_world import DeskWorld, open_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = open_world(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def deal(world: DeskWorld) -> MirrorRecord:
    world.account()
    return world.deal()
