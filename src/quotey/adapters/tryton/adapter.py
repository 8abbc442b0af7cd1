"""`TrytonAdapter`: the operations of `CrmAdapter`, each handed to who knows how.

It keeps no state of records, takes no decision and repeats nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

from quotey.adapters.tryton.definitions import Definitions
from quotey.adapters.tryton.listing import Listing
from quotey.adapters.tryton.lookups import Lookups
from quotey.adapters.tryton.pages import Pages
from quotey.adapters.tryton.quotes import Quotes
from quotey.adapters.tryton.rpc import Rpc
from quotey.adapters.tryton.settings import TrytonSettings
from quotey.adapters.tryton.shape import shape_of
from quotey.adapters.tryton.sight import Sight
from quotey.adapters.tryton.survey import SURVEY_CALLS, survey
from quotey.adapters.tryton.writes import Writes
from quotey.contract.adapter import Call, Capabilities, Tier
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
from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.journal import OpKind
from quotey.contract.mapper import Mapper
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.contract.refusals import mapped

CALLS = {
    OpKind.WRITE_QUOTE: 10,
    OpKind.CREATE_DEAL: 6,
    OpKind.UPDATE_DEAL: 3,
    OpKind.UPDATE_ACCOUNT: 0,
}
"""Requests that one operation takes when all goes well, looking before and after included."""

READ = (Entity.ACCOUNT, Entity.CONTACT, Entity.DEAL)


def open_adapter(settings: TrytonSettings, mapping: CrmMapping, connection: str) -> TrytonAdapter:
    """Open the adapter of one database. Raises ConfigError when the mapping lacks a word."""
    return TrytonAdapter(Rpc(settings), settings, mapping, connection)


class TrytonAdapter:
    """A `CrmAdapter` on one database."""

    provider = "tryton"
    is_stub = False

    def __init__(
        self, rpc: Rpc, settings: TrytonSettings, mapping: CrmMapping, connection: str
    ) -> None:
        self._rpc = rpc
        host = urlsplit(settings.base_url).hostname or ""
        self.identity = f"Tryton database {settings.database} on {host}"
        self._shapes = {entity: shape_of(mapping, entity) for entity in READ}
        self._mapper = Mapper(mapping, connection)
        self._mapping = mapping
        sight = Sight(rpc)
        self._pages = Pages(rpc, sight, settings, self.provider)
        self._listing = Listing(rpc, self._pages)
        self._most_listed = settings.page_size
        self._lookups = Lookups(rpc, sight, self._shapes, self._mapper)
        self._writes = Writes(rpc, self._pages, self._shapes, mapping, self._mapper)
        self._quotes = Quotes(rpc, self._writes, mapping, settings)
        # The server's lock leaks on SQLite and a new sale has no condition at all: the least.
        self.capabilities = Capabilities(
            tier=Tier.SEARCH_ONLY,
            updates_accounts=False,
            reports_deletes=False,
            page_size=settings.page_size,
            lag_seconds=settings.lag_seconds,
        )

    # --- reads ------------------------------------------------------------------------------------

    def lookup_account(self, name_or_domain: str, *, call: Call) -> tuple[CrmAccountDto, ...]:
        """Find parties by name or web site, best first."""
        return self._lookups.accounts(name_or_domain, call)

    def search_contacts(self, query: str, *, call: Call) -> tuple[CrmContactDto, ...]:
        """Find contacts by name, e-mail or phone."""
        return self._lookups.contacts(query, call)

    def get_deal(self, deal_id: str, *, call: Call) -> CrmDealDto | None:
        """Read one deal; None when it is not there. Deals are never merged."""
        records = self._pages.records(self._shapes[Entity.DEAL], (deal_id,), call).records
        if not records:
            return None
        found = mapped(self._mapper, Entity.DEAL, records[0], Outcome.NOT_APPLIED)
        return cast("CrmDealDto", found.dto)

    def get_quote_marker(self, deal_id: str, quote_id: str, *, call: Call) -> MarkerReading:
        """Read the marker of a quote's sale, by deal and quote id."""
        return self._quotes.reading(deal_id, quote_id, call)

    def sync_incremental(
        self, entity: Entity, cursor: str, *, limit: int, call: Call
    ) -> CrmSyncResultDto:
        """Read the page after `cursor`, of at most `limit` and `page_size` records."""
        size = max(1, min(limit, self.capabilities.page_size))
        return self._pages.page(self._shapes[entity], cursor, size, call)

    def read_records(
        self, entity: Entity, crm_refs: tuple[str, ...], *, call: Call
    ) -> CrmSyncResultDto:
        """Read these records as they are now."""
        return self._pages.records(self._shapes[entity], crm_refs, call)

    def list_ids(
        self, entity: Entity, place: str, *, read_to: str, limit: int, call: Call
    ) -> IdPage:
        """List the ids and stamps of living records after `place`."""
        size = max(1, min(limit, self._most_listed))
        return self._listing.page(self._shapes[entity], place, read_to, size, call)

    def find_ends(
        self, entity: Entity, crm_refs: tuple[str, ...], *, read_to: str, call: Call
    ) -> Ends:
        """Find out what became of records that are not listed."""
        return self._listing.ends(self._shapes[entity], crm_refs, read_to, call)

    # --- writes -----------------------------------------------------------------------------------

    def create_deal(
        self, account_id: str, deal_data: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """Create a deal under its key, or find the one that the key already made."""
        return self._writes.create_deal(account_id, deal_data, key, call)

    def update_deal(
        self, deal_id: str, updates: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """Write these fields of a deal, once for a key."""
        return self._writes.update_deal(deal_id, updates, key, call)

    def update_account(
        self,
        account_id: str,
        updates: Mapping[str, Value],  # noqa: ARG002 - the protocol's signature
        *,
        key: str,  # noqa: ARG002
        call: Call,  # noqa: ARG002
    ) -> RemoteWrite:
        """Refuse: a party's segment is made from its categories, which belong to Tryton."""
        raise RemoteFailure(
            f"Account {account_id}: parties are not written. Nothing was changed.",
            error_class=ErrorClass.PERMANENT,
        )

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
        """Write summary and marker into the quote's sale; once for a marker."""
        return self._quotes.write(deal_id, quote_summary, attachment_ref, marker, token, call)

    # --- besides the protocol ---------------------------------------------------------------------

    def calls_of(self, kind: OpKind) -> int:
        """How many requests carrying out one operation takes when all goes well."""
        return CALLS[kind]

    @property
    def survey_calls(self) -> int:
        """How many requests a survey takes: each model's fields, our rights, a look at records."""
        return SURVEY_CALLS

    def survey(self, *, call: Call) -> Survey:
        """Say how the database defines what the mapping uses, and what our user may do with it."""
        return survey(Definitions(self._rpc, call), self._mapping, self._shapes)

    @property
    def calls_sent(self) -> int:
        """How many requests have been sent since it was opened."""
        return self._rpc.sent

    def close(self) -> None:
        """Give the connections back; may be called twice."""
        self._rpc.close()
