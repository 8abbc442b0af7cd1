"""Real processes on one account: together within the limit, and what one is told, all keep."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from quotey.adapters import discover
from quotey.adapters.composio.hubspot import open_adapter
from quotey.contract.mapping_file import parse_mapping
from quotey.testing.simulators.clock import RunningClock
from quotey.testing.simulators.core import Exchange
from quotey.testing.simulators.faults import Fault
from quotey.testing.simulators.hubspot import HubSpotCore
from quotey.testing.simulators.rig import build_rig
from quotey.testing.simulators.server import serve
from tests.composio.asking import CALL, notes_in, settings_of

MOST = 4
"""Searches a second that the settings allow; the portal takes one more (crm-semantics 5)."""


class Portal:
    """A portal that counts, on the real clock, and processes that ask it."""

    def __init__(self, home: Path) -> None:
        text = discover()["hubspot"].shipped_mapping()
        self.mapping = parse_mapping(text, name="the shipped mapping")
        clock = RunningClock(lambda: datetime.now(UTC))
        self.rig = build_rig("hubspot", self.mapping, clock)
        assert isinstance(self.rig.vendor, HubSpotCore)
        self.core = self.rig.vendor
        self.core.gate.enforced = True
        self.deal = str(self.core.create("deals", {"dealname": "One"}).record_id)
        self.home = home
        self.values: dict[str, object] = {
            "api_key": self.rig.api_key,
            "connected_account_id": self.rig.connected_account_id,
            "user_id": self.rig.user_id,
            "loopback": True,
        }

    def start(self, seconds: float, what: str, **settings: object) -> subprocess.Popen[str]:
        values = json.dumps({**self.values, **settings})
        words = [str(self.home), values, str(seconds), what]
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.composio.asking", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        return worker

    def limited(self) -> list[Exchange]:
        return [one for one in self.core.log if one.status == 429]


def ended(worker: subprocess.Popen[str]) -> dict[str, int]:
    out, _ = worker.communicate("go\n", timeout=60)
    assert worker.returncode == 0
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def together(*workers: subprocess.Popen[str]) -> list[dict[str, int]]:
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return [ended(worker) for worker in workers]


@contextmanager
def portal(home: Path) -> Iterator[Portal]:
    opened = Portal(home)
    with serve(opened.rig.cores) as url:
        opened.values["base_url"] = url
        yield opened


def test_two_processes_together_stay_within_the_rate(tmp_path: Path) -> None:
    with portal(tmp_path) as crm:
        asked = {"searches_per_second": MOST}
        told = together(*(crm.start(4.0, "search", **asked) for _ in range(2)))
        searches = [one.at for one in crm.core.log if one.target.startswith("/crm/v3/objects/co")]
    assert crm.limited() == []
    assert all(one["answered"] > 1 for one in told)
    assert len(searches) >= 3 * MOST
    for first in searches:
        within = [at for at in searches if first <= at < first + timedelta(seconds=2)]
        assert len(within) <= 2 * MOST + 2


def test_what_one_process_is_asked_to_wait_all_of_them_wait(tmp_path: Path) -> None:
    with portal(tmp_path) as crm:
        fault = Fault("rate_limited", operation="*", policy="OTHER", retry_after="2", after=6)
        crm.core.faults.add(fault)
        told = together(*(crm.start(4.0, crm.deal, patience=0.1) for _ in range(2)))
    (refusal,) = crm.limited()
    # What was under way when the refusal was on its way could not know of it.
    known = refusal.at + timedelta(seconds=0.25)
    penalty = [one for one in crm.core.log if known < one.at < refusal.at + timedelta(seconds=2)]
    assert penalty == []
    assert any(one.at > refusal.at + timedelta(seconds=2) for one in crm.core.log)
    assert all(one["rate_limit"] > 1 for one in told)


def test_a_daily_quota_that_one_has_spent_is_known_to_the_other(tmp_path: Path) -> None:
    with portal(tmp_path) as crm:
        crm.core.gate._settings = msgspec.structs.replace(crm.core.gate._settings, daily=5)
        first = ended(crm.start(1.5, crm.deal, patience=1.0))
        spent = len(crm.core.log)
        second = ended(crm.start(0.5, crm.deal, patience=0.0))
    # The answers' headers tell, before anything is refused.
    assert crm.limited() == []
    assert spent == 5
    assert first["rate_limit"] > 1
    assert set(second) == {"rate_limit"}
    assert len(crm.core.log) == spent


def test_a_person_is_answered_while_processes_drain_at_the_limit(tmp_path: Path) -> None:
    with portal(tmp_path) as crm:
        slow = {"requests_per_ten_seconds": 30, "patience": 0.0}
        drains = [crm.start(3.0, crm.deal, **slow) for _ in range(2)]
        for drain in drains:
            assert drain.stdin is not None
            drain.stdin.write("go\n")
            drain.stdin.flush()
        person = open_adapter(settings_of({**crm.values, **slow, "patience": 1}), crm.mapping, "m")
        person.share(notes_in(tmp_path))
        for _ in range(3):
            person.lookup_account("acme", call=CALL)
        person.close()
        told = [ended(drain) for drain in drains]
    assert all(one["ours"] > 3 for one in told)
    assert crm.limited() == []
