"""One run: recover what died, release what may go, read every entity, drain the outbox, stop.

Each step is elsewhere; here is their order, and what stops a run. Source: design section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec
import structlog

from quotey.contract.errors import ErrorClass, ExitCode, LeaseLostError, RemoteFailure
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.journal import Counts, Hold, SyncDirection
from quotey.contract.moments import moment
from quotey.contract.sweep import Sweep
from quotey.sync import door, drift, late, mass, pull, waiting
from quotey.sync.door import note
from quotey.sync.ports import Ports, Run
from quotey.sync.pull import MassChangeError, Reading
from quotey.sync.push import Drained, drain, told
from quotey.sync.recover import recover, release
from quotey.sync.report import (
    SAFE_ELSEWHERE,
    SAFE_INBOUND,
    SAFE_STOPPED,
    EntityReport,
    Failure,
    SyncReport,
    failure,
)
from quotey.sync.sofar import How, Sofar, report
from quotey.sync.states import CUT_OFF, HeldElsewhereError, cut_off
from quotey.sync.sweep import sweep

log = structlog.get_logger()

_STOPS = (*door.CLOSED, *door.ABSENT)
"""Failures after which no further request of the run would be answered.

A read that failed for want of a CRM had its bounded tries already: other entities would fail alike,
and what is to be sent must not burn its attempts on it.
"""


def run(
    ports: Ports,
    *,
    correlation_id: str | None = None,
    entities: Sequence[Entity] = MIRRORED,
    actor: str | None = None,
    accept_mass_change: bool = False,
    max_ops: int | None = None,
    sweep_now: bool = False,
) -> SyncReport:
    """Read all entities, parents first, then send what is due, then stop.

    A CRM that cannot be reached, or has closed itself to us, ends the run at once: other entities
    stand as they stood, and nothing is sent. So does another run that is at work.
    `accept_mass_change` is a person's yes to the question that stopped the run before. `sweep_now`
    sweeps every entity, due or not. What fails is told in the report and stored; `StoreError` and
    `StoreBusyError` are raised.
    """
    this = begin(ports, correlation_id=correlation_id, actor=actor)
    started_at, sofar = this.now(), Sofar()
    sofar.recovered = recover(this)
    if _is_open(this, sofar) and _is_confirmed(this, sofar):
        sofar.released = release(this)
        waiting.ended_locks(this)
        for entity in (one for one in this.readable() if one in entities):
            if not sofar.stopped:
                how = How(accept_mass_change=accept_mass_change, sweep_now=sweep_now)
                _read_looking(this, entity, sofar, how)
        _send(this, sofar, max_ops)
    ended = report(this, started_at, sofar)
    log.info(
        "run ended",
        cid=this.correlation_id,
        mode=ports.mode,
        exit=ended.exit_code,
        audit_head=str(ports.store.audit.head()),
    )
    return ended


def begin(ports: Ports, *, correlation_id: str | None = None, actor: str | None = None) -> Run:
    """Start a run or command: give it its correlation id and its actor."""
    return Run(
        ports=ports,
        correlation_id=correlation_id or ports.ids("c"),
        actor=actor or ports.actor,
    )


def _is_open(this: Run, sofar: Sofar) -> bool:
    """Refuse at once while the connection is stopped or told to wait."""
    try:
        door.refuse_if_closed(this)
    except RemoteFailure as closed:
        sofar.stopped = True
        told = _told(this, closed.error_class, closed.message, safe=SAFE_STOPPED)
        sofar.failures.append(told)
        return False
    return True


def _is_confirmed(this: Run, sofar: Sofar) -> bool:
    """Look how the CRM defines things, when that is due; refuse while it keeps no promise."""
    _examine(this, sofar)
    return not sofar.stopped


def _examine(this: Run, sofar: Sofar, *, suspected: bool = False) -> bool:
    """Look, once in a run at most; whether something was parked by that."""
    if sofar.examined:
        return False
    try:
        looked = drift.on_suspicion(this) if suspected else drift.look(this)
    except drift.UnconfirmedError as refused:
        told = _told(this, ErrorClass.MAPPING, str(refused), safe=SAFE_STOPPED)
        sofar.failures.append(msgspec.structs.replace(told, next=("quotey crm doctor",)))
        sofar.stopped = True
        return False
    sofar.examined = looked is not None
    return looked is not None and bool(looked.parked)


def _read_looking(this: Run, entity: Entity, sofar: Sofar, how: How) -> None:
    """Read one entity; where that smells of another definition, look, and go on without it."""
    known = len(sofar.failures)
    _read(this, entity, sofar, how)
    failed = any(one.error_class in drift.SMELLS for one in sofar.failures[known:])
    rejected = any(one.entity is entity and one.counts.rejected for one in sofar.entities)
    if sofar.stopped or not (failed or rejected) or not _examine(this, sofar, suspected=True):
        return
    if failed:
        del sofar.failures[known:], sofar.entities[-1:]
        _read(this, entity, sofar, how)
    else:
        _let_in(this, entity, sofar)


def _read(this: Run, entity: Entity, sofar: Sofar, how: How) -> None:
    """Read one entity and note how that ended."""
    try:
        reading = pull.start(this, entity, accept_mass_change=how.accept_mass_change)
    except HeldElsewhereError as held:
        sofar.stopped = True
        sofar.failures.append(_elsewhere(this, entity, held))
        return
    before = reading.state.cursor
    swept = _carry_through(this, entity, reading, sofar, sweep_now=how.sweep_now)
    sofar.entities.append(
        EntityReport(
            entity=entity,
            phase=reading.state.phase,
            counts=reading.state.counts,
            cursor_moved=reading.state.cursor != before,
            full=reading.full,
            sweep=None if swept is None else swept.counts,
        )
    )


def _carry_through(
    this: Run, entity: Entity, reading: Reading, sofar: Sofar, *, sweep_now: bool
) -> Sweep | None:
    """Read one entity, and sweep it where that is due; gives the sweep that ended."""
    swept = None
    try:
        _let_in(this, entity, sofar)
        waiting.ask_again(this, entity, renew=partial(pull.renew, this, reading))
        pull.pull(this, reading)
        swept = sweep(this, reading, asked=sweep_now)
        pull.succeed(this, reading)
        _let_children_in(this, entity, sofar)
    except RemoteFailure as failed:
        _stop(this, reading, sofar, failed.error_class, failed.message)
    except MassChangeError as too_much:
        with this.store.transaction("mass change"):
            mass.ask(this, reading.state, str(too_much))
        _stop(this, reading, sofar, ErrorClass.CONFLICT, str(too_much))
    except LeaseLostError:
        _fenced(this, reading, sofar)
    except CUT_OFF as cut:
        cut_off(this, reading.state, cut)
        raise
    return swept


def _let_in(this: Run, entity: Entity, sofar: Sofar) -> None:
    """Let in what waited in quarantine for something that has come."""
    sofar.let_in.setdefault(entity, Counts()).add(waiting.look_again(this, entity))


def _let_children_in(this: Run, entity: Entity, sofar: Sofar) -> None:
    """What waited for a parent goes in the run in which the parent arrives."""
    if entity is Entity.ACCOUNT:
        for child in this.readable():
            if child is not Entity.ACCOUNT:
                _let_in(this, child, sofar)


def _stop(this: Run, reading: Reading, sofar: Sofar, error_class: ErrorClass, message: str) -> None:
    entity = reading.state.entity
    sofar.stopped = sofar.stopped or error_class in _STOPS
    try:
        pull.fail(this, reading, error_class, message)
    except LeaseLostError:
        _fenced(this, reading, sofar)
        return
    sofar.failures.append(_told(this, error_class, message, entities=(str(entity),)))


def _fenced(this: Run, reading: Reading, sofar: Sofar) -> None:
    """Another run took over while this one slept: nothing of it counts any more (G9)."""
    entity = reading.state.entity
    with this.store.transaction("late result"):
        note(this, "sync.late_result", entity=entity, epoch=reading.state.epoch)
    state = this.store.sync_state.get(this.connection, entity, SyncDirection.INBOUND)
    sofar.stopped = True
    sofar.failures.append(_elsewhere(this, entity, HeldElsewhereError(state)))


def _send(this: Run, sofar: Sofar, max_ops: int | None) -> None:
    if sofar.stopped:
        return
    late.look(this)
    drained = drain(this, max_ops=max_ops)
    if drained.counts.held and _examine(this, sofar, suspected=True):
        drained = _send_again(this, drained, max_ops)
    sofar.outbound.add(drained.counts)
    sofar.failures += told(this, drained)
    sofar.stopped = drained.stopped(this.limits.breaker)
    if drained.turns:
        _let_in(this, Entity.DEAL, sofar)


def _send_again(this: Run, drained: Drained, max_ops: int | None) -> Drained:
    """Send what was held by the mapping without what is parked now; what failed so far is moot."""
    with this.store.transaction("parked"):
        this.store.outbox.release(this.connection, Hold.MAPPING)
    again = drain(this, max_ops=max_ops)
    drained.counts.held = 0
    again.counts.add(drained.counts)
    again.turns += drained.turns
    return again


def _told(
    this: Run,
    error_class: ErrorClass,
    message: str,
    *,
    entities: tuple[str, ...] = (),
    safe: str = "",
) -> Failure:
    row = door.connection(this)
    until = row.rate_limited_until if error_class is ErrorClass.RATE_LIMIT else None
    return failure(
        error_class,
        message,
        provider=this.ports.adapter.provider,
        correlation_id=this.correlation_id,
        entities=entities,
        safe=safe or (SAFE_STOPPED if error_class in _STOPS else SAFE_INBOUND),
        retry_at=until,
    )


def _elsewhere(this: Run, entity: Entity, held: HeldElsewhereError) -> Failure:
    """Tell who is at work, since when, until when, and what to do: nothing but to come back."""
    warning = f"Another run took over {entity} meanwhile."
    if held.since is not None and held.until is not None:
        warning = (
            f"Another run ({held.correlation_id}) reads {entity} since {moment(held.since)} and "
            f"holds it until {moment(held.until)}. If it has died, the next sync after that takes "
            "over where it was."
        )
    return Failure(
        error_class=None,
        safe=SAFE_ELSEWHERE,
        warning=warning,
        correlation_id=this.correlation_id,
        next=("quotey crm status", "quotey crm sync"),
        entities=(str(entity),),
        exit_code=int(ExitCode.UNREACHABLE),
        retry_at=held.until,
    )
