"""Partial success: the CRM holds the effect, and our books did not say so (seed 6.3).

The operation is settled as delivered with a compensating audit event, and a reconciliation task
records it: closed at once when the proof is complete, open when it is not.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from quotey.contract.journal import Operation
from quotey.contract.reconciliation import ConflictType
from quotey.decide.lifecycle import OpEvent
from quotey.sync import items
from quotey.sync.ending import Columns, Ended, finish, nothing
from quotey.sync.ports import Run

COMPLETE = "The CRM shows exactly what was sent; delivered."
INCOMPLETE = "The CRM shows it, but nothing here says that it was sent."


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What the CRM shows, and whether that and our own books leave no doubt."""

    complete: bool
    shown: str


def confirm(
    run: Run, op: Operation, proof: Proof, *, inside: Callable[[], None] = nothing
) -> Ended:
    """Settle as delivered what was found to be there already."""
    why = COMPLETE if proof.complete else INCOMPLETE

    def with_task() -> None:
        inside()
        draft = items.about(
            op,
            ConflictType.PARTIAL_SUCCESS,
            why,
            field=str(op.kind),
            local=str(op.version),
            remote=proof.shown,
        )
        task, is_new = items.record(run, draft)
        if proof.complete and is_new:
            items.resolve(run, task, why)

    return finish(
        run,
        op,
        OpEvent.DELIVER,
        Columns(sent_at=None),
        kind="operation.compensated",
        body={"proof": proof.shown, "complete": proof.complete},
        inside=with_task,
    )
