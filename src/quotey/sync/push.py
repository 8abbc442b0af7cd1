"""Draining the outbox: claim, carry out, settle, next; and when to stop.

What one operation does is in `push_quote` and `push_record`. A lane that is blocked never stops
another; a CRM that is down, stopped or asks for a pause stops the drain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import msgspec
import structlog

from quotey.contract.errors import (
    ErrorClass,
    LeaseLostError,
    RemoteFailure,
    StoreBusyError,
    StoreError,
)
from quotey.contract.fields import Entity
from quotey.contract.journal import (
    Counts,
    Hold,
    Operation,
    OpKind,
    OpState,
    SyncDirection,
    SyncPhase,
    SyncState,
)
from quotey.sync import door, parking, states
from quotey.sync.ending import Ended, hold
from quotey.sync.ports import Run
from quotey.sync.push_create import push_create
from quotey.sync.push_quote import push_quote
from quotey.sync.push_update import push_update
from quotey.sync.recover import abandon
from quotey.sync.report import SAFE_OUTBOUND, Failure, failure

log = structlog.get_logger()

_PUSH: dict[OpKind, Callable[[Run, Operation], Ended]] = {
    OpKind.WRITE_QUOTE: push_quote,
    OpKind.CREATE_DEAL: push_create,
    OpKind.UPDATE_DEAL: push_update,
    OpKind.UPDATE_ACCOUNT: push_update,
}


MOST_ALIKE = 5
"""How many failures of one class a drain tells; CRMs put a request's id into their words."""


class Drained(msgspec.Struct, kw_only=True):
    """What a drain did; mutable while it runs. `absent` counts failures in a row for want of a CRM.

    `failures` holds one for each class and message, not one for each operation, and of each class
    the first few; `untold` counts the others by class. `last` is the last.
    `under_way` is the operation of this turn. `state` is the outbound half of the sync state, None
    when another drain holds it.
    """

    counts: Counts = msgspec.field(default_factory=Counts)
    failures: dict[tuple[ErrorClass, str], Failure] = msgspec.field(default_factory=dict)
    untold: Counter[ErrorClass] = msgspec.field(default_factory=Counter)
    turns: int = 0
    absent: int = 0
    closed: bool = False
    under_way: Operation | None = None
    state: SyncState | None = None
    last: Failure | None = None

    def stopped(self, breaker: int) -> bool:
        """Whether it ended for want of a CRM; `breaker` failures in a row are enough."""
        return self.closed or self.absent >= breaker


def drain(run: Run, *, max_ops: int | None = None) -> Drained:
    """Carry out what is due, lane by lane, until nothing is due or the CRM is closed to us.

    Raises `StoreError` and `StoreBusyError`; an operation that was under way is then verified by
    the next drain, or after its lease when even that could not be noted.
    """
    drained = Drained()
    due = run.store.outbox.next_due(run.connection)
    if due is None or due > run.now():
        if due is None:
            _settle_down(run, drained)
        return drained
    drained.state = _take(run)
    try:
        _turns(run, drained, run.limits.max_ops if max_ops is None else max_ops)
    except states.CUT_OFF as cut:
        _cut_off(run, drained, cut)
        raise
    _end(run, drained)
    return drained


def _settle_down(run: Run, drained: Drained) -> None:
    """Bring the outbound half to rest when nothing is left of what a drain before stopped at."""
    state = run.store.sync_state.get(run.connection, Entity.QUOTE, SyncDirection.OUTBOUND)
    if state.phase is SyncPhase.ERROR:
        drained.state = _take(run)
        _end(run, drained)


def _cut_off(run: Run, drained: Drained, cut: BaseException) -> None:
    """Let go what this drain holds, as far as the store still takes it."""
    op = drained.under_way
    with suppress(StoreError, StoreBusyError):
        if op is not None:
            abandon(run, op.id, op.lease_token)
    if drained.state is not None:
        states.cut_off(run, drained.state, cut)


def _turns(run: Run, drained: Drained, most: int) -> None:
    while drained.turns < most and not drained.stopped(run.limits.breaker):
        drained.under_way = op = _next(run, drained)
        if op is None:
            break
        _count(run, drained, op, push_one(run, op))
        run.show("send", str(op.entity), drained.turns)
        _keep(run, drained)
        run.breathe()


def _take(run: Run) -> SyncState | None:
    """Take the outbound half into work; another drain beside this one is no harm, and tells."""
    try:
        return states.take(run, Entity.QUOTE, SyncDirection.OUTBOUND)
    except states.HeldElsewhereError:
        return None


def _keep(run: Run, drained: Drained) -> None:
    """Renew the lease of the outbound half once half of it has gone."""
    state = drained.state
    half = run.limits.lease.duration / 2
    if state is None or state.lease_until is None or state.lease_until - run.now() > half:
        return
    try:
        drained.state = states.renew(run, state)
    except LeaseLostError:
        drained.state = None


def _end(run: Run, drained: Drained) -> None:
    """Bring the outbound half to rest. A failed operation is no error of it; a stopped drain is."""
    if drained.state is None:
        return
    state = msgspec.structs.replace(drained.state, counts=drained.counts)
    last = drained.last
    try:
        with run.store.transaction("drained"):
            if drained.stopped(run.limits.breaker) and last is not None:
                states.failed(run, state, last.error_class or ErrorClass.TRANSIENT, last.warning)
            else:
                states.rested(run, state)
    except LeaseLostError:
        log.warning("outbound half taken over", cid=run.correlation_id)


def push_one(run: Run, op: Operation) -> Ended:
    """Carry one leased operation as far as it goes now; gives how this turn ended.

    What may have landed is looked for first, whatever is parked.
    """
    stopping = parking.stopping(run, op) if op.sent_at is None else ()
    if stopping:
        return hold(run, op, Hold.MAPPING, parking.told(stopping))
    return _PUSH[op.kind](run, op)


def _next(run: Run, drained: Drained) -> Operation | None:
    try:
        door.refuse_if_closed(run)
    except RemoteFailure as closed:
        drained.closed = True
        until = run.now() + closed.retry_after if closed.retry_after is not None else None
        _tell(run, drained, closed.error_class, closed.message, until)
        return None
    return claim(run)


def claim(run: Run) -> Operation | None:
    """Lease the next operation that is due at the head of its lane."""
    with run.store.transaction("claim"):
        claimed = run.store.outbox.claim(run.connection, run.now(), run.lease_until())
    return claimed[0] if claimed else None


def _count(run: Run, drained: Drained, op: Operation, ended: Ended) -> None:
    drained.turns += 1
    counts = drained.counts
    match ended.state:
        case OpState.DELIVERED:
            counts.delivered += 1
        case OpState.QUEUED | OpState.UNKNOWN:
            counts.retried += 1
        case OpState.HELD:
            counts.held += 1
        case OpState.SUPERSEDED:
            counts.superseded += 1
        case OpState.CONFLICT | OpState.DEAD:
            counts.conflicts += 1
        case _:
            log.warning("lease lost", cid=run.correlation_id, op=op.id)
    drained.absent = drained.absent + 1 if ended.error_class in door.ABSENT else 0
    drained.closed = ended.error_class in door.CLOSED
    if ended.error_class is not None:
        _tell(run, drained, ended.error_class, ended.message, ended.due_at, op)


def _tell(
    run: Run,
    drained: Drained,
    error_class: ErrorClass,
    message: str,
    retry_at: datetime | None,
    op: Operation | None = None,
) -> None:
    names = (_named(run, op),) if op is not None else ()
    failing = failure(
        error_class,
        message,
        provider=run.ports.adapter.provider,
        correlation_id=run.correlation_id,
        safe=SAFE_OUTBOUND,
        retry_at=retry_at,
    )
    drained.last = msgspec.structs.replace(failing, records=names)
    known = drained.failures.get((error_class, message))
    if known is not None:
        both = tuple(dict.fromkeys((*known.records, *names)))[:MOST_ALIKE]
        drained.failures[error_class, message] = msgspec.structs.replace(known, records=both)
        return
    alike = sum(one is error_class for one, _ in drained.failures)
    if alike < MOST_ALIKE:
        drained.failures[error_class, message] = drained.last
    else:
        drained.untold[error_class] += 1


def _named(run: Run, op: Operation) -> str:
    """Name what was to be written, by our id and the CRM's (seed 7.3)."""
    entity, _, id_ = op.lane.partition("/")
    ref = run.store.records.ref_of(Entity(entity), id_)
    root = f"{entity} {ref or id_}" + ("" if ref else ", not in the CRM yet")
    if op.entity is Entity.QUOTE:
        return f"quote {op.entity_id} version {op.version} ({root})"
    return f"{op.entity} {op.entity_id} ({root})"


def told(run: Run, drained: Drained) -> tuple[Failure, ...]:
    """Give what failed; what is not told one by one is told with its number."""
    more = (
        failure(
            error_class,
            f"{number} more operations failed in other words ({error_class}).",
            provider=run.ports.adapter.provider,
            correlation_id=run.correlation_id,
            safe=SAFE_OUTBOUND,
        )
        for error_class, number in drained.untold.items()
    )
    return (*drained.failures.values(), *more)
