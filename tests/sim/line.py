"""The wire between one process and the CRM: a request, its effect and its reply are three events.

Each may be lost or late by itself, so that an effect after the time-out arises as it does in life.
A `Line` is the `CrmAdapter` of its process; what it carries is told to the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from quotey.contract.adapter import Call, Capabilities, Tier
from quotey.contract.dto import (
    Attachment,
    CrmAccountDto,
    CrmContactDto,
    CrmDealDto,
    CrmQuoteWriteDto,
    CrmSyncResultDto,
    MarkerReading,
    MarkerState,
    QuoteMarker,
    RemoteWrite,
    Value,
)
from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.contract.fields import Entity
from quotey.testing.crash import SimulatedCrash
from tests.sim.answers import page_after, remote, written
from tests.sim.crm import Crm, Mark
from tests.sim.faults import Dice
from tests.sim.ledger import Ledger
from tests.sim.request import NEVER, arrive, leaving
from tests.sim.scheduler import Process
from tests.sim.words import marker_of, wire_of

T = TypeVar("T")


@dataclass
class Line:
    """The adapter of one process."""

    process: Process
    crm: Crm
    dice: Dice
    ledger: Ledger
    page_size: int
    provider: str = "stub"
    is_stub: bool = True
    penalty_heard: float = 0.0
    looked_at: dict[str, float] = field(default_factory=dict)

    @property
    def capabilities(self) -> Capabilities:
        """What this CRM can do, by the tier of the seed."""
        return Capabilities(
            tier=Tier(self.crm.tier),
            updates_accounts=True,
            reports_deletes=True,
            page_size=self.page_size,
            lag_seconds=int(self.crm.lag),
        )

    # --- reads ------------------------------------------------------------------------------------

    def lookup_account(self, name_or_domain: str, *, call: Call) -> tuple[CrmAccountDto, ...]:
        """Find nothing: nobody of the simulation asks."""
        return ()

    def search_contacts(self, query: str, *, call: Call) -> tuple[CrmContactDto, ...]:
        """Find nothing: nobody of the simulation asks."""
        return ()

    def get_deal(self, deal_id: str, *, call: Call) -> CrmDealDto | None:
        """Find nothing: nobody of the simulation asks."""
        return None

    def get_quote_marker(self, deal_id: str, quote_id: str, *, call: Call) -> MarkerReading:
        """Read the slot of a deal, as it truly stands."""

        def read() -> MarkerReading:
            self.looked_at[deal_id] = self.crm.scheduler.now
            mark = self.crm.living("deal", deal_id).mark
            token = self.crm.token(deal_id)
            if mark is None:
                return MarkerReading(state=MarkerState.NONE, token=token)
            return MarkerReading(state=MarkerState.OURS, marker=marker_of(mark), token=token)

        reading = self._ask("get_quote_marker", read, call)
        if reading.marker is not None:
            self.ledger.was_told(self.process, deal_id, reading.marker)
        return reading

    def sync_incremental(
        self, entity: Entity, cursor: str, *, limit: int, call: Call
    ) -> CrmSyncResultDto:
        """Read a page of the index, by (stamp, id), within a window that overlaps the last one."""
        size = min(limit, self.page_size)

        def read() -> CrmSyncResultDto:
            return page_after(self.crm, self.dice, entity, cursor, size)

        return self._ask("sync_incremental", read, call)

    def read_records(
        self, entity: Entity, crm_refs: tuple[str, ...], *, call: Call
    ) -> CrmSyncResultDto:
        """Read records as they truly stand."""

        def read() -> CrmSyncResultDto:
            found = []
            for ref in dict.fromkeys(crm_refs):
                one = self.crm.now(str(entity), ref)
                if one is not None:
                    found.append(remote(ref, one))
                    self.ledger.has_read(self.process, str(entity), ref)
            return CrmSyncResultDto(
                entity=entity,
                source_provider=self.provider,
                source_ts=self.crm.scheduler.moment(),
                records=tuple(found),
                next_cursor="",
                has_more=False,
            )

        return self._ask("read_records", read, call)

    # --- writes -----------------------------------------------------------------------------------

    def create_deal(
        self, account_id: str, deal_data: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """Make a deal once for a key."""
        fields = {**wire_of("deal", deal_data), "account_id": account_id}
        sent_at = self.crm.scheduler.now

        def write() -> RemoteWrite:
            ref, made, is_new = self.crm.create_deal(
                fields, key=key, by=self.process.name, sent_at=sent_at
            )
            return written("deal", ref, made, deal_data, created=is_new)

        self.ledger.leaves(key)
        return self._send(f"key {key}", "create_deal", write, call)

    def update_deal(
        self, deal_id: str, updates: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """Write fields of a deal once for a key."""
        return self._update("deal", deal_id, updates, key=key, call=call)

    def update_account(
        self, account_id: str, updates: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """Write fields of an account once for a key."""
        return self._update("account", account_id, updates, key=key, call=call)

    def _update(
        self, entity: str, ref: str, updates: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        fields, sent_at = wire_of(entity, updates), self.crm.scheduler.now
        seen_at = self.ledger.read_at(self.process, entity, ref)

        def write() -> RemoteWrite:
            made = self.crm.update(
                entity, ref, fields, key=key, by=f"{self.process.name}@{seen_at}", sent_at=sent_at
            )
            return written(entity, ref, made, updates)

        self.ledger.leaves(key)
        return self._send(f"{entity} {ref}", f"update_{entity}", write, call)

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
        """Fill the slot of a deal."""
        mark = Mark(marker.instance_id, marker.quote_id, marker.version, marker.payload_digest)
        fields = {"quote_total": str(quote_summary.total), "quote_status": quote_summary.status}
        sent_at = self.crm.scheduler.now
        self.ledger.leaves(f"{mark.quote}/{mark.version}")
        self.ledger.quote_sent(self.process, deal_id, mark, looked_at=self.looked_at.get(deal_id))

        def write() -> RemoteWrite:
            made = self.crm.write_quote(
                deal_id, mark, fields, token=token, by=self.process.name, sent_at=sent_at
            )
            return written("deal", deal_id, made, {})

        return self._send(f"deal {deal_id}", "write_quote", write, call)

    def close(self) -> None:
        """Nothing to give back."""

    # --- one request ------------------------------------------------------------------------------

    def _send(self, lane: str, name: str, write: Callable[[], T], call: Call) -> T:
        with self.ledger.in_flight(self.process, lane):
            return self._ask(name, write, call, writes=True)

    def _ask(self, name: str, act: Callable[[], T], call: Call, *, writes: bool = False) -> T:
        """Send it, wait for the reply or the time-out, and give what came of it."""
        scheduler = self.crm.scheduler
        self.ledger.nobody_asks_within_a_penalty(self.process, name)
        request = leaving(self.dice, scheduler.now, call, writes=writes)
        if request.arrives_at < NEVER:
            scheduler.at(
                request.arrives_at,
                lambda: arrive(self.crm, self.dice, request, act, writes=writes),
            )
        end = min(request.back_at, scheduler.now + call.timeout)
        self._wait_until(end)
        if request.back_at > end:
            self.ledger.note(self.process.name, f"{name}: no answer in time")
            raise RemoteFailure(
                f"The CRM did not answer {name} in time.",
                error_class=ErrorClass.UNKNOWN,
                outcome=Outcome.UNKNOWN,
            )
        if request.failure is not None:
            self.penalty_heard = max(self.penalty_heard, request.penalty)
            self.ledger.note(self.process.name, f"{name}: {request.failure.message}")
            raise request.failure
        return request.answer  # type: ignore[return-value]

    def _wait_until(self, end: float) -> None:
        """Wait for the reply; the process may die or be stopped meanwhile."""
        process, now = self.process, self.crm.scheduler.now
        if self.dice.strikes("crash_wait"):
            process.wait(self.dice.between("crash_wait", 0.0, end - now))
            raise SimulatedCrash("while it waited for the CRM")
        if self.dice.strikes("pause"):
            self.ledger.note(process.name, "is stopped while it waits for the CRM")
            process.pause(self.dice.between("pause", 30.0, 120.0))
            now = self.crm.scheduler.now
        if end > now:
            process.wait(end - now)
