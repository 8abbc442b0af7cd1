"""`SalesforceAdapter`: the operations of `CrmAdapter`, each handed to who knows how.

It keeps no state of records, takes no decision and repeats nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import urlsplit

from quotey.adapters.composio.call import Caller
from quotey.adapters.composio.cursor import EPOCH
from quotey.adapters.composio.salesforce.listing import Listing
from quotey.adapters.composio.salesforce.lookups import Lookups
from quotey.adapters.composio.salesforce.ops import Ops
from quotey.adapters.composio.salesforce.org import Org
from quotey.adapters.composio.salesforce.pages import Pages
from quotey.adapters.composio.salesforce.quotes import Quotes
from quotey.adapters.composio.salesforce.setup import survey
from quotey.adapters.composio.salesforce.shape import record_of, records_of
from quotey.adapters.composio.salesforce.writes import Writes
from quotey.adapters.composio.settings import SalesforceSettings
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
from quotey.contract.errors import Outcome
from quotey.contract.fields import Entity
from quotey.contract.journal import OpKind
from quotey.contract.mapper import Mapper
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.contract.refusals import mapped
from quotey.contract.shared import Shared

CALLS = {
    OpKind.WRITE_QUOTE: 5,
    OpKind.CREATE_DEAL: 3,
    OpKind.UPDATE_DEAL: 4,
    OpKind.UPDATE_ACCOUNT: 4,
}
"""Requests that one operation takes when all goes well, looking before and after included."""


def identity_of(settings: SalesforceSettings) -> str:
    """Name the org: it is known by its own address, to which every request goes."""
    return f"Salesforce org {urlsplit(settings.instance_url).hostname or ''}"


class SalesforceAdapter:
    """A `CrmAdapter` on one org. `on_close` gives the connections back."""

    provider = "salesforce"
    is_stub = False

    def __init__(
        self,
        caller: Caller,
        settings: SalesforceSettings,
        mapping: CrmMapping,
        connection: str,
        *,
        on_close: Callable[[], None],
    ) -> None:
        self._org = Org(caller, Ops(settings), mapping)
        self._settings = settings
        self._caller = caller
        self._mapper = Mapper(mapping, connection)
        self._pages = Pages(self._org, settings, self.provider)
        self.identity = identity_of(settings)
        self._listing = Listing(self._org, settings)
        self._quotes = Quotes(self._org, settings)
        self._writes = Writes(self._org, self._mapper, settings)
        self._lookups = Lookups(self._org, self._mapper)
        self._on_close = on_close
        accounts = mapping.entities[Entity.ACCOUNT]
        # The condition sees whole seconds only; the rules in the org close that gap (3S).
        promised = settings.sends_conditions and settings.guard_rules
        self.capabilities = Capabilities(
            tier=Tier.CONDITIONAL_WRITE if promised else Tier.UNIQUE_KEY,
            updates_accounts=any(field.flows_out for field in accounts.fields),
            reports_deletes=True,
            page_size=settings.page_size,
            lag_seconds=settings.safety_seconds + settings.overlap_seconds,
        )

    # --- reads ------------------------------------------------------------------------------------

    def lookup_account(self, name_or_domain: str, *, call: Call) -> tuple[CrmAccountDto, ...]:
        """Find accounts by name or web site, best first."""
        return self._lookups.accounts(name_or_domain, call)

    def search_contacts(self, query: str, *, call: Call) -> tuple[CrmContactDto, ...]:
        """Find contacts by name, e-mail or phone."""
        return self._lookups.contacts(query, call)

    def get_deal(self, deal_id: str, *, call: Call) -> CrmDealDto | None:
        """Read one deal; None when it is not there. Opportunities are never merged."""
        shape = self._org.shape(Entity.DEAL)
        doc = self._org.read_one(shape, deal_id, self._org.fields(shape, call), call)
        record = None if doc is None else record_of(doc, shape)
        if record is None or record.deleted:
            return None
        return cast(
            "CrmDealDto", mapped(self._mapper, Entity.DEAL, record, Outcome.NOT_APPLIED).dto
        )

    def get_quote_marker(self, deal_id: str, quote_id: str, *, call: Call) -> MarkerReading:  # noqa: ARG002 - a deal has one slot
        """Read the marker in the deal's slot, by the deal's id."""
        return self._quotes.reading(deal_id, call)

    def sync_incremental(
        self, entity: Entity, cursor: str, *, limit: int, call: Call
    ) -> CrmSyncResultDto:
        """Read the page after `cursor`, of at most `limit` and `page_size` records."""
        size = max(1, min(limit, self.capabilities.page_size))
        return self._pages.page(entity, cursor, size, call)

    def read_records(
        self, entity: Entity, crm_refs: tuple[str, ...], *, call: Call
    ) -> CrmSyncResultDto:
        """Read these records as they are now, and tell of those that were merged away."""
        shape = self._org.shape(entity)
        fields = self._org.fields(shape, call) if crm_refs else ()
        found = self._org.read_many(shape, crm_refs, fields, call)
        records, failures = records_of(found.docs.values(), shape)
        return CrmSyncResultDto(
            entity=entity,
            source_provider=self.provider,
            source_ts=found.server_ts or EPOCH,
            records=tuple(one for one in records if not one.deleted),
            failures=tuple(failures),
            next_cursor="",
            has_more=False,
        )

    def list_ids(
        self, entity: Entity, place: str, *, read_to: str, limit: int, call: Call
    ) -> IdPage:
        """List the ids and stamps of living records after `place`."""
        return self._listing.page(entity, place, read_to, limit, call)

    def find_ends(
        self, entity: Entity, crm_refs: tuple[str, ...], *, read_to: str, call: Call
    ) -> Ends:
        """Find out what became of records that are not listed."""
        return self._listing.ends(entity, crm_refs, read_to, call)

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
        return self._writes.update(Entity.DEAL, deal_id, updates, key, call)

    def update_account(
        self, account_id: str, updates: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """Write these fields of an account, once for a key."""
        return self._writes.update(Entity.ACCOUNT, account_id, updates, key, call)

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
        """Write summary and marker in one conditional request; once for a marker."""
        return self._quotes.write(deal_id, quote_summary, attachment_ref, marker, token, call)

    # --- besides the protocol ---------------------------------------------------------------------

    @property
    def calls_sent(self) -> int:
        """How many requests have been sent since it was opened."""
        return self._caller.sent

    def calls_of(self, kind: OpKind) -> int:
        """How many requests carrying out one operation takes when all goes well."""
        return CALLS[kind]

    def share(self, shared: Shared) -> None:
        """Keep the budgets of requests where other processes see them."""
        self._caller.share(shared)

    @property
    def survey_calls(self) -> int:
        """How many requests a survey takes: each object, the versions, the rules."""
        asks_rules = self._settings.guard_rules and self._settings.sends_conditions
        asks_versions = self._settings.transport != "tools"
        return len(self._org.shapes) + asks_rules + asks_versions

    def survey(self, *, call: Call) -> Survey:
        """Say how the org defines what the mapping uses."""
        return survey(self._org, self._settings, call)

    def close(self) -> None:
        """Give the connections back; may be called twice."""
        self._on_close()
