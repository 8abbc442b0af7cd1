"""Section 7 of the seed: the reconciliation record, the four commands, and failure messages."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from quotey.contract.fields import Entity, Policy
from quotey.contract.journal import OpState
from quotey.contract.reconciliation import ConflictType, Reconciliation
from quotey.desk import deals, locks, quotes
from quotey.desk.quotes import QuoteTerms
from tests.cli.terminal import Terminal
from tests.seed.house import desk_of, marker_in_crm, operation_of, quote_now, quoted
from tests.sync.world import World

NINE = (
    "entity_type",
    "entity_id",
    "conflict_type",
    "local_value",
    "remote_value",
    "field_policy_mode",
    "first_seen_ts",
    "last_attempt_ts",
    "correlation_id",
)

# --- 7.1 the record ------------------------------------------------------------------------------


def test_a_reconciliation_record_holds_the_nine_minimum_fields(synced: World) -> None:
    assert set(NINE) <= set(Reconciliation.__struct_fields__)
    locks.lock(desk_of(synced), "deal/D-1", "stage", duration="48h", reason="in talks")
    synced.crm.set("deal", "D-1", {"stage": "won"})
    seen = synced.clock.now()
    synced.sync()
    synced.turn(hours=3)
    synced.crm.set("deal", "D-1", {"stage": "lost"})
    report = synced.sync()
    synced.restart()
    [item] = synced.items()
    assert (item.entity_type, item.entity_id) == (Entity.DEAL, synced.deal("D-1").id)
    assert item.conflict_type is ConflictType.LOCKED_FIELD_OVERWRITE
    assert (item.local_value, item.remote_value) == ("prospecting", "lost")
    assert item.field_policy_mode is Policy.CRM_WINS
    assert (item.first_seen_ts - seen).total_seconds() < 1, "when it was first seen stays"
    assert (item.last_attempt_ts - seen).total_seconds() >= 3 * 3600
    assert item.correlation_id == report.correlation_id


def test_the_nine_fields_are_shown(quotey: Terminal) -> None:
    lock_and_clash(quotey)
    [item] = quotey.json("crm", "reconcile", "list", "--each")["items"]
    assert set(NINE) <= set(item)
    assert all(item[name] is not None for name in NINE)
    shown = quotey("crm", "reconcile", "show", item["id"]).out
    for value in ("prospecting", "won", "crm_wins", "locked_field_overwrite"):
        assert value in shown
    assert item["correlation_id"] in shown
    assert datetime.fromisoformat(item["first_seen_ts"]).tzinfo is not None


def lock_and_clash(quotey: Terminal) -> None:
    """Let the CRM change a locked field."""
    quotey("crm", "lock", "deal/D-1", "stage", "--for", "48h", "--reason", "in talks")
    quotey("crm", "stub", "set", "deal/D-1", "stage=won")
    assert quotey("crm", "sync").code == 3


# --- 7.2 the commands ----------------------------------------------------------------------------


def test_quotey_crm_status(quotey: Terminal) -> None:
    lock_and_clash(quotey)
    quotey("quote", "create", "D-2", "--total", "90.00")
    told = quotey.json("crm", "status")
    assert (told["connection"], told["provider"], told["state"]) == ("main", "stub", "active")
    assert {one["entity"]: one["live"] for one in told["entities"]} == {
        "account": 3,
        "contact": 2,
        "deal": 3,
    }
    assert {one["phase"] for one in told["entities"]} == {"idle"}
    assert told["outbox"]["counts"] == {"queued": 1}
    assert (told["open"], told["deferred"], told["locks"]) == (1, 0, 1)
    shown = quotey("crm", "status").out
    assert re.search(r"^open items +1 open, 0 deferred", shown, re.MULTILINE)
    assert re.search(r"^deal +idle +3 ", shown, re.MULTILINE)
    assert {"quotey crm sync", "quotey crm reconcile list"} <= {
        line.removeprefix("Next:").strip() for line in shown.splitlines()
    }


def test_quotey_crm_sync(quotey: Terminal) -> None:
    quotey("crm", "stub", "set", "deal/D-1", "stage=won")
    quotey("quote", "create", "D-2", "--total", "90.00")
    assert quotey("crm", "sync", "--dry-run").code == 0
    assert quotey.json("crm", "deal", "show", "D-1")["record"]["local"]["stage"] == "prospecting"
    told = quotey.json("crm", "sync")
    counts = {one["entity"]: one["counts"] for one in told["entities"]}
    assert (counts["deal"]["read"], counts["deal"]["updated"]) == (1, 1)
    assert (told["outbound"]["delivered"], told["waiting"], told["open_items"]) == (1, 0, 0)
    assert quotey.json("crm", "deal", "show", "D-1")["record"]["local"]["stage"] == "won"
    held = quotey.json("crm", "stub", "show", "deal/D-2")["payload"]
    assert str(held["quote_total"]) == "90"


def test_quotey_crm_reconcile_list(quotey: Terminal) -> None:
    assert quotey("crm", "reconcile", "list").code == 0
    lock_and_clash(quotey)
    for ref in ("D-2", "D-3"):
        quotey("crm", "stub", "set", f"deal/{ref}", "amount=a lot")
    quotey("crm", "sync")
    ran = quotey("crm", "reconcile", "list")
    assert ran.code == 0
    assert "deal.amount malformed" in ran.out
    grouped = {
        one["detail"]: one["count"] for one in quotey.json("crm", "reconcile", "list")["groups"]
    }
    assert grouped == {"deal.amount malformed": 2, "deal.stage is locked and the CRM changed it": 1}
    each = quotey.json("crm", "reconcile", "list", "--each", "--field", "amount")["items"]
    assert [one["conflict_type"] for one in each] == ["schema_mapping_mismatch"] * 2


@pytest.mark.parametrize(("policy", "stands"), [("crm_wins", "won"), ("local_wins", "prospecting")])
def test_quotey_crm_reconcile_apply_id_policy(quotey: Terminal, policy: str, stands: str) -> None:
    lock_and_clash(quotey)
    [item] = quotey.json("crm", "reconcile", "list", "--each")["items"]
    command = ("crm", "reconcile", "apply", item["id"], "--policy", policy)
    shown = quotey(*command, "--dry-run")
    assert shown.code == 0
    assert quotey.json("crm", "reconcile", "list")["total"] == 1, "a preview settles nothing"
    [row] = quotey.json(*command)["rows"]
    assert (row["item_id"], row["outcome"]) == (item["id"], "applied")
    assert quotey.json("crm", "reconcile", "list")["total"] == 0
    assert quotey("crm", "sync").code == 0
    assert quotey.json("crm", "deal", "show", "D-1")["record"]["local"]["stage"] == stands
    assert quotey(*command).code == 3, "settled once, it is not settled again"


def test_a_policy_that_may_not_settle_an_item_is_refused_with_the_way_out(
    quotey: Terminal,
) -> None:
    quotey("crm", "stub", "set", "deal/D-1", "amount=a lot")
    quotey("crm", "sync")
    [item] = quotey.json("crm", "reconcile", "list", "--each")["items"]
    for policy in ("crm_wins", "local_wins"):
        ran = quotey("crm", "reconcile", "apply", item["id"], "--policy", policy)
        assert ran.code == 3
        assert "Nothing was changed." in ran.err
        assert "Next: quotey crm" in ran.err


# --- 7.3 failure messages ------------------------------------------------------------------------

FAULTS = (
    "server_error",
    "timeout_before",
    "timeout_after",
    "rate_limited",
    "auth",
    "mapping_error",
)


@pytest.mark.parametrize("fault", FAULTS)
def test_when_sync_or_writeback_fails_the_quote_lifecycle_stays_intact(
    synced: World, fault: str
) -> None:
    """Whatever fails, quotes and their versions are byte for byte what the commands made them."""
    answer = quoted(synced)
    quotes.change_status(desk_of(synced), answer.quote.id, "pending_approval")
    before = (quote_now(synced, answer), synced.store.quotes.versions(answer.quote.id))
    synced.crm.fail(fault, times=100)
    for _ in range(4):
        assert synced.sync().exit_code != 0
        synced.turn(hours=2)
    assert (quote_now(synced, answer), synced.store.quotes.versions(answer.quote.id)) == before
    moved = quotes.change_status(desk_of(synced), answer.quote.id, "approved", approver="eve")
    assert moved.quote.current.status == "approved"


def test_when_a_stale_write_is_rejected_the_quote_lifecycle_stays_intact(synced: World) -> None:
    answer = quoted(synced)
    marker_in_crm(synced, answer, version=7)
    synced.sync()
    assert operation_of(synced, answer).state is OpState.CONFLICT
    assert quote_now(synced, answer) == answer.quote
    assert synced.store.quotes.versions(answer.quote.id) == (answer.quote.current,)


@pytest.mark.parametrize("fault", FAULTS)
def test_when_sync_or_writeback_fails_a_concise_warning_with_correlation_id_is_shown(
    quotey: Terminal, fault: str
) -> None:
    quotey("quote", "create", "D-1", "--total", "90.00")
    quotey("crm", "stub", "fail", fault, "--operation", "write_quote")
    ran = quotey("crm", "sync")
    assert ran.code in (4, 5, 6)
    warnings = [line for line in ran.out.splitlines() if "The stub" in line]
    assert len(warnings) == 1, "one line, said once"
    correlation_id = re.search(r"\[(c_[0-9a-f]+)\]$", warnings[0])
    assert correlation_id, warnings
    assert len(warnings[0]) < 120
    assert "Quotes are untouched, and what was to be sent is kept in the outbox" in ran.out
    assert "Next: quotey crm" in ran.out
    audited = quotey.json("crm", "audit", "--correlation-id", correlation_id[1])["items"]
    assert audited, "the id leads to what was done"


def test_a_failed_read_is_told_in_the_same_way(quotey: Terminal) -> None:
    quotey(
        "crm", "stub", "fail", "server_error", "--operation", "sync_incremental", "--times", "99"
    )
    ran = quotey("crm", "sync")
    assert ran.code == 6
    assert re.search(r"The stub answered 503.*\[c_[0-9a-f]+\]", ran.out)
    assert "Quotes are untouched, " in ran.out
    assert "every record that was read before is kept" in ran.out


def test_when_sync_or_writeback_fails_local_progress_continues_where_safe(synced: World) -> None:
    """A blocked deal blocks no other, and every command goes on."""
    stuck = quoted(synced, "D-1")
    marker_in_crm(synced, stuck, version=7)
    free = quoted(synced, "D-2")
    synced.crm.fail("server_error", operation="update_deal", times=3)
    deals.update(desk_of(synced), "D-3", {"name": "Renamed"})
    synced.sync()
    assert operation_of(synced, stuck).state is OpState.CONFLICT
    assert operation_of(synced, free).state is OpState.DELIVERED
    revised = quotes.revise(desk_of(synced), stuck.quote.id, QuoteTerms(total="80.00"))
    deals.update(desk_of(synced), "D-3", {"name": "Renamed twice"})
    quoted(synced, "D-3")
    synced.settle_down()
    assert operation_of(synced, revised).state is OpState.DELIVERED
    assert synced.remote("deal", "D-3")["name"] == "Renamed twice"
    assert synced.items() == ()


def test_a_bad_record_holds_nothing_else_up(synced: World) -> None:
    synced.crm.set("deal", "D-1", {"stage": ""})
    synced.crm.set("deal", "D-2", {"stage": "won"})
    quoted(synced, "D-3")
    report = synced.sync()
    assert synced.deal("D-2").local["stage"] == "won"
    assert report.outbound.delivered == 1
