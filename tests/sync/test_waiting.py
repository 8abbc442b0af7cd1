"""What may not come in yet, and what lets it in: parents, mappings, unread records, locks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from quotey.contract.fields import Entity
from quotey.contract.journal import RecordState
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.reconciliation import ConflictType, ItemState
from quotey.sync.plan import plan
from tests.sync.bent import answering, bend, first, then
from tests.sync.world import World, make_world

BROKEN = """id,name,account_id,stage,amount,close_date,currency
D-1,One,A-1,prospecting,100.00,2026-05-01,EUR
D-2,,A-2,,200.00,2026-06-31,EUR
D-3,Three,A-404,won,300.00,2026-07-01,EUR
"""

STRICTER = """
provider = "stub"
[account.fields.segment.transform]
kind = "value_map"
values = { "SMB" = "small", "Mid-Market" = "middle", "Enterprise" = "large" }
otherwise = "reject"
"""


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[World]:
    world = make_world(tmp_path, deals=BROKEN)
    yield world
    world.close()


def test_a_broken_record_is_kept_with_all_its_problems_and_its_neighbours_come_in(
    broken: World,
) -> None:
    report = broken.sync()
    assert report.exit_code == 3
    assert report.entities[2].counts.rejected == 2
    assert report.entities[2].counts.created == 1
    rows = {row.crm_ref: row for row in broken.store.quarantine.list("main", Entity.DEAL)}
    assert {reason.field for reason in rows["D-2"].reasons} == {"name", "stage", "close_date"}
    assert rows["D-3"].parent_ref == "A-404"


def test_a_rejected_record_does_not_hold_the_cursor_back(broken: World) -> None:
    broken.sync()
    assert broken.sync().entities[2].counts.read == 0


def test_the_diagnostics_of_rejects_land_in_the_sync_state(broken: World) -> None:
    broken.sync()
    assert {problem.crm_ref for problem in broken.state().diagnostics} == {"D-2", "D-3"}


def test_a_mended_record_comes_in_and_closes_its_items(broken: World) -> None:
    broken.sync()
    assert len(broken.items(ConflictType.SCHEMA_MAPPING_MISMATCH)) == 3
    broken.crm.set("deal", "D-2", {"name": "Two", "stage": "won", "close_date": "2026-06-30"})
    broken.sync()
    assert broken.deal("D-2").local["name"] == "Two"
    assert broken.items(ConflictType.SCHEMA_MAPPING_MISMATCH) == ()
    assert broken.store.quarantine.count("main", Entity.DEAL) == 1


def test_a_deal_waits_for_its_account_and_goes_in_the_run_in_which_that_arrives(
    broken: World,
) -> None:
    broken.sync()
    assert [item.field_name for item in broken.items(ConflictType.MISSING_PARENT)] == ["account_id"]
    broken.crm.add("account", "A-404", {"name": "Found", "segment": "SMB"})
    broken.sync(entities=(Entity.ACCOUNT,))
    account = broken.record(Entity.ACCOUNT, "A-404")
    assert broken.deal("D-3").local["account_id"] == account.id
    assert broken.items(ConflictType.MISSING_PARENT) == ()


@pytest.mark.parametrize("ref", ["D-1", "D-9"], ids=["mirrored", "never let in"])
def test_an_older_revision_does_not_push_a_newer_one_out_of_quarantine(
    synced: World, ref: str
) -> None:
    if ref == "D-9":
        synced.crm.add("deal", ref, {"name": "Nine", "account_id": "A-1", "currency": "EUR"})
    synced.crm.set("deal", ref, {"stage": "lost"})
    late = synced.stub.read_records(Entity.DEAL, (ref,), call=synced.run().call(5))
    synced.crm.set("deal", ref, {"stage": ""})
    synced.sync()
    again = msgspec.structs.replace(late, next_cursor=synced.state().cursor)
    synced.adapter = bend(synced.stub, sync_incremental=answering(again))
    report = synced.sync(entities=(Entity.DEAL,))
    assert report.entities[0].counts.stale == 1
    assert report.entities[0].counts.created == 0
    assert synced.store.quarantine.count("main", Entity.DEAL) == 1


def test_a_broken_record_that_is_deleted_leaves_nothing_behind(broken: World) -> None:
    broken.sync()
    broken.crm.delete("deal", "D-2")
    broken.crm.delete("deal", "D-3")
    report = broken.sync()
    assert report.exit_code == 0
    assert broken.store.quarantine.count("main") == 0
    assert broken.items() == ()


def test_a_new_mapping_reads_the_entity_in_full_and_keeps_what_was_edited_here(
    synced: World,
) -> None:
    synced.edit(Entity.ACCOUNT, "A-1", segment="enterprise")
    synced.mapping = parse_mapping(STRICTER, name="own.toml", over=synced.mapping)
    synced.restart()
    report = synced.sync(entities=(Entity.ACCOUNT,))
    assert report.entities[0].full
    assert synced.record(Entity.ACCOUNT, "A-2").local["segment"] == "middle"
    assert synced.record(Entity.ACCOUNT, "A-1").base["segment"] == "small"


def test_a_new_mapping_lets_rejected_records_in_without_asking_the_source_again(
    tmp_path: Path,
) -> None:
    accounts = "id,name,website,segment\nA-1,Alder,a.example,Tiny\n"
    world = make_world(tmp_path, accounts=accounts)
    world.sync()
    assert world.store.quarantine.count("main", Entity.ACCOUNT) == 1
    own = STRICTER.replace('"SMB"', '"Tiny"')
    world.mapping = parse_mapping(own, name="own.toml", over=world.mapping)
    world.restart()
    world.adapter = bend(
        world.stub,
        sync_incremental=then(
            world.stub.sync_incremental,
            lambda page: msgspec.structs.replace(page, records=(), has_more=False),
        ),
    )
    report = world.sync()
    assert world.record(Entity.ACCOUNT, "A-1").local["segment"] == "small"
    assert report.entities[0].counts.created == 1, "what comes out of quarantine is told"
    assert report.entities[0].counts.read == 0
    assert world.items(ConflictType.SCHEMA_MAPPING_MISMATCH) == ()
    world.close()


def test_a_record_that_the_source_could_not_give_is_counted_and_asked_for_again(
    synced: World,
) -> None:
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.crm.set("deal", "D-2", {"stage": "won"})
    synced.crm.fail("partial_batch", operation="sync_incremental", after=2)
    report = synced.sync()
    assert report.entities[2].counts.rejected == 1
    assert report.exit_code == 3
    [unread] = synced.store.quarantine.unread("main", Entity.DEAL)
    assert synced.deal(unread).local["stage"] != "won"
    assert synced.sync().exit_code == 0
    assert synced.deal(unread).local["stage"] == "won"
    assert synced.store.quarantine.count("main") == 0


def test_an_unread_record_that_vanished_is_let_go_and_the_mirror_keeps_it(synced: World) -> None:
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.crm.fail("partial_batch", operation="sync_incremental", after=2)
    synced.sync()
    synced.adapter = bend(
        synced.stub,
        read_records=then(
            synced.stub.read_records,
            lambda page: msgspec.structs.replace(page, records=()),
        ),
    )
    assert synced.sync().exit_code == 0
    assert synced.deal("D-1").state is RecordState.LIVE
    assert len(synced.events("quarantine.vanished")) == 1


def test_asking_again_for_many_records_keeps_the_lease_of_the_run(synced: World) -> None:
    for ref in ("D-1", "D-2", "D-3"):
        synced.crm.set("deal", ref, {"stage": "won"})
    synced.crm.fail("partial_batch", operation="sync_incremental", times=2, after=2)
    synced.sync()
    assert len(synced.store.quarantine.unread("main", Entity.DEAL)) > 1
    left: list[timedelta] = []

    def slow() -> None:
        lease = synced.state().lease_until
        assert lease is not None
        left.append(lease - synced.clock.now())
        synced.turn(seconds=25)

    one_by_one = msgspec.structs.replace(synced.stub.capabilities, page_size=1)
    reads = first(slow, synced.stub.read_records)
    synced.adapter = bend(synced.stub, read_records=reads, capabilities=one_by_one)
    assert synced.sync().exit_code == 0
    assert len(left) > 1
    assert min(left) > timedelta(seconds=30)


def test_a_locked_field_is_not_overwritten_and_a_person_is_asked(synced: World) -> None:
    synced.lock("D-1", "stage")
    synced.crm.set("deal", "D-1", {"stage": "won", "name": "Uno"})
    report = synced.sync()
    deal = synced.deal("D-1")
    assert report.exit_code == 3
    assert (deal.local["stage"], deal.local["name"]) == ("prospecting", "Uno")
    assert deal.remote == {"stage": "won"}
    [item] = synced.items()
    assert item.conflict_type is ConflictType.LOCKED_FIELD_OVERWRITE
    assert (item.local_value, item.remote_value) == ("prospecting", "won")


def test_a_change_that_a_lock_kept_out_whole_is_counted_as_a_conflict_only(synced: World) -> None:
    synced.lock("D-1", "stage")
    synced.crm.set("deal", "D-1", {"stage": "won"})
    [planned] = plan(synced.ports).records
    counts = synced.sync().entities[2].counts
    assert (counts.read, counts.conflicts, counts.updated, counts.unchanged) == (1, 1, 0, 0)
    assert planned.action == "conflict"


def test_the_same_clash_met_twice_counts_once(synced: World) -> None:
    synced.lock("D-1", "stage")
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.sync()
    page = synced.stub.read_records(Entity.DEAL, ("D-1",), call=synced.run().call(5))
    again = msgspec.structs.replace(page, next_cursor=synced.state().cursor)
    synced.adapter = bend(synced.stub, sync_incremental=answering(again))
    synced.sync(entities=(Entity.DEAL,))
    [item] = synced.items()
    assert item.occurrences == 1


def test_when_the_lock_ends_the_kept_out_value_is_taken_without_a_request(synced: World) -> None:
    synced.lock("D-1", "stage", hours=1)
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.sync()
    synced.turn(hours=2)
    report = synced.sync()
    assert report.exit_code == 0
    deal = synced.deal("D-1")
    assert (deal.local["stage"], deal.remote) == ("won", {})
    assert synced.items() == ()
    assert len(synced.items(state=ItemState.RESOLVED)) == 1


def test_a_clash_that_no_policy_decides_is_asked_and_neither_value_is_lost(synced: World) -> None:
    at = synced.clock.now()
    synced.edit(Entity.DEAL, "D-1", name="Here")
    synced.crm.set("deal", "D-1", {"name": "There"}, at=at)
    report = synced.sync()
    assert report.exit_code == 3
    [item] = synced.items()
    assert item.conflict_type is ConflictType.UNDECIDED_MERGE
    assert (item.local_value, item.remote_value, item.base_value) == ("Here", "There", "One")
    assert synced.remote("deal", "D-1")["name"] == "There"  # nothing was sent over it


def test_a_deferred_item_wakes_when_its_time_has_come(synced: World) -> None:
    synced.lock("D-1", "stage")
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.sync()
    [item] = synced.items()
    until = synced.clock.now()
    with synced.desk.transaction():
        synced.desk.items.defer(item.id, item.rev, until)
    synced.turn(minutes=1)
    synced.sync()
    assert [one.id for one in synced.items()] == [item.id]
