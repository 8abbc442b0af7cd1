"""The world of the conformance suite over a live account: the adapter itself is its hands.

What a live CRM gives no hand for (deleting, merging, going wrong, telling how often it changed) and
what its index shows late (pages) is not offered. What is made stays there: for scratch accounts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import count
from typing import Any, NoReturn, cast

from msgspec.structs import replace

from quotey.contract.adapter import Call, CrmAdapter
from quotey.contract.dto import (
    Attachment,
    CrmQuoteWriteDto,
    MarkerReading,
    QuoteMarker,
    RemoteWrite,
    Value,
)
from quotey.contract.fields import Entity
from quotey.contract.mapper import Mapped, Mapper
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.contract.values import typed
from quotey.testing.world import CALL, Fault, NotOfferedError, Words, a_summary

SAMPLE = 50
STAND_IN = "Conformance Ltd"
"""Accounts by this name are not looked at by the suite; one that is there stands in for them."""

RESOLUTION = 1.1
"""Seconds between two changes of a record: some CRMs' moments have whole seconds."""

LATE = ("sync_incremental", "lookup_account", "search_contacts")
"""Operations that read an index, in which a change shows later than the suite waits."""


class LiveWorld:
    """`quotey.testing.world.World` over a live account.

    `adapter` is shared by all worlds, so that one budget of requests holds for all of them;
    `open_adapter` opens another on the same account. `run` sets this world's keys and quotes apart.
    """

    described = "the live account of the connection"
    connection: str
    faults: frozenset[Fault] = frozenset()

    def __init__(
        self,
        mapping: CrmMapping,
        adapter: CrmAdapter,
        open_adapter: Callable[[], CrmAdapter],
        *,
        sleep: Callable[[float], None],
        connection: str,
        run: str,
    ) -> None:
        self.mapping = mapping
        self._sleep = sleep
        self.connection = connection
        self._open_adapter = open_adapter
        self._open: list[CrmAdapter] = []
        self._keys = (f"certify_{run}_{number}" for number in count(1))
        self._run = run
        self._inner = adapter
        self.adapter = self._careful(self._inner)
        self.words = self._words()

    def reopen(self) -> CrmAdapter:
        """Give another adapter on the same account."""
        adapter = self._open_adapter()
        self._open.append(adapter)
        return self._careful(adapter)

    def add(
        self, entity: Entity, values: Mapping[str, str | None], *, at: datetime | None = None
    ) -> str:
        """Create a deal, or give an account that is there already."""
        if entity is Entity.ACCOUNT and values.get("name") == STAND_IN:
            return self._some(Entity.ACCOUNT).dto.crm_ref or ""
        if entity is not Entity.DEAL or at is not None:
            _not_offered(f"making {entity}s as a test wants them")
        fields = {field.name: field for field in self.mapping.entities[entity].fields}
        data = {
            name: typed(text, fields[name].type)
            for name, text in values.items()
            if name != "account_id" and text is not None
        }
        account = str(values["account_id"])
        made = self._inner.create_deal(account, data, key=next(self._keys), call=CALL)
        return made.crm_ref

    def edit(self, entity: Entity, ref: str, values: Mapping[str, str | None]) -> None:
        """Change fields of a deal that flow out."""
        mapped = self.mapping.entities[entity]
        updates: dict[str, Value] = {}
        for name, text in values.items():
            field = mapped.field(name)
            if entity is not Entity.DEAL or field is None or not field.flows_out:
                _not_offered(f"changing {entity}.{name}")
            updates[name] = typed(text or None, field.type)
        self._sleep(RESOLUTION)
        self._inner.update_deal(ref, updates, key=next(self._keys), call=CALL)

    def take_away(self, entity: Entity, ref: str, field: str) -> None:
        """Clear a field, the nearest thing to absent."""
        self.edit(entity, ref, {field: None})

    def delete(self, entity: Entity, ref: str) -> None:  # noqa: ARG002 - there is no such hand
        """Not offered."""
        _not_offered("deleting")

    def merge(self, entity: Entity, loser: str, winner: str) -> str | None:  # noqa: ARG002 - as above
        """Not offered."""
        _not_offered("merging")

    def write_marker(self, deal: str, marker: QuoteMarker) -> None:
        """Write a quote as another desk would."""
        summary = a_summary(version=marker.version, quote_id=marker.quote_id)
        token = self.adapter.get_quote_marker(deal, marker.quote_id, call=CALL).token
        self.adapter.write_quote(deal, summary, None, marker=marker, token=token, call=CALL)

    def scribble(self, deal: str) -> None:  # noqa: ARG002 - there is no such hand
        """Not offered."""
        _not_offered("writing what is no marker")

    def effects(self, entity: Entity, ref: str) -> int:  # noqa: ARG002 - as above
        """Not offered."""
        _not_offered("counting changes")

    def fail(
        self,
        fault: Fault,
        *,
        operation: str = "*",  # noqa: ARG002 - there is no such hand
        times: int = 1,  # noqa: ARG002
        after: int = 0,  # noqa: ARG002
        retry_after: float | None = None,  # noqa: ARG002
    ) -> None:
        """Not offered: a live CRM fails when it wants to, so `faults` is empty."""
        _not_offered(f"going wrong ({fault})")

    def reauthorise(self) -> None:
        """Nothing was stopped."""

    def close(self) -> None:
        """Give back what was opened anew; what was made in the CRM stays."""
        for adapter in self._open:
            adapter.close()

    def _careful(self, adapter: CrmAdapter) -> CrmAdapter:
        return cast("CrmAdapter", _CarefulAdapter(adapter, self._run))

    def _some(self, entity: Entity) -> Mapped:
        """Give a record of the account that keeps the contract."""
        page = self._inner.sync_incremental(entity, "", limit=SAMPLE, call=CALL)
        mapper = Mapper(self.mapping, self.connection)
        found = (mapper.read(entity, record) for record in page.records)
        sample = next((one for one in found if isinstance(one, Mapped)), None)
        if sample is None:
            _not_offered(f"an account without any {entity} that keeps the contract")
        return sample

    def _words(self) -> Words:
        """Take stage and currency of a deal that is there: this CRM is sure to take them."""
        values = self._some(Entity.DEAL).values
        stage, currency = str(values.get("stage")), str(values.get("currency"))
        return Words(stage=stage, later_stage=stage, currency=currency, other_currency=currency)


class _CarefulAdapter:
    """The adapter with keys and quote ids of this run, which answers nothing that shows late.

    A quote's id is unique in a CRM, and the suite's own is the same in every test.
    """

    def __init__(self, inner: CrmAdapter, run: str) -> None:
        self._inner = inner
        self._run = run

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the adapter has
        found = getattr(self._inner, name)
        if name in LATE:
            return lambda *_args, **_more: _not_offered("reading what an index shows late")
        if name in ("create_deal", "update_deal", "update_account"):
            return lambda *args, key, **more: found(*args, key=f"{self._run}_{key}", **more)
        return found

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
        """Write a quote under an id of this run, and answer with the suite's."""
        written = self._inner.write_quote(
            deal_id,
            replace(quote_summary, id=self._own(quote_summary.id)),
            attachment_ref,
            marker=replace(marker, quote_id=self._own(marker.quote_id)),
            token=token,
            call=call,
        )
        told = written.values.get("id") or ""
        return replace(written, values={**written.values, "id": self._suites(told)})

    def get_quote_marker(self, deal_id: str, quote_id: str, *, call: Call) -> MarkerReading:
        """Read a marker by the id of this run, and answer with the suite's."""
        found = self._inner.get_quote_marker(deal_id, self._own(quote_id), call=call)
        if found.marker is None:
            return found
        own = self._suites(found.marker.quote_id)
        return replace(found, marker=replace(found.marker, quote_id=own))

    def _own(self, quote_id: str) -> str:
        return f"{self._run}_{quote_id}"

    def _suites(self, quote_id: str) -> str:
        return quote_id.removeprefix(f"{self._run}_")


def _not_offered(what: str) -> NoReturn:
    raise NotOfferedError(f"a live account does not offer {what}")
