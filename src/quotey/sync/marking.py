"""The note that is committed before a request leaves: from here on it may have left (law 5)."""

from __future__ import annotations

import msgspec

from quotey.contract.journal import Operation
from quotey.sync import door
from quotey.sync.door import note
from quotey.sync.ports import Run


def lease_allows(run: Run, op: Operation, timeout: float) -> bool:
    """Say whether a request started now ends before the lease does (reliability 6)."""
    return op.lease_until is not None and door.ends_in_time(run, op.lease_until, timeout)


def mark_sent(run: Run, op: Operation) -> Operation | None:
    """Count the attempt and note the moment; None when the lease is lost and nothing may be sent.

    Gives the operation as it stands now.
    """
    now = run.now()
    with run.store.transaction("mark sent"):
        if not run.store.outbox.mark_sent(op.id, op.lease_token, now):
            note(
                run,
                "operation.late_result",
                entity=op.entity,
                entity_id=op.entity_id,
                operation=op.id,
                token=op.lease_token,
                why="the lease was lost before anything was sent",
            )
            return None
    return msgspec.structs.replace(
        op,
        attempts=op.attempts + 1,
        sent_at=now,
        first_sent_at=op.first_sent_at or now,
    )
