"""What the end of an operation settles, and what no answer of the CRM settles for it."""

from __future__ import annotations

import msgspec
import pytest

from quotey.contract.errors import ErrorClass, Outcome
from quotey.contract.fields import Entity
from quotey.contract.journal import Hold, Operation, OpState
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.reconciliation import ConflictType, ItemState
from quotey.sync import engine
from quotey.sync.moot import close_after
from tests.sync.bent import bend, failing
from tests.sync.world import World

LOCAL_WINS = """
provider = "stub"
[deal.fields.name]
policy = "local_wins"
"""


def refused(world: World) -> Operation:
    """Give an update that the CRM refused as badly mapped: held, with an item about it."""
    op = world.edit(Entity.DEAL, "D-1", amount="111")
    world.adapter = bend(world.stub, update_deal=failing(ErrorClass.MAPPING))
    world.sync()
    world.adapter = world.stub
    assert (world.op(op).state, world.op(op).hold) == (OpState.HELD, Hold.MAPPING)
    assert [item.operation_id for item in world.items()] == [op.id]
    return op


def stale_write(world: World) -> Operation:
    """Give a quote's write that met a newer version in the CRM, which then went away."""
    op = world.quote(world.deal("D-1").id)
    world.crm.set("deal", "D-1", {"quote_id": "q_theirs", "quote_version": "7"})
    world.sync()
    assert world.op(op).state is OpState.CONFLICT
    world.crm.set("deal", "D-1", {"quote_id": None, "quote_version": None})
    return op


def test_what_a_reassertion_takes_over_stays_in_the_audit_and_leaves_no_item(
    synced: World,
) -> None:
    op = refused(synced)
    own = parse_mapping(LOCAL_WINS, name="own.toml", over=synced.mapping)
    synced.mapping = msgspec.structs.replace(own, fingerprint=synced.mapping.fingerprint)
    synced.crm.set("deal", "D-1", {"name": "Drifted"})
    engine.run(synced.ports, entities=(Entity.DEAL,))
    assert synced.op(op).state is OpState.SUPERSEDED
    [event] = synced.events("operation.superseded")
    [queued] = synced.events("operation.queued")
    assert event.body == {
        "operation": op.id,
        "operation_kind": "update_deal",
        "version": op.version,
        "payload": {"amount": "111"},
        "was": "held",
        "why": f"taken over by {queued.body['operation']}",
    }
    assert synced.items() == ()


@pytest.mark.parametrize("was", [OpState.CONFLICT, OpState.DEAD])
def test_a_stale_write_that_a_later_version_overtakes_is_superseded(
    synced: World, was: OpState
) -> None:
    old = stale_write(synced)
    with synced.desk.transaction():
        synced.desk.outbox.set_state([old.id], was, at=synced.clock.now())
    new = synced.quote(synced.deal("D-1").id, "80", quote_id=old.entity_id)
    synced.sync()
    assert synced.op(new).state is OpState.DELIVERED
    assert synced.op(old).state is OpState.SUPERSEDED
    [event] = synced.events("operation.superseded")
    told = (event.body["operation"], event.body["was"], event.body["why"])
    assert told == (old.id, str(was), f"taken over by {new.id}")
    assert event.body["payload"] == old.payload
    assert synced.items() == ()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(ErrorClass.TRANSIENT, Outcome.NOT_APPLIED), (ErrorClass.UNKNOWN, Outcome.UNKNOWN)],
)
def test_a_version_that_was_given_up_is_superseded_by_a_later_one_that_arrives(
    synced: World, error: ErrorClass, outcome: Outcome
) -> None:
    old = synced.quote(synced.deal("D-1").id)
    synced.adapter = bend(synced.stub, write_quote=failing(error, outcome))
    while synced.op(old).state is not OpState.DEAD:
        synced.sync()
        synced.turn(hours=6)
    assert [item.operation_id for item in synced.items()] == [old.id]
    synced.adapter = synced.stub
    new = synced.quote(synced.deal("D-1").id, "80", quote_id=old.entity_id)
    synced.sync()
    assert synced.op(new).state is OpState.DELIVERED
    assert synced.op(old).state is OpState.SUPERSEDED
    assert synced.items() == ()


def test_a_version_that_was_given_up_stays_so_when_another_quote_arrives(synced: World) -> None:
    old = synced.quote(synced.deal("D-1").id)
    synced.adapter = bend(synced.stub, write_quote=failing(ErrorClass.TRANSIENT))
    while synced.op(old).state is not OpState.DEAD:
        synced.sync()
        synced.turn(hours=6)
    synced.adapter = synced.stub
    new = synced.quote(synced.deal("D-1").id, "80")
    synced.sync()
    assert synced.op(new).state is OpState.DELIVERED
    assert synced.op(old).state is OpState.DEAD
    assert [item.operation_id for item in synced.items()] == [old.id]


def given_up(world: World, **values: str) -> Operation:
    """Give an update that the CRM did not take in all its attempts."""
    op = world.edit(Entity.DEAL, "D-1", **values)
    world.adapter = bend(world.stub, update_deal=failing(ErrorClass.TRANSIENT))
    while world.op(op).state is not OpState.DEAD:
        world.sync()
        world.turn(hours=6)
    world.adapter = world.stub
    return op


def test_an_update_that_was_given_up_is_superseded_by_a_later_one_of_the_same_fields(
    synced: World,
) -> None:
    old = given_up(synced, amount="111")
    new = synced.edit(Entity.DEAL, "D-1", amount="112", name="Uno")
    synced.sync()
    assert synced.op(new).state is OpState.DELIVERED
    assert synced.op(old).state is OpState.SUPERSEDED
    [event] = synced.events("operation.superseded")
    assert event.body["payload"] == {"amount": "111"}
    assert synced.items() == ()


def test_an_update_that_was_given_up_stays_while_one_of_its_fields_is_unsent(
    synced: World,
) -> None:
    old = given_up(synced, amount="111", name="Uno")
    new = synced.edit(Entity.DEAL, "D-1", amount="112")
    synced.sync()
    assert synced.op(new).state is OpState.DELIVERED
    assert synced.op(old).state is OpState.DEAD
    assert [item.operation_id for item in synced.items()] == [old.id]


def test_an_older_version_that_arrives_settles_nothing_about_a_newer_one(synced: World) -> None:
    old = synced.quote(synced.deal("D-1").id)
    synced.sync()
    synced.crm.set("deal", "D-1", {"quote_version": "9"})
    new = synced.quote(synced.deal("D-1").id, "80", quote_id=old.entity_id)
    synced.sync()
    with synced.store.transaction():
        close_after(synced.run(), synced.op(old))
    assert synced.op(new).state is OpState.CONFLICT
    assert [item.operation_id for item in synced.items()] == [new.id]


def test_a_stale_write_that_a_person_dropped_stays_dropped(synced: World) -> None:
    old = stale_write(synced)
    with synced.desk.transaction():
        synced.desk.outbox.set_state([old.id], OpState.DISCARDED, at=synced.clock.now())
    synced.quote(synced.deal("D-1").id, "80", quote_id=old.entity_id)
    synced.sync()
    assert synced.op(old).state is OpState.DISCARDED
    assert synced.items() == ()


def test_a_record_that_is_accepted_settles_nothing_about_a_refused_write(synced: World) -> None:
    op = refused(synced)
    synced.crm.set("deal", "D-1", {"name": "Uno"})
    synced.sync()
    assert synced.deal("D-1").local["name"] == "Uno"
    assert (synced.op(op).state, synced.op(op).hold) == (OpState.HELD, Hold.MAPPING)
    [item] = synced.items(ConflictType.SCHEMA_MAPPING_MISMATCH)
    assert item.operation_id == op.id


def test_an_item_about_the_record_itself_is_still_closed(synced: World) -> None:
    synced.crm.set("deal", "D-1", {"stage": ""})
    synced.sync()
    assert len(synced.items(ConflictType.SCHEMA_MAPPING_MISMATCH)) == 1
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.sync()
    assert synced.items() == ()
    assert len(synced.items(state=ItemState.RESOLVED)) == 1
