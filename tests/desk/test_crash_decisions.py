"""What a person decides, crashed before and after every commit and every request that it leads to.

Who got no answer decides again: then it is done once, and no item is settled twice (reliability
CP-16, CP-2). A second crash hits whoever recovers from the first.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from quotey.contract.errors import ErrorClass, RefusedError
from quotey.contract.fields import Entity, Policy
from quotey.contract.reconciliation import ConflictType, ItemState, Reconciliation
from quotey.desk import quotes, reconcile
from quotey.desk.quotes import QuoteTerms
from quotey.desk.reconcile import Decision
from tests.desk.beside_sync import desk_of
from tests.proof import size
from tests.sync.bent import bend, failing
from tests.sync.crash_stage import Scenario, crash_everywhere, crash_twice
from tests.sync.world import World

EVERY = size("CRASH_EVERY", every_run=3, soak=1)
"""Of the first crashes before a second one, every which is tried."""

TAKE, KEEP = Decision(policy=Policy.CRM_WINS), Decision(policy=Policy.LOCAL_WINS)
REBIND = Decision(rebind=True)


def every(world: World, *kinds: ConflictType) -> list[Reconciliation]:
    """Give all items of these kinds, settled or not."""
    items = world.store.items.list(states=tuple(ItemState), limit=100)
    return [one for one in items if one.conflict_type in kinds]


def decide(world: World, decision: Decision, *kinds: ConflictType) -> None:
    """Settle each item of a kind as somebody does who does not know whether it is settled."""
    found = every(world, *kinds)
    assert found
    for item in found:
        try:
            reconcile.apply(desk_of(world), item.id, decision)
        except RefusedError:
            again = world.store.items.get(item.id)
            assert again is not None
            assert again.state is ItemState.RESOLVED


# --- what stands before ---------------------------------------------------------------------------


def _a_lock_was_met(world: World) -> None:
    world.lock("D-1", "stage")
    world.crm.set("deal", "D-1", {"stage": "won"})
    world.sync()


def _nobody_could_decide(world: World) -> None:
    """Both sides changed a name within the tolerance of their clocks."""
    world.turn(minutes=5)
    world.edit(Entity.DEAL, "D-1", name="Uno")
    world.crm.set("deal", "D-1", {"name": "Un"}, at=world.clock.now())
    world.sync()


def _a_quote_met_a_newer_one(world: World) -> None:
    made = quotes.create(desk_of(world), "D-1", QuoteTerms(total="90"))
    world.sync()
    world.crm.set("deal", "D-1", {"quote_version": "7"})
    quotes.revise(desk_of(world), made.quote.id, QuoteTerms(total="95"))
    world.sync()


def _a_quoted_deal_was_merged(world: World) -> None:
    made = quotes.create(desk_of(world), "D-1", QuoteTerms(total="90"))
    world.sync()
    world.edit(Entity.DEAL, "D-1", name="Uno")
    quotes.revise(desk_of(world), made.quote.id, QuoteTerms(total="95"))
    world.crm.merge("deal", "D-1", "D-2")
    world.sync()


def _two_quotes_of_a_deal(world: World) -> None:
    for total in ("90", "70"):
        quotes.create(desk_of(world), "D-1", QuoteTerms(total=total))
    world.sync()


def _all_attempts_failed(world: World) -> None:
    quotes.create(desk_of(world), "D-1", QuoteTerms(total="90"))
    world.adapter = bend(world.stub, write_quote=failing(ErrorClass.TRANSIENT))
    for _ in range(20):
        world.sync()
        world.turn(hours=5)
    world.adapter = world.stub


# --- what is done ---------------------------------------------------------------------------------


def _take(world: World) -> None:
    decide(world, TAKE, ConflictType.LOCKED_FIELD_OVERWRITE)
    world.sync()


def _take_what_was_undecided(world: World) -> None:
    decide(world, TAKE, ConflictType.UNDECIDED_MERGE)
    world.sync()


def _keep(world: World) -> None:
    decide(world, KEEP, ConflictType.UNDECIDED_MERGE)
    world.sync()


def _discard(world: World) -> None:
    decide(world, TAKE, ConflictType.STALE_OUTBOUND_WRITE)
    world.sync()


def _step_over(world: World) -> None:
    """A revision answers the item by itself."""
    [quote] = world.desk.quotes.list()
    quotes.revise(desk_of(world), quote.id, QuoteTerms(total="99"), token="once")
    world.sync()


def _rebind(world: World) -> None:
    decide(world, REBIND, ConflictType.IDENTITY_MISMATCH)
    world.sync()


def _revise_twice(world: World) -> None:
    """The second version takes over the first, which has not gone out."""
    published = world.desk.quotes.published(world.deal("D-1").id)
    assert published is not None
    for total in ("80", "85"):
        terms = QuoteTerms(total=total)
        quotes.revise(desk_of(world), published.id, terms, token=f"to {total}")
    world.sync()


def _publish_the_other(world: World) -> None:
    other = next(one for one in world.desk.quotes.list() if str(one.current.total) == "70")
    quotes.publish(desk_of(world), other.id)
    world.sync()


def _send_again(world: World) -> None:
    decide(world, KEEP, ConflictType.ATTEMPTS_EXHAUSTED)
    world.sync()


SCENARIOS = (
    Scenario("apply takes the CRM's", _a_lock_was_met, 14, act=_take),
    Scenario("apply decides a merge", _nobody_could_decide, 14, act=_take_what_was_undecided),
    Scenario("apply keeps and sends ours", _nobody_could_decide, 23, act=_keep),
    Scenario("apply discards ours", _a_quote_met_a_newer_one, 14, act=_discard),
    Scenario("revise over the CRM's", _a_quote_met_a_newer_one, 23, act=_step_over),
    Scenario("rebind", _a_quoted_deal_was_merged, 32, act=_rebind),
    Scenario("supersede", _two_quotes_of_a_deal, 24, act=_revise_twice),
    Scenario("publish another quote", _two_quotes_of_a_deal, 23, act=_publish_the_other),
    Scenario("apply sends again", _all_attempts_failed, 23, act=_send_again),
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_a_decision_that_is_cut_off_anywhere_is_carried_out_once(
    tmp_path: Path, scenario: Scenario
) -> None:
    crash_everywhere(tmp_path, scenario)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_so_it_is_when_whoever_decides_again_is_cut_off_too(
    tmp_path: Path, scenario: Scenario
) -> None:
    crash_twice(tmp_path, scenario, every=EVERY)
