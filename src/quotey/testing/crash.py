"""Crashing at every step: proxies that stop the process before or after its k-th port call.

A port call is an operation of the adapter or a commit of the store; between two of them nothing
can be lost that was not lost at one of them. Points are not listed by hand: a first run without a
crash counts them, and then each one is crashed at. Source: reliability 2.A.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from quotey.contract.adapter import Call, Capabilities, CrmAdapter
from quotey.contract.dto import (
    Attachment,
    CrmAccountDto,
    CrmContactDto,
    CrmDealDto,
    CrmQuoteWriteDto,
    CrmSyncResultDto,
    MarkerReading,
    QuoteMarker,
    RemoteWrite,
    Value,
)
from quotey.contract.fields import Entity
from quotey.store import Store


class SimulatedCrash(BaseException):
    """The process ends here. Not an `Exception`, so that nothing can catch it by accident."""


class CrashPlan:
    """Counts the points that a run meets, and crashes at one of them.

    `at` is the point's number from 1, None for never; `after` crashes once it is done instead of
    before it is begun. `met` holds the names of all points met, in order.
    """

    def __init__(self, at: int | None = None, *, after: bool = False) -> None:
        self.at = at
        self.after = after
        self.met: list[str] = []

    @contextmanager
    def point(self, name: str) -> Iterator[None]:
        """Stand around one port call."""
        self.met.append(name)
        here = len(self.met) == self.at
        if here and not self.after:
            raise SimulatedCrash(f"before {name}")
        try:
            yield
        finally:
            if here and self.after:
                raise SimulatedCrash(f"after {name}")


def crashing_store(plan: CrashPlan) -> type[Store]:
    """Make a kind of store whose commits are points of the plan; pass it to `open_store(kind=)`."""

    class CrashingStore(Store):
        """A store that may end at a commit: before it nothing is kept, after it everything is."""

        def _commit(self, label: str) -> None:
            with plan.point(f"commit {label}"):
                super()._commit(label)

    return CrashingStore


class CrashingAdapter:
    """An adapter whose every operation is a point of the plan."""

    def __init__(self, inner: CrmAdapter, plan: CrashPlan) -> None:
        self._inner = inner
        self._plan = plan

    @property
    def provider(self) -> str:
        """The inner adapter's."""
        return self._inner.provider

    @property
    def is_stub(self) -> bool:
        """The inner adapter's."""
        return self._inner.is_stub

    @property
    def capabilities(self) -> Capabilities:
        """The inner adapter's."""
        return self._inner.capabilities

    def lookup_account(self, name_or_domain: str, *, call: Call) -> tuple[CrmAccountDto, ...]:
        """See `CrmAdapter`."""
        with self._plan.point("lookup_account"):
            return self._inner.lookup_account(name_or_domain, call=call)

    def get_deal(self, deal_id: str, *, call: Call) -> CrmDealDto | None:
        """See `CrmAdapter`."""
        with self._plan.point("get_deal"):
            return self._inner.get_deal(deal_id, call=call)

    def create_deal(
        self, account_id: str, deal_data: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """See `CrmAdapter`."""
        with self._plan.point("create_deal"):
            return self._inner.create_deal(account_id, deal_data, key=key, call=call)

    def update_deal(
        self, deal_id: str, updates: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """See `CrmAdapter`."""
        with self._plan.point("update_deal"):
            return self._inner.update_deal(deal_id, updates, key=key, call=call)

    def update_account(
        self, account_id: str, updates: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """See `CrmAdapter`."""
        with self._plan.point("update_account"):
            return self._inner.update_account(account_id, updates, key=key, call=call)

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
        """See `CrmAdapter`."""
        with self._plan.point("write_quote"):
            return self._inner.write_quote(
                deal_id, quote_summary, attachment_ref, marker=marker, token=token, call=call
            )

    def get_quote_marker(self, deal_id: str, quote_id: str, *, call: Call) -> MarkerReading:
        """See `CrmAdapter`."""
        with self._plan.point("get_quote_marker"):
            return self._inner.get_quote_marker(deal_id, quote_id, call=call)

    def sync_incremental(
        self, entity: Entity, cursor: str, *, limit: int, call: Call
    ) -> CrmSyncResultDto:
        """See `CrmAdapter`."""
        with self._plan.point(f"sync_incremental {entity}"):
            return self._inner.sync_incremental(entity, cursor, limit=limit, call=call)

    def read_records(
        self, entity: Entity, crm_refs: tuple[str, ...], *, call: Call
    ) -> CrmSyncResultDto:
        """See `CrmAdapter`."""
        with self._plan.point(f"read_records {entity}"):
            return self._inner.read_records(entity, crm_refs, call=call)

    def search_contacts(self, query: str, *, call: Call) -> tuple[CrmContactDto, ...]:
        """See `CrmAdapter`."""
        with self._plan.point("search_contacts"):
            return self._inner.search_contacts(query, call=call)

    def close(self) -> None:
        """Close the inner adapter."""
        self._inner.close()
