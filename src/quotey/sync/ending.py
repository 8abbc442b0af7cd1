"""The ways in which a leased operation may end, each in one transaction and behind the fence.

Whoever has lost the lease changes nothing: what came too late is audited as `late_result`, and what
it taught about the connection was already stored at the door. Source: reliability 6, G9.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import assert_never

import msgspec
import structlog
from msgspec import UNSET, UnsetType

from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.contract.journal import PENDING, Hold, Operation, OpState
from quotey.contract.reconciliation import ConflictType
from quotey.decide.lifecycle import OpEvent, move
from quotey.decide.plan import ItemDraft
from quotey.decide.retry import Again, GiveUp, HoldFor, Verify, after_failure
from quotey.sync import doubt, items, moot
from quotey.sync.door import moment, note
from quotey.sync.ports import Run

log = structlog.get_logger()


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How one turn of an operation ended. `state` is None when the lease was lost meanwhile."""

    state: OpState | None
    error_class: ErrorClass | None = None
    message: str = ""
    due_at: datetime | None = None
    hold: Hold | None = None


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """What else is written to the operation's row; defaults leave it as it is.

    `sent_at=None` says that nothing of ours is on its way any more. `unburn` takes back the attempt
    that a refused request had cost.
    """

    due_at: datetime | None = None
    hold: Hold | None = None
    error_class: ErrorClass | None = None
    error: str = ""
    fingerprint: str | None = None
    sent_at: datetime | None | UnsetType = UNSET
    unburn: bool = False


def nothing() -> None:
    """Do nothing further."""


def finish(  # noqa: PLR0913 - the parts of one transaction
    run: Run,
    op: Operation,
    event: OpEvent,
    columns: Columns,
    *,
    kind: str,
    body: dict[str, object] | None = None,
    drafts: Sequence[ItemDraft] = (),
    inside: Callable[[], None] = nothing,
) -> Ended:
    """Settle the operation, audit it, leave its items and do `inside`, all or nothing."""
    state = move("outbox", OpState.LEASED, event)
    with run.store.transaction("settle"):
        if not _give_up_lease(run, op, state, columns):
            _late(run, op, state)
            return Ended(state=None, error_class=columns.error_class, message=columns.error)
        inside()
        _tell(run, op, kind, {**(body or {}), "state": str(state)})
        for draft in drafts:
            items.record(run, draft)
        if state is OpState.DELIVERED:
            moot.close_after(run, op)
        elif state not in PENDING:
            moot.close_moot(run, op, {draft.conflict_type for draft in drafts})
        doubt.note_end(run, op, state, sent_at=columns.sent_at)
        if state is OpState.HELD and moot.give_way(run, op):
            return Ended(state=OpState.SUPERSEDED)
    log.info("operation settled", cid=run.correlation_id, op=op.id, outcome=str(state))
    return Ended(
        state=state,
        error_class=columns.error_class,
        message=columns.error,
        due_at=columns.due_at,
        hold=columns.hold,
    )


def _give_up_lease(run: Run, op: Operation, state: OpState, columns: Columns) -> bool:
    return run.store.outbox.settle(
        op.id,
        op.lease_token,
        state=state,
        at=run.now(),
        due_at=columns.due_at,
        hold=columns.hold,
        error_class=columns.error_class,
        error=columns.error,
        fingerprint=columns.fingerprint,
        sent_at=columns.sent_at,
        unburn=columns.unburn,
    )


def _late(run: Run, op: Operation, state: OpState) -> None:
    _tell(run, op, "operation.late_result", {"would_be": str(state), "token": op.lease_token})
    log.warning("late result", cid=run.correlation_id, op=op.id)


def _tell(run: Run, op: Operation, kind: str, body: dict[str, object]) -> None:
    """Audit what became of an operation; its own correlation id leads back to the command."""
    note(
        run,
        kind,
        entity=op.entity,
        entity_id=op.entity_id,
        operation=op.id,
        kind_of_operation=str(op.kind),
        version=op.version,
        attempts=op.attempts,
        ordered_by=op.correlation_id,
        **body,
    )


def superseded(run: Run, op: Operation, why: str, body: dict[str, object]) -> Ended:
    """End it unsent: none of its values stands any more (their losers are in the audit)."""
    columns = Columns(error=why, sent_at=None)
    told = {"why": why, **body}
    return finish(run, op, OpEvent.SUPERSEDE, columns, kind="operation.superseded", body=told)


def give_back(run: Run, op: Operation) -> Ended:
    """Queue it again: the lease is too short for a request, and nothing was sent.

    It counts as a CRM that does not answer, so that one which is too slow for ever stops the drain.
    """
    why = "The CRM was too slow for the lease."
    due_at = run.now() + run.limits.retry.base
    columns = Columns(due_at=due_at, error_class=ErrorClass.TRANSIENT, error=why)
    event = OpEvent.UNSURE if op.sent_at is not None else OpEvent.EXPIRE
    return finish(run, op, event, columns, kind="operation.given_back", body={"why": why})


def hold(run: Run, op: Operation, reason: Hold, why: str) -> Ended:
    """Hold it until `reason` is mended; nothing was sent by this turn."""
    columns = Columns(hold=reason, error=why, fingerprint=run.ports.mapping.fingerprint)
    body: dict[str, object] = {"hold": str(reason), "why": why}
    return finish(run, op, OpEvent.HOLD, columns, kind="operation.held", body=body)


def in_conflict(run: Run, op: Operation, draft: ItemDraft) -> Ended:
    """End it as a conflict that only a person can settle; it is never sent again (seed 5.4)."""
    columns = Columns(error_class=ErrorClass.CONFLICT, error=draft.detail)
    return finish(
        run,
        op,
        OpEvent.CONFLICT,
        columns,
        kind="operation.conflicted",
        body={"detail": draft.detail, "remote": draft.remote_value},
        drafts=(draft,),
    )


def unsure(run: Run, op: Operation, sent: Operation, why: str) -> Ended:
    """The request was answered, but the proof is missing: look again later."""
    doubtful = RemoteFailure(why, error_class=ErrorClass.UNKNOWN, outcome=Outcome.UNKNOWN)
    return failed(run, op, doubtful, sent=sent)


def failed(run: Run, op: Operation, failure: RemoteFailure, *, sent: Operation | None) -> Ended:
    """Do what the retry table says after a failed request.

    `op` is as it was claimed, `sent` as it was after `mark_sent`, None when the request was a read:
    a failed read proves nothing about what was sent before it (it fails closed).
    """
    failing = sent or op
    absent = _no_such_record(failing, failure)
    if absent is not None:
        return in_conflict(run, failing, absent)
    in_doubt = op.sent_at is not None
    verdict = after_failure(
        _class_of(failure, sent),
        failure.outcome if sent is not None else Outcome.NOT_APPLIED,
        msgspec.structs.replace(failing, state=OpState.UNKNOWN) if in_doubt else failing,
        now=run.now(),
        jitter=run.ports.jitter(),
        retry_after=failure.retry_after,
        limits=run.limits.retry,
    )
    columns = Columns(error_class=failure.error_class, error=failure.message)
    match verdict:
        case Again(at=at, burns=burns):
            unburn = sent is not None and not burns
            columns = _nothing_landed(columns, op, sent, unburn=unburn)
            return _later(run, failing, OpEvent.RETRY, columns, at)
        case Verify(at=at):
            return _later(run, failing, OpEvent.UNSURE, columns, at)
        case HoldFor(hold=reason):
            columns = _nothing_landed(columns, op, sent, unburn=sent is not None)
            return _held(run, failing, columns, reason, failure)
        case GiveUp(conflict_type=conflict_type, op_state=state):
            return _given_up(run, failing, columns, conflict_type, state)
        case _:
            assert_never(verdict)


def _class_of(failure: RemoteFailure, sent: Operation | None) -> ErrorClass:
    """Give the class; a read of unknown outcome had no effect, it was just not answered."""
    unanswered = sent is None and failure.error_class is ErrorClass.UNKNOWN
    return ErrorClass.TRANSIENT if unanswered else failure.error_class


ABSENCE = {
    "not_found": ConflictType.REMOTE_GONE,
    "remote_gone": ConflictType.REMOTE_GONE,
    "identity_mismatch": ConflictType.IDENTITY_MISMATCH,
}
"""Codes by which an adapter says that the record itself is not there as we know it (G15)."""


def _no_such_record(op: Operation, failure: RemoteFailure) -> ItemDraft | None:
    """Draft the item of a write to a record that is gone or became another one.

    It is never created again and nothing is written to the survivor without a person (G15).
    """
    if failure.error_class is not ErrorClass.PERMANENT or failure.outcome is Outcome.UNKNOWN:
        return None
    found = next((one for one in failure.diagnostics if one.code in ABSENCE), None)
    if found is None:
        return None
    return items.about(op, ABSENCE[found.code], failure.message, seen=found.crm_ref)


def _nothing_landed(
    columns: Columns, op: Operation, sent: Operation | None, *, unburn: bool
) -> Columns:
    """Say that nothing is on its way, when this request had no effect and there was none before."""
    if sent is None or op.sent_at is not None:
        return msgspec.structs.replace(columns, unburn=unburn)
    return msgspec.structs.replace(columns, sent_at=None, unburn=unburn)


def _later(run: Run, op: Operation, event: OpEvent, columns: Columns, at: datetime) -> Ended:
    kind = "operation.retried" if event is OpEvent.RETRY else "operation.unsure"
    columns = msgspec.structs.replace(columns, due_at=at)
    body = {**_reason(columns), "due_at": moment(at)}
    return finish(run, op, event, columns, kind=kind, body=body)


def _held(run: Run, op: Operation, columns: Columns, reason: Hold, failure: RemoteFailure) -> Ended:
    columns = msgspec.structs.replace(
        columns, hold=reason, fingerprint=run.ports.mapping.fingerprint
    )
    body = {**_reason(columns), "hold": str(reason)}
    drafts = _why_held(run, op, reason, failure)
    return finish(run, op, OpEvent.HOLD, columns, kind="operation.held", body=body, drafts=drafts)


def _given_up(
    run: Run, op: Operation, columns: Columns, conflict_type: ConflictType, state: OpState
) -> Ended:
    event = OpEvent.CONFLICT if state == OpState.CONFLICT else OpEvent.DIE
    draft = items.about(op, conflict_type, columns.error)
    body = _reason(columns)
    return finish(run, op, event, columns, kind="operation.given_up", body=body, drafts=(draft,))


def _reason(columns: Columns) -> dict[str, object]:
    return {"class": str(columns.error_class), "message": columns.error}


def _why_held(
    run: Run, op: Operation, reason: Hold, failure: RemoteFailure
) -> tuple[ItemDraft, ...]:
    """Say what a person has to mend; an auth stop is told by the connection itself."""
    if reason == Hold.OPERATOR:
        return (items.about(op, ConflictType.ATTEMPTS_EXHAUSTED, failure.message),)
    if reason != Hold.MAPPING:
        return ()
    problems = [(d.field, d.message) for d in failure.diagnostics if d.field]
    return tuple(
        items.about(
            op,
            ConflictType.SCHEMA_MAPPING_MISMATCH,
            message,
            field=field,
            local=op.payload.get(field),
            seen=run.ports.mapping.fingerprint,
        )
        for field, message in problems or [(items.ANY_FIELD, failure.message)]
    )
