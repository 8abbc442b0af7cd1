"""Somebody reads the database for hours: its log cannot be emptied, and that is told (D13)."""

from __future__ import annotations

from pathlib import Path

import apsw

from quotey.store import open_store
from quotey.store.admin import LONG_LOG
from tests.cli.terminal import Terminal

MB = 1_000_000


def write_much(path: Path, name: str, megabytes: int) -> None:
    """Write as a busy day does, in transactions of their own."""
    with open_store(path, role="desk") as store:
        for number in range(megabytes):
            with store.transaction():
                store.tokens.once(f"{name} {number}", "x" * MB)


def test_a_log_that_a_long_reader_keeps_from_being_emptied_is_told_until_it_is_empty(
    synced: Terminal,
) -> None:
    path = synced.cwd / ".quotey" / "quotey.db"
    log = path.with_name("quotey.db-wal")
    reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM record").fetchall()
    write_much(path, "while it is read", 70)
    assert log.stat().st_size > LONG_LOG

    told = synced("crm", "status")
    assert told.code in (0, 3)
    assert "the database needs a look" in told.out
    assert "somebody reads it for so long" in told.out
    checked = synced("db", "check")
    assert checked.code == 0, "it is no damage"
    assert "The log of the database has grown to" in checked.out
    document = synced("db", "check", "--json").document
    assert [one["code"] for one in document["diagnostics"]] == ["log_too_long"]
    assert synced("quote", "create", "D-1001", "--total", "5").code == 0, "nobody is held up"

    reader.close()
    write_much(path, "once it is gone", 2)
    assert not log.exists() or log.stat().st_size < LONG_LOG
    assert "needs a look" not in synced("crm", "status").out
    assert synced("db", "check", "--json").document["diagnostics"] == []


def test_a_day_without_a_long_reader_leaves_a_short_log(synced: Terminal) -> None:
    path = synced.cwd / ".quotey" / "quotey.db"
    with open_store(path, role="desk") as kept_open:
        write_much(path, "all day", 90)
        assert kept_open.admin.log_bytes() < LONG_LOG
        assert kept_open.admin.remarks() == ()
