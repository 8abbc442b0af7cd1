"""Finding what died, and letting go what need not wait any longer.

Leases tell: a run whose lease ran out is `error (interrupted)`; an operation whose lease ran out is
verified when a request may have left, and queued again when none can have.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
import structlog

from quotey.contract.fields import Entity
from quotey.contract.journal import ConnectionState, Hold, Operation, OpKind, OpState, SyncState
from quotey.decide.lifecycle import OpEvent
from quotey.sync import door
from quotey.sync.door import note
from quotey.sync.ending import Columns, finish
from quotey.sync.page_facts import PARENT
from quotey.sync.ports import Run
from quotey.sync.states import has_died, interrupted

log = structlog.get_logger()


def recover(run: Run) -> int:
    """Take over what other processes left behind when they died; gives how much there was."""
    found = _recover_runs(run)
    for op in run.store.outbox.expired(run.connection, run.now()):
        give_up(run, op, "Its worker died.", due_at=run.now())
        found += 1
    if found:
        log.warning("recovered", cid=run.correlation_id, found=found)
    return found


def _recover_runs(run: Run) -> int:
    if not _dead_runs(run):
        return 0
    with run.store.transaction("recover"):
        dead = _dead_runs(run)
        for state in dead:
            interrupted(run, state)
    return len(dead)


def _dead_runs(run: Run) -> list[SyncState]:
    return [state for state in run.store.sync_state.all(run.connection) if has_died(run, state)]


def abandon(run: Run, id_: str, token: int) -> None:
    """Give up an operation that is still ours: its worker is cut off, and nobody has to wait."""
    op = run.store.outbox.get(id_)
    if op is not None and op.state is OpState.LEASED and op.lease_token == token:
        soon = run.now() + run.limits.retry.verify_after[0]
        give_up(run, op, "Its worker was cut off.", due_at=soon)


def give_up(run: Run, op: Operation, why: str, *, due_at: datetime) -> None:
    """End the lease: verify it later when a request may have left, else send it later."""
    may_have_left = op.sent_at is not None
    finish(
        run,
        op,
        OpEvent.UNSURE if may_have_left else OpEvent.EXPIRE,
        Columns(due_at=due_at, error=why),
        kind="operation.recovered",
        body={"may_have_left": may_have_left, "why": why},
    )


def release(run: Run) -> int:
    """Queue what was held and need not be any more: another mapping, or a parent that has come.

    Also what was refused before the connection was authorised and noted after: nobody else would.
    """
    fingerprint = run.ports.mapping.fingerprint
    with run.store.transaction("release"):
        released = run.store.outbox.release(run.connection, Hold.MAPPING, fingerprint)
        released += _release_with_parent(run)
        run.store.items.wake(run.now())
        row = door.connection(run)
        if row.state is not ConnectionState.AUTH_STOPPED:
            released += run.store.outbox.release(run.connection, Hold.AUTH)
        known = msgspec.structs.replace(row, identity=row.identity or door.identity(run))
        if known != row or row.fingerprint != fingerprint:
            run.store.connections.put(msgspec.structs.replace(known, fingerprint=fingerprint))
        if row.fingerprint != fingerprint or released:
            note(run, "operations.released", released=released, fingerprint=fingerprint)
    return released


def _release_with_parent(run: Run) -> int:
    ready: list[str] = []
    after = 0
    while batch := run.store.outbox.list(
        run.connection, states=(OpState.HELD,), limit=500, after=after
    ):
        after = batch[-1].seq
        ready += [op.id for op in batch if op.hold is Hold.PARENT and _parent_is_bound(run, op)]
    if ready:
        run.store.outbox.set_state(ready, OpState.QUEUED, at=run.now(), due_at=run.now())
    return len(ready)


def _parent_is_bound(run: Run, op: Operation) -> bool:
    if op.kind is OpKind.CREATE_DEAL:
        parent, id_ = Entity.ACCOUNT, op.payload.get(PARENT)
    elif op.kind is OpKind.WRITE_QUOTE:
        parent, id_ = Entity.DEAL, op.payload.get("deal_id")
    else:
        parent, id_ = op.entity, op.entity_id
    return run.store.records.ref_of(parent, id_ or "") is not None
