"""Mapping drift: what the CRM defines otherwise parks the fields that it breaks, and nothing else.

The stub is the CRM; its definitions are edited as an administrator would edit them.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from quotey.adapters.stub.definitions import Edited
from quotey.contract.fields import Direction, Entity
from quotey.contract.journal import Hold, OpState
from quotey.contract.reconciliation import ConflictType, ItemState
from quotey.decide.retry import RetryLimits
from quotey.sync import drift
from quotey.sync.plan import plan
from quotey.sync.ports import SyncLimits
from tests.sync.world import World, make_world

MISMATCH = ConflictType.SCHEMA_MAPPING_MISMATCH
GONE, READ_ONLY, MENDED = Edited(gone=True), Edited(read_only=True), Edited()
AMOUNT = "deal.amount"


def later(world: World) -> None:
    world.turn(hours=2)


def parked(world: World) -> dict[str, tuple[bool, bool]]:
    found = world.store.schemas.parked("main")
    return {one.path: (one.inbound, one.outbound) for one in found}


def asked(world: World) -> list[tuple[str, str, str]]:
    return [(one.entity_type, one.entity_id, one.field_name) for one in world.items(MISMATCH)]


# --- reading --------------------------------------------------------------------------------------


def test_a_field_whose_property_is_gone_is_parked_and_all_others_are_read(synced: World) -> None:
    later(synced)
    synced.crm.define("deal.stage", GONE)
    synced.crm.set("deal", "D-1", {"name": "One more", "stage": "won"})
    report = synced.sync()
    assert report.exit_code == 3
    assert parked(synced) == {"deal.stage": (True, True)}
    assert [one.path for one in report.parked] == ["deal.stage"]
    deal = synced.deal("D-1")
    assert (deal.local["name"], deal.local["stage"]) == ("One more", "prospecting")
    assert asked(synced) == [("deal", "*", "stage")]
    assert not synced.store.quarantine.list("main", Entity.DEAL, 10, "")


def test_the_item_says_in_plain_words_what_changed_and_what_to_do(synced: World) -> None:
    later(synced)
    synced.crm.define("deal.stage", GONE)
    synced.sync()
    [item] = synced.items(MISMATCH)
    assert item.detail.startswith(
        "deal.stage is neither read nor written: The property stage of deal is not there. Restore"
    )
    assert (item.base_value or "").startswith("type text")


def test_once_mended_the_field_is_read_again_and_the_item_closes_itself(synced: World) -> None:
    later(synced)
    synced.crm.define("deal.stage", GONE)
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.sync()
    synced.crm.define("deal.stage", MENDED)
    later(synced)
    report = synced.sync()
    assert report.exit_code == 0
    assert parked(synced) == {}
    assert synced.deal("D-1").local["stage"] == "won"
    [closed] = synced.items(MISMATCH, state=ItemState.RESOLVED)
    assert closed.resolution == drift.MENDED


def test_parking_reads_nothing_anew_and_releasing_reads_all(synced: World) -> None:
    later(synced)
    synced.crm.define("deal.stage", GONE)
    first = synced.sync()
    assert [one.full for one in first.entities] == [False, False, False]
    synced.crm.define("deal.stage", MENDED)
    later(synced)
    assert [one.full for one in synced.sync().entities] == [False, False, True]


def test_a_new_record_that_lacks_a_required_field_waits_and_nobody_is_asked(
    synced: World,
) -> None:
    later(synced)
    synced.crm.define("deal.stage", GONE)
    synced.crm.add("deal", "D-9", {"name": "Nine", "account_id": "A-1", "stage": "won"})
    synced.sync()
    assert synced.store.records.by_refs("main", Entity.DEAL, ("D-9",)) == {}
    [row] = synced.store.quarantine.list("main", Entity.DEAL, 10, "")
    assert [one.code for one in row.reasons] == ["field_parked"]
    assert asked(synced) == [("deal", "*", "stage")]
    synced.sync()
    synced.crm.define("deal.stage", MENDED)
    later(synced)
    assert synced.sync().exit_code == 0
    assert synced.deal("D-9").local["stage"] == "won"
    assert not synced.store.quarantine.list("main", Entity.DEAL, 10, "")


def test_what_is_seen_between_two_looks_is_found_by_its_smell(synced: World) -> None:
    """The look is not due, but a record that lost a required field brings it forward."""
    synced.turn(minutes=1)
    synced.crm.define("deal.stage", GONE)
    synced.crm.set("deal", "D-1", {"name": "One more"})
    synced.crm.add("deal", "D-9", {"name": "Nine", "account_id": "A-1", "stage": "won"})
    synced.sync()
    assert parked(synced) == {"deal.stage": (True, True)}
    assert synced.deal("D-1").local["name"] == "One more"
    assert asked(synced) == [("deal", "*", "stage")]


def test_the_crm_is_asked_at_most_once_in_an_interval(synced: World) -> None:
    synced.turn(minutes=59)
    synced.crm.define(AMOUNT, READ_ONLY)
    synced.sync()
    assert parked(synced) == {}
    synced.turn(minutes=2)
    synced.sync()
    assert parked(synced) == {AMOUNT: (False, True)}


# --- writing --------------------------------------------------------------------------------------


def test_an_update_goes_without_a_read_only_field_which_follows_once_mended(
    synced: World,
) -> None:
    later(synced)
    synced.crm.define(AMOUNT, READ_ONLY)
    op = synced.edit(Entity.DEAL, "D-1", name="Renamed", amount="555")
    report = synced.sync()
    assert synced.op(op).state is OpState.DELIVERED
    assert report.held == 0
    assert synced.remote("deal", "D-1")["name"] == "Renamed"
    assert str(synced.remote("deal", "D-1")["amount"]) == "100.00"
    assert synced.deal("D-1").local["amount"] == "555"
    assert synced.store.schemas.waiting("main") == 1
    synced.crm.define(AMOUNT, MENDED)
    later(synced)
    report = synced.sync()
    assert report.exit_code == 0
    assert str(synced.remote("deal", "D-1")["amount"]) == "555"
    assert synced.store.schemas.waiting("main") == 0


def test_a_field_that_cannot_be_written_is_still_read(synced: World) -> None:
    later(synced)
    synced.crm.define(AMOUNT, READ_ONLY)
    synced.crm.set("deal", "D-2", {"amount": "222"})
    synced.sync()
    assert synced.deal("D-2").local["amount"] == "222"


def test_an_update_of_nothing_but_parked_fields_blocks_no_lane(synced: World) -> None:
    later(synced)
    synced.crm.define(AMOUNT, READ_ONLY)
    alone = synced.edit(Entity.DEAL, "D-1", amount="555")
    quote = synced.quote(synced.deal("D-1").id)
    synced.sync()
    assert synced.op(alone).state is OpState.SUPERSEDED
    assert "not parked any more" in synced.op(alone).error
    assert synced.op(quote).state is OpState.DELIVERED


def test_what_was_left_out_and_is_taken_back_is_not_sent(synced: World) -> None:
    later(synced)
    synced.crm.define(AMOUNT, READ_ONLY)
    synced.edit(Entity.DEAL, "D-1", amount="555")
    synced.sync()
    synced.edit(Entity.DEAL, "D-1", amount="100")
    synced.crm.define(AMOUNT, MENDED)
    later(synced)
    synced.settle_down()
    assert synced.effects("update_deal") == 0


def test_what_was_left_out_is_not_sent_once_the_mapping_only_reads_it(synced: World) -> None:
    later(synced)
    synced.crm.define(AMOUNT, READ_ONLY)
    synced.edit(Entity.DEAL, "D-1", amount="555")
    synced.sync()
    deals = synced.mapping.entities[Entity.DEAL]
    fields = tuple(
        replace(one, direction=Direction.INBOUND) if one.name == "amount" else one
        for one in deals.fields
    )
    read_only = replace(deals, fields=fields, fingerprint="inbound")
    entities = {**synced.mapping.entities, Entity.DEAL: read_only}
    synced.mapping = replace(synced.mapping, entities=entities, fingerprint="inbound")
    synced.restart()
    report = synced.sync()
    assert parked(synced) == {}
    assert (report.waiting, report.held) == (0, 0)
    assert synced.store.schemas.waiting("main") == 0


def test_only_the_word_that_is_gone_is_not_sent(synced: World) -> None:
    later(synced)
    words = Edited(without=("SMB",))
    synced.crm.define("account.segment", words)
    here = synced.record(Entity.ACCOUNT, "A-2").local["segment"]
    synced.edit(Entity.ACCOUNT, "A-2", segment="smb")
    synced.edit(Entity.ACCOUNT, "A-1", segment="enterprise")
    synced.sync()
    assert here != "smb"
    assert parked(synced) == {"account.segment": (False, True)}
    assert synced.remote("account", "A-1")["segment"] == "Enterprise"
    assert synced.remote("account", "A-2")["segment"] == "Mid-Market"
    synced.crm.define("account.segment", MENDED)
    later(synced)
    synced.settle_down()
    assert synced.remote("account", "A-2")["segment"] == "SMB"


def test_a_quote_is_held_while_its_marker_has_no_place(synced: World) -> None:
    later(synced)
    synced.crm.define("quote.version", GONE)
    op = synced.quote(synced.deal("D-1").id)
    report = synced.sync()
    held = synced.op(op)
    assert (held.state, held.hold, held.attempts) == (OpState.HELD, Hold.MAPPING, 0)
    assert "quote.version" in held.error
    assert report.exit_code == 3
    assert asked(synced) == [("deal", "*", "quote.version")]
    synced.crm.define("quote.version", MENDED)
    later(synced)
    assert synced.sync().exit_code == 0
    assert synced.op(op).state is OpState.DELIVERED


def test_a_quote_that_was_refused_brings_the_look_forward(synced: World) -> None:
    synced.turn(minutes=1)
    synced.crm.define("quote.total", READ_ONLY)
    op = synced.quote(synced.deal("D-1").id)
    synced.sync()
    assert parked(synced) == {"quote.total": (False, True)}
    assert synced.op(op).state is OpState.HELD
    synced.crm.define("quote.total", MENDED)
    later(synced)
    assert synced.sync().exit_code == 0
    assert synced.op(op).state is OpState.DELIVERED
    assert synced.items() == ()


def test_an_update_that_was_refused_goes_without_the_field_in_the_same_run(
    synced: World,
) -> None:
    synced.turn(minutes=1)
    synced.crm.define(AMOUNT, READ_ONLY)
    op = synced.edit(Entity.DEAL, "D-1", name="Renamed", amount="555")
    synced.sync()
    assert synced.op(op).state is OpState.DELIVERED
    assert synced.remote("deal", "D-1")["name"] == "Renamed"
    assert asked(synced) == [("deal", "*", "amount")]


def test_a_deal_is_created_whole_or_not_at_all(synced: World) -> None:
    later(synced)
    synced.crm.define(AMOUNT, READ_ONLY)
    _id, op = synced.new_deal("A-1")
    synced.sync()
    assert (synced.op(op).state, synced.op(op).hold) == (OpState.HELD, Hold.MAPPING)
    synced.crm.define(AMOUNT, MENDED)
    later(synced)
    synced.settle_down()
    assert synced.op(op).state is OpState.DELIVERED


# --- what breaks nothing --------------------------------------------------------------------------


def test_a_difference_that_breaks_nothing_is_noted_and_asks_nobody(synced: World) -> None:
    before = synced.store.schemas.kept("main")[Entity.CONTACT].fingerprint
    later(synced)
    synced.crm.define("contact.email", READ_ONLY)
    assert synced.sync().exit_code == 0
    assert synced.store.schemas.kept("main")[Entity.CONTACT].fingerprint != before
    [event] = synced.events("schema.changed")
    assert "of contact was type" in str(event.body["changes"])
    assert parked(synced) == {}


def test_a_look_that_fails_stops_nobody(synced: World) -> None:
    later(synced)
    synced.crm.fail("server_error", operation="sync_incremental", times=1)
    assert synced.sync().exit_code == 0


def test_a_plan_tells_what_is_parked_and_writes_nothing(synced: World) -> None:
    later(synced)
    synced.crm.define("deal.stage", GONE)
    synced.sync()
    planned = plan(synced.ports)
    assert [one.path for one in planned.parked] == ["deal.stage"]
    assert planned.records == ()


# --- what an adapter promises ---------------------------------------------------------------------


def test_a_promise_that_the_crm_does_not_keep_refuses_the_connection(world: World) -> None:
    world.crm.define("quote.id", Edited(not_unique=True))
    report = world.sync()
    assert report.exit_code == 5
    assert report.entities == ()
    [told] = report.failures
    assert "does not have unique values" in told.warning
    assert "Restore it in the CRM" in told.warning
    assert told.next == ("quotey crm doctor",)
    assert world.store.schemas.kept("main") == {}
    world.crm.define("quote.id", MENDED)
    assert world.sync().exit_code == 0


def test_a_crm_that_promises_no_key_is_not_refused(tmp_path: Path) -> None:
    world = make_world(tmp_path, tier=3)
    world.crm.define("quote.id", Edited(not_unique=True))
    assert world.sync().exit_code == 3
    world.close()


def test_a_promise_that_is_broken_later_holds_quotes_and_lets_all_else_flow(
    synced: World,
) -> None:
    later(synced)
    synced.crm.define("quote.id", Edited(not_unique=True))
    synced.crm.set("deal", "D-1", {"name": "One more"})
    op = synced.quote(synced.deal("D-1").id)
    assert synced.sync().exit_code == 3
    assert synced.op(op).state is OpState.HELD
    assert synced.deal("D-1").local["name"] == "One more"


@pytest.mark.parametrize("limits", [SyncLimits(retry=RetryLimits(), examine_every=timedelta(0))])
def test_an_interval_of_nothing_looks_at_every_sync(tmp_path: Path, limits: SyncLimits) -> None:
    world = make_world(tmp_path, limits=limits)
    world.sync()
    world.crm.define(AMOUNT, READ_ONLY)
    world.sync()
    assert parked(world) == {AMOUNT: (False, True)}
    world.close()
