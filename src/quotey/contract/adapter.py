"""The door to a CRM: the `CrmAdapter` protocol (seed 2.1) and what an adapter declares of itself.

Ids that cross this door are `crm_ref`s; an adapter has no memory and takes no decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Protocol, runtime_checkable

import msgspec

from quotey.contract.drift import Survey
from quotey.contract.dto import (
    Attachment,
    CrmAccountDto,
    CrmContactDto,
    CrmDealDto,
    CrmQuoteWriteDto,
    CrmSyncResultDto,
    Ends,
    IdPage,
    MarkerReading,
    QuoteMarker,
    RemoteWrite,
    Value,
)
from quotey.contract.fields import Entity
from quotey.contract.journal import OpKind
from quotey.contract.shared import Shared


class Tier(IntEnum):
    """What the CRM can promise; guarantees are worded per tier (reliability 1.0)."""

    CONDITIONAL_WRITE = 1
    UNIQUE_KEY = 2
    SEARCH_ONLY = 3


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """Honest differences between CRMs. The conformance suite confirms each one.

    `lag_seconds` bounds index lag, replica lag and clock skew together (L of the guarantees).
    """

    tier: Tier
    updates_accounts: bool
    reports_deletes: bool
    page_size: int
    lag_seconds: int = 0


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What goes with every request: who is asking and how long we will wait, in seconds."""

    correlation_id: str
    timeout: float = 15.0


INVALID_CURSOR = "invalid_cursor"
"""The code of the diagnostic that says that a cursor has expired or was never given."""


class CrmAdapter(Protocol):
    """The seven operations of seed 2.1, with those that design section 6 adds.

    Every method raises `RemoteFailure` and nothing else. Reads may be repeated. A write raises with
    `Outcome.UNKNOWN` when it may have landed; it never retries by itself. The same idempotency key
    never makes two records or two effects.
    """

    @property
    def provider(self) -> str:
        """The provider's name, as in configuration and in `source_provider`."""

    @property
    def is_stub(self) -> bool:
        """Whether nothing leaves this machine; every surface says so (seed 8.4)."""

    @property
    def capabilities(self) -> Capabilities:
        """What this CRM can do."""

    def lookup_account(self, name_or_domain: str, *, call: Call) -> tuple[CrmAccountDto, ...]:
        """Find accounts by name or domain, best first; for a person to pick from, not to bind."""

    def get_deal(self, deal_id: str, *, call: Call) -> CrmDealDto | None:
        """Read one deal; None when it is not there. The answered `crm_ref` may differ (merge)."""

    def create_deal(
        self, account_id: str, deal_data: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """Create a deal, or find the one that this idempotency key already made."""

    def update_deal(
        self, deal_id: str, updates: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """Write only these contract fields; None clears."""

    def update_account(
        self, account_id: str, updates: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """Write only these contract fields; None clears."""

    def write_quote(
        self,
        deal_id: str,
        quote_summary: CrmQuoteWriteDto,
        attachment_ref: Attachment | None,
        *,
        marker: QuoteMarker,
        token: str | None,
        call: Call,
    ) -> RemoteWrite:
        """Write summary and marker together.

        With `Tier.CONDITIONAL_WRITE` the write is refused (`ErrorClass.CONFLICT`, not applied) when
        the slot's token is no longer `token`. Repeating it with the same marker has one effect.
        """

    def get_quote_marker(self, deal_id: str, quote_id: str, *, call: Call) -> MarkerReading:
        """Read the marker by key, strongly consistent: never from a search index."""

    def sync_incremental(
        self, entity: Entity, cursor: str, *, limit: int, call: Call
    ) -> CrmSyncResultDto:
        """Read the page after `cursor` ("" = from the beginning).

        A cursor that the source does not know any more is refused (PERMANENT) with a diagnostic of
        code `INVALID_CURSOR`; everything is then read again from the beginning.
        """

    def read_records(
        self, entity: Entity, crm_refs: tuple[str, ...], *, call: Call
    ) -> CrmSyncResultDto:
        """Read these records as they are now; what is not there is missing from `records`."""

    def search_contacts(self, query: str, *, call: Call) -> tuple[CrmContactDto, ...]:
        """Find contacts by name, e-mail or phone; for a person to pick from."""

    def close(self) -> None:
        """Give back files and sockets; may be called twice."""


@runtime_checkable
class Identified(Protocol):
    """An adapter that knows from its settings whose records it opens; not every one does."""

    @property
    def identity(self) -> str:
        """The organisation or database, as a person knows it; the same at every opening."""


@runtime_checkable
class Surveying(Protocol):
    """An adapter that can say how its CRM defines what the mapping uses, property by property."""

    @property
    def survey_calls(self) -> int:
        """How many requests a survey takes."""

    def survey(self, *, call: Call) -> Survey:
        """Ask for the definitions; costs a few requests, and changes nothing."""


@runtime_checkable
class Creating(Protocol):
    """An adapter that can make what Quotey needs in the CRM for itself; not every one can."""

    def create_missing(self, *, call: Call) -> tuple[str, ...]:
        """Make what is not there, and give its names. May be called twice."""


@runtime_checkable
class Sharing(Protocol):
    """An adapter whose budgets hold for all processes together, once it is told where to keep them.

    It has no memory of its own.
    """

    def share(self, shared: Shared) -> None:
        """Keep what all processes have to know here. Nothing has been asked of the CRM yet."""


@runtime_checkable
class Counting(Protocol):
    """An adapter that counts its requests; one operation of the protocol may take several."""

    @property
    def calls_sent(self) -> int:
        """How many requests have been sent since it was opened."""

    def calls_of(self, kind: OpKind) -> int:
        """How many requests carrying out one operation takes when all goes well."""


@runtime_checkable
class Sweepable(Protocol):
    """An adapter that can list what is there, past every window and index; not every one can.

    What a sweep finds, incremental reading had missed (reliability R7).
    """

    def list_ids(
        self, entity: Entity, place: str, *, read_to: str, limit: int, call: Call
    ) -> IdPage:
        """List living records after `place` ("" = the beginning), never from a search index.

        `read_to` is the cursor at which incremental reading stands; it decides what is `due`.
        """

    def find_ends(
        self, entity: Entity, crm_refs: tuple[str, ...], *, read_to: str, call: Call
    ) -> Ends:
        """Find out what became of records that were not listed, by positive evidence (law 11)."""
