"""Slots in doubt: a request to them was sent and never answered, so it may still land.

Tier 1 refuses a late landing by its token; on the other tiers the slot is looked at once more after
the next delivery (`late`). Everything here is inside the transaction that settles the operation,
so that a crash forgets no doubt. Source: reliability 1.0, G5.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import UnsetType

from quotey.contract.adapter import Tier
from quotey.contract.journal import Operation, OpKind, OpState
from quotey.contract.mapping import QuoteTarget
from quotey.sync.ports import Run


def note_end(
    run: Run, op: Operation, state: OpState, *, sent_at: datetime | None | UnsetType
) -> None:
    """Note what the end of this turn means for the slot: a doubt more, or a look that is due.

    `sent_at` is what the turn leaves in that column: None = nothing of it is on its way any more.
    """
    if op.kind is not OpKind.WRITE_QUOTE or refuses_late_landings(run):
        return
    slot = slot_of(run, op)
    if state is OpState.DELIVERED:
        due_at = run.now() + wait(run)
        run.store.looks.delivered(run.connection, slot, op.id, due_at=due_at)
    elif op.sent_at is not None and sent_at is not None:
        run.store.looks.doubt(run.connection, slot, op.lane)


def refuses_late_landings(run: Run) -> bool:
    """Whether the CRM itself refuses a write that comes after a newer one."""
    return run.ports.adapter.capabilities.tier is Tier.CONDITIONAL_WRITE


def wait(run: Run) -> timedelta:
    """Say how long after a delivery the slot is looked at; later landings are not sought."""
    lag = timedelta(seconds=run.ports.adapter.capabilities.lag_seconds)
    return max(lag, run.limits.late_look)


def slot_of(run: Run, op: Operation) -> str:
    """Name the slot that a quote is written to: its deal's, or its own where it is a record."""
    own = run.ports.mapping.quote_target is QuoteTarget.QUOTE_RECORD
    return f"{op.lane}/{op.entity_id}" if own else op.lane
