"""What matters to security leaves an event: who, when, by which command or run (SEC-40)."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Terminal
from tests.disk.tampering import Intruder

LOCK = "crm lock deal/D-1001 stage --for 48h --reason legal"
LOCKED = "--type locked_field_overwrite"
WON = "crm stub set deal/D-1001 stage=won"
STEPS: dict[str, tuple[tuple[str, ...], str]] = {
    "a refused key": (("crm stub fail auth", "crm sync"), "sync.failed"),
    "authorised again": (("crm stub fail auth", "crm sync", "crm connect stub"), "connection.*"),
    "another mapping": (("crm sync",), "operations.released"),
    "a lock": ((LOCK,), "lock.set"),
    "a lock that is lifted": ((LOCK, "crm unlock deal/D-1001 stage"), "lock.lifted"),
    "a decision": (
        (LOCK, WON, "crm sync", f"crm reconcile apply {LOCKED} --policy crm_wins --yes"),
        "reconciliation.resolved",
    ),
    "an erasure": (
        ("crm stub delete contact/C-1002", "crm sync", "crm contact erase C-1002 --reason asked"),
        "audit.erased",
    ),
    "a restore": (("db backup one.db", "db restore one.db"), "database.restored"),
}  # fmt: skip


@pytest.fixture
def quotey(tmp_path: Path) -> Terminal:
    made = Terminal(tmp_path)
    made("crm", "sync")
    return made


def events(quotey: Terminal, kind: str) -> list[dict[str, Any]]:
    found = quotey.json("crm", "audit", "--kind", kind)["items"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("what", STEPS)
def test_it_is_an_event_with_actor_time_and_correlation_id(quotey: Terminal, what: str) -> None:
    lines, kind = STEPS[what]
    for line in lines:
        ran = quotey(*line.split())
        assert ran.code in {0, 3, 4}, (line, ran)
    found = events(quotey, kind)
    assert found
    for event in found:
        assert event["actor"] == "kim"
        assert event["correlation_id"].startswith("c_")
        assert datetime.fromisoformat(event["at"]).utcoffset() == timedelta(0)


def test_an_event_that_nobody_caused_is_not_there(quotey: Terminal) -> None:
    kinds = {kind for _, kind in STEPS.values()} - {"operations.released"}
    assert [kind for kind in sorted(kinds) if events(quotey, kind)] == []


def test_a_broken_audit_ends_every_check_with_the_code_for_damage(quotey: Terminal) -> None:
    intruder = Intruder(quotey.cwd / ".quotey" / "quotey.db")
    intruder.run("UPDATE audit_event SET actor = 'nobody' WHERE seq = 3")
    intruder.db.close()
    for words in (("crm", "audit", "--verify"), ("db", "check")):
        ran = quotey(*words)
        assert ran.code == 7
        assert "event 3" in ran.out + ran.err
    assert "event 3" in quotey("crm", "doctor").out
