"""A backup that somebody has been at is not put in the database's place (SEC-34, SEC-38)."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from tests.cli.terminal import Terminal

PLANTED = {
    "a trigger that undoes": (
        "CREATE TRIGGER helpful AFTER INSERT ON audit_event BEGIN DELETE FROM lock; END"
    ),
    "a guard that is gone": "DROP TRIGGER audit_event_is_fixed",
    "a guard that is lame": (
        "DROP TRIGGER audit_event_is_fixed;"
        "CREATE TRIGGER audit_event_is_fixed BEFORE UPDATE ON audit_event"
        " WHEN 0 BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
    ),
    "a table of their own": "CREATE TABLE more (x)",
    "a view": "CREATE VIEW quotes AS SELECT * FROM quote",
    "an index that is gone": "DROP INDEX quote_one_published",
}


@pytest.fixture
def quotey(tmp_path: Path) -> Terminal:
    made = Terminal(tmp_path)
    made("crm", "sync")
    assert made("db", "backup", "one.db").code == 0
    made("quote", "create", "D-1001", "--total", "5")
    return made


@pytest.mark.parametrize("what", PLANTED)
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_it_is_refused_and_what_stands_there_is_left(
    quotey: Terminal, what: str, more: tuple[str, ...]
) -> None:
    planted = apsw.Connection(str(quotey.cwd / "one.db"))
    planted.execute(PLANTED[what])
    planted.close()
    ran = quotey("db", "restore", "one.db", *more)
    assert ran.code == 7
    assert "is not as Quotey made it" in ran.err or "is missing" in ran.err
    assert len(quotey.json("quote", "list")["items"]) == 1
    assert quotey("db", "check").code == 0
    assert {one.name for one in (quotey.cwd / ".quotey").iterdir()} == {
        "quotey.db", "quotey.key", "stub-main.db",
    }  # fmt: skip


def test_the_same_backup_untouched_is_taken(quotey: Terminal) -> None:
    assert quotey("db", "restore", "one.db").code == 0
    assert quotey.json("quote", "list")["items"] == []
    assert quotey("db", "check").code == 0
