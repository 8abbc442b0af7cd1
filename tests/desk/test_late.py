"""What the desk says and does of late looks, and of a quote that was written over another's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from quotey.contract.fields import Policy
from quotey.contract.journal import OpState
from quotey.contract.reconciliation import ItemState
from quotey.decide.remedies import reason, ways
from quotey.desk import quotes, reconcile
from quotey.desk.quotes import QuoteTerms
from quotey.desk.reconcile import Decision
from quotey.desk.status import status
from tests.desk.beside_sync import desk_of
from tests.sync.test_late_landing import THEIRS, follow, lose, overwriting
from tests.sync.world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with structlog.testing.capture_logs():
        made = make_world(tmp_path, tier=2)
        made.sync()
        yield made
        made.close()


def test_status_counts_the_looks_that_are_due_and_says_when(world: World) -> None:
    desk = desk_of(world)
    follow(world, lose(world))
    there = status(desk, "main", "stub").outbox
    assert there.late_looks == 1
    assert there.next_look == world.store.looks.next_due("main")
    assert there.waiting == 0
    world.turn(seconds=91)
    world.sync()
    there = status(desk, "main", "stub").outbox
    assert (there.late_looks, there.next_look) == (0, None)


def test_a_quote_written_over_anothers_can_be_revised_and_the_item_stays(world: World) -> None:
    desk = desk_of(world)
    overwriting(world)
    made = quotes.create(desk, "D-1", QuoteTerms(total="90.50"))
    world.sync()
    world.adapter = world.stub
    quotes.change_status(desk, made.quote.id, "pending_approval")
    world.sync()
    [item] = reconcile.list_items(desk, each=True).items
    assert (item.detail, item.remote_value) == ("overwrote_other", THEIRS)
    written = world.store.outbox.list("main")
    assert {op.state for op in written} == {OpState.DELIVERED}


def test_a_person_who_has_seen_the_lost_quote_settles_the_item(world: World) -> None:
    desk = desk_of(world)
    overwriting(world)
    quotes.create(desk, "D-1", QuoteTerms(total="90.50"))
    world.sync()
    [item] = reconcile.list_items(desk, each=True).items
    assert "over another writer's" in reason(item)
    assert ways(item) == (f"quotey crm reconcile apply {item.id} --policy crm_wins",)
    reconcile.apply(desk, item.id, Decision(policy=Policy.CRM_WINS))
    [settled] = world.items(state=ItemState.RESOLVED)
    assert settled.id == item.id
    [op] = world.store.outbox.list("main")
    assert op.state is OpState.DELIVERED
