"""Records that the CRM merged: tombstones, who is asked, and how children follow (G15)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quotey.contract.fields import Entity
from quotey.contract.identity import local_id
from quotey.contract.journal import OpState, RecordState
from quotey.contract.reconciliation import ConflictType
from tests.sync.world import World


def test_children_of_a_merged_account_follow_by_their_own_change(synced: World) -> None:
    synced.crm.merge("account", "A-1", "A-2")
    report = synced.sync()
    survivor = synced.record(Entity.ACCOUNT, "A-2").id
    assert report.exit_code == 0
    assert synced.deal("D-1").local["account_id"] == survivor
    assert synced.record(Entity.CONTACT, "C-1").local["account_id"] == survivor


def test_a_merged_record_that_nothing_hangs_on_is_a_tombstone_and_nobodys_affair(
    synced: World,
) -> None:
    synced.crm.merge("account", "A-1", "A-2")
    report = synced.sync()
    assert report.entities[0].counts.gone == 1
    assert synced.record(Entity.ACCOUNT, "A-1").state is RecordState.GONE
    assert synced.items() == ()


def test_children_follow_to_a_survivor_that_came_in_the_same_run(synced: World) -> None:
    synced.crm.add("account", "A-9", {"name": "Yew", "segment": "SMB"})
    synced.crm.merge("account", "A-1", "A-9")
    assert synced.sync().exit_code == 0
    assert synced.deal("D-1").local["account_id"] == local_id("main", Entity.ACCOUNT, "A-9")


def test_children_of_a_survivor_that_is_not_let_in_wait_for_it(synced: World) -> None:
    synced.crm.add("account", "A-9", {"name": "", "segment": "SMB"})
    synced.crm.merge("account", "A-1", "A-9")
    assert synced.sync().exit_code == 3
    kept = synced.store.quarantine.list("main", Entity.DEAL)
    assert [(row.crm_ref, row.parent_ref) for row in kept] == [("D-1", "A-9")]
    before = local_id("main", Entity.ACCOUNT, "A-1")
    assert synced.deal("D-1").local["account_id"] == before
    synced.crm.set("account", "A-9", {"name": "Yew"})
    assert synced.sync().exit_code == 0
    assert synced.deal("D-1").local["account_id"] == local_id("main", Entity.ACCOUNT, "A-9")


def hang_quote(world: World) -> None:
    world.quote(world.deal("D-1").id)


def hang_operation(world: World) -> None:
    world.edit(Entity.DEAL, "D-1", name="Uno")


def hang_lock(world: World) -> None:
    world.lock("D-1", "stage")


@pytest.mark.parametrize("hang", [hang_quote, hang_operation, hang_lock])
def test_a_merged_deal_in_use_asks_who_it_is_now(
    synced: World, hang: Callable[[World], None]
) -> None:
    hang(synced)
    synced.crm.merge("deal", "D-1", "D-2")
    report = synced.sync()
    assert report.exit_code == 3
    whole = synced.items(ConflictType.IDENTITY_MISMATCH)
    assert ("deal", "D-2") in {(str(one.entity_type), one.remote_value) for one in whole}
    assert synced.deal("D-1").state is RecordState.GONE
    assert synced.effects("write_quote") == synced.effects("update_deal") == 0


def test_a_lock_that_has_ended_keeps_no_merged_deal_in_use(synced: World) -> None:
    synced.lock("D-1", "stage", hours=1)
    synced.turn(hours=2)
    synced.crm.merge("deal", "D-1", "D-2")
    assert synced.sync().exit_code == 0


def test_an_account_is_in_use_while_a_new_deal_of_it_waits_to_be_created(synced: World) -> None:
    _, op = synced.new_deal("A-1")
    synced.crm.merge("account", "A-1", "A-2")
    report = synced.sync()
    assert report.exit_code == 3
    assert synced.op(op).state is OpState.CONFLICT
    assert synced.effects("create_deal") == 0, "the survivor is nobody's choice but a person's"
