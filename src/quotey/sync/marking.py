"""The note that is committed before a request leaves: from here on it may have left (law 5)."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from quotey.contract.dto import QuoteMarker
from quotey.contract.errors import ErrorClass
from quotey.contract.identity import canonical_json
from quotey.contract.journal import Operation
from quotey.decide.lifecycle import OpEvent
from quotey.sync import door
from quotey.sync.door import note
from quotey.sync.ending import Columns, Ended, finish
from quotey.sync.ports import Run


def lease_allows(run: Run, op: Operation, timeout: float) -> bool:
    """Say whether a request started now ends before the lease does (reliability 6)."""
    return op.lease_until is not None and door.ends_in_time(run, op.lease_until, timeout)


def mark_sent(run: Run, op: Operation, *, loser: QuoteMarker | None = None) -> Operation | Ended:
    """Count the attempt and note the moment; gives the operation as it stands now.

    `loser` is what the write takes the place of though somebody else left it; it is audited before
    anything leaves, so that no crash forgets it.

    Gives the end of this turn when nothing may be sent: the lease was lost, or has become too short
    while this was noted, because the process was stopped or the store was slow.
    """
    now = run.now()
    with run.store.transaction("mark sent"):
        if not run.store.outbox.mark_sent(op.id, op.lease_token, now):
            why = "the lease was lost before anything was sent"
            _note(run, "operation.late_result", op, token=op.lease_token, why=why)
            return Ended(state=None)
        if loser is not None:
            _replaces(run, op, loser)
    sent = msgspec.structs.replace(
        op,
        attempts=op.attempts + 1,
        sent_at=now,
        first_sent_at=op.first_sent_at or now,
    )
    return sent if lease_allows(run, op, run.limits.write_timeout) else _take_back(run, op)


def _take_back(run: Run, op: Operation) -> Ended:
    """Queue it again: it was noted and not sent, so the attempt is not burnt (reliability CP-4)."""
    why = "The lease ran short before anything was sent."
    in_doubt = op.sent_at is not None
    columns = Columns(
        due_at=run.now() + run.limits.retry.base,
        error_class=ErrorClass.TRANSIENT,
        error=why,
        sent_at=UNSET if in_doubt else None,
        unburn=True,
    )
    event = OpEvent.UNSURE if in_doubt else OpEvent.EXPIRE
    return finish(run, op, event, columns, kind="operation.given_back", body={"why": why})


def _replaces(run: Run, op: Operation, loser: QuoteMarker) -> None:
    _note(
        run,
        "operation.replaces_other",
        op,
        kind_of_operation=str(op.kind),
        version=op.version,
        loser=canonical_json(loser).decode(),
        why=f"takes the place of version {loser.version} of {loser.quote_id} of "
        f"{loser.instance_id}, which was not sent from here",
    )


def _note(run: Run, kind: str, op: Operation, **body: object) -> None:
    note(run, kind, entity=op.entity, entity_id=op.entity_id, operation=op.id, **body)
