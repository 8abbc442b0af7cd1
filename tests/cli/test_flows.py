"""What an operator does, from the first sync to the last decision, on the real stub."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.terminal import Terminal


def item_of(quotey: Terminal, conflict_type: str) -> str:
    """The id of the only open item of a type."""
    items = quotey.json("crm", "reconcile", "list", "--each", "--type", conflict_type)["items"]
    assert len(items) == 1
    return str(items[0]["id"])


@pytest.fixture
def locked(synced: Terminal) -> Terminal:
    """After a lock on deal.stage met a change of the CRM."""
    synced("crm", "lock", "deal/D-1005", "stage", "--for", "48h", "--reason", "legal")
    synced("crm", "stub", "set", "deal/D-1005", "stage=won")
    assert synced("crm", "sync").code == 3
    return synced


def stage(quotey: Terminal) -> object:
    return quotey.json("crm", "deal", "show", "D-1005")["record"]["local"]["stage"]


def test_syncing_twice_changes_nothing_the_second_time(synced: Terminal) -> None:
    report = synced.json("crm", "sync")
    assert all(one["counts"]["created"] == 0 for one in report["entities"])
    assert report["open_items"] == 10


def test_one_entity_can_be_read_alone(quotey: Terminal) -> None:
    report = quotey.json("crm", "sync", "--entity", "account")
    assert [one["entity"] for one in report["entities"]] == ["account"]


def test_a_dry_run_writes_nothing(quotey: Terminal) -> None:
    plan = quotey.json("crm", "sync", "--dry-run")
    assert plan["counts"]["account"]["created"] == 29
    assert quotey.json("crm", "status")["entities"][0]["live"] == 0
    assert quotey.json("crm", "audit")["items"] == []


def test_a_plan_says_the_rule_as_a_sentence(synced: Terminal) -> None:
    synced("crm", "stub", "set", "deal/D-1001", "stage=won")
    ran = synced("crm", "plan")
    assert "update deal/" in ran.out
    assert "crm_wins - the CRM changed it from 'prospecting' to 'won'" in ran.out


def test_a_locked_field_waits_for_a_person(locked: Terminal) -> None:
    assert stage(locked) == "proposal"
    told = locked("crm", "explain", "deal/D-1005", "stage").out
    assert "conflict" in told
    assert item_of(locked, "locked_field_overwrite") in told


def test_a_preview_of_a_decision_writes_nothing(locked: Terminal) -> None:
    item = item_of(locked, "locked_field_overwrite")
    ran = locked("crm", "reconcile", "apply", item, "--policy", "crm_wins", "--dry-run")
    assert (ran.code, "would_apply" in ran.out) == (0, True)
    assert stage(locked) == "proposal"
    assert item_of(locked, "locked_field_overwrite") == item


def test_a_decision_is_taken_explained_and_taken_back(locked: Terminal) -> None:
    item = item_of(locked, "locked_field_overwrite")
    assert "--policy crm_wins" in locked("crm", "reconcile", "show", item).out
    assert locked("crm", "reconcile", "apply", item, "--policy", "crm_wins").code == 0
    assert stage(locked) == "won"
    assert "take_remote" in locked("crm", "explain", "deal/D-1005", "stage").out
    again = locked("crm", "reconcile", "apply", item, "--policy", "crm_wins")
    assert (again.code, "settled already" in again.err) == (3, True)
    assert locked("crm", "reconcile", "undo", item).code == 0
    assert stage(locked) == "proposal"
    assert item_of(locked, "locked_field_overwrite") == item


def test_many_are_shown_before_they_are_settled(locked: Terminal) -> None:
    argv = ["crm", "reconcile", "apply", "--policy", "crm_wins", "--field", "stage", "--entity"]
    shown = locked(*argv, "deal/D-1005")
    assert (shown.code, "--yes" in shown.out) == (3, True)
    assert stage(locked) == "proposal"
    assert locked(*argv, "deal/D-1005", "--dry-run").code == 0
    done = locked(*argv, "deal/D-1005", "--yes")
    assert (done.code, "1 settled, 0 refused" in done.out) == (0, True)
    assert stage(locked) == "won"


def test_a_refusal_in_bulk_stops_nothing_and_ends_with_3(locked: Terminal) -> None:
    ran = locked("crm", "reconcile", "apply", "--policy", "crm_wins", "--entity", "deal", "--yes")
    assert ran.code == 3
    assert "1 settled, 7 refused" in ran.out


def test_an_item_can_be_put_off(locked: Terminal) -> None:
    item = item_of(locked, "locked_field_overwrite")
    assert locked("crm", "reconcile", "defer", item, "--for", "24h").code == 0
    counts = locked.json("crm", "status")
    assert (counts["open"], counts["deferred"]) == (10, 1)
    assert item in locked("crm", "reconcile", "list", "--each", "--state", "deferred").out


def test_a_lock_ends_by_hand_or_by_itself(locked: Terminal) -> None:
    assert len(locked.json("crm", "locks")["items"]) == 1
    assert locked("crm", "unlock", "deal/D-1005", "stage").code == 0
    assert locked.json("crm", "locks")["items"] == []
    assert locked("crm", "unlock", "deal/D-1005", "stage").code == 2
    locked("crm", "sync")
    assert stage(locked) == "won"


# --- quotes ---------------------------------------------------------------------------------------


def test_a_quote_from_draft_to_delivered(synced: Terminal) -> None:
    made = synced.json("quote", "create", "D-1001", "--line", "3 x Licence=9000", "--line", "Fee=1")
    quote = made["quote"]["id"]
    assert made["quote"]["current"]["total"] == "9001"
    assert synced("quote", "status", quote, "pending_approval").code == 0
    refused = synced("quote", "status", quote, "sent")
    assert (refused.code, "it can become" in refused.err) == (3, True)
    assert synced("quote", "status", quote, "approved").code == 2, "an approval needs a name"
    assert synced("quote", "status", quote, "approved", "--approver", "Lee").code == 0
    assert synced("crm", "sync").code == 3
    shown = synced.json("quote", "show", quote)
    assert [one["status"] for one in shown["versions"]] == [
        "priced",
        "pending_approval",
        "approved",
    ]
    states = [one["state"] for one in shown["operations"]]
    assert states == ["superseded", "superseded", "delivered"]
    payload = synced.json("crm", "stub", "show", "deal/D-1001")["payload"]
    assert payload["quote_status"] == "approved"
    assert "Licence" in synced("quote", "show", quote).out
    assert quote in synced("quote", "list", "--deal", "D-1001").out
    assert synced("quote", "status", quote).out == synced("quote", "show", quote).out


def test_the_same_token_gives_the_same_quote(synced: Terminal) -> None:
    argv = ["quote", "create", "D-1001", "--total", "10", "--token", "once"]
    first, second = synced.json(*argv), synced.json(*argv)
    assert first["quote"]["id"] == second["quote"]["id"]
    assert (first["changed"], second["changed"]) == (True, False)


def test_an_attachment_cannot_leave_its_root(synced: Terminal) -> None:
    root = synced.cwd / ".quotey" / "attachments"
    root.mkdir()
    (root / "offer.pdf").write_bytes(b"%PDF")
    quote = synced.json("quote", "create", "D-1001", "--total", "10")["quote"]["id"]
    assert synced("quote", "attach", quote, "../quotey.db").code == 2
    assert synced("quote", "attach", quote, "offer.pdf").code == 0


def test_a_file_from_elsewhere_is_copied_into_the_root_and_attached(synced: Terminal) -> None:
    offer = synced.cwd / "elsewhere.pdf"
    offer.write_bytes(b"%PDF")
    quote = synced.json("quote", "create", "D-1001", "--total", "10")["quote"]["id"]
    attached = synced.json("quote", "attach", quote, str(offer), "--copy")["quote"]["current"]
    root = synced.cwd / ".quotey" / "attachments"
    assert (root / attached["attachment_ref"]).read_bytes() == b"%PDF"


def test_a_stale_quote_is_refused_and_a_revision_steps_over_it(synced: Terminal) -> None:
    quote = synced.json("quote", "create", "D-1001", "--total", "10")["quote"]["id"]
    synced("crm", "sync")
    synced("crm", "stub", "set", "deal/D-1001", "quote_version=7")
    synced("quote", "revise", quote, "--total", "11")
    assert synced("crm", "sync").code == 3
    assert (
        "the CRM holds a newer version of this quote"
        in synced("crm", "outbox", "list", "--all").out
    )
    item = item_of(synced, "stale_outbound_write")
    refused = synced("crm", "reconcile", "apply", item, "--policy", "local_wins")
    assert (refused.code, f"quotey quote revise {quote}" in refused.err) == (3, True)


# --- outbox ---------------------------------------------------------------------------------------


def test_an_operation_is_shown_dropped_and_stays_in_the_audit(synced: Terminal) -> None:
    operation = synced.json("quote", "create", "D-1001", "--total", "10")["operation_id"]
    assert "write_quote" in synced("crm", "outbox", "show", operation).out
    assert synced("crm", "outbox", "discard", operation).code == 2, "a reason is needed"
    done = synced("crm", "outbox", "discard", operation, "--reason", "typo")
    assert (done.code, "discarded" in done.out) == (0, True)
    assert synced("crm", "outbox", "retry", operation).code == 3
    assert synced.json("crm", "outbox", "list")["items"] == []
    assert len(synced.json("crm", "outbox", "list", "--all")["items"]) == 1


def test_what_the_connection_held_goes_after_connect(synced: Terminal) -> None:
    synced("quote", "create", "D-1001", "--total", "10")
    synced("crm", "stub", "fail", "auth", "--operation", "write_quote")
    assert synced("crm", "sync").code == 4
    assert "held" in synced("crm", "outbox", "list").out
    assert "1 operations released" in synced("crm", "connect").out
    assert synced.json("crm", "sync")["outbound"]["delivered"] == 1


# --- records --------------------------------------------------------------------------------------


def test_a_deal_is_made_offline_and_bound_later(synced: Terminal) -> None:
    made = synced.json("crm", "deal", "create", "A-1001", "name=Roof", "stage=prospecting")
    deal = made["record"]["id"]
    assert made["record"]["crm_ref"] is None
    synced("crm", "sync")
    assert synced.json("crm", "deal", "show", deal)["record"]["crm_ref"]


def test_a_field_that_does_not_flow_out_is_refused(synced: Terminal) -> None:
    ran = synced("crm", "account", "update", "A-1001", "name=x")
    assert ran.code == 2
    assert "account.name" in ran.err


def test_accounts_contacts_and_deals_are_found(synced: Terminal) -> None:
    assert "A-1001" in synced("crm", "lookup", "account", "alderpoint").out
    assert "A-1001" in synced("crm", "lookup", "account", "alderpoint.example", "--crm").out
    assert "C-1001" in synced("crm", "lookup", "contact", "Okafor").out
    assert "C-1001" in synced("crm", "lookup", "contact", "amara.okafor", "--crm").out
    assert "D-1001" in synced("crm", "lookup", "deal", "annual supply").out
    assert "0 found" in synced("crm", "lookup", "deal", "no such deal at all").out


# --- watch, mapping, connections, database --------------------------------------------------------


def test_a_watch_syncs_so_many_rounds(quotey: Terminal) -> None:
    assert quotey.json("crm", "watch", "--rounds", "3", "--every", "30s")["rounds"] == 3


def test_a_mapping_of_ones_own_is_laid_over_the_shipped_one(quotey: Terminal) -> None:
    folder = quotey.cwd / "mappings"
    folder.mkdir()
    (folder / "main.toml").write_text(
        '[deal.fields.amount]\npolicy = "crm_wins"\ndirection = "inbound"\n', encoding="utf-8"
    )
    fields = quotey.json("crm", "mapping", "show", "--entity", "deal")["fields"]
    assert next(one for one in fields if one["field"] == "amount")["policy"] == "crm_wins"
    assert "main.toml is sound" in quotey("crm", "mapping", "check").out
    assert quotey("crm", "mapping", "check", "mappings/main.toml").code == 0


def test_two_connections_are_two_crms(quotey: Terminal) -> None:
    (quotey.cwd / "quotey.toml").write_text(
        "[connections.main]\n[connections.shop]\n", encoding="utf-8"
    )
    quotey("crm", "sync")
    assert quotey.json("crm", "status", "--connection", "shop")["entities"][0]["live"] == 0
    quotey("crm", "sync", "--connection", "shop")
    assert quotey.json("crm", "status", "--connection", "shop")["entities"][0]["live"] == 29
    ambiguous = quotey("crm", "deal", "show", "D-1001")
    assert (ambiguous.code, "more than one connection" in ambiguous.err) == (2, True)


def test_home_may_be_elsewhere(quotey: Terminal, tmp_path: Path) -> None:
    quotey.environ["QUOTEY_HOME"] = "state"
    quotey("crm", "sync")
    assert (tmp_path / "state" / "quotey.db").is_file()
    quotey("crm", "status", "--home", "other")
    assert (tmp_path / "other" / "quotey.db").is_file()
    assert not (tmp_path / ".quotey").exists()


def test_a_backup_is_a_database_that_can_be_used(synced: Terminal) -> None:
    assert synced("db", "backup", "copy/quotey.db").code == 0
    assert synced.json("crm", "status", "--home", "copy")["entities"][0]["live"] == 29
    assert synced("db", "backup", "copy/quotey.db").code == 2


def test_the_stub_is_driven_and_put_back(synced: Terminal) -> None:
    assert "won" in synced("crm", "stub", "set", "deal/D-1001", "stage=won", "amount=").out
    assert "9 edits" in synced("crm", "stub", "play").out
    assert "0 edits" in synced("crm", "stub", "play").out
    assert "merged into" in synced("crm", "stub", "show", "account/A-1029").out
    synced("crm", "stub", "fail", "timeout_before", "--after", "3")
    assert "timeout_before" in synced("crm", "stub", "show").out
    assert "1 fault forgotten" in synced("crm", "stub", "heal").out
    assert "restored" in synced("crm", "stub", "reset").out
