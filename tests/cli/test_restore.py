"""`quotey db restore`: a backup comes back, and the CRM is never overwritten because of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.terminal import Terminal


def quoted(synced: Terminal, total: str = "100") -> str:
    found = synced.json("quote", "create", "D-1001", "--total", total)["quote"]["id"]
    assert isinstance(found, str)
    return found


def there(synced: Terminal) -> tuple[str, str, str]:
    """Read the marker that the CRM holds of D-1001: instance, version, total."""
    [state] = [synced.json("crm", "stub", "show", "deal/D-1001")]
    fields = state["payload"]
    return fields["quotey_instance_id"], str(fields["quote_version"]), str(fields["quote_total"])


@pytest.fixture
def behind(synced: Terminal) -> tuple[Terminal, str]:
    """Version 1 is in the backup and was delivered; 2 and 3 came after it and are over there."""
    quote = quoted(synced)
    synced("crm", "sync")
    assert synced("db", "backup", "monday.db").code == 0
    for total in ("200", "300"):
        assert synced("quote", "revise", quote, "--total", total).code == 0
        synced("crm", "sync")
    assert there(synced)[1] == "3"
    return synced, quote


def test_a_newer_version_over_there_is_asked_about_and_stepped_over(
    behind: tuple[Terminal, str],
) -> None:
    synced, quote = behind
    before = there(synced)
    ran = synced("db", "restore", "monday.db")
    assert ran.code == 0, ran.err
    assert "The backup lacks 2 quote versions:" in ran.out
    assert f"{quote} 2\n  {quote} 3\n" in ran.out
    made = synced.json("quote", "revise", quote, "--total", "400")
    assert made["quote"]["current"]["version"] == 2
    assert synced("crm", "sync").code == 3
    assert there(synced) == before, "nothing over there was overwritten"
    [item] = synced.json("crm", "reconcile", "list", "--each", "--type", "stale_outbound_write")[
        "items"
    ]
    assert before[0] in item["remote_value"]
    again = synced.json("quote", "publish", quote)
    assert again["quote"]["current"]["version"] == 4, "above ours and above theirs"
    synced("crm", "sync")
    instance, version, total = there(synced)
    assert (version, total) == ("4", "400")
    assert instance != before[0], "the new life has a name of its own"
    assert synced.json("crm", "audit", "--verify")["ok"]


def test_what_the_backup_remembers_is_stepped_over_without_asking(synced: Terminal) -> None:
    quote = quoted(synced)
    synced("crm", "sync")
    former = there(synced)[0]
    synced("db", "backup", "monday.db")
    assert synced("db", "restore", "monday.db").code == 0
    synced("quote", "revise", quote, "--total", "200")
    synced("crm", "sync")
    instance, version, total = there(synced)
    assert (version, total) == ("2", "200")
    assert instance != former
    assert not synced.json("crm", "reconcile", "list", "--each", "--type", "stale_outbound_write")[
        "items"
    ]


def test_what_was_queued_in_the_backup_and_has_come_through_since_is_not_written_twice(
    synced: Terminal,
) -> None:
    quoted(synced)
    synced("crm", "deal", "update", "D-1002", "name=Renamed")
    made = synced("crm", "deal", "create", "A-1001", "name=Fresh", "stage=proposal")
    assert made.code == 0, made.err
    synced("db", "backup", "monday.db")
    synced("crm", "sync")
    effects = writes(synced)
    assert len(effects) == 3
    synced("db", "restore", "monday.db")
    synced("crm", "sync")
    assert writes(synced) == effects
    status = synced.json("crm", "status")["outbox"]
    assert (status["counts"], status["holds"]) == ({}, {})
    found = synced.json("crm", "reconcile", "list", "--each", "--state", "open")["items"]
    assert {one["conflict_type"] for one in found} <= {"schema_mapping_mismatch", "missing_parent"}
    fresh = [
        one
        for one in synced.json("crm", "deal", "list", "--limit", "100")["records"]
        if one["values"]["name"] == "Fresh"
    ]
    assert len(fresh) == 1, "the deal that was made over there is the one that waited here"


def writes(synced: Terminal) -> list[str]:
    log = synced.json("crm", "stub", "log", "--limit", "1000")["items"]
    named = ("write_quote", "update_deal", "create_deal")
    return [one["operation"] for one in log if one["operation"] in named]


def test_a_preview_says_what_would_be_lost_and_changes_nothing(
    behind: tuple[Terminal, str],
) -> None:
    synced, quote = behind
    ran = synced("db", "restore", "monday.db", "--dry-run", "--json")
    assert ran.code == 0
    assert ran.data["newer"] == [f"{quote} 2", f"{quote} 3"]
    assert ran.data["dry_run"] is True
    assert synced.json("quote", "show", quote)["quote"]["current"]["version"] == 3
    assert "Would restore" in synced("db", "restore", "monday.db", "--dry-run").out


def test_what_is_no_backup_ends_with_the_code_for_a_database(synced: Terminal) -> None:
    (synced.cwd / "notes.db").write_bytes(b"not a database at all, but long enough " * 200)
    ran = synced("db", "restore", "notes.db")
    assert (ran.code, ran.out) == (7, "")
    assert "Nothing was changed." in ran.err
    assert synced("db", "check").code == 0


def test_a_file_that_is_not_there_is_a_wrong_word(synced: Terminal) -> None:
    ran = synced("db", "restore", "nowhere.db")
    assert ran.code == 2
    assert "no file 'nowhere.db'" in ran.err


def test_a_damaged_database_is_mended_by_it(synced: Terminal, tmp_path: Path) -> None:
    quote = quoted(synced)
    synced("db", "backup", "monday.db")
    database = tmp_path / ".quotey" / "quotey.db"
    database.write_bytes(b"\xa5" * 65536)
    assert synced("quote", "list").code == 7
    ran = synced("db", "restore", "monday.db")
    assert ran.code == 0, ran.err
    assert "cannot be read" in ran.out
    assert synced.json("quote", "show", quote)["quote"]["current"]["version"] == 1
    assert synced("db", "check").code == 0
