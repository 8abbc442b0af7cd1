"""Creating and updating records in the CRM: keys, bindings, three-way checks, echoes."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from quotey.contract.adapter import Call, Capabilities, Tier
from quotey.contract.dto import CrmSyncResultDto, RemoteWrite
from quotey.contract.errors import ErrorClass
from quotey.contract.fields import Entity
from quotey.contract.journal import Hold, MirrorRecord, OpKind, OpState
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.reconciliation import ConflictType
from quotey.sync import engine, push
from tests.sync.bent import bend, failing, then
from tests.sync.world import World, fields_of

LOCAL_WINS = """
provider = "stub"
[deal.fields.name]
policy = "local_wins"
"""


# --- creating ------------------------------------------------------------------------------------


def test_a_new_deal_is_created_once_and_bound_to_our_id(synced: World) -> None:
    id_, op = synced.new_deal("A-1", "Fresh")
    synced.sync()
    assert synced.op(op).state is OpState.DELIVERED
    deal = synced.store.records.get(Entity.DEAL, id_)
    assert deal is not None
    assert deal.crm_ref is not None
    assert synced.remote("deal", deal.crm_ref)["account_id"] == "A-1"
    assert deal.base == deal.local


def test_the_echo_of_our_own_create_is_no_second_deal(synced: World) -> None:
    id_, _ = synced.new_deal("A-1", "Fresh")
    synced.sync()
    synced.sync()
    deals = synced.store.records.list("main", Entity.DEAL, 100)
    assert len(deals) == 4
    assert id_ in {deal.id for deal in deals}


def test_that_somebody_goes_back_to_what_stood_before_our_write_is_news(synced: World) -> None:
    before = synced.deal("D-1").local["name"]
    assert before is not None
    op = synced.edit(Entity.DEAL, "D-1", name="Ours")
    assert push.drain(synced.run()).counts.delivered == 1
    assert synced.op(op).state is OpState.DELIVERED
    synced.crm.set("deal", "D-1", {"name": before})
    synced.turn(seconds=60)
    synced.sync()
    assert synced.remote("deal", "D-1")["name"] == before
    assert synced.deal("D-1").local["name"] == before


def test_an_echo_that_comes_before_the_answer_waits_for_it(synced: World) -> None:
    id_, op = synced.new_deal("A-1", "Fresh")
    synced.crm.fail("timeout_after", operation="create_deal")
    synced.sync()
    assert synced.op(op).state is OpState.UNKNOWN
    report = synced.sync(entities=(Entity.DEAL,))
    assert report.outbound.delivered == 0
    [echo] = synced.store.quarantine.list("main", Entity.DEAL)
    assert echo.reasons[0].code == "create_in_flight"
    synced.settle_down()
    assert synced.store.quarantine.count("main") == 0
    assert len(synced.store.records.list("main", Entity.DEAL, 100)) == 4
    deal = synced.store.records.get(Entity.DEAL, id_)
    assert deal is not None
    assert deal.crm_ref == echo.crm_ref
    assert synced.effects("create_deal") == 1


def test_a_new_deal_of_another_account_does_not_wait_for_our_create(synced: World) -> None:
    synced.new_deal("A-1", "Fresh")
    synced.crm.fail("timeout_after", operation="create_deal")
    synced.sync()
    synced.crm.add(
        "deal", "D-9", {"name": "Nine", "account_id": "A-2", "stage": "won", "currency": "EUR"}
    )
    synced.sync(entities=(Entity.DEAL,))
    assert synced.deal("D-9").local["name"] == "Nine"


def test_a_deal_of_an_account_that_is_not_in_the_crm_is_held_until_it_is(synced: World) -> None:
    unbound = MirrorRecord(
        connection="main",
        entity=Entity.ACCOUNT,
        id="acc_local",
        crm_ref=None,
        local={"name": "Local"},
        base={},
    )
    with synced.desk.transaction():
        synced.desk.records.put_many([unbound])
    payload = {"account_id": "acc_local", "name": "N", "stage": "won", "currency": "EUR"}
    op = synced.operation(OpKind.CREATE_DEAL, Entity.DEAL, "deal_local", 1, dict(payload))
    with synced.desk.transaction():
        synced.desk.outbox.add(op)
    synced.sync()
    assert (synced.op(op).state, synced.op(op).hold) == (OpState.HELD, Hold.PARENT)
    assert synced.op(op).attempts == 0
    synced.crm.add("account", "A-7", {"name": "Local", "segment": "SMB"})
    with synced.desk.transaction():
        synced.desk.records.bind("main", Entity.ACCOUNT, "acc_local", "A-7")
    report = synced.sync()
    assert report.released == 1
    assert synced.op(op).state is OpState.DELIVERED


def test_a_quote_behind_a_create_goes_out_after_it(synced: World) -> None:
    id_, create = synced.new_deal("A-1")
    quote = synced.quote(id_)
    report = synced.sync()
    assert report.outbound.delivered == 2
    assert synced.op(create).state is OpState.DELIVERED
    assert synced.op(quote).state is OpState.DELIVERED


def test_a_quote_of_a_deal_that_could_not_be_created_is_held(synced: World) -> None:
    id_, create = synced.new_deal("A-1")
    quote = synced.quote(id_)
    with synced.desk.transaction():
        synced.desk.outbox.set_state([create.id], OpState.DISCARDED, at=synced.clock.now())
    synced.sync()
    assert synced.op(quote).hold is Hold.PARENT


def test_a_create_under_an_account_that_is_gone_is_a_persons_affair(synced: World) -> None:
    _, op = synced.new_deal("A-1")
    synced.crm.delete("account", "A-1")
    push.drain(synced.run())
    assert synced.op(op).state is OpState.CONFLICT
    assert [item.conflict_type for item in synced.items()] == [ConflictType.REMOTE_GONE]


def test_a_create_that_is_answered_by_a_deal_we_have_is_a_matter_of_identity(
    synced: World,
) -> None:
    _, op = synced.new_deal("A-1")

    known = then(
        synced.stub.create_deal, lambda written: msgspec.structs.replace(written, crm_ref="D-1")
    )
    synced.adapter = bend(synced.stub, create_deal=known)
    synced.sync()
    assert synced.op(op).state is OpState.CONFLICT
    assert [item.conflict_type for item in synced.items()] == [ConflictType.IDENTITY_MISMATCH]


def test_what_the_crm_writes_in_its_own_way_becomes_base_and_local(synced: World) -> None:
    id_, _ = synced.new_deal("A-1", "Fresh")

    def rounds(written: RemoteWrite) -> RemoteWrite:
        return msgspec.structs.replace(written, values=written.values | {"amount": "51"})

    synced.adapter = bend(synced.stub, create_deal=then(synced.stub.create_deal, rounds))
    push.drain(synced.run())
    deal = synced.store.records.get(Entity.DEAL, id_)
    assert deal is not None
    assert (deal.local["amount"], deal.base["amount"]) == ("51", "51")


# --- updating ------------------------------------------------------------------------------------


def test_only_the_changed_fields_are_sent(synced: World) -> None:
    op = synced.edit(Entity.DEAL, "D-1", name="Uno")
    synced.sync()
    [effect] = [one for one in synced.crm.log() if one.operation == "update_deal"]
    assert effect.body == {"name": "Uno"}
    assert synced.op(op).state is OpState.DELIVERED
    assert synced.deal("D-1").base["name"] == "Uno"


def test_an_account_segment_flows_out_too(synced: World) -> None:
    synced.edit(Entity.ACCOUNT, "A-1", segment="enterprise")
    synced.sync()
    assert synced.remote("account", "A-1")["segment"] == "Enterprise"


def test_the_echo_of_our_own_update_changes_nothing(synced: World) -> None:
    synced.edit(Entity.DEAL, "D-1", name="Uno")
    synced.sync()
    before = synced.deal("D-1").local
    report = synced.sync()
    assert report.entities[2].counts.conflicts == 0
    assert synced.deal("D-1").local == before
    assert synced.effects("update_deal") == 1


def test_a_field_that_the_crm_changed_meanwhile_is_decided_as_inbound_would(
    synced: World,
) -> None:
    op = synced.edit(Entity.DEAL, "D-1", name="Older", amount="111")
    synced.turn(minutes=5)
    synced.crm.set("deal", "D-1", {"name": "Newer"}, at=synced.clock.now())
    push.drain(synced.run())
    assert synced.op(op).state is OpState.DELIVERED
    there = synced.remote("deal", "D-1")
    assert (there["name"], str(there["amount"])) == ("Newer", "111")
    assert synced.deal("D-1").local["name"] == "Newer"
    [sent] = synced.events("operation.delivered")
    assert sent.body["sent"] == {"amount": "111"}
    assert fields_of(sent, "dropped")["name"]["loser"] == "Older"
    [decided] = synced.events("record.updated")
    assert fields_of(decided)["name"]["loser"] == "Older"


def test_an_update_that_lost_every_field_is_superseded_unsent(synced: World) -> None:
    op = synced.edit(Entity.DEAL, "D-1", name="Older")
    synced.turn(minutes=5)
    synced.crm.set("deal", "D-1", {"name": "Newer"}, at=synced.clock.now())
    report = synced.sync()
    assert report.outbound.superseded == 1
    assert synced.op(op).state is OpState.SUPERSEDED
    assert synced.effects("update_deal") == 0


def test_an_update_that_the_crm_made_itself_needs_no_request(synced: World) -> None:
    op = synced.edit(Entity.DEAL, "D-1", name="Same")
    synced.crm.set("deal", "D-1", {"name": "Same"})
    push.drain(synced.run())
    assert synced.op(op).state is OpState.DELIVERED
    assert synced.effects("update_deal") == 0


def test_a_field_that_waits_for_a_person_is_not_sent_over_the_crms_value(synced: World) -> None:
    op = synced.edit(Entity.DEAL, "D-1", name="Here", amount="111")
    synced.crm.set("deal", "D-1", {"name": "There"}, at=synced.clock.now())
    synced.sync()
    there = synced.remote("deal", "D-1")
    assert (there["name"], str(there["amount"])) == ("There", "111")
    assert synced.op(op).state is OpState.DELIVERED
    assert [item.conflict_type for item in synced.items()] == [ConflictType.UNDECIDED_MERGE]


def test_a_drifted_value_of_a_field_that_is_ours_is_sent_again(synced: World) -> None:
    synced.mapping = parse_mapping(LOCAL_WINS, name="own.toml", over=synced.mapping)
    synced.restart()
    synced.sync()
    synced.crm.set("deal", "D-1", {"name": "Drifted"})
    synced.sync()
    assert synced.remote("deal", "D-1")["name"] == "One"
    assert synced.deal("D-1").local["name"] == "One"
    [event] = synced.events("operation.queued")
    assert event.body["why"] == "reassert"
    synced.sync()
    synced.sync()
    assert synced.effects("update_deal") == 1


def test_a_drift_that_is_met_while_sending_is_sent_once(synced: World) -> None:
    synced.mapping = parse_mapping(LOCAL_WINS, name="own.toml", over=synced.mapping)
    synced.restart()
    synced.sync()
    synced.edit(Entity.DEAL, "D-1", name="Mine")
    synced.crm.set("deal", "D-1", {"name": "Theirs"})
    push.drain(synced.run())
    synced.settle_down()
    assert synced.remote("deal", "D-1")["name"] == "Mine"
    assert synced.effects("update_deal") == 1


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after"])
def test_a_lost_answer_to_an_update_is_verified_by_reading(synced: World, fault: str) -> None:
    op = synced.edit(Entity.DEAL, "D-1", name="Uno")
    synced.crm.fail(fault, operation="update_deal")
    synced.sync()
    assert synced.op(op).state is OpState.UNKNOWN
    synced.settle_down()
    assert synced.op(op).state is OpState.DELIVERED
    assert synced.effects("update_deal") == 1
    assert synced.remote("deal", "D-1")["name"] == "Uno"


def test_an_echo_of_an_older_write_does_not_undo_a_newer_edit(synced: World) -> None:
    synced.edit(Entity.DEAL, "D-1", name="First")
    synced.crm.fail("timeout_after", operation="update_deal")
    synced.sync()
    synced.edit(Entity.DEAL, "D-1", name="Second")
    synced.sync()
    assert synced.deal("D-1").local["name"] == "Second"
    synced.settle_down()
    assert synced.remote("deal", "D-1")["name"] == "Second"


def test_our_own_update_that_lands_late_over_a_newer_value_of_the_crm_is_set_right(
    synced: World,
) -> None:
    """Found by the simulation: the CRM kept ours, the mirror theirs, and nobody was told."""
    op = synced.edit(Entity.DEAL, "D-1", name="Ours")
    synced.crm.fail("timeout_before", operation="update_deal")
    reads = iter((synced.stub.read_records,))
    unread = failing(ErrorClass.TRANSIENT)

    def once(entity: Entity, refs: tuple[str, ...], *, call: Call) -> object:
        return next(reads, unread)(entity, refs, call=call)

    synced.adapter = bend(synced.stub, read_records=once)
    synced.sync()
    assert synced.op(op).state is OpState.UNKNOWN
    synced.turn(minutes=5)
    synced.crm.set("deal", "D-1", {"name": "Theirs"}, at=synced.clock.now())
    synced.sync()
    assert synced.deal("D-1").local["name"] == "Theirs"
    synced.crm.set("deal", "D-1", {"name": "Ours"}, at=synced.clock.now())
    synced.adapter = synced.stub
    synced.settle_down()
    assert synced.remote("deal", "D-1")["name"] == synced.deal("D-1").local["name"] == "Theirs"
    assert synced.op(op).state is OpState.SUPERSEDED
    told = [fields_of(one)["name"] for one in synced.events("record.updated")]
    assert ("Ours", "late_echo") in {(one["loser"], one["rule"]) for one in told}


def _twice_sent(world: World) -> None:
    """Send an update whose first request is never answered, and after it a newer one."""
    world.edit(Entity.DEAL, "D-1", name="Older")
    world.crm.fail("timeout_before", operation="update_deal")
    world.settle_down()
    world.edit(Entity.DEAL, "D-1", name="Newer")
    world.settle_down()
    assert world.remote("deal", "D-1")["name"] == "Newer"


def test_an_older_update_that_lands_late_does_not_undo_a_newer_edit(synced: World) -> None:
    """Found by the simulation: it was taken for a change that somebody had made in the CRM."""
    _twice_sent(synced)
    synced.crm.set("deal", "D-1", {"name": "Older"}, at=synced.clock.now())
    synced.turn(minutes=30)
    synced.settle_down()
    assert synced.remote("deal", "D-1")["name"] == synced.deal("D-1").local["name"] == "Newer"
    told = [fields_of(one)["name"] for one in synced.events("record.updated")]
    assert [one["rule"] for one in told] == ["late_echo"]


def test_what_was_sent_long_ago_is_news_when_somebody_sets_it_again(synced: World) -> None:
    _twice_sent(synced)
    synced.turn(seconds=91)
    synced.crm.set("deal", "D-1", {"name": "Older"}, at=synced.clock.now())
    synced.settle_down()
    assert synced.remote("deal", "D-1")["name"] == synced.deal("D-1").local["name"] == "Older"


def test_what_was_answered_at_once_is_news_when_somebody_sets_it_again(synced: World) -> None:
    for name in ("Older", "Newer"):
        synced.edit(Entity.DEAL, "D-1", name=name)
        synced.settle_down()
    synced.crm.set("deal", "D-1", {"name": "Older"}, at=synced.clock.now())
    synced.settle_down()
    assert synced.remote("deal", "D-1")["name"] == synced.deal("D-1").local["name"] == "Older"


def test_a_record_of_the_year_one_is_judged_like_any_other(synced: World) -> None:
    synced.edit(Entity.DEAL, "D-1", name="Ours")
    synced.sync()
    stamp = datetime(1, 1, 1, tzinfo=UTC)

    def ancient(page: CrmSyncResultDto) -> CrmSyncResultDto:
        records = [
            msgspec.structs.replace(one, source_ts=stamp, source_version="") for one in page.records
        ]
        return msgspec.structs.replace(page, records=tuple(records))

    synced.edit(Entity.DEAL, "D-1", name="Mine")
    synced.adapter = bend(synced.stub, read_records=then(synced.stub.read_records, ancient))
    report = synced.sync()
    assert not report.failures


def test_a_sender_that_slept_does_not_undo_a_newer_reading(synced: World) -> None:
    """Found by the simulation: the mirror went back to the revision of the answer."""
    op = synced.edit(Entity.DEAL, "D-1", name="First")
    read: list[MirrorRecord] = []

    def meanwhile(written: RemoteWrite) -> RemoteWrite:
        synced.crm.set("deal", "D-1", {"name": "Theirs", "stage": "won"})
        engine.run(synced.ports, entities=(Entity.DEAL,), max_ops=0)
        read.append(synced.deal("D-1"))
        return written

    synced.adapter = bend(synced.stub, update_deal=then(synced.stub.update_deal, meanwhile))
    assert push.drain(synced.run(), max_ops=1).counts.delivered == 1
    assert synced.op(op).state is OpState.DELIVERED
    assert [synced.deal("D-1")] == read
    assert read[0].base["name"] == "Theirs"
    synced.adapter = synced.stub
    synced.settle_down()
    assert synced.remote("deal", "D-1")["name"] == synced.deal("D-1").local["name"] == "First"


def test_an_update_of_a_record_that_is_gone_opens_an_item_and_creates_nothing(
    synced: World,
) -> None:
    op = synced.edit(Entity.DEAL, "D-1", name="Uno")
    synced.crm.delete("deal", "D-1")
    push.drain(synced.run())
    assert synced.op(op).state is OpState.CONFLICT
    assert [item.conflict_type for item in synced.items()] == [ConflictType.REMOTE_GONE]


def test_an_update_of_a_merged_record_is_never_written_to_the_survivor(synced: World) -> None:
    op = synced.edit(Entity.DEAL, "D-1", name="Uno")
    synced.crm.merge("deal", "D-1", "D-2")
    push.drain(synced.run())
    assert synced.op(op).state is OpState.CONFLICT
    [item] = synced.items()
    assert (item.conflict_type, item.remote_value) == (ConflictType.IDENTITY_MISMATCH, "D-2")
    assert synced.remote("deal", "D-2")["name"] == "Two"


def test_an_update_answered_by_another_record_is_a_matter_of_identity(synced: World) -> None:
    op = synced.edit(Entity.DEAL, "D-1", name="Uno")

    another = then(
        synced.stub.update_deal, lambda written: msgspec.structs.replace(written, crm_ref="D-3")
    )
    synced.adapter = bend(synced.stub, update_deal=another)
    synced.sync()
    assert synced.op(op).state is OpState.CONFLICT
    assert synced.items()[0].conflict_type is ConflictType.IDENTITY_MISMATCH


def test_a_record_that_broke_over_there_holds_the_update(synced: World) -> None:
    op = synced.edit(Entity.DEAL, "D-1", name="Uno")
    synced.crm.set("deal", "D-1", {"stage": ""})
    synced.sync()
    assert synced.op(op).hold is Hold.MAPPING
    assert synced.effects("update_deal") == 0
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.sync()
    synced.settle_down()
    assert synced.op(op).state is OpState.DELIVERED
    assert synced.remote("deal", "D-1")["name"] == "Uno"


def test_a_record_that_could_not_be_read_is_not_written_over(synced: World) -> None:
    op = synced.edit(Entity.DEAL, "D-1", name="Uno")
    synced.crm.fail("partial_batch", operation="read_records")
    push.drain(synced.run())
    assert synced.op(op).state is OpState.QUEUED
    assert synced.op(op).attempts == 0


def test_an_account_update_that_the_crm_cannot_do_is_told(synced: World) -> None:
    op = synced.edit(Entity.ACCOUNT, "A-1", segment="enterprise")
    poor = Capabilities(
        tier=Tier.SEARCH_ONLY, updates_accounts=False, reports_deletes=True, page_size=10
    )
    synced.adapter = bend(synced.stub, capabilities=poor)
    synced.sync()
    assert synced.op(op).state is OpState.CONFLICT
    assert "cannot update accounts" in synced.items()[0].detail


def test_a_conditional_refusal_of_an_update_is_a_conflict(synced: World) -> None:
    op = synced.edit(Entity.DEAL, "D-1", name="Uno")
    synced.adapter = bend(synced.stub, update_deal=failing(ErrorClass.CONFLICT))
    synced.sync()
    assert synced.op(op).state is OpState.CONFLICT


def test_an_update_of_a_record_that_is_not_in_the_crm_yet_is_held(synced: World) -> None:
    id_, create = synced.new_deal("A-1")
    now = synced.clock.now()
    op = synced.operation(OpKind.UPDATE_DEAL, Entity.DEAL, id_, 2, {"name": "Later"})
    with synced.desk.transaction():
        synced.desk.outbox.set_state([create.id], OpState.DISCARDED, at=now)
        synced.desk.outbox.add(op)
    synced.sync()
    assert synced.op(op).hold is Hold.PARENT
    assert synced.sync().released == 0


def test_a_create_under_an_account_whose_end_is_known_needs_no_request(synced: World) -> None:
    _, op = synced.new_deal("A-1")
    synced.crm.delete("account", "A-1")
    synced.sync()
    assert synced.op(op).state is OpState.CONFLICT
    assert synced.op(op).attempts == 0


@pytest.mark.parametrize("error_class", [ErrorClass.TRANSIENT, ErrorClass.MAPPING])
def test_a_create_that_failed_leaves_the_deal_unbound_and_the_lane_waiting(
    synced: World, error_class: ErrorClass
) -> None:
    id_, op = synced.new_deal("A-1")
    quote = synced.quote(id_)
    synced.adapter = bend(synced.stub, create_deal=failing(error_class))
    synced.sync()
    assert synced.op(op).state in (OpState.QUEUED, OpState.HELD)
    assert synced.op(quote).state is OpState.QUEUED
    synced.adapter = synced.stub
    synced.mapping = msgspec.structs.replace(synced.mapping, fingerprint="mended")
    synced.settle_down()
    assert synced.op(quote).state is OpState.DELIVERED
    assert synced.effects("create_deal") == 1
