"""Reading: pages, cursors, unchanged and older records, hostile answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from quotey.contract.adapter import CrmAdapter
from quotey.contract.dto import CrmSyncResultDto
from quotey.contract.errors import ErrorClass, LeaseLostError
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.journal import RecordState, SyncPhase
from quotey.contract.reconciliation import ConflictType
from quotey.sync import engine, pull
from quotey.sync.ports import SyncLimits
from tests.sync.bent import OPERATIONS, bend, failing, first, then, watched
from tests.sync.world import World, fields_of, make_world

DEALS = (Entity.DEAL,)


def quotes_of(world: World) -> object:
    quotes = world.store.quotes.list()
    return [(quote, world.store.quotes.versions(quote.id)) for quote in quotes]


def pages_of(world: World, **changes: object) -> CrmAdapter:
    """Bend every page of deals; those of other entities pass."""

    def change(page: CrmSyncResultDto) -> CrmSyncResultDto:
        return msgspec.structs.replace(page, **changes) if page.entity is Entity.DEAL else page

    return bend(world.stub, sync_incremental=then(world.stub.sync_incremental, change))


def test_the_first_sync_mirrors_every_record_with_its_parent(world: World) -> None:
    report = world.sync()
    assert report.exit_code == 0
    assert [entity.counts.created for entity in report.entities] == [3, 2, 3]
    deal = world.deal("D-1")
    assert deal.local["account_id"] == world.record(Entity.ACCOUNT, "A-1").id
    assert deal.local == deal.base


def test_a_sync_moves_the_state_from_idle_to_syncing_to_idle(world: World) -> None:
    assert world.state().phase is SyncPhase.IDLE
    reading = pull.start(world.run(), Entity.DEAL)
    assert world.state().phase is SyncPhase.SYNCING
    pull.succeed(world.run(), reading)
    assert world.state().phase is SyncPhase.IDLE
    assert world.state().succeeded_at is not None


def test_an_unchanged_record_leaves_no_trace(synced: World) -> None:
    before = synced.store.audit.head()
    refs = ("D-1", "D-2", "D-3")
    known = synced.stub.read_records(Entity.DEAL, refs, call=synced.run().call(5)).records
    synced.adapter = pages_of(synced, records=known)
    report = synced.sync()
    assert report.entities[2].counts.unchanged == 3
    assert synced.store.audit.head() == before


def test_a_changed_record_is_taken_and_audited_with_its_rule_and_both_versions(
    synced: World,
) -> None:
    synced.crm.set("deal", "D-1", {"stage": "won"})
    report = synced.sync()
    assert report.entities[2].counts.updated == 1
    assert synced.deal("D-1").local["stage"] == "won"
    [event] = synced.events("record.updated")
    stage = fields_of(event)["stage"]
    assert (stage["winner"], stage["local"]) == ("won", "prospecting")
    assert set(event.body) >= {"sentences", "source_version", "source_ts", "local_version"}


def test_a_page_that_was_cut_off_moves_no_cursor(synced: World) -> None:
    synced.crm.set("deal", "D-1", {"stage": "won"})
    before = synced.state()
    synced.adapter = pages_of(synced, complete=False)
    report = synced.sync()
    assert report.exit_code == 6
    assert synced.state().cursor == before.cursor
    assert synced.state().error_class is ErrorClass.TRANSIENT
    assert synced.deal("D-1").local["stage"] == "prospecting"


def test_a_page_of_another_entity_is_refused(synced: World) -> None:
    synced.adapter = pages_of(synced, entity=Entity.ACCOUNT)
    report = synced.sync()
    assert report.failures[0].error_class is ErrorClass.PERMANENT
    assert synced.state().phase is SyncPhase.ERROR


def test_the_same_cursor_for_ever_stops_with_an_error(synced: World) -> None:
    synced.adapter = pages_of(synced, has_more=True, next_cursor=synced.state().cursor)
    report = synced.sync()
    assert "again and again" in report.failures[0].warning
    assert synced.state().phase is SyncPhase.ERROR


@pytest.mark.parametrize("turned", [False, True])
def test_of_a_record_that_comes_twice_the_newest_revision_wins(synced: World, turned: bool) -> None:
    synced.crm.set("deal", "D-1", {"stage": "lost"})
    older = synced.stub.read_records(Entity.DEAL, ("D-1",), call=synced.run().call(5)).records[0]
    synced.crm.set("deal", "D-1", {"stage": "won"})
    newer = synced.stub.read_records(Entity.DEAL, ("D-1",), call=synced.run().call(5)).records[0]
    both = (newer, older) if turned else (older, newer)
    synced.adapter = pages_of(synced, records=both, has_more=False)
    synced.sync()
    assert synced.deal("D-1").local["stage"] == "won"


def test_an_older_revision_never_replaces_a_newer_one(synced: World) -> None:
    late = synced.stub.read_records(Entity.DEAL, ("D-1",), call=synced.run().call(5)).records
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.sync()
    synced.adapter = pages_of(synced, records=late)
    report = synced.sync()
    assert report.entities[2].counts.stale == 1
    assert synced.deal("D-1").local["stage"] == "won"


@pytest.mark.parametrize("fault", ["duplicate_page", "out_of_order"])
def test_pages_doubled_or_out_of_order_end_the_same(synced: World, fault: str) -> None:
    synced.crm.set("deal", "D-1", {"stage": "lost"})
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.crm.set("deal", "D-2", {"stage": "won"})
    synced.crm.fail(fault, operation="sync_incremental", times=3)
    assert synced.sync().exit_code == 0
    assert {synced.deal(ref).local["stage"] for ref in ("D-1", "D-2")} == {"won"}


def test_a_late_page_does_not_bring_the_dead_back(synced: World) -> None:
    late = synced.stub.read_records(Entity.DEAL, ("D-1",), call=synced.run().call(5)).records
    synced.crm.delete("deal", "D-1")
    synced.sync()
    synced.adapter = pages_of(synced, records=late)
    synced.sync()
    assert synced.deal("D-1").state is RecordState.GONE


def test_a_deleted_deal_with_a_quote_is_a_tombstone_and_an_item_and_the_quote_stays(
    synced: World,
) -> None:
    synced.quote(synced.deal("D-1").id)
    synced.sync()
    before = quotes_of(synced)
    synced.crm.delete("deal", "D-1")
    report = synced.sync()
    assert report.exit_code == 3
    assert synced.deal("D-1").state is RecordState.GONE
    assert [item.conflict_type for item in synced.items()] == [ConflictType.REMOTE_GONE]
    assert quotes_of(synced) == before


def test_a_deal_merged_into_another_is_a_tombstone_and_its_quote_a_persons_affair(
    synced: World,
) -> None:
    synced.quote(synced.deal("D-1").id)
    synced.sync()
    synced.crm.merge("deal", "D-1", "D-2")
    synced.sync()
    assert synced.deal("D-1").state is RecordState.GONE
    [item] = synced.items()
    assert item.conflict_type is ConflictType.IDENTITY_MISMATCH
    assert item.remote_value == "D-2"


def test_a_deal_that_moves_to_another_currency_is_taken_and_nothing_is_converted(
    synced: World,
) -> None:
    synced.quote(synced.deal("D-1").id)
    synced.sync()
    before, amount = quotes_of(synced), synced.deal("D-1").local["amount"]
    synced.crm.set("deal", "D-1", {"currency": "USD"})
    assert synced.sync().exit_code == 0
    assert (synced.deal("D-1").local["currency"], synced.deal("D-1").local["amount"]) == (
        "USD",
        amount,
    )
    told = fields_of(synced.events("record.updated")[-1])["currency"]
    assert (told["winner"], told["local"]) == ("USD", "EUR")
    assert quotes_of(synced) == before
    assert synced.remote("deal", "D-1")["quote_currency"] == "EUR"


def test_the_same_amount_written_otherwise_is_no_change_and_no_write(synced: World) -> None:
    amount, head = synced.deal("D-1").local["amount"], synced.store.audit.head()
    for text in (f"{amount}.00", f"{amount}.000000", f"0{amount}"):
        synced.crm.set("deal", "D-1", {"amount": text})
        assert synced.sync().entities[2].counts.updated == 0
    assert synced.deal("D-1").local["amount"] == amount
    assert synced.store.outbox.list("main") == ()
    assert synced.store.audit.head() == head


def test_a_record_missing_from_the_answer_is_not_deleted(synced: World) -> None:
    synced.adapter = pages_of(synced, records=(), has_more=False)
    assert synced.sync().exit_code == 0
    assert synced.deal("D-1").state is RecordState.LIVE


def test_no_request_leaves_while_a_transaction_is_open(world: World) -> None:
    asked: list[str] = []

    def see(name: str) -> None:
        assert not world.store.in_transaction
        asked.append(name)

    world.adapter = watched(world.stub, see)
    world.sync()
    world.quote(world.deal("D-1").id)
    world.edit(Entity.DEAL, "D-2", name="Zwei")
    world.new_deal("A-1")
    world.sync()
    assert set(asked) == set(OPERATIONS) - {"update_account"}


def test_a_passing_failure_of_a_read_is_repeated_with_full_jitter(synced: World) -> None:
    synced.crm.fail("server_error", operation="sync_incremental", times=2)
    before = len(synced.clock.slept)
    assert synced.sync(entities=DEALS).exit_code == 0
    assert [s for s in synced.clock.slept[before:] if s > 0.01] == [0.5, 1.0]


def test_a_crm_that_stays_down_ends_the_run_as_unreachable_and_the_next_run_resumes(
    synced: World,
) -> None:
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.crm.fail("server_error", operation="sync_incremental", times=50)
    report = synced.sync(entities=DEALS)
    assert report.exit_code == 6
    assert synced.state().phase is SyncPhase.ERROR
    assert report.failures[0].safe.startswith("Quotes are untouched")
    assert report.failures[0].correlation_id == report.correlation_id
    synced.crm.heal()
    assert synced.sync(entities=DEALS).exit_code == 0
    assert synced.state().phase is SyncPhase.IDLE
    assert synced.deal("D-1").local["stage"] == "won"


def test_one_entity_that_is_refused_does_not_stop_the_others_nor_the_outbox(
    synced: World,
) -> None:
    op = synced.quote(synced.deal("D-1").id)

    def refused_for_contacts(page: CrmSyncResultDto) -> CrmSyncResultDto:
        if page.entity is Entity.CONTACT:
            failing(ErrorClass.PERMANENT)()
        return page

    refused = then(synced.stub.sync_incremental, refused_for_contacts)
    synced.adapter = bend(synced.stub, sync_incremental=refused)
    report = synced.sync()
    assert [str(entity.phase) for entity in report.entities] == ["idle", "error", "idle"]
    assert synced.op(op).state == "delivered"


def test_a_run_that_died_is_found_by_its_lease_and_resumes_at_its_page(world: World) -> None:
    reading = pull.start(world.run(), Entity.ACCOUNT)
    pull.apply_page(world.run(), reading, pull.read_page(world.run(), reading))
    world.restart()
    world.turn(seconds=41)
    asked: list[str] = []
    world.adapter = watched(world.stub, lambda _: asked.append(world.state(Entity.ACCOUNT).cursor))
    report = world.sync()
    assert report.recovered == 1
    assert [event.entity for event in world.events("sync.interrupted")] == ["account"]
    assert asked[0] == reading.state.cursor != ""
    assert len(world.store.records.list("main", Entity.ACCOUNT, 10)) == 3


def test_a_second_run_is_told_who_reads_and_changes_nothing(synced: World) -> None:
    pull.start(synced.run(), Entity.DEAL)
    synced.crm.set("deal", "D-1", {"stage": "won"})
    report = synced.sync(entities=DEALS)
    assert report.exit_code == 6
    assert "reads deal since" in report.failures[0].warning
    assert synced.deal("D-1").local["stage"] == "prospecting"


def test_a_run_that_slept_beyond_its_lease_changes_nothing_when_it_wakes(synced: World) -> None:
    synced.crm.set("deal", "D-1", {"stage": "won"})
    sleeper = pull.start(synced.run(), Entity.DEAL)
    page = pull.read_page(synced.run(), sleeper)
    synced.turn(seconds=60)
    synced.crm.set("deal", "D-1", {"stage": "lost"})
    synced.sync()
    with pytest.raises(LeaseLostError):
        pull.apply_page(synced.run(), sleeper, page)
    assert synced.deal("D-1").local["stage"] == "lost"


def test_what_a_fenced_run_read_is_audited_as_late(synced: World) -> None:
    def slow(page: CrmSyncResultDto) -> CrmSyncResultDto:
        synced.turn(seconds=60)
        pull.start(synced.run(), page.entity)
        return page

    synced.adapter = bend(synced.stub, sync_incremental=then(synced.stub.sync_incremental, slow))
    report = synced.sync(entities=DEALS)
    assert (report.exit_code, report.cut_short) == (6, True)
    assert len(synced.events("sync.late_result")) == 1


def test_a_long_read_renews_its_lease_between_tries(synced: World) -> None:
    lease = synced.run().limits.lease.duration

    slow = first(lambda: synced.turn(seconds=15), failing(ErrorClass.TRANSIENT))
    synced.adapter = bend(synced.stub, sync_incremental=slow)
    report = synced.sync(entities=DEALS)
    assert report.exit_code == 6
    assert synced.events("sync.late_result") == ()
    assert timedelta(seconds=60) > lease


def test_inbound_never_touches_a_quote(synced: World) -> None:
    synced.quote(synced.deal("D-1").id)
    before = quotes_of(synced)
    synced.crm.set("deal", "D-1", {"quote_id": "other", "quote_total": "1", "stage": "won"})
    synced.crm.delete("deal", "D-2")
    synced.sync()
    assert quotes_of(synced) == before


def many(count: int) -> str:
    rows = (f"D-{n},Deal {n},A-1,won,1.00,2026-05-01,EUR" for n in range(1, count + 1))
    return "id,name,account_id,stage,amount,close_date,currency\n" + "\n".join(rows) + "\n"


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[World]:
    world = make_world(tmp_path, page_size=10, deals=many(40))
    world.sync()
    yield world
    world.close()


def test_a_mass_deletion_stops_before_its_page_and_asks(crowd: World) -> None:
    for number in range(1, 31):
        crowd.crm.delete("deal", f"D-{number}")
    report = crowd.sync()
    assert report.exit_code == 3
    [item] = crowd.items(ConflictType.MASS_CHANGE)
    assert "would go" in item.detail
    assert crowd.state().phase is SyncPhase.ERROR
    gone = crowd.store.records.count_by_state("main", Entity.DEAL)[RecordState.GONE]
    assert gone <= 8  # a fifth of 40


def test_a_mass_change_asked_about_twice_is_one_item(crowd: World) -> None:
    for number in range(1, 31):
        crowd.crm.delete("deal", f"D-{number}")
    crowd.sync()
    crowd.sync()
    assert len(crowd.items(ConflictType.MASS_CHANGE)) == 1


def test_a_mass_change_goes_through_once_a_person_has_said_yes(crowd: World) -> None:
    for number in range(1, 31):
        crowd.crm.delete("deal", f"D-{number}")
    crowd.sync()
    report = crowd.sync(accept_mass_change=True)
    assert report.exit_code == 0
    assert crowd.items() == ()
    gone = crowd.store.records.count_by_state("main", Entity.DEAL)[RecordState.GONE]
    assert gone == 30


def test_an_empty_answer_to_a_full_read_is_no_reason_to_forget(crowd: World) -> None:
    mapping = crowd.mapping.entities[Entity.DEAL]
    changed = msgspec.structs.replace(mapping, fingerprint="another")
    crowd.mapping = msgspec.structs.replace(
        crowd.mapping, entities=crowd.mapping.entities | {Entity.DEAL: changed}
    )
    crowd.adapter = pages_of(crowd, records=(), has_more=False)
    report = crowd.sync()
    assert report.exit_code == 3
    assert "no record at all" in crowd.items(ConflictType.MASS_CHANGE)[0].detail


def test_a_question_that_has_become_moot_closes_itself(crowd: World) -> None:
    for number in range(1, 31):
        crowd.crm.delete("deal", f"D-{number}")
    crowd.sync()
    for number in range(1, 31):
        crowd.crm.set("deal", f"D-{number}", {"stage": "won"})
    assert crowd.sync().exit_code == 0
    assert crowd.items() == ()


def test_whoever_interrupts_a_sync_need_not_wait_for_its_lease(synced: World) -> None:
    def interrupted(_page: object) -> None:
        raise KeyboardInterrupt

    pressed = then(synced.stub.sync_incremental, interrupted)
    synced.adapter = bend(synced.stub, sync_incremental=pressed)
    with pytest.raises(KeyboardInterrupt):
        synced.sync()
    assert synced.state(Entity.ACCOUNT).error == "interrupted"
    synced.adapter = synced.stub
    assert synced.sync().exit_code == 0


def test_progress_is_told_while_it_reads(world: World) -> None:
    told: list[str] = []
    ports = world.ports
    object.__setattr__(ports, "progress", lambda progress: told.append(progress.entity))
    engine.run(ports)
    assert set(told) == {str(entity) for entity in MIRRORED}


def test_the_report_is_json(world: World) -> None:
    report = msgspec.json.decode(msgspec.json.encode(world.sync()))
    assert report["provider"] == "stub"
    assert report["mode"] == "stub"


def test_reading_stops_after_the_tries_that_the_limits_allow(world: World) -> None:
    world.limits = SyncLimits(read_tries=1)
    world.crm.fail("server_error", operation="sync_incremental", times=1)
    assert world.sync(entities=DEALS).exit_code == 6
