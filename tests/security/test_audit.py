"""The head of the audit goes out, and shows later whether the end was cut off (SEC-38, SEC-40)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from quotey.contract.errors import ExitCode
from tests.cli.terminal import Terminal
from tests.disk.tampering import Intruder, cut_behind

HEAD = re.compile(r"Head: (\S+)")


@pytest.fixture
def quotey(tmp_path: Path) -> Terminal:
    made = Terminal(tmp_path)
    made("crm", "sync")
    return made


def noted(quotey: Terminal) -> str:
    """Write the head down, as a person does."""
    found = HEAD.search(quotey("crm", "audit", "--verify").out)
    assert found is not None
    return found[1]


def cut(quotey: Terminal, events: int) -> None:
    intruder = Intruder(quotey.cwd / ".quotey" / "quotey.db")
    cut_behind(intruder, intruder.last - events)
    intruder.db.close()


def test_a_head_that_was_noted_shows_a_tail_that_was_cut_off(quotey: Terminal) -> None:
    head = noted(quotey)
    assert quotey("crm", "audit", "--head", head).code == 0
    cut(quotey, 2)
    assert quotey("crm", "audit", "--verify").code == 0, "nobody can know"
    ran = quotey("crm", "audit", "--verify", "--head", head)
    assert ran.code == ExitCode.DATABASE
    assert f"broken at event {int(head.split(':')[0]) - 1}: the tail is cut off" in ran.out
    document = quotey("crm", "audit", "--head", head, "--json").document
    assert document["data"]["ok"] is False


def test_a_head_of_another_life_differs(quotey: Terminal) -> None:
    number, mac = noted(quotey).split(":")
    ran = quotey("crm", "audit", "--head", f"{number}:{mac[::-1]}")
    assert ran.code == ExitCode.DATABASE
    assert "differs from the head" in ran.out


def test_each_sync_tells_the_head_in_the_log(quotey: Terminal) -> None:
    quotey.environ |= {"QUOTEY_LOG__LEVEL": "info", "QUOTEY_LOG__FORMAT": "json"}
    quotey("crm", "stub", "set", "deal/D-1001", "stage=won")
    said = [line for line in quotey("crm", "sync").err.splitlines() if line.startswith("{")]
    ended = [one for one in map(json.loads, said) if one["event"] == "run ended"]
    assert [one["audit_head"] for one in ended] == [noted(quotey)]
