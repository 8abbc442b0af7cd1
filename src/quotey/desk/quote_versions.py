"""The versions of a quote as values: the first, the next, and what an approval speaks of.

Nothing is stored here and nothing is checked.
"""

from __future__ import annotations

import msgspec

from quotey.contract.dto import Attachment
from quotey.contract.journal import MirrorRecord
from quotey.contract.quote import Quote, QuoteStatus, QuoteVersion
from quotey.decide.outbound import next_version
from quotey.desk.ports import DeskPorts
from quotey.desk.quote_checks import Agreed


def new_quote(desk: DeskPorts, deal: MirrorRecord, agreed: Agreed, *, draft: bool) -> Quote:
    """Give the first version; the deal's first quote is published by itself (design section 9)."""
    quote_id, now = desk.ids("q"), desk.now()
    first = QuoteVersion(
        quote_id=quote_id,
        version=1,
        status=QuoteStatus.DRAFT if draft else QuoteStatus.PRICED,
        total=agreed.total,
        currency=agreed.currency,
        created_at=now,
        actor=desk.actor,
    )
    return Quote(
        id=quote_id,
        deal_id=deal.id,
        connection=deal.connection,
        published=desk.store.quotes.published(deal.id) is None,
        created_at=now,
        current=msgspec.structs.replace(first, **columns(agreed)),
    )


def following(
    desk: DeskPorts, quote: Quote, changes: dict[str, object], *, marker: int | None = None
) -> QuoteVersion:
    """Give the next version: what is not among the changes stays.

    `marker` is the version that the CRM was seen to hold of this quote; the next is above it too.
    """
    return msgspec.structs.replace(
        quote.current,
        version=next_version(quote.current.version, marker),
        created_at=desk.now(),
        actor=desk.actor,
        **changes,
    )


def columns(agreed: Agreed) -> dict[str, object]:
    """Give the columns of a version that hold its terms."""
    return {
        "total": agreed.total,
        "currency": agreed.currency,
        "valid_until": agreed.valid_until,
        "lines": agreed.lines,
        "note": agreed.note,
        "price_trace": agreed.price_trace,
        **attachment_columns(agreed.attachment),
    }


def attachment_columns(attached: Attachment | None) -> dict[str, object]:
    """Give the columns of a version that hold its attachment, or that it has none."""
    return {
        "attachment_ref": attached.ref if attached else None,
        "attachment_sha256": attached.sha256 if attached else "",
        "attachment_bytes": attached.bytes if attached else 0,
    }


def terms_of(version: QuoteVersion) -> Agreed:
    """Read the terms of a version back."""
    ref = version.attachment_ref
    attached = (
        Attachment(ref=ref, sha256=version.attachment_sha256, bytes=version.attachment_bytes)
        if ref is not None
        else None
    )
    return Agreed(
        total=version.total,
        currency=version.currency,
        valid_until=version.valid_until,
        lines=version.lines,
        note=version.note,
        price_trace=version.price_trace,
        attachment=attached,
    )


def commercial(agreed: Agreed) -> tuple[object, ...]:
    """Give what an approval speaks of; notes and files may change under it."""
    return agreed.total, agreed.currency, agreed.valid_until, agreed.lines
