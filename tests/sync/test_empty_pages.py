"""A source that promises more, page after page, and never gives any (2.C)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest

from quotey.contract.adapter import CrmAdapter
from quotey.contract.dto import CrmSyncResultDto, IdPage
from quotey.contract.errors import ErrorClass
from quotey.contract.fields import Entity
from quotey.contract.journal import SyncPhase
from quotey.sync.plan import plan
from quotey.sync.ports import SyncLimits
from tests.sync.bent import bend
from tests.sync.test_mass_change import deals
from tests.sync.world import World, make_world

DEALS = (Entity.DEAL,)
PATIENCE = 5
END = 40
"""Even the endless ones end here, so that a run that does not stop them fails and hangs not."""


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[World]:
    """Twenty deals in pages of ten; five empty pages in a row are too many."""
    limits = SyncLimits(empty_pages=PATIENCE)
    world = make_world(tmp_path, page_size=10, deals=deals(20), limits=limits)
    yield world
    world.close()


def emptying(world: World, honest: Callable[[int], bool]) -> CrmAdapter:
    """Give empty pages with ever new cursors; those whose number is `honest` are the stub's own."""
    numbers = count(1)
    places = [""]

    def page(entity: Entity, cursor: str, **more: object) -> CrmSyncResultDto:
        number = next(numbers)
        true = world.stub.sync_incremental(entity, places[-1], **more)  # type: ignore[arg-type]
        if not honest(number):
            true = msgspec.structs.replace(true, records=(), failures=(), has_more=number < END)
        else:
            places.append(true.next_cursor)
        return msgspec.structs.replace(true, next_cursor=f"n{number}")

    return bend(world.stub, sync_incremental=page)


def test_empty_pages_with_ever_new_cursors_are_stopped_and_what_was_read_stays(
    crowd: World,
) -> None:
    crowd.adapter = emptying(crowd, honest=lambda number: number == 1)
    report = crowd.sync(entities=DEALS)
    assert report.failures[0].error_class is ErrorClass.PERMANENT
    assert "5 empty pages in a row" in report.failures[0].warning
    state = crowd.state()
    assert (state.phase, state.counts.read, state.cursor) == (SyncPhase.ERROR, 10, "n5")


def test_fewer_empty_pages_between_full_ones_are_read_through(crowd: World) -> None:
    crowd.adapter = emptying(crowd, honest=lambda number: number % PATIENCE == 0)
    report = crowd.sync(entities=DEALS)
    assert (report.failures, report.entities[0].counts.read) == ((), 20)


def test_a_plan_is_stopped_as_a_sync_is(crowd: World) -> None:
    crowd.adapter = emptying(crowd, honest=lambda _number: False)
    planned = plan(crowd.ports, entities=DEALS)
    assert "5 empty pages in a row" in planned.failures[0].warning


def test_a_list_of_ids_that_never_ends_is_stopped(crowd: World) -> None:
    crowd.sync()
    numbers = count(1)

    def listed(entity: Entity, _place: str, **_more: object) -> IdPage:
        number = next(numbers)
        return IdPage(entity=entity, listed=(), next_place=f"n{number}", has_more=number < END)

    crowd.adapter = bend(crowd.stub, list_ids=listed)
    report = crowd.sync(entities=DEALS, sweep=True)
    assert "5 empty pages in a row" in report.failures[0].warning
