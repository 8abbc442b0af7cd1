"""The main scenarios, crashed before and after every port call and every commit, then restarted.

After each crash: everything converges, each quote version had one effect, nothing was lost.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from quotey.contract.fields import Entity
from tests.sync.crash_stage import Scenario, crash_everywhere, crash_twice, nothing
from tests.sync.world import World


def _edits_there(world: World) -> None:
    world.lock("D-3", "stage")
    world.crm.set("deal", "D-1", {"stage": "won"})
    world.crm.set("deal", "D-3", {"stage": "lost"})
    world.crm.delete("deal", "D-2")
    world.crm.add("account", "A-9", {"name": "Ivy", "segment": "SMB"})
    world.crm.add(
        "deal", "D-9", {"name": "Nine", "account_id": "A-9", "stage": "won", "currency": "EUR"}
    )


def _two_versions(world: World) -> None:
    first = world.quote(world.deal("D-1").id, "90")
    world.quote(world.deal("D-1").id, "80", quote_id=first.entity_id)
    world.quote(world.deal("D-2").id, "70")


def _edits_on_both_sides(world: World) -> None:
    world.edit(Entity.DEAL, "D-1", name="Uno")
    world.edit(Entity.DEAL, "D-2", name="Due", amount="222")
    world.edit(Entity.ACCOUNT, "A-1", segment="enterprise")
    world.turn(minutes=5)
    world.crm.set("deal", "D-2", {"name": "Deux"}, at=world.clock.now())


def _new_deal_with_quote(world: World) -> None:
    deal_id, _ = world.new_deal("A-1", "Fresh")
    world.quote(deal_id, "44")


def _answers_lost(world: World) -> None:
    _new_deal_with_quote(world)
    world.edit(Entity.DEAL, "D-1", name="Uno")
    for operation in ("create_deal", "write_quote", "update_deal"):
        world.crm.fail("timeout_after", operation=operation)
    world.crm.fail("timeout_before", operation="sync_incremental")


BROKEN = """id,name,account_id,stage,amount,close_date,currency
D-1,One,A-1,prospecting,100.00,2026-05-01,EUR
D-2,,A-2,qualification,200.00,2026-06-01,EUR
D-3,Three,A-404,won,300.00,2026-07-01,EUR
"""

SCENARIOS = (
    Scenario("first load", nothing, 17, deals=BROKEN),
    Scenario("edits there", _edits_there, 15),
    Scenario("two quote versions", _two_versions, 34),
    Scenario("edits on both sides", _edits_on_both_sides, 34),
    Scenario("new deal with quote", _new_deal_with_quote, 26),
    Scenario("answers lost", _answers_lost, 28),
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_a_crash_at_any_point_loses_nothing_and_does_nothing_twice(
    tmp_path: Path, scenario: Scenario
) -> None:
    crash_everywhere(tmp_path, scenario)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_a_second_crash_while_recovering_from_the_first_changes_nothing_either(
    tmp_path: Path, scenario: Scenario
) -> None:
    crash_twice(tmp_path, scenario)
