"""`crm_sync_state`: its moves, each in one transaction, behind the fence of its epoch (seed 6.2).

Which moves exist is a table of `quotey.decide.lifecycle`; what is done between them is in `pull`
and `push`.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

import msgspec

from quotey.contract.errors import (
    ErrorClass,
    LeaseLostError,
    QuoteyError,
    StoreBusyError,
    StoreError,
)
from quotey.contract.fields import Entity
from quotey.contract.journal import SyncDirection, SyncPhase, SyncState
from quotey.contract.moments import LONGEST_LEASE, is_ahead
from quotey.decide.lifecycle import SyncEvent, move
from quotey.sync.door import moment, note
from quotey.sync.ports import Run

CUT_OFF = (KeyboardInterrupt, StoreError, StoreBusyError)
"""What may end a run between two of its transactions, besides the end of the process."""


class HeldElsewhereError(Exception):
    """Another run has this entity in work: which, since when, and until when at most."""

    def __init__(self, state: SyncState) -> None:
        super().__init__(state.entity)
        self.correlation_id = state.correlation_id
        self.since: datetime | None = state.started_at
        self.until: datetime | None = state.lease_until


def take(run: Run, entity: Entity, direction: SyncDirection, *, fingerprint: str = "") -> SyncState:
    """Take it into work: `idle|error -> syncing`, with a new epoch and a lease.

    The cursor is kept unless the fingerprint is another one than before. Raises
    `HeldElsewhereError` while another run holds it.
    """
    with run.store.transaction("start"):
        before = _free(run, entity, direction)
        event = SyncEvent.START if before.phase is SyncPhase.IDLE else SyncEvent.RETRY
        state = SyncState(
            connection=run.connection,
            entity=entity,
            direction=direction,
            phase=move("sync", before.phase, event),
            cursor=before.cursor if before.fingerprint == fingerprint else "",
            fingerprint=fingerprint,
            epoch=before.epoch + 1,
            lease_until=run.lease_until(),
            correlation_id=run.correlation_id,
            started_at=run.now(),
            succeeded_at=before.succeeded_at,
        )
        run.store.sync_state.put(state)
    return state


def _free(run: Run, entity: Entity, direction: SyncDirection) -> SyncState:
    state = run.store.sync_state.get(run.connection, entity, direction)
    if state.phase is not SyncPhase.SYNCING:
        return state
    if not has_died(run, state):
        raise HeldElsewhereError(state)
    return interrupted(run, state)


def has_died(run: Run, state: SyncState) -> bool:
    """Whether the run that has it in work let its lease run out."""
    held = is_ahead(state.lease_until, run.now(), LONGEST_LEASE)
    return state.phase is SyncPhase.SYNCING and not held


def interrupted(run: Run, state: SyncState) -> SyncState:
    """Note that the run which held this state has died; in the caller's transaction.

    Its epoch ends with it, so that it changes nothing should it wake up.
    """
    dead = msgspec.structs.replace(
        state,
        phase=move("sync", state.phase, SyncEvent.INTERRUPTED),
        epoch=state.epoch + 1,
        lease_until=None,
        error_class=ErrorClass.TRANSIENT,
        error="interrupted",
        finished_at=run.now(),
    )
    run.store.sync_state.put(dead)
    note(
        run,
        "sync.interrupted",
        entity=state.entity,
        direction=str(state.direction),
        started_at=moment(state.started_at) if state.started_at else None,
        died=state.correlation_id,
        cursor=state.cursor,
    )
    return dead


def renew(run: Run, state: SyncState) -> SyncState:
    """Hold the lease for longer. Raises `LeaseLostError` when another run has taken over."""
    state = msgspec.structs.replace(state, lease_until=run.lease_until())
    with run.store.transaction("renew"):
        run.store.sync_state.put(state)
    return state


def rested(run: Run, state: SyncState) -> SyncState:
    """Bring it to rest: `syncing -> idle`; in the caller's transaction."""
    now = run.now()
    done = msgspec.structs.replace(
        state,
        phase=move("sync", state.phase, SyncEvent.SUCCEED),
        lease_until=None,
        finished_at=now,
        succeeded_at=now,
    )
    run.store.sync_state.put(done)
    return done


def cut_off(run: Run, state: SyncState, cut: BaseException) -> None:
    """Note that the run was cut off, so that nobody has to wait for its lease; raises nothing.

    A store that does not take the note any more leaves it to the lease to tell.
    """
    if state.phase is not SyncPhase.SYNCING:
        return  # it was at rest already: what was cut off came after it
    why = f"interrupted: {cut.code}" if isinstance(cut, QuoteyError) else "interrupted"
    with suppress(StoreError, StoreBusyError, LeaseLostError), run.store.transaction("cut off"):
        failed(run, state, ErrorClass.TRANSIENT, why)


def failed(run: Run, state: SyncState, error_class: ErrorClass, message: str) -> SyncState:
    """Stop: `syncing -> error`, audited; in the caller's transaction."""
    stopped = msgspec.structs.replace(
        state,
        phase=move("sync", state.phase, SyncEvent.FAIL),
        lease_until=None,
        finished_at=run.now(),
        error_class=error_class,
        error=message,
    )
    run.store.sync_state.put(stopped)
    note(
        run,
        "sync.failed",
        entity=state.entity,
        direction=str(state.direction),
        cursor=state.cursor,
        error_class=str(error_class),
        message=message,
    )
    return stopped
