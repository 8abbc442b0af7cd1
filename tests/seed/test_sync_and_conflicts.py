"""Section 5 of the seed: the two roads, conflicts and their keys, and the quote version guard."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from quotey.adapters.stub import open_adapter
from quotey.contract.errors import ErrorClass
from quotey.contract.fields import Entity, Policy
from quotey.contract.journal import OpState
from quotey.contract.reconciliation import ConflictKey, ConflictType, ItemState
from quotey.desk import deals, locks, quotes, reconcile
from quotey.desk.quotes import QuoteTerms
from quotey.desk.reconcile import Decision
from quotey.store import open_store
from quotey.sync import engine
from quotey.sync.report import SyncReport
from quotey.testing.crash import CrashPlan, SimulatedCrash, crashing_store
from tests.cli.terminal import Terminal
from tests.seed.house import (
    desk_of,
    marker_in_crm,
    operation_of,
    quote_now,
    quoted,
    remap,
    terminal,
)
from tests.sync.bent import watched
from tests.sync.world import World, make_world

# --- 5.1 the model -------------------------------------------------------------------------------


def test_inbound_incremental_sync_updates_account_deal_and_contact_mirrors(synced: World) -> None:
    synced.crm.set("account", "A-1", {"website": "group.example"})
    synced.crm.set("contact", "C-2", {"email": "benjamin@birch.example"})
    synced.crm.set("deal", "D-3", {"stage": "lost"})
    synced.crm.add(
        "deal", "D-9", {"name": "Nine", "account_id": "A-1", "stage": "won", "currency": "EUR"}
    )
    synced.crm.delete("deal", "D-2")
    report = synced.sync()
    assert synced.record(Entity.ACCOUNT, "A-1").local["domain"] == "group.example"
    assert synced.record(Entity.CONTACT, "C-2").local["email"] == "benjamin@birch.example"
    assert synced.deal("D-3").local["stage"] == "lost"
    assert synced.deal("D-9").local["name"] == "Nine"
    assert synced.deal("D-2").state == "gone"
    read = [one.counts.read for one in report.entities]
    assert read == [1, 1, 3], "only what changed was read"
    assert sum(one.counts.read for one in synced.sync().entities) == 0


def test_outbound_writeback_publishes_the_quote_summary_and_artifact_references(
    quotey: Terminal,
) -> None:
    folder = quotey.cwd / ".quotey" / "attachments"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "offer.pdf").write_bytes(b"%PDF-1.7 offer")
    made = quotey.json("quote", "create", "D-1", "--total", "90.50", "--valid-until", "2026-09-30")
    quotey("quote", "attach", made["quote"]["id"], "offer.pdf")
    assert quotey("crm", "sync").code == 0
    held = quotey.json("crm", "stub", "show", "deal/D-1")["payload"]
    assert {name: str(held[name]) for name in held if name.startswith("quote_")} == {
        "quote_id": made["quote"]["id"],
        "quote_version": "2",
        "quote_status": "priced",
        "quote_total": "90.5",
        "quote_currency": "EUR",
        "quote_valid_until": "2026-09-30",
        "quote_attachment": "offer.pdf",
    }


@contextmanager
def sync_that_hangs(world: World, at: str) -> Iterator[list[SyncReport]]:
    """Run a sync in another thread whose CRM does not answer `at` before the block ends."""
    hangs, answer = threading.Event(), threading.Event()
    reports: list[SyncReport] = []

    def wait(operation: str) -> None:
        if operation == at:
            hangs.set()
            assert answer.wait(30)

    def work() -> None:
        store = open_store(world.home / "quotey.db", role="sync")
        stub = open_adapter(world.settings, world.mapping, "main", home=world.home)
        ports = replace(world.ports, store=store, adapter=watched(stub, wait))
        try:
            reports.append(engine.run(ports))
        finally:
            stub.close()
            store.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert hangs.wait(10), "the sync came to the slow CRM"
        yield reports
        assert thread.is_alive(), "and it still hangs there"
    finally:
        answer.set()
        thread.join(30)


@pytest.mark.parametrize("at", ["sync_incremental", "get_quote_marker", "write_quote"])
def test_sync_is_asynchronous_and_the_users_request_path_does_not_block_on_it(
    synced: World, at: str
) -> None:
    first = quoted(synced, "D-2")
    with sync_that_hangs(synced, at) as reports:
        answer = quoted(synced, "D-1")
        revised = quotes.revise(desk_of(synced), first.quote.id, QuoteTerms(total="70.00"))
        deals.update(desk_of(synced), "D-3", {"name": "Renamed"})
        assert reports == [], "all three commands came back, the sync did not"
    assert reports[0].exit_code == 0
    assert quote_now(synced, answer).current.version == 1
    assert quote_now(synced, revised).current.version == 2
    synced.settle_down()
    assert str(synced.remote("deal", "D-2")["quote_total"]) == "70"


@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after it"])
def test_a_quote_and_its_operation_are_committed_together_or_not_at_all(
    synced: World, *, after: bool
) -> None:
    """Whenever the process dies, there is no quote that nobody will ever send."""
    kind = crashing_store(CrashPlan(1, after=after))
    synced.desk.close()
    synced.desk = open_store(synced.home / "quotey.db", role="desk", kind=kind)
    with pytest.raises(SimulatedCrash):
        quoted(synced)
    synced.restart()
    made = [quote.id for quote in synced.store.quotes.list()]
    queued = [op.entity_id for op in synced.store.outbox.list("main")]
    assert made == queued
    assert len(made) == int(after)


# --- 5.2 detection -------------------------------------------------------------------------------


def locked_clash(world: World) -> ConflictKey:
    """Let the CRM change a locked field, and give the key of that."""
    locks.lock(desk_of(world), "deal/D-1", "stage", duration="48h", reason="in talks")
    deals.update(desk_of(world), "D-1", {"name": "Ours"})
    world.crm.set("deal", "D-1", {"stage": "won"})
    world.sync()
    [item] = world.items(ConflictType.LOCKED_FIELD_OVERWRITE)
    return item.key


def test_conflict_keys_are_entity_field_local_version_and_remote_version_and_deterministic(
    tmp_path: Path,
) -> None:
    keys = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        world = make_world(tmp_path / name)
        world.sync()
        keys.append(locked_clash(world))
        deal = world.deal("D-1")
        assert deal.local_version == 2
        assert keys[-1] == ConflictKey(
            entity_id=deal.id,
            field_name="stage",
            local_version="2",
            remote_version_or_timestamp=world.items()[0].key.remote_version_or_timestamp,
        )
        revision = world.crm.show("deal", "D-1").revision
        assert int(keys[-1].remote_version_or_timestamp) <= revision
        world.close()
    assert keys[0] == keys[1], "the same facts make the same key"


def test_an_occurrence_counts_once_and_an_open_item_is_updated_never_doubled(
    synced: World,
) -> None:
    locks.lock(desk_of(synced), "deal/D-1", "stage", duration="48h", reason="in talks")
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.crm.fail("duplicate_page", operation="sync_incremental", times=3)
    synced.sync()
    remap(synced, '[deal.fields.x_note]\npath = "note"\ntype = "text"\n')
    synced.sync()  # another mapping: everything is read again
    [item] = synced.items(ConflictType.LOCKED_FIELD_OVERWRITE)
    assert (item.occurrences, item.remote_value) == (1, "won")
    synced.crm.set("deal", "D-1", {"stage": "lost"})
    synced.sync()
    [again] = synced.items(ConflictType.LOCKED_FIELD_OVERWRITE)
    assert (again.id, again.occurrences, again.remote_value) == (item.id, 2, "lost")


def test_a_stale_outbound_write_is_a_conflict_class(synced: World) -> None:
    answer = quoted(synced)
    marker_in_crm(synced, answer, version=5)
    synced.sync()
    [item] = synced.items()
    assert item.conflict_type == "stale_outbound_write"
    assert (item.entity_type, item.entity_id) == (Entity.QUOTE, answer.quote.id)


def test_an_inbound_overwrite_of_a_locally_locked_field_is_a_conflict_class(
    synced: World,
) -> None:
    locked_clash(synced)
    [item] = synced.items()
    assert item.conflict_type == "locked_field_overwrite"
    assert (item.local_value, item.remote_value) == ("prospecting", "won")
    assert synced.deal("D-1").local["stage"] == "prospecting"


def test_a_schema_mapping_mismatch_is_a_conflict_class(synced: World) -> None:
    synced.crm.set("account", "A-1", {"segment": "Galactic"})
    synced.sync()
    [item] = synced.items()
    assert item.conflict_type == "schema_mapping_mismatch"
    assert (item.entity_type, item.field_name) == (Entity.ACCOUNT, "segment")
    assert item.detail == "account.segment unknown_value"


# --- 5.3 resolution ------------------------------------------------------------------------------

POLICIES = {
    Policy.CRM_WINS: ("name", 'policy = "crm_wins"\n'),
    Policy.LOCAL_WINS: ("name", 'policy = "local_wins"\n'),
    Policy.MERGE_WITH_AUDIT: ("name", 'policy = "merge_with_audit"\nstrategy = "newest"\n'),
    Policy.IMMUTABLE_AFTER_BIND: ("account_id", 'policy = "immutable_after_bind"\n'),
}


def history(folder: Path, policy: Policy) -> list[object]:
    """Play one clash in a world of its own; give every decision that was audited."""
    folder.mkdir()
    world = make_world(folder)
    field, text = POLICIES[policy]
    remap(world, f"[deal.fields.{field}]\n{text}")
    world.sync()
    theirs = {"name": "Theirs", "account_id": "A-2"}
    world.crm.set("deal", "D-1", {field: theirs[field]}, at=world.clock.now())
    world.turn(minutes=5)
    deals.update(desk_of(world), "D-1", {"name": "Ours"})
    world.settle_down()
    world.sync()  # our own writes come back
    told = _decisions(world)
    remap(world, '[deal.fields.x_note]\npath = "note"\ntype = "text"\n')
    world.settle_down()  # another mapping: everything is read again
    assert _decisions(world) == told, "what was decided once is not decided again"
    world.close()
    return told


def _decisions(world: World) -> list[object]:
    kinds = ("record.updated", "reconciliation.recorded", "operation.queued")
    return [
        (event.kind, event.at, event.entity_id, event.body)
        for kind in kinds
        for event in reversed(world.events(kind))
        if "x_note" not in str(event.body)
    ]


@pytest.mark.parametrize("policy", Policy)
def test_the_field_policy_mode_is_applied_deterministically(tmp_path: Path, policy: Policy) -> None:
    once = history(tmp_path / "one", policy)
    assert once
    assert history(tmp_path / "two", policy) == once


def test_under_merge_with_audit_the_winner_is_kept_and_the_losers_value_is_in_the_audit(
    synced: World,
) -> None:
    synced.crm.set("deal", "D-1", {"amount": "999.00"}, at=synced.clock.now())
    synced.turn(minutes=5)
    deals.update(desk_of(synced), "D-1", {"amount": "111.00"})
    report = synced.sync()
    assert synced.deal("D-1").local["amount"] == "111"
    [event] = synced.events("record.updated")
    assert event.correlation_id == report.correlation_id
    decided = msgspec.convert(event.body["fields"], dict[str, dict[str, str]])["amount"]
    sides = {
        "rule": "merge_local",
        "policy": "merge_with_audit",
        "winner": "111",
        "loser": "999",
        "base": "100",
        "local": "111",
        "remote": "999",
    }
    assert {name: decided[name] for name in sides} == sides
    synced.settle_down()
    assert str(synced.remote("deal", "D-1")["amount"]) == "111"


def test_what_policy_cannot_resolve_is_marked_as_conflict_and_requires_operator_reconciliation(
    synced: World,
) -> None:
    """Two edits within the clocks' tolerance: `newest` cannot decide, so nobody wins."""
    deals.update(desk_of(synced), "D-1", {"amount": "111.00"})
    synced.crm.set("deal", "D-1", {"amount": "999.00"}, at=synced.clock.now())
    report = synced.sync()
    assert report.exit_code == 3
    for _ in range(3):
        synced.turn(hours=30)
        synced.sync()
    [item] = synced.items()
    assert item.conflict_type is ConflictType.UNDECIDED_MERGE
    assert synced.deal("D-1").local["amount"] == "111"
    assert str(synced.remote("deal", "D-1")["amount"]) == "999.00"
    reconcile.apply(desk_of(synced), item.id, Decision(policy=Policy.CRM_WINS))
    synced.settle_down()
    assert synced.deal("D-1").local["amount"] == "999"
    assert synced.items() == ()
    assert [one.id for one in synced.items(state=ItemState.RESOLVED)] == [item.id]


def test_a_record_with_an_open_item_is_shown_as_in_conflict(quotey: Terminal) -> None:
    quotey("crm", "lock", "deal/D-1", "stage", "--for", "48h", "--reason", "in talks")
    quotey("crm", "stub", "set", "deal/D-1", "stage=won")
    assert quotey("crm", "sync").code == 3
    assert "conflict" in quotey("crm", "deal", "show", "D-1").out
    assert "conflict" not in quotey("crm", "deal", "show", "D-2").out
    assert quotey.json("crm", "status")["open"] == 1


# --- 5.4 the quote version guard -----------------------------------------------------------------


def test_outbound_quote_writeback_includes_the_quote_version(synced: World) -> None:
    answer = quoted(synced)
    for version, total in ((2, "80.00"), (3, "70.00")):
        quotes.revise(desk_of(synced), answer.quote.id, QuoteTerms(total=total))
        synced.sync()
        held = synced.remote("deal", "D-1")
        assert (str(held["quote_version"]), str(held["quote_total"])) == (str(version), total[:2])
    written = [one.version for one in synced.crm.log() if one.operation == "write_quote"]
    assert written == [2, 3], "version 1 was superseded before it went out"


@pytest.mark.parametrize("newer", [2, 9])
def test_a_newer_version_marker_in_the_crm_rejects_the_stale_write_as_a_non_retryable_conflict(
    synced: World, newer: int
) -> None:
    answer = quoted(synced)
    marker_in_crm(synced, answer, version=newer)
    report = synced.sync()
    assert report.exit_code == 3
    for _ in range(4):
        synced.turn(hours=30)
        synced.sync()
    op = operation_of(synced, answer)
    assert (op.state, op.error_class, op.attempts) == (OpState.CONFLICT, ErrorClass.CONFLICT, 0)
    assert synced.effects("write_quote") == 0
    assert synced.remote("deal", "D-1")["quote_version"] == str(newer)


def test_a_rejected_stale_write_emits_a_reconciliation_item(synced: World) -> None:
    answer = quoted(synced)
    marker_in_crm(synced, answer, version=4)
    report = synced.sync()
    [item] = synced.items()
    assert item.conflict_type is ConflictType.STALE_OUTBOUND_WRITE
    assert item.operation_id == answer.operation_id
    assert (item.local_value, item.correlation_id) == ("1", report.correlation_id)
    assert '"version":4' in (item.remote_value or "")
    revised = quotes.revise(desk_of(synced), answer.quote.id, QuoteTerms())
    assert revised.quote.current.version == 5, "the way out steps over the CRM's version"
    assert synced.sync().exit_code == 0
    assert synced.remote("deal", "D-1")["quote_version"] in (5, "5")
    assert synced.items() == ()


def test_a_stale_write_is_refused_on_the_terminal_and_says_what_to_do(tmp_path: Path) -> None:
    quotey = terminal(tmp_path)
    quotey("crm", "sync")
    made = quotey.json("quote", "create", "D-1", "--total", "90.00")["quote"]
    quotey("crm", "sync")
    quotey("crm", "stub", "set", "deal/D-1", "quote_version=7")
    quotey("quote", "revise", made["id"], "--total", "80.00")
    ran = quotey("crm", "sync")
    assert ran.code == 3
    [item] = quotey.json("crm", "reconcile", "list", "--each")["items"]
    assert item["conflict_type"] == "stale_outbound_write"
    shown = quotey("crm", "reconcile", "show", item["id"])
    assert f"quotey quote revise {made['id']}" in shown.out
