"""What a rep and an operator meet on their way: each sentence, number and next command."""

from __future__ import annotations

import json

import pytest

from tests.cli.terminal import Terminal


def broken_mapping(quotey: Terminal) -> None:
    """Leave a mapping of one's own that cannot be read."""
    folder = quotey.cwd / "mappings"
    folder.mkdir()
    (folder / "main.toml").write_text("[deal.fields.stgae]\npath = 'x'\n", encoding="utf-8")


def quote_of(quotey: Terminal, deal: str, *more: str) -> str:
    """Make a quote and give its id."""
    found = quotey.json("quote", "create", deal, *more)["quote"]["id"]
    assert isinstance(found, str)
    return found


# --- local progress without a mapping (seed 7.3) --------------------------------------------------

LOCAL = [
    "quote create D-1002 --total 5",
    "quote list",
    "crm deal show D-1001",
    "crm deal list",
    "crm explain deal/D-1001",
    "crm explain deal/D-1001 stage",
    "crm lock deal/D-1001 stage --for 2h --reason x",
    "crm locks",
    "crm audit",
    "crm outbox list",
    "crm reconcile list",
    "crm lookup deal a",
    "db check",
]


@pytest.mark.parametrize("line", LOCAL)
def test_a_broken_mapping_stops_nothing_that_is_local(synced: Terminal, line: str) -> None:
    broken_mapping(synced)
    ran = synced(*line.split())
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("line", LOCAL)
def test_a_broken_data_set_stops_nothing_that_is_local(synced: Terminal, line: str) -> None:
    (synced.cwd / "set").mkdir()
    (synced.cwd / "set" / "dataset.toml").write_text("nonsense", encoding="utf-8")
    (synced.cwd / "quotey.toml").write_text(
        '[connections.main]\nprovider = "stub"\ndataset = "set"\n', encoding="utf-8"
    )
    assert synced("crm", "sync").code == 5
    ran = synced(*line.split())
    assert ran.code == 0, ran.err
    assert "the mapping cannot be read" in synced("crm", "status").out


def test_a_quote_that_was_made_without_a_mapping_goes_out_once_that_is_mended(
    synced: Terminal,
) -> None:
    broken_mapping(synced)
    quote_of(synced, "D-1002", "--total", "5")
    refused = synced("crm", "sync")
    assert refused.code == 5
    assert "Next: quotey crm mapping check\n" in refused.err
    (synced.cwd / "mappings" / "main.toml").unlink()
    assert synced.json("crm", "sync")["outbound"]["delivered"] == 1


def test_a_file_has_one_fingerprint_however_it_is_named(quotey: Terminal) -> None:
    folder = quotey.cwd / "mappings"
    folder.mkdir()
    (folder / "main.toml").write_text(
        '[deal.fields.amount]\npolicy = "crm_wins"\ndirection = "inbound"\n', encoding="utf-8"
    )
    own = quotey.json("crm", "mapping", "check")["fingerprint"]
    assert quotey.json("crm", "mapping", "check", "mappings/main.toml")["fingerprint"] == own
    assert quotey.json("crm", "mapping", "show")["fingerprint"] == own


# --- explaining -----------------------------------------------------------------------------------


def test_a_record_in_quarantine_is_explained_by_its_reasons(synced: Terminal) -> None:
    item = synced.json("crm", "reconcile", "list", "--each", "--field", "amount")["items"][0]
    ran = synced("crm", "explain", f"deal/{item['entity_id']}")
    assert ran.code == 0
    assert "in quarantine, never mirrored" in ran.out
    assert "problem keeps the record out" in ran.out
    assert f"Next: quotey crm reconcile show {item['id']}" in ran.out


def test_newest_names_the_two_moments_that_decided(synced: Terminal) -> None:
    synced("crm", "deal", "update", "D-1004", "amount=19000")
    synced("crm", "stub", "set", "deal/D-1004", "amount=48000")
    synced("crm", "sync")
    told = synced("crm", "explain", "deal/D-1004", "amount").out
    assert "(Changed here: 2026-03-02 09:00:00Z; in the CRM: 2026-01-15 09:00:00Z.)" in told
    events = synced.json("crm", "audit", "deal/D-1004", "--kind", "record.updated")["items"]
    fields = events[0]["body"]["fields"]["amount"]
    assert fields["local_ts"] > fields["remote_ts"]


def test_a_quote_is_explained_with_its_writes_and_markers(synced: Terminal) -> None:
    quote = quote_of(synced, "D-1001", "--total", "12000")
    synced("crm", "sync")
    synced("quote", "revise", quote, "--total", "11000")
    told = synced("crm", "explain", f"quote/{quote}")
    assert (told.code, "marker of version" in told.out) == (0, True)
    assert "delivered" in told.out
    assert "queued" in told.out
    assert synced("crm", "explain", f"quote/{quote}", "total").code == 2


# --- tables and sentences -------------------------------------------------------------------------


def test_money_stands_in_the_minor_unit_of_its_currency(synced: Terminal) -> None:
    quote = quote_of(synced, "D-1001", "--line", "3 x Licence=9000", "--line", "Set-up=3000")
    shown = synced("quote", "show", quote).out
    assert "12000.00 EUR" in shown
    assert "9000.00 EUR" in shown
    assert "EUR" in synced("crm", "deal", "show", "D-1001").out
    assert "12000.00 EUR" in synced("quote", "list").out


def test_one_thing_is_singular(synced: Terminal) -> None:
    quote_of(synced, "D-1001", "--total", "5")
    assert "1 operation\n" in synced("crm", "outbox", "list").out
    assert "1 quote\n" in synced("quote", "list").out
    synced("crm", "lock", "deal/D-1005", "stage", "--for", "48h", "--reason", "legal")
    assert "1 lock\n" in synced("crm", "locks").out
    synced("crm", "stub", "set", "deal/D-1005", "stage=won")
    assert ", 1 conflict  [" in synced("crm", "sync").out


def test_the_audit_is_told_in_sentences_and_whole_when_asked(synced: Terminal) -> None:
    quote_of(synced, "D-1001", "--total", "12000")
    short = synced("crm", "audit", "--kind", "quote.*")
    assert "version 1: priced, 12000.00 EUR" in short.out
    assert "{" not in short.out
    whole = synced("crm", "audit", "--kind", "quote.*", "--body").out.splitlines()[-1]
    body = json.loads(whole[whole.index("{") :])
    assert body["after"]["total"] == "12000"


def test_every_event_of_a_busy_day_has_its_sentence(synced: Terminal) -> None:
    quote = quote_of(synced, "D-1001", "--total", "12000")
    synced("crm", "lock", "deal/D-1005", "stage", "--for", "48h", "--reason", "legal")
    synced("crm", "deal", "update", "D-1004", "amount=19000")
    synced("crm", "stub", "play")
    synced("crm", "stub", "set", "deal/D-1005", "stage=won")
    synced("crm", "sync")
    item = synced.json("crm", "reconcile", "list", "--each", "--type", "locked_field_overwrite")
    one = item["items"][0]["id"]
    for argv in (
        ["crm", "reconcile", "apply", one, "--policy", "crm_wins"],
        ["crm", "reconcile", "undo", one],
        ["crm", "reconcile", "defer", one, "--for", "24h"],
        ["quote", "revise", quote, "--total", "7"],
        ["crm", "stub", "fail", "auth"],
        ["crm", "sync"],
        ["crm", "connect", "stub"],
        ["crm", "unlock", "deal/D-1005", "stage"],
    ):
        synced(*argv)
    lines = synced("crm", "audit", "--limit", "500").out.splitlines()[3:]
    assert len(lines) > 100
    assert [line for line in lines if line.endswith("  -")] == []


def test_a_status_that_cannot_be_reached_at_once_names_the_way(synced: Terminal) -> None:
    quote = quote_of(synced, "D-1001", "--total", "5")
    refused = synced("quote", "status", quote, "sent")
    assert "The way to sent: pending_approval, then approved, then sent." in refused.err
    assert f"Next: quotey quote status {quote} pending_approval" in refused.err


def test_a_held_write_is_counted_by_sync_and_status_alike(synced: Terminal) -> None:
    quote = quote_of(synced, "D-1001", "--total", "5")
    synced("crm", "stub", "fail", "mapping_error", "--operation", "write_quote")
    ran = synced("crm", "sync")
    assert "0 waiting, 1 held;" in ran.out
    assert f"not written: quote {quote} version 1 (deal D-1001)" in ran.out
    status = synced("crm", "status")
    assert "0 waiting, 1 held" in status.out
    assert "1 write is held (mapping)" in status.out.splitlines()[1]


def test_what_can_be_taken_back_names_the_command(synced: Terminal) -> None:
    synced("crm", "lock", "deal/D-1005", "stage", "--for", "48h", "--reason", "legal")
    synced("crm", "stub", "set", "deal/D-1005", "stage=won")
    synced("crm", "sync")
    found = synced.json("crm", "reconcile", "list", "--each", "--type", "locked_field_overwrite")
    item = found["items"][0]["id"]
    synced("crm", "reconcile", "apply", item, "--policy", "crm_wins")
    shown = synced("crm", "reconcile", "show", item).out
    assert f"possible: quotey crm reconcile undo {item}" in shown
    assert f"Next: quotey crm reconcile undo {item}" in shown


def test_deals_and_accounts_are_listed_page_by_page(synced: Terminal) -> None:
    seen: list[str] = []
    after = ""
    while True:
        page = synced.json("crm", "deal", "list", "--limit", "20", "--after", after)
        seen += [one["crm_ref"] for one in page["records"]]
        if page["after"] is None:
            break
        after = page["after"]
    assert len(seen) == len(set(seen)) == page["total"] == 54
    first = synced("crm", "account", "list", "--limit", "2")
    assert "2 of 29 accounts" in first.out
    assert "Next: quotey crm account list --limit 2 --after acc_" in first.out
    assert synced("crm", "deal", "list", "--limit", "0").code == 2


# --- stderr ---------------------------------------------------------------------------------------


def test_a_command_does_not_repeat_its_answer_in_the_log(synced: Terminal) -> None:
    synced("crm", "stub", "fail", "server_error", "--times", "100")
    ran = synced("crm", "sync")
    assert (ran.code, ran.err) == (6, "")
    assert synced("crm", "watch", "--rounds", "1").err.count("entity") >= 1


def test_the_level_of_the_log_can_be_set_for_both(synced: Terminal) -> None:
    synced.environ["QUOTEY_LOG__LEVEL"] = "warning"
    synced("crm", "stub", "fail", "server_error", "--times", "100")
    assert '"level": "warning"' in synced("crm", "sync").err


# --- a deal that sales deleted --------------------------------------------------------------------


def test_a_deal_that_sales_deleted_on_purpose_comes_to_an_end(synced: Terminal) -> None:
    """ADR 0004."""
    quote = quote_of(synced, "D-1001", "--total", "5")
    synced("crm", "sync")
    synced("crm", "stub", "delete", "deal/D-1001")
    synced("crm", "sync")
    found = synced.json("crm", "reconcile", "list", "--each", "--type", "remote_gone")["items"]
    item = found[0]["id"]
    shown = synced("crm", "reconcile", "show", item).out
    assert f"quotey crm reconcile apply {item} --policy crm_wins" in shown
    warned = synced("crm", "reconcile", "apply", item, "--rebind", "--value", "D-1011", "--dry-run")
    assert (warned.code, "Warning: D-1011 was mirrored here as deal_" in warned.out) == (0, True)
    assert synced("crm", "reconcile", "apply", item, "--policy", "crm_wins").code == 0
    assert synced.json("crm", "reconcile", "list", "--type", "remote_gone")["total"] == 0
    assert synced.json("quote", "show", quote)["quote"]["current"]["total"] == "5"
