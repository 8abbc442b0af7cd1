"""The loop: runs, waits, runs again, and stops when told."""

from __future__ import annotations

import itertools
from datetime import timedelta

from quotey.sync.report import SyncReport
from quotey.sync.worker import watch
from tests.sync.world import World


def test_it_runs_again_after_the_interval_until_told_to_stop(world: World) -> None:
    reports: list[SyncReport] = []
    watch(
        world.ports,
        timedelta(seconds=30),
        lambda: len(reports) == 3,
        told=reports.append,
    )
    gaps = [
        (later.started_at - earlier.started_at).total_seconds()
        for earlier, later in itertools.pairwise(reports)
    ]
    assert all(30 <= gap < 31 for gap in gaps)
    assert len({report.correlation_id for report in reports}) == 3


def test_told_to_stop_before_the_first_run_it_does_nothing(world: World) -> None:
    assert watch(world.ports, timedelta(seconds=30), lambda: True) is None


def test_what_falls_due_sooner_is_not_kept_waiting(synced: World) -> None:
    reports: list[SyncReport] = []
    synced.quote(synced.deal("D-1").id)
    synced.crm.fail("timeout_before", operation="write_quote")
    watch(synced.ports, timedelta(hours=1), lambda: len(reports) == 2, told=reports.append)
    assert reports[1].started_at - reports[0].started_at < timedelta(minutes=1)


def test_a_stop_is_noticed_while_it_waits(world: World) -> None:
    started = world.clock.now()
    watch(
        world.ports,
        timedelta(hours=1),
        lambda: world.clock.now() - started > timedelta(seconds=5),
    )
    assert world.clock.now() - started < timedelta(seconds=10)


def test_a_stopped_connection_is_not_asked_again_and_again(synced: World) -> None:
    reports: list[SyncReport] = []
    synced.crm.fail("auth")
    watch(synced.ports, timedelta(seconds=30), lambda: len(reports) == 3, told=reports.append)
    assert [report.exit_code for report in reports] == [4, 4, 4]
    assert len(synced.events("connection.auth_stopped")) == 1
