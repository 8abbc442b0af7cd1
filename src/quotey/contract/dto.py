"""The five DTOs of the boundary (seed 2.2) and the small values that travel with them.

No vendor type, no mapping rule and no behaviour lives here.
Absent, null, blank and value are four things: UNSET, None, "" and anything else.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType

from quotey.contract.errors import Diagnostic
from quotey.contract.fields import Entity

Value = str | int | Decimal | date | None
"""A typed contract value: text, whole number, money, date, or null."""

Canonical = dict[str, str | None]
"""Field name to canonical text (see `quotey.contract.values`); an absent key is an absent value."""


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """What every DTO carries (seed 2.2).

    `id` is ours and stable; `crm_ref` is theirs, None until bound; `source_ts` is the moment of the
    source, in UTC; `source_version` orders revisions of one record where the source has such a
    thing; `extras` is adapter-local metadata that never takes part in a decision (seed 2.3).
    """

    id: str
    source_provider: str
    source_ts: datetime
    crm_ref: str | None = None
    source_version: str = ""
    custom: dict[str, Value] = msgspec.field(default_factory=dict)
    extras: dict[str, object] = msgspec.field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()


class CrmAccountDto(_Record, frozen=True, kw_only=True):
    """An account as the CRM holds it, in contract fields."""

    name: str | UnsetType | None = UNSET
    domain: str | UnsetType | None = UNSET
    segment: str | UnsetType | None = UNSET


class CrmContactDto(_Record, frozen=True, kw_only=True):
    """A contact. `account_id` is the parent's `crm_ref`."""

    name: str | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET
    account_id: str | UnsetType | None = UNSET
    title: str | UnsetType | None = UNSET
    phone: str | UnsetType | None = UNSET


class CrmDealDto(_Record, frozen=True, kw_only=True):
    """A deal. `account_id` is the parent's `crm_ref`; money is Decimal in `currency`."""

    account_id: str | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET
    stage: str | UnsetType | None = UNSET
    amount: Decimal | UnsetType | None = UNSET
    close_date: date | UnsetType | None = UNSET
    currency: str | UnsetType | None = UNSET


class QuoteMarker(msgspec.Struct, frozen=True, kw_only=True, order=False):
    """What we leave in the CRM with each quote and read back. Version alone is not identity."""

    instance_id: str
    quote_id: str
    version: int
    payload_digest: str


class CrmQuoteWriteDto(msgspec.Struct, frozen=True, kw_only=True):
    """The quote summary that is written to a deal (seed 3.2), with its marker.

    `deal_id` and `id` are ours; `crm_ref` is the deal's, filled in when it is sent.
    """

    id: str
    deal_id: str
    version: int
    status: str
    total: Decimal
    currency: str
    source_provider: str
    source_ts: datetime
    crm_ref: str | None = None
    valid_until: date | None = None
    attachment_ref: str | None = None
    diagnostics: tuple[Diagnostic, ...] = ()


class RemoteRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One record of an inbound page, before the mapping has looked at it.

    `payload` is the provider's JSON, opaque to everything but the mapping; `crm_ref` is already
    canonical. `deleted` is positive evidence; `merged_into` names the survivor (G15).
    """

    crm_ref: str
    source_ts: datetime
    source_version: str
    payload: bytes
    deleted: bool = False
    merged_into: str | None = None


class ItemFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A record of a page that could not be read, though its neighbours could."""

    crm_ref: str
    message: str


class CrmSyncResultDto(msgspec.Struct, frozen=True, kw_only=True):
    """One page of `sync_incremental` (design section 6).

    `next_cursor` is opaque and only valid for the same entity and connection; it may be stored once
    the page has been applied. `server_ts` is the source's own clock when the page was read.
    `complete` is the envelope's own end marker: a page without it must never move a cursor.
    """

    entity: Entity
    source_provider: str
    source_ts: datetime
    records: tuple[RemoteRecord, ...]
    next_cursor: str
    has_more: bool
    complete: bool = True
    failures: tuple[ItemFailure, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One living record in a list of ids: where it stands, not what it says.

    `due`: incremental reading must have brought this revision by now, and will not bring it any
    more, by the cursor that was named.
    """

    crm_ref: str
    source_ts: datetime
    source_version: str
    due: bool = True


class IdPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list of all living records of an entity; `next_place` is opaque."""

    entity: Entity
    listed: tuple[Listed, ...]
    next_place: str
    has_more: bool


class Ends(msgspec.Struct, frozen=True, kw_only=True):
    """What became of records that are not listed any more.

    `records` are tombstones, each with positive evidence: the bin, the list of deletions, a "not
    found" by id, a survivor. `living` are there after all. Of all others nothing is known. `due`
    are ends that incremental reading must have told by now, or never tells.
    """

    records: tuple[RemoteRecord, ...] = ()
    living: frozenset[str] = frozenset()
    due: frozenset[str] = frozenset()


class MarkerState(StrEnum):
    """What a keyed read of the marker found."""

    NONE = "none"
    OURS = "ours"
    FOREIGN = "foreign"


class MarkerReading(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `get_quote_marker`.

    OURS means that it parses as a marker (of whichever instance); FOREIGN means that the slot holds
    something that is not one, kept in `raw`. `token` is the precondition for a conditional write.
    `unfinished`: it was written in several steps, and one after the marker is not done yet; writing
    the same again does it.
    """

    state: MarkerState
    marker: QuoteMarker | None = None
    raw: str = ""
    token: str | None = None
    unfinished: bool = False


class RemoteWrite(msgspec.Struct, frozen=True, kw_only=True):
    """What the CRM says it holds after a write that was applied.

    `crm_ref` is the id that *answered* (compare it with the one asked for, G15); `values` are the
    written fields as read back, in canonical text, as the CRM normalised them. `trace` holds ids by
    which the request is found again in logs of others; empty where nothing was sent.
    """

    crm_ref: str
    source_ts: datetime
    source_version: str
    values: Canonical = msgspec.field(default_factory=dict)
    created: bool = False
    trace: dict[str, str] = msgspec.field(default_factory=dict)


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file that goes with a quote: a name inside the attachment root, its digest and its size."""

    ref: str
    sha256: str
    bytes: int
