"""A quote, its lines and its immutable versions.

Times are aware datetimes in UTC; the moves between states are `quotey.decide.lifecycle`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec


class QuoteStatus(StrEnum):
    """The quote lifecycle; the moves are a table in `quotey.decide.lifecycle`."""

    DRAFT = "draft"
    PRICED = "priced"
    PENDING_APPROVAL = "pending_approval"
    APPROVED = "approved"
    SENT = "sent"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class QuoteLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line; `total` is what it adds to the quote."""

    name: str
    total: Decimal
    quantity: Decimal = Decimal(1)


class QuoteVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable version of a quote; versions only grow.

    `total` is in `currency`, never finer than its minor unit; `lines` sum to it when present.
    `price_trace` is opaque and never leaves this machine (seed 4.2). Attachment: a name inside the
    attachment root, with digest and size fixed when it was attached.
    """

    quote_id: str
    version: int
    status: QuoteStatus
    total: Decimal
    currency: str
    created_at: datetime
    actor: str
    valid_until: str | None = None
    lines: tuple[QuoteLine, ...] = ()
    approver: str = ""
    note: str = ""
    price_trace: str = ""
    attachment_ref: str | None = None
    attachment_sha256: str = ""
    attachment_bytes: int = 0


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """A quote and its newest version. At most one quote of a deal is published."""

    id: str
    deal_id: str
    connection: str
    published: bool
    created_at: datetime
    current: QuoteVersion
