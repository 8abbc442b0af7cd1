"""What a run has done so far, and the report that is made of it in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from quotey.contract.fields import Entity
from quotey.contract.journal import Counts, OpState
from quotey.contract.reconciliation import ItemState
from quotey.sync.ports import Run
from quotey.sync.report import EntityReport, Failure, SyncReport, exit_code, grouped


@dataclass
class Sofar:
    """Mutable while the run lasts. `stopped` ends reading, and nothing is sent.

    `let_in` counts what came out of quarantine, which is not read from the CRM. `examined` says
    that the CRM's definitions were looked at in this run.
    """

    entities: list[EntityReport] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    outbound: Counts = field(default_factory=Counts)
    let_in: dict[Entity, Counts] = field(default_factory=dict)
    recovered: int = 0
    released: int = 0
    stopped: bool = False
    examined: bool = False


def _with_let_in(report: EntityReport, let_in: Counts | None) -> EntityReport:
    """Count what came out of quarantine among what the run created and updated."""
    counts = Counts()
    for one in (report.counts, let_in or Counts()):
        counts.add(one)
    return msgspec.structs.replace(report, counts=counts)


class How(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked of the reading."""

    accept_mass_change: bool = False
    sweep_now: bool = False


def report(this: Run, started_at: datetime, sofar: Sofar) -> SyncReport:
    """Say what the run did, and what waits now."""
    counts = this.store.outbox.counts(this.connection)
    open_items = this.store.items.counts(this.connection)[ItemState.OPEN]
    failures = grouped(sofar.failures)
    return SyncReport(
        correlation_id=this.correlation_id,
        connection=this.connection,
        provider=this.ports.adapter.provider,
        mode=this.ports.mode,
        started_at=started_at,
        finished_at=this.now(),
        entities=tuple(_with_let_in(one, sofar.let_in.get(one.entity)) for one in sofar.entities),
        outbound=sofar.outbound,
        failures=failures,
        cut_short=sofar.stopped,
        recovered=sofar.recovered,
        released=sofar.released,
        open_items=open_items,
        parked=this.store.schemas.parked(this.connection),
        waiting=counts[OpState.QUEUED] + counts[OpState.UNKNOWN] + counts[OpState.LEASED],
        held=counts[OpState.HELD],
        exit_code=exit_code(failures, open_items),
    )
