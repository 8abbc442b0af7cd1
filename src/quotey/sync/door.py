"""The one door to the CRM: every request of a sync goes through `ask`, and nothing else does.

It keeps three promises: no request while a transaction is open (law 2), none while the CRM has
asked us to wait or has stopped us (G10), and what a failure teaches about the connection is stored
before anybody else can ask again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
import structlog

from quotey.contract import moments
from quotey.contract.adapter import Call, Identified
from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.journal import AuditEvent, ConnectionRow, ConnectionState, Hold, OpState
from quotey.sync.heard import heard, unforeseen
from quotey.sync.ports import Run

log = structlog.get_logger()

T = TypeVar("T")

CLOSED = (ErrorClass.AUTH, ErrorClass.RATE_LIMIT)
"""Failures by which the CRM says that it will answer nobody of us for now."""

ABSENT = (ErrorClass.TRANSIENT, ErrorClass.UNKNOWN)
"""Failures for want of a CRM: the next request may be answered, or not."""


def connection(run: Run) -> ConnectionRow:
    """Give what all processes know of this connection; a new one is active."""
    row = run.store.connections.get(run.connection)
    return row or ConnectionRow(name=run.connection, provider=run.ports.adapter.provider)


def identity(run: Run) -> str:
    """Say whose records the adapter opens, "" where it cannot know without asking."""
    adapter = run.ports.adapter
    return adapter.identity if isinstance(adapter, Identified) else ""


def ask(
    run: Run,
    request: Callable[[Call], T],
    *,
    timeout: float,
    lease_until: datetime | None = None,
) -> T:
    """Send one request, once. `timeout` is in seconds; no request may outlive `lease_until`.

    Raises `RemoteFailure`: what the adapter raised, made fit to be kept, or, without any request,
    AUTH while the connection is stopped, RATE_LIMIT while a penalty runs, TRANSIENT when the lease
    is too short.
    """
    assert not run.store.in_transaction, "no request while a transaction is open"
    refuse_if_closed(run)
    if lease_until is not None and not ends_in_time(run, lease_until, timeout):
        raise RemoteFailure("The lease is too short.", error_class=ErrorClass.TRANSIENT)
    try:
        return request(run.call(timeout))
    except RemoteFailure as failed:
        told = heard(failed)
        _learn(run, told)
        raise told from failed
    except AssertionError:
        raise  # a bug of ours, which nobody is to live with
    except Exception as bug:
        raise unforeseen(bug, run.correlation_id) from bug


def read(run: Run, request: Callable[[Call], T], *, renew: Callable[[], None] | None = None) -> T:
    """Send a read, a few times when the trouble is passing, with full jitter between.

    `renew` is called before each repetition, to keep a lease. Raises `RemoteFailure` as `ask`.
    """
    for again in range(run.limits.read_tries):
        try:
            return ask(run, request, timeout=run.limits.read_timeout)
        except RemoteFailure as failed:
            passing = failed.error_class in ABSENT
            if not passing or again + 1 == run.limits.read_tries:
                raise
            log.info("read repeated", cid=run.correlation_id, attempt=again + 1)
            _wait_with_jitter(run, again)
            if renew is not None:
                renew()
    raise AssertionError("read_tries is at least 1")


def ends_in_time(run: Run, lease_until: datetime, timeout: float) -> bool:
    """Say whether a request started now ends before the lease does (reliability 6)."""
    end = run.now() + timedelta(seconds=timeout)
    return end <= lease_until - run.limits.lease.margin


def _wait_with_jitter(run: Run, again: int) -> None:
    """Sleep `uniform(0, min(cap, base * 2^n))`. Source: reliability 2.B."""
    limits = run.limits.retry
    ceiling = min(limits.cap, limits.base * 2**again)
    run.ports.clock.sleep(run.ports.jitter() * ceiling.total_seconds())


def refuse_if_closed(run: Run) -> None:
    """Raise AUTH or RATE_LIMIT as `RemoteFailure` when no request may be sent now.

    PERMANENT when the connection was begun with another CRM, or another organisation of it: what is
    kept of that, demo data for one, is never taken for this one's (SEC-44; reliability 2.C).
    """
    row = connection(run)
    provider = run.ports.adapter.provider
    if row.provider != provider:
        raise RemoteFailure(
            f"Connection {row.name} was begun with {row.provider}, and what is kept here of it is "
            f"from there. Give {provider} a `home` of its own, or another connection's name. "
            "Nothing was sent.",
            error_class=ErrorClass.PERMANENT,
        )
    opened = identity(run)
    if row.identity and opened and row.identity != opened:
        raise RemoteFailure(
            f"Connection {row.name} mirrors {row.identity}; its settings name {opened} now. Give "
            "that a `home` of its own, or another connection's name; or say with `quotey crm "
            "connect --moved` that it is the same under another address. Nothing was sent.",
            error_class=ErrorClass.PERMANENT,
        )
    if row.state == ConnectionState.AUTH_STOPPED:
        raise RemoteFailure(
            f"Connection {row.name} is stopped until it is authorised again.",
            error_class=ErrorClass.AUTH,
        )
    until = _closed_until(run, row)
    if until is not None:
        raise RemoteFailure(
            f"The CRM asked us to wait until {moments.moment(until)}.",
            error_class=ErrorClass.RATE_LIMIT,
            retry_after=until - run.now(),
        )


def _closed_until(run: Run, row: ConnectionRow) -> datetime | None:
    """Say until when a penalty runs; none is longer than its cap, whatever a clock once said."""
    until = row.rate_limited_until
    return until if moments.is_ahead(until, run.now(), run.limits.retry.rate_cap) else None


def _learn(run: Run, failed: RemoteFailure) -> None:
    """Store what a failure teaches about the connection, whoever still holds the work."""
    if failed.ours:
        return  # the CRM asks nothing, and a person who waits has a share of the budget left
    if failed.error_class == ErrorClass.RATE_LIMIT:
        _close_until(run, run.now() + penalty(run, failed.retry_after))
    elif failed.error_class == ErrorClass.AUTH:
        _stop(run, failed)


def penalty(run: Run, retry_after: timedelta | None) -> timedelta:
    """Say how long to keep away: what was asked for, never longer than the cap."""
    limits = run.limits.retry
    sensible = retry_after is not None and retry_after >= timedelta(0)
    asked = retry_after if sensible and retry_after is not None else limits.rate_default
    return min(asked, limits.rate_cap)


def _close_until(run: Run, until: datetime) -> None:
    with run.store.transaction():
        row = connection(run)
        later = max(until, _closed_until(run, row) or until)
        run.store.connections.put(msgspec.structs.replace(row, rate_limited_until=later))
        note(run, "connection.rate_limited", until=moment(later))
    log.warning("rate limited", cid=run.correlation_id, until=moment(later))


def _stop(run: Run, failed: RemoteFailure) -> None:
    with run.store.transaction():
        row = connection(run)
        if row.state == ConnectionState.AUTH_STOPPED:
            return
        stopped = msgspec.structs.replace(row, state=ConnectionState.AUTH_STOPPED)
        run.store.connections.put(stopped)
        held = _hold_all(run, failed)
        note(run, "connection.auth_stopped", reason=failed.message, held=held)
    log.warning("connection stopped", cid=run.correlation_id, provider=row.provider)


def _hold_all(run: Run, failed: RemoteFailure) -> int:
    """Hold what is queued until re-authentication; no attempt is burnt (seed 6.1)."""
    held, after = 0, 0
    while batch := run.store.outbox.list(
        run.connection, states=(OpState.QUEUED,), limit=500, after=after
    ):
        after = batch[-1].seq
        held += run.store.outbox.set_state(
            [op.id for op in batch],
            OpState.HELD,
            at=run.now(),
            hold=Hold.AUTH,
            error_class=ErrorClass.AUTH,
            error=failed.message,
        )
    return held


def reconnect(run: Run, *, identity: str = "", account: str = "") -> int:
    """Take a connection into use again after re-authentication, and release what waited for it.

    `identity` is whose records the account opens and `account` its id, "" where nobody told; one
    that is another than before is audited with both.
    Returns how many operations were released. May be called when nothing is stopped.
    """
    with run.store.transaction():
        before = connection(run)
        row = msgspec.structs.replace(
            before, state=ConnectionState.ACTIVE, identity=identity or before.identity
        )
        run.store.connections.put(row)
        released = run.store.outbox.release(run.connection, Hold.AUTH)
        told = {"account": account, "identity": identity} if account else {}
        if row.identity != before.identity:
            told |= {"identity": row.identity, "before": before.identity}
        note(run, "connection.resumed", released=released, **told)
    log.info("connection resumed", cid=run.correlation_id, released=released)
    return released


def note(run: Run, kind: str, *, entity: str = "", entity_id: str = "", **body: object) -> None:
    """Append one event to the audit, within the transaction that is open."""
    run.store.audit.append([event(run, kind, entity=entity, entity_id=entity_id, body=body)])


def event(
    run: Run,
    kind: str,
    *,
    entity: str,
    entity_id: str,
    body: dict[str, object],
    at: datetime | None = None,
) -> AuditEvent:
    """Build an audit event of this run; `at` is the present moment unless it is given."""
    return AuditEvent(
        kind=kind,
        at=at or run.now(),
        actor=run.actor,
        correlation_id=run.correlation_id,
        connection=run.connection,
        entity=entity,
        entity_id=entity_id,
        mode=run.ports.mode,
        body=body,
    )


def moment(at: datetime) -> str:
    """Write a moment for log and audit: ISO 8601 with its offset, whole seconds."""
    return at.isoformat(timespec="seconds")
