"""Sync, plan, watch and the audit list for the façade; the work is done in other rooms."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from quotey.app.alarm import tell
from quotey.app.connecting import wait_of
from quotey.app.listing import Listing
from quotey.app.wiring import House
from quotey.contract.errors import UsageError
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.journal import AuditEvent
from quotey.desk.references import find, find_quote, split
from quotey.store import ChainHead, ChainReport
from quotey.sync import engine
from quotey.sync import plan as planning
from quotey.sync.ports import Progress
from quotey.sync.report import SyncPlan, SyncReport
from quotey.sync.worker import watch as watch_on

Show = Callable[[Progress], None] | None
_HEAD = re.compile(r"(?P<seq>[1-9][0-9]{0,17}):(?P<mac>[0-9a-f]{64})")


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """How often a watch has synced, and what the last round did."""

    rounds: int
    last: SyncReport | None = None


def sync(
    house: House,
    entities: Sequence[Entity],
    progress: Show,
    *,
    accept_mass_change: bool,
    sweep: bool,
) -> SyncReport:
    """Run once: pull all, sweep, then drain what is due. Raises StoreError, StoreBusyError."""
    this = house.correlation_id()
    return engine.run(
        house.ports(this, progress),
        correlation_id=this,
        entities=_readable(entities),
        accept_mass_change=accept_mass_change,
        sweep_now=sweep,
    )


def plan(house: House, entities: Sequence[Entity], progress: Show) -> SyncPlan:
    """Say what a run would do; writes nothing."""
    this = house.correlation_id()
    return planning.plan(
        house.ports(this, progress), correlation_id=this, entities=_readable(entities)
    )


def _readable(entities: Sequence[Entity]) -> tuple[Entity, ...]:
    if Entity.QUOTE in entities:
        raise UsageError("Quotes are not read from the CRM; they live here.")
    return tuple(entities) or MIRRORED


def watch(house: House, every: str, rounds: int | None, progress: Show) -> Watched:
    """Run again and again; ends after `rounds`, and on an interrupt between or within two.

    It may go on for weeks, so of all reports only the last is kept.
    """
    pause = wait_of(every)
    if rounds is not None and rounds < 1:
        raise UsageError("A watch has at least one round.")
    house.watching = True
    done = 0

    def count(_report: SyncReport) -> None:
        nonlocal done
        done += 1

    last = watch_on(
        house.ports(house.correlation_id(), progress),
        pause,
        lambda: rounds is not None and done >= rounds,
        told=count,
    )
    return Watched(rounds=done, last=last)


def audit(
    house: House, record: str | None, correlation_id: str | None, kind: str | None, limit: int
) -> Listing[AuditEvent]:
    """List events, newest first; `record` is `<entity>/<id>`, ours or the CRM's."""
    if limit < 1:
        raise UsageError("The limit is at least 1.")
    entity, entity_id = _named(house, record) if record else (None, None)
    with house.desk.snapshot():
        events = house.desk.audit.list(
            entity=entity,
            entity_id=entity_id,
            correlation_id=correlation_id,
            kind=kind,
            limit=limit,
        )
    return Listing(items=events)


def audit_verify(house: House, head: str | None) -> ChainReport:
    """Walk the whole chain, up to a head that was noted if there is one, as `<seq>:<mac>`.

    What is broken is told in the log and noted as an event (`alarm`). UsageError when the head is
    not written like that.
    """
    report = house.desk.audit.verify(None if head is None else _noted(head))
    if not report.ok:
        tell(house, (f"The audit chain breaks at event {report.broken_at}: {report.problem}.",))
    return report


def _noted(head: str) -> ChainHead:
    found = _HEAD.fullmatch(head.strip())
    if found is None:
        raise UsageError(
            f"{head!r} is no head of the audit: a number, a colon and 64 hexadecimal digits.",
            next=("quotey crm audit --verify",),
        )
    return ChainHead(seq=int(found["seq"]), mac=found["mac"])


def _named(house: House, record: str) -> tuple[Entity, str]:
    entity, key = split(record)
    if entity == Entity.QUOTE:
        return entity, find_quote(house.desk_ports, key).id
    return entity, find(house.desk_ports, entity, key).id
