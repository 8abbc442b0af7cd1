"""Syncing again and again until told to stop: what `crm watch` and `worker` do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from quotey.contract.errors import StoreBusyError
from quotey.contract.fields import MIRRORED, Entity
from quotey.sync import door, engine
from quotey.sync.ports import Ports
from quotey.sync.report import SyncReport

log = structlog.get_logger()

LOOK = 1.0
"""Seconds between two looks at `stop`."""

PROBE = timedelta(seconds=60)
"""How long a CRM that could not be reached is left alone, however much is due (reliability G10)."""


def watch(
    ports: Ports,
    interval: timedelta,
    stop: Callable[[], bool],
    *,
    entities: Sequence[Entity] = MIRRORED,
    told: Callable[[SyncReport], None] = lambda _report: None,
) -> SyncReport | None:
    """Run, wait, run again; gives the last report, None when stopped before the first.

    Waits `interval`, or less when an operation or a late look falls due before; a run that was cut
    short makes it wait at least as long as was asked, or `PROBE`. `told` gets every report. A stop
    is noticed within a second while it waits, else after the run. A database that is busy costs
    one round; `StoreError` is raised.
    """
    report: SyncReport | None = None
    while not stop():
        try:
            report = engine.run(ports, entities=entities)
        except StoreBusyError:
            log.warning("database busy", connection=ports.connection)
        else:
            told(report)
        _wait(ports, interval, stop, report)
    return report


def _wait(
    ports: Ports, interval: timedelta, stop: Callable[[], bool], report: SyncReport | None
) -> None:
    end = ports.clock.now() + interval
    for due in (
        ports.store.outbox.next_due(ports.connection),
        ports.store.looks.next_due(ports.connection),
    ):
        if due is not None:
            end = min(end, max(due, _earliest(report, ports.clock.now())))
    while not stop() and (left := (end - ports.clock.now()).total_seconds()) > 0:
        ports.clock.sleep(min(left, LOOK))


def _earliest(report: SyncReport | None, now: datetime) -> datetime:
    """Say when the CRM may be asked again for the sake of what is due.

    An operation's own back-off says nothing of when the CRM will answer.
    """
    if report is None or not report.cut_short:
        return now + timedelta(seconds=LOOK)
    known = (one for one in report.failures if one.error_class not in door.ABSENT)
    return max((one.retry_at for one in known if one.retry_at is not None), default=now + PROBE)
