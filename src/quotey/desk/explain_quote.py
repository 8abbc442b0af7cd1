"""Explaining a quote: its versions, what became of each write, and the markers that were sent.

Everything comes from quotes, outbox and audit; nothing is asked of the CRM. Source: seed 5.4.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from quotey.contract.dto import QuoteMarker
from quotey.contract.fields import Entity, FieldType
from quotey.contract.journal import Operation, OpState
from quotey.contract.quote import Quote, QuoteStatus, QuoteVersion
from quotey.contract.reconciliation import Reconciliation
from quotey.contract.values import canonical
from quotey.desk.dropping import MANY
from quotey.desk.ports import DeskPorts
from quotey.desk.provenance import events_of, unique
from quotey.desk.references import find_quote


class VersionTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a quote and what became of its write; `marker` is what was sent with it."""

    version: int
    status: QuoteStatus
    total: str
    currency: str
    at: datetime
    actor: str
    correlation_id: str = ""
    operation_id: str | None = None
    state: OpState | None = None
    attempts: int = 0
    sent_at: datetime | None = None
    finished_at: datetime | None = None
    marker: QuoteMarker | None = None
    error: str = ""


class QuoteExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """A quote's versions, newest first, the state of each write, and what waits for a person."""

    quote: Quote
    versions: tuple[VersionTrace, ...]
    items: tuple[Reconciliation, ...] = ()
    correlation_ids: tuple[str, ...] = ()


def explain_quote(desk: DeskPorts, reference: str) -> QuoteExplanation:
    """Explain a quote: its versions, their writes, the markers sent, and its open items."""
    with desk.store.snapshot():
        quote = find_quote(desk, reference)
        events = tuple(events_of(desk, Entity.QUOTE, quote.id))
        ops = desk.store.outbox.list(
            quote.connection, entity=Entity.QUOTE, entity_id=quote.id, limit=MANY
        )
        by_version = {op.version: op for op in ops}
        made_by = {
            _version_of(event.body): event.correlation_id
            for event in events
            if event.kind.startswith("quote.")
        }
        versions = reversed(desk.store.quotes.versions(quote.id))
        return QuoteExplanation(
            quote=quote,
            versions=tuple(
                _trace(desk, one, by_version.get(one.version), made_by.get(one.version, ""))
                for one in versions
            ),
            items=desk.store.items.open_for(Entity.QUOTE, [quote.id]).get(quote.id, ()),
            correlation_ids=unique(event.correlation_id for event in events),
        )


def _version_of(body: dict[str, object]) -> int:
    after = body.get("after")
    found = after.get("version") if isinstance(after, dict) else None
    return found if isinstance(found, int) else 0


def _trace(
    desk: DeskPorts, version: QuoteVersion, op: Operation | None, correlation_id: str
) -> VersionTrace:
    return VersionTrace(
        version=version.version,
        status=version.status,
        total=canonical(version.total, FieldType.MONEY) or "",
        currency=version.currency,
        at=version.created_at,
        actor=version.actor,
        correlation_id=correlation_id,
        operation_id=op.id if op else None,
        state=op.state if op else None,
        attempts=op.attempts if op else 0,
        sent_at=op.first_sent_at if op else None,
        finished_at=op.finished_at if op else None,
        marker=_marker(desk, op) if op and op.first_sent_at else None,
        error=op.error if op else "",
    )


def _marker(desk: DeskPorts, op: Operation) -> QuoteMarker:
    """Give the marker that went out with this write."""
    return QuoteMarker(
        instance_id=desk.store.instance_id,
        quote_id=op.entity_id,
        version=op.version,
        payload_digest=op.digest,
    )
