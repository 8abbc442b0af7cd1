"""The plan: what a sync would do, with nothing written."""

from __future__ import annotations

from pathlib import Path

import msgspec

from quotey.contract.fields import Entity
from quotey.contract.journal import Hold, OpState
from quotey.contract.reconciliation import ConflictType
from quotey.sync.plan import plan
from tests.sync.test_waiting import BROKEN
from tests.sync.world import World, make_world


def fingerprint(world: World) -> object:
    """Everything that a sync could have changed."""
    return (
        world.store.audit.head(),
        world.store.sync_state.all(),
        [world.store.records.list("main", entity, 1000) for entity in Entity if entity != "quote"],
        world.store.outbox.list("main", limit=1000),
        world.store.quarantine.list("main"),
        world.items(),
        len(world.crm.log()),
    )


def test_a_plan_of_the_first_sync_creates_everything_and_writes_nothing(world: World) -> None:
    before = fingerprint(world)
    planned = plan(world.ports)
    assert fingerprint(world) == before
    assert {one.action for one in planned.records} == {"create"}
    assert len(planned.records) == 8
    assert planned.exit_code == 0
    assert planned.calls == 5  # pages of two: accounts 2, contacts 1, deals 2


def test_a_plan_knows_the_parents_that_it_would_create_itself(tmp_path: Path) -> None:
    world = make_world(tmp_path, deals=BROKEN)
    planned = plan(world.ports, entities=(Entity.ACCOUNT, Entity.DEAL))
    actions = {one.crm_ref: one.action for one in planned.records if one.entity is Entity.DEAL}
    assert actions == {"D-1": "create", "D-2": "would_fail", "D-3": "would_fail"}
    [mended] = [one for one in planned.records if one.crm_ref == "D-2"]
    assert len(mended.problems) == 3
    assert planned.exit_code == 3
    world.close()


def test_a_plan_counts_what_would_come_out_of_quarantine_and_the_sync_says_the_same(
    tmp_path: Path,
) -> None:
    world = make_world(tmp_path, deals=BROKEN)
    world.sync()
    world.crm.add("account", "A-404", {"name": "Found", "segment": "SMB"})
    before = fingerprint(world)
    planned = plan(world.ports)
    assert fingerprint(world) == before
    assert planned.counts["deal"].created == 1
    assert [one.crm_ref for one in planned.records if one.action == "create"] == ["A-404", "D-3"]
    report = world.sync()
    assert [one.counts.created for one in report.entities] == [1, 0, 1]
    world.close()


def test_a_plan_tells_each_field_with_the_rule_as_a_sentence(synced: World) -> None:
    synced.crm.set("deal", "D-1", {"stage": "won"})
    before = fingerprint(synced)
    [record] = plan(synced.ports).records
    assert fingerprint(synced) == before
    assert record.action == "update"
    [stage] = record.fields
    assert (stage.field, stage.base, stage.local, stage.remote, stage.result) == (
        "stage",
        "prospecting",
        "prospecting",
        "won",
        "won",
    )
    assert stage.sentence.endswith(".")


def test_a_plan_shows_conflicts_before_they_are_made(synced: World) -> None:
    synced.lock("D-1", "stage")
    synced.crm.set("deal", "D-1", {"stage": "won"})
    planned = plan(synced.ports)
    [record] = planned.records
    assert record.action == "conflict"
    assert record.conflicts == (ConflictType.LOCKED_FIELD_OVERWRITE,)
    assert planned.exit_code == 3
    assert synced.items() == ()


def test_a_plan_tells_what_the_outbox_would_do_and_what_it_would_cost(synced: World) -> None:
    first = synced.quote(synced.deal("D-1").id)
    synced.quote(synced.deal("D-1").id, "80", quote_id=first.entity_id)
    held = synced.edit(Entity.DEAL, "D-2", name="Zwei")
    with synced.desk.transaction():
        synced.desk.outbox.set_state(
            [held.id], OpState.HELD, at=synced.clock.now(), hold=Hold.OPERATOR
        )
    planned = plan(synced.ports)
    assert [one.action for one in planned.operations] == ["send", "follow", "hold"]
    assert planned.calls == 3 + 3 + 3  # one page of each entity, two quotes
    assert "operator" in planned.operations[2].sentence


def test_a_plan_says_that_what_may_have_landed_is_looked_at_first(synced: World) -> None:
    synced.quote(synced.deal("D-1").id)
    synced.crm.fail("timeout_after", operation="write_quote")
    synced.sync()
    assert [one.action for one in plan(synced.ports).operations] == ["wait"]
    synced.turn(minutes=1)
    assert [one.action for one in plan(synced.ports).operations] == ["verify"]


def test_a_plan_of_a_mass_deletion_says_so(tmp_path: Path) -> None:
    rows = "".join(f"D-{n},Deal,A-1,won,1.00,2026-05-01,EUR\n" for n in range(1, 31))
    world = make_world(
        tmp_path, deals="id,name,account_id,stage,amount,close_date,currency\n" + rows
    )
    world.sync()
    for number in range(1, 20):
        world.crm.delete("deal", f"D-{number}")
    planned = plan(world.ports)
    assert len(planned.mass_change) == 1
    assert planned.exit_code == 3
    world.close()


def test_a_plan_that_cannot_read_says_so_and_still_shows_the_outbox(synced: World) -> None:
    synced.quote(synced.deal("D-1").id)
    synced.crm.fail("server_error", times=50)
    planned = plan(synced.ports)
    assert planned.exit_code == 6
    assert len(planned.operations) == 1


def test_a_sync_after_the_plan_does_what_the_plan_said(synced: World) -> None:
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.crm.delete("deal", "D-2")
    planned = plan(synced.ports)
    report = synced.sync()
    counts = report.entities[2].counts
    assert [one.action for one in planned.records] == ["update", "gone"]
    assert (counts.updated, counts.gone) == (1, 1)


def test_a_plan_is_json(synced: World) -> None:
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.quote(synced.deal("D-1").id)
    assert msgspec.json.decode(msgspec.json.encode(plan(synced.ports)))["provider"] == "stub"
