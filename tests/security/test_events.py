"""What matters to security leaves an event: who, when, by which command or run (SEC-40)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Terminal
from tests.disk.tampering import Intruder, cut_behind
from tests.security.test_audit import HEAD

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


CHECKS = (("crm", "audit", "--verify"), ("db", "check"), ("crm", "doctor"))


def changed(quotey: Terminal, statement: str) -> None:
    intruder = Intruder(quotey.cwd / ".quotey" / "quotey.db")
    intruder.run(statement)
    intruder.db.close()


@pytest.mark.parametrize("words", CHECKS, ids=" ".join)
def test_a_broken_audit_is_an_event_itself_and_told_in_the_log(
    quotey: Terminal, words: tuple[str, ...]
) -> None:
    assert quotey(*words).code == 0
    assert events(quotey, "audit.broken") == [], "a sound one raises no alarm"
    changed(quotey, "UPDATE audit_event SET actor = 'nobody' WHERE seq = 3")
    said = [json.loads(line) for line in quotey(*words).err.splitlines() if line.startswith("{")]
    [event] = events(quotey, "audit.broken")
    problem = "The audit chain breaks at event 3: the event was changed."
    assert event["body"] == {"problems": [problem]}
    assert event["actor"] == "kim"
    assert datetime.fromisoformat(event["at"]).utcoffset() == timedelta(0)
    [alarm] = [one for one in said if one["event"] == "audit broken"]
    assert (alarm["level"], alarm["problems"]) == ("error", [problem])
    assert alarm["cid"] == event["correlation_id"]
    assert problem in quotey("crm", "audit", "--kind", "audit.broken").out


def test_an_alarm_is_given_once_until_something_new_is_found(quotey: Terminal) -> None:
    changed(quotey, "UPDATE audit_event SET actor = 'nobody' WHERE seq = 3")
    for _ in range(2):
        for words in CHECKS:
            quotey(*words)
    quotey("crm", "stub", "set", "deal/D-1001", "stage=won")
    quotey("crm", "sync")
    assert quotey("db", "check").code == 7
    assert len(events(quotey, "audit.broken")) == 1
    changed(quotey, "UPDATE audit_event SET actor = 'nobody' WHERE seq = 2")
    assert quotey("db", "check").code == 7
    newest, _ = events(quotey, "audit.broken")
    assert "event 2" in newest["body"]["problems"][0]


def test_an_alarm_hides_no_tail_that_was_cut_off(quotey: Terminal) -> None:
    """It takes the place of the event that is gone, but not its mac."""
    head = HEAD.search(quotey("crm", "audit", "--verify").out)
    assert head is not None
    intruder = Intruder(quotey.cwd / ".quotey" / "quotey.db")
    cut_behind(intruder, intruder.last - 1)
    intruder.db.close()
    for _ in range(3):
        assert quotey("crm", "audit", "--head", head[1]).code == 7
    assert len(events(quotey, "audit.broken")) == 1
    assert quotey("crm", "audit", "--verify").code == 0, "the chain goes on from the alarm"


def test_what_takes_no_event_is_told_in_the_log_all_the_same(quotey: Terminal) -> None:
    intruder = Intruder(quotey.cwd / ".quotey" / "quotey.db")
    intruder.run("UPDATE audit_event SET actor = 'nobody' WHERE seq = 3")
    intruder.db.execute(
        "CREATE TRIGGER deaf BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'deaf'); END"
    )
    intruder.db.close()
    ran = quotey("db", "check")
    assert ran.code == 7
    said = [json.loads(line)["event"] for line in ran.err.splitlines() if line.startswith("{")]
    assert said == ["audit broken", "the alarm is not in the audit"]
