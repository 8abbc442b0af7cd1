"""The stale writes of a quote that wait for a person, and what stands in the CRM in their place.

Deciding that a write is stale is done in `decide.outbound`; this reads the item that came of it.
"""

from __future__ import annotations

import msgspec

from quotey.contract.dto import QuoteMarker
from quotey.contract.fields import Entity
from quotey.contract.quote import Quote
from quotey.contract.reconciliation import OVERWROTE_OTHER, ConflictType, Reconciliation
from quotey.desk.ports import DeskPorts, audit


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a stale write of a quote met in the CRM.

    `other` names the quote that stands there, as a write's `replaces` does, when it is not this
    one; `version` is the version there when it bears this quote's id, whoever wrote it. Both are
    None when no write is stale, and when the slot holds something that is no marker.
    """

    item: Reconciliation | None = None
    other: str | None = None
    version: int | None = None


def found(desk: DeskPorts, quote: Quote) -> Found:
    """Look at the open `stale_outbound_write` of a quote, if there is one."""
    items = desk.store.items.open_for(Entity.QUOTE, [quote.id]).get(quote.id, ())
    stale = ConflictType.STALE_OUTBOUND_WRITE
    item = next(
        (one for one in items if one.conflict_type == stale and one.detail != OVERWROTE_OTHER), None
    )
    marker = _marker(item) if item else None
    if marker is None:
        return Found(item=item)
    name = _named(desk, marker)
    return Found(
        item=item,
        other=name if name != quote.id else None,
        version=marker.version if marker.quote_id == quote.id else None,
    )


def _marker(item: Reconciliation) -> QuoteMarker | None:
    """Read the marker that was found in the CRM; None when the slot held something else."""
    try:
        return msgspec.json.decode(item.remote_value or "", type=QuoteMarker)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None


def _named(desk: DeskPorts, marker: QuoteMarker) -> str:
    if marker.instance_id == desk.store.instance_id:
        return marker.quote_id
    return f"{marker.instance_id}/{marker.quote_id}"


def answered(desk: DeskPorts, met: Found, why: str, *, by: bool) -> tuple[str, ...]:
    """Settle the stale write if the command answers it (`by`); gives the closed item."""
    return (close(desk, met.item, why),) if by and met.item is not None else ()


def close(desk: DeskPorts, item: Reconciliation, resolution: str) -> str:
    """Settle an item that a quote command answered; gives its id. Inside a transaction."""
    closed = desk.store.items.resolve(
        item.id, item.rev, resolution=resolution, at=desk.now(), actor=desk.actor
    )
    assert closed, "read in this transaction"
    audit(
        desk,
        "reconciliation.resolved",
        connection=item.connection,
        entity=item.entity_type,
        entity_id=item.entity_id,
        body={
            "item": item.id,
            "conflict_type": str(item.conflict_type),
            "resolution": resolution,
            "local": item.local_value,
            "remote": item.remote_value,
        },
    )
    return item.id
