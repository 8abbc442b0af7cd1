"""`StubCrmAdapter`: the CRM that is not there, with everything a real one does to a caller.

Each operation is one request: the fault that strikes it, one transaction, the answer. What happens
inside the CRM is in `crm`; nothing here decides what a conflict means.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import cast

import msgspec

from quotey.adapters.stub.crm import StubCrm, version_text
from quotey.adapters.stub.drawer import Cause, Stored
from quotey.adapters.stub.faults import (
    LATER,
    FaultKind,
    FaultQueue,
    FaultSpec,
    failure_of,
    kind_of,
    remote_failures,
)
from quotey.adapters.stub.late import LateWrite, LateWrites
from quotey.adapters.stub.listing import ends_of, id_page
from quotey.adapters.stub.pages import answer, page_after
from quotey.adapters.stub.payload import decode, put_path
from quotey.adapters.stub.quotes import QuoteDesk
from quotey.adapters.stub.search import best_accounts, best_contacts
from quotey.adapters.stub.settings import StubSettings
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
from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.identity import canonical_json
from quotey.contract.mapper import Mapped, write_fields


class StubCrmAdapter:
    """A `CrmAdapter` over a stub file; several may stand over one file, in several processes."""

    provider = "stub"
    is_stub = True

    def __init__(
        self, crm: StubCrm, settings: StubSettings, *, sleep: Callable[[float], None]
    ) -> None:
        self._crm = crm
        self._drawer = crm.drawer
        self._faults = FaultQueue(crm.drawer)
        self._latency = settings.latency
        self._sleep = sleep
        self.capabilities = Capabilities(
            tier=Tier(settings.tier),
            updates_accounts=True,
            reports_deletes=True,
            page_size=settings.page_size,
            lag_seconds=settings.lag_seconds,
        )
        self._quotes = QuoteDesk(crm, self.capabilities.tier)
        self._late = LateWrites(crm)

    # --- reads --------------------------------------------------------------------------------

    def lookup_account(self, name_or_domain: str, *, call: Call) -> tuple[CrmAccountDto, ...]:
        """Find accounts by name or domain, best first."""
        with self._reading("lookup_account", call):
            accounts = cast("list[CrmAccountDto]", self._dtos(Entity.ACCOUNT))
        return best_accounts(name_or_domain, accounts)

    def search_contacts(self, query: str, *, call: Call) -> tuple[CrmContactDto, ...]:
        """Find contacts by name, e-mail or phone, best first."""
        with self._reading("search_contacts", call):
            contacts = cast("list[CrmContactDto]", self._dtos(Entity.CONTACT))
        return best_contacts(query, contacts)

    def get_deal(self, deal_id: str, *, call: Call) -> CrmDealDto | None:
        """Read one deal; a merged one is answered by its survivor, under the survivor's id."""
        with self._reading("get_deal", call):
            stored = self._crm.survivor(Entity.DEAL, deal_id)
            return None if stored is None else cast("CrmDealDto", self._crm.mapped(stored).dto)

    def get_quote_marker(self, deal_id: str, quote_id: str, *, call: Call) -> MarkerReading:
        """Read the marker in the deal's slot."""
        with self._reading("get_quote_marker", call):
            return self._quotes.reading(self._crm.living(Entity.DEAL, deal_id), quote_id)

    def sync_incremental(
        self, entity: Entity, cursor: str, *, limit: int, call: Call
    ) -> CrmSyncResultDto:
        """Read the page after `cursor`, of at most `limit` and `page_size` records."""
        size = max(1, min(limit, self.capabilities.page_size))
        with self._reading("sync_incremental", call) as fault:
            return page_after(self._crm, entity, cursor, size, kind_of(fault))

    def read_records(
        self, entity: Entity, crm_refs: tuple[str, ...], *, call: Call
    ) -> CrmSyncResultDto:
        """Read these records as they are now, in the order asked for."""
        with self._reading("read_records", call) as fault:
            found = [self._drawer.get(entity, ref) for ref in dict.fromkeys(crm_refs)]
            there = [stored for stored in found if stored is not None]
            return answer(self._crm, entity, there, kind_of(fault))

    def list_ids(
        self, entity: Entity, place: str, *, read_to: str, limit: int, call: Call
    ) -> IdPage:
        """List the living records after `place`, by ref."""
        with self._reading("list_ids", call):
            return id_page(self._crm, entity, place, read_to, limit)

    def find_ends(
        self, entity: Entity, crm_refs: tuple[str, ...], *, read_to: str, call: Call
    ) -> Ends:
        """Tell which of these were deleted or merged."""
        with self._reading("find_ends", call):
            return ends_of(self._crm, entity, crm_refs, read_to)

    def _dtos(self, entity: Entity) -> list[object]:
        """Map every living record that keeps the contract."""
        if not self._crm.maps(entity):
            return []
        there = (one for one in self._drawer.every(entity) if not one.gone and not one.broken)
        read = (self._crm.read(stored) for stored in there)
        return [found.dto for found in read if isinstance(found, Mapped)]

    # --- writes -------------------------------------------------------------------------------

    def create_deal(
        self, account_id: str, deal_data: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """Create a deal of an account that is there."""
        values = {**deal_data, "account_id": account_id}

        def create() -> RemoteWrite:
            self._crm.living(Entity.ACCOUNT, account_id)
            blank = self._crm.blank(Entity.DEAL, self._crm.new_ref(Entity.DEAL))
            return self._land("create_deal", *blank, values, key=key)

        return self._keyed("create_deal", account_id, values, create, key=key, call=call)

    def update_deal(
        self, deal_id: str, updates: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """Write these fields of a deal."""
        return self._update("update_deal", Entity.DEAL, deal_id, updates, key=key, call=call)

    def update_account(
        self, account_id: str, updates: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """Write these fields of an account."""
        return self._update(
            "update_account", Entity.ACCOUNT, account_id, updates, key=key, call=call
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
        """Write summary and marker, when the slot is still as `token` saw it."""
        with self._writing("write_quote", call) as fault:
            deal = self._crm.living(Entity.DEAL, deal_id)
            if fault is None or fault.kind is not FaultKind.LATE_EFFECT:
                return self._quotes.write(deal, quote_summary, attachment_ref, marker, token)
            sent = (deal_id, quote_summary, attachment_ref, marker, token, self.capabilities.tier)
            self._late.park(LateWrite(*sent), fault.delay)
        raise failure_of(fault, "write_quote")

    def _update(
        self,
        operation: str,
        entity: Entity,
        ref: str,
        updates: Mapping[str, Value],
        *,
        key: str,
        call: Call,
    ) -> RemoteWrite:
        def update() -> RemoteWrite:
            stored = self._crm.living(entity, ref)
            return self._land(operation, stored, decode(stored.payload), updates, key=key)

        return self._keyed(operation, ref, updates, update, key=key, call=call)

    def _keyed(
        self,
        operation: str,
        ref: str,
        values: Mapping[str, Value],
        act: Callable[[], RemoteWrite],
        *,
        key: str,
        call: Call,
    ) -> RemoteWrite:
        """Do it once for a key; the same request under the same key has the same answer."""
        request = hashlib.sha256(canonical_json([operation, ref, dict(values)])).hexdigest()
        with self._writing(operation, call):
            known = self._drawer.answer_to(key)
            if known is None:
                result = act()
                self._drawer.keep_answer(key, request, msgspec.json.encode(result).decode())
                return result
            if known[0] != request:
                raise RemoteFailure(
                    f"The key {key} was used for another request. Nothing was changed.",
                    error_class=ErrorClass.PERMANENT,
                )
            return msgspec.json.decode(known[1], type=RemoteWrite)

    def _land(
        self,
        operation: str,
        before: Stored,
        payload: dict[str, object],
        values: Mapping[str, Value],
        *,
        key: str,
    ) -> RemoteWrite:
        """Write contract fields into a record and read them back; invalid ones land nowhere."""
        creating = not before.revision
        sent = write_fields(self._crm.mapping, before.entity, values, creating=creating)
        self._crm.definitions.refuse(before.entity, sent)
        for path, value in sent.items():
            put_path(payload, path, value)
        kept = self._crm.put(before, payload, Cause(operation=operation, key=key, body=dict(sent)))
        read = self._crm.mapped(kept).values
        return RemoteWrite(
            crm_ref=kept.ref,
            source_ts=self._drawer.moment(kept),
            source_version=version_text(kept.revision),
            values={name: read[name] for name in values if name in read},
            created=creating,
        )

    # --- one request --------------------------------------------------------------------------

    @contextlib.contextmanager
    def _reading(self, operation: str, call: Call) -> Iterator[FaultSpec | None]:
        with self._request(operation, call) as fault, self._drawer.snapshot():
            yield fault

    @contextlib.contextmanager
    def _writing(self, operation: str, call: Call) -> Iterator[FaultSpec | None]:
        with self._request(operation, call) as fault, self._drawer.transaction():
            yield fault

    @contextlib.contextmanager
    def _request(self, operation: str, call: Call) -> Iterator[FaultSpec | None]:
        """Let the fault strike before or after what is done, and let out RemoteFailure only."""
        if self._latency:
            self._sleep(min(self._latency, call.timeout))
        with remote_failures(operation):
            self._late.arrive()
            fault = self._faults.take(operation)
            if fault and fault.kind not in LATER:
                raise failure_of(fault, operation)
            yield fault
        if fault and fault.kind is FaultKind.TIMEOUT_AFTER:
            raise failure_of(fault, operation)

    # --- besides the protocol -----------------------------------------------------------------

    def reauthorise(self) -> None:
        """End an auth stop: what `quotey crm connect` does for a stub."""
        self._faults.clear(FaultKind.AUTH)

    @property
    def survey_calls(self) -> int:
        """How many requests a survey takes: it is looked up in the stub's own file."""
        return 0

    def survey(self, *, call: Call) -> Survey:  # noqa: ARG002 - nothing has to be waited for
        """Say how the stub defines what the mapping uses; no fault strikes it."""
        with remote_failures("survey"), self._drawer.snapshot():
            return self._crm.definitions.survey()

    def close(self) -> None:
        """Give the file back; may be called twice."""
        self._drawer.close()
