"""Writing a quote summary out: look, judge, note, write, prove, settle (seed 5.4, 6.3).

The marker is read by key before every write and after it. A read that fails never means that there
is no marker. Quotes themselves are only read here.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import assert_never

from quotey.contract.adapter import Call
from quotey.contract.dto import (
    Attachment,
    Canonical,
    CrmQuoteWriteDto,
    MarkerReading,
    QuoteMarker,
    RemoteWrite,
)
from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.identity import canonical_json, quote_key
from quotey.contract.journal import Hold, Operation, RecordState
from quotey.contract.reconciliation import OVERWROTE_OTHER, ConflictType
from quotey.decide.lifecycle import OpEvent
from quotey.decide.outbound import AlreadyThere, Send, Stale, guard_writeback, loser, recognised
from quotey.decide.plan import ItemDraft
from quotey.sync import door, items
from quotey.sync.door import note
from quotey.sync.ending import (
    Columns,
    Ended,
    failed,
    finish,
    give_back,
    hold,
    in_conflict,
    unsure,
)
from quotey.sync.marking import lease_allows, mark_sent
from quotey.sync.ports import Run
from quotey.sync.proof import Proof, confirm

MOST_SHOWN = 2000
"""Characters that are kept of what somebody else left in a slot."""


def push_quote(run: Run, op: Operation) -> Ended:
    """Carry one leased WRITE_QUOTE as far as it goes now."""
    deal_id = op.payload["deal_id"] or ""
    deal = run.store.records.get(Entity.DEAL, deal_id)
    deal_ref = run.store.records.ref_of(Entity.DEAL, deal_id)
    if deal is None or deal_ref is None:
        return hold(run, op, Hold.PARENT, f"Deal {deal_id} is not in the CRM yet.")
    if deal.state is RecordState.GONE and deal_ref == deal.crm_ref:
        return in_conflict(run, op, _gone(op, deal_ref))
    marker = marker_of(run, op)
    try:
        reading = _look(run, op, deal_ref, marker)
    except RemoteFailure as failure:
        return failed(run, op, failure, sent=None)
    match guard_writeback(marker, reading, op.replaces):
        case AlreadyThere():
            return confirm(run, op, Proof(complete=op.attempts > 0, shown=shown(marker)))
        case Stale() as stale:
            return in_conflict(run, op, stale_item(op, stale, reading))
        case Send():
            return _write(run, op, deal_ref, marker, reading)
        case _ as never:
            assert_never(never)


def marker_of(run: Run, op: Operation) -> QuoteMarker:
    """Give the marker that this operation leaves in the CRM."""
    return QuoteMarker(
        instance_id=run.store.instance_id,
        quote_id=op.entity_id,
        version=op.version,
        payload_digest=op.digest,
    )


def _look(run: Run, op: Operation, deal_ref: str, marker: QuoteMarker) -> MarkerReading:
    def request(call: Call) -> MarkerReading:
        return run.ports.adapter.get_quote_marker(deal_ref, marker.quote_id, call=call)

    timeout = run.limits.read_timeout
    reading = door.ask(run, request, timeout=timeout, lease_until=op.lease_until)
    return remembered(run, marker, reading)


def remembered(run: Run, marker: QuoteMarker, reading: MarkerReading) -> MarkerReading:
    """Take for ours what stands there from before a restore, as far as the backup remembers it."""
    former = run.store.former_instances
    if reading.marker is None or reading.marker.instance_id not in former:
        return reading
    return recognised(marker, reading, former, _ordered(run, reading.marker))


def _ordered(run: Run, there: QuoteMarker) -> set[tuple[int, str]]:
    """Give this version with the digest of what was to be sent, in this life or a former one.

    By its keys: a quote may have thousands of versions.
    """
    lives = (run.store.instance_id, *run.store.former_instances)
    keys = (quote_key(life, there.quote_id, there.version) for life in lives)
    found = map(run.store.outbox.by_key, keys)
    return {(one.version, one.digest) for one in found if one is not None}


def _loser(run: Run, reading: MarkerReading) -> QuoteMarker | None:
    """Give the marker that goes now and was not sent from here."""
    known = _ordered(run, reading.marker) if reading.marker else ()
    return loser(reading, run.store.instance_id, known)


def _write(
    run: Run, op: Operation, deal_ref: str, marker: QuoteMarker, reading: MarkerReading
) -> Ended:
    if not lease_allows(run, op, run.limits.write_timeout):
        return give_back(run, op)
    sent = mark_sent(run, op, loser=_loser(run, reading))
    if isinstance(sent, Ended):
        return sent

    def request(call: Call) -> RemoteWrite:
        return run.ports.adapter.write_quote(
            deal_ref,
            summary(run, op, deal_ref),
            attachment(op.payload),
            marker=marker,
            token=reading.token,
            call=call,
        )

    try:
        written = door.ask(run, request, timeout=run.limits.write_timeout)
    except RemoteFailure as failure:
        return _not_written(run, op, sent, marker, failure)
    if written.crm_ref != deal_ref:
        return in_conflict(run, sent, answered_by_another(sent, deal_ref, written.crm_ref))
    return _prove(run, op, sent, marker, written)


def _not_written(
    run: Run, op: Operation, sent: Operation, marker: QuoteMarker, failure: RemoteFailure
) -> Ended:
    """A slot that moved between look and write is looked at again; the guard then decides."""
    if failure.error_class is not ErrorClass.CONFLICT or failure.outcome is Outcome.UNKNOWN:
        return failed(run, op, failure, sent=sent)
    if failure.outcome is Outcome.APPLIED:
        _overwrote(run, sent, failure)
        return _prove(run, op, sent, marker)
    again = RemoteFailure(failure.message, error_class=ErrorClass.TRANSIENT)
    return failed(run, op, again, sent=sent)


def _overwrote(run: Run, sent: Operation, failure: RemoteFailure) -> None:
    """Tell that another writer's quote was written over, before anything else can go wrong (N2).

    That has happened whoever holds the lease, so it is noted without it.
    """
    theirs = failure.loser or failure.message
    draft = items.about(
        sent,
        ConflictType.STALE_OUTBOUND_WRITE,
        OVERWROTE_OTHER,
        local=str(sent.version),
        remote=theirs[:MOST_SHOWN],
        seen=theirs[:MOST_SHOWN],
    )
    with run.store.transaction("overwrote other"):
        items.record(run, draft)
        note(
            run,
            "operation.overwrote_other",
            entity=sent.entity,
            entity_id=sent.entity_id,
            operation=sent.id,
            version=sent.version,
            loser=theirs,
            why=failure.message,
        )


def _prove(
    run: Run,
    op: Operation,
    sent: Operation,
    marker: QuoteMarker,
    written: RemoteWrite | None = None,
) -> Ended:
    """Read back: only a marker that is ours, whole, makes it delivered (law 8, G2c)."""
    deal_ref = run.store.records.ref_of(Entity.DEAL, op.payload["deal_id"] or "")
    assert deal_ref is not None, "it was written to, and a binding stays"
    try:
        reading = _look(run, op, deal_ref, marker)
    except RemoteFailure as failure:
        return unsure(run, op, sent, f"It was written but not read back: {failure.message}")
    match guard_writeback(marker, reading, op.replaces):
        case AlreadyThere():
            return _delivered(run, sent, marker, written.trace if written else {})
        case Stale() as stale:
            return in_conflict(run, sent, stale_item(sent, stale, reading))
        case Send():
            return unsure(run, op, sent, "It was written, but the CRM does not show it yet.")
        case _ as never:
            assert_never(never)


def _delivered(run: Run, op: Operation, marker: QuoteMarker, trace: dict[str, str]) -> Ended:
    columns = Columns(sent_at=None)
    body: dict[str, object] = {"marker": shown(marker)}
    if trace:
        body["trace"] = trace
    return finish(run, op, OpEvent.DELIVER, columns, kind="operation.delivered", body=body)


def summary(run: Run, op: Operation, deal_ref: str) -> CrmQuoteWriteDto:
    """Give the DTO that this operation's payload stands for."""
    payload = op.payload
    valid_until = payload.get("valid_until")
    return CrmQuoteWriteDto(
        id=op.entity_id,
        deal_id=payload["deal_id"] or "",
        version=op.version,
        status=payload["status"] or "",
        total=Decimal(payload["total"] or "0"),
        currency=payload["currency"] or "",
        source_provider=run.ports.adapter.provider,
        source_ts=op.created_at,
        crm_ref=deal_ref,
        valid_until=date.fromisoformat(valid_until) if valid_until else None,
        attachment_ref=payload.get("attachment_ref"),
    )


def attachment(payload: Canonical) -> Attachment | None:
    """Give the file that goes with the quote, if any."""
    ref = payload.get("attachment_ref")
    if not ref:
        return None
    return Attachment(
        ref=ref,
        sha256=payload.get("attachment_sha256") or "",
        bytes=int(payload.get("attachment_bytes") or 0),
    )


def shown(marker: QuoteMarker) -> str:
    """Write a marker as items and audit show it."""
    return canonical_json(marker).decode()


def stale_item(op: Operation, stale: Stale, reading: MarkerReading) -> ItemDraft:
    """Draft the item of a version that may not replace what stands in the CRM (seed 5.4)."""
    found = shown(stale.found) if stale.found is not None else reading.raw[:MOST_SHOWN]
    return items.about(
        op,
        ConflictType.STALE_OUTBOUND_WRITE,
        stale.detail,
        field="version",
        local=str(op.version),
        remote=found,
        seen=found,
    )


def _gone(op: Operation, deal_ref: str) -> ItemDraft:
    return items.about(
        op,
        ConflictType.REMOTE_GONE,
        f"Deal {deal_ref} is gone from the CRM.",
        local=str(op.version),
        seen=deal_ref,
    )


def answered_by_another(op: Operation, asked: str, answered: str) -> ItemDraft:
    """Draft the item of a write that another record answered (G15)."""
    return items.about(
        op,
        ConflictType.IDENTITY_MISMATCH,
        f"{asked} was asked, and {answered} answered.",
        local=asked,
        remote=answered,
        seen=answered,
    )
