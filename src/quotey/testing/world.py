"""The world that the conformance suite asks for: a CRM, and hands to change it from its own side.

An adapter's author writes one `World` over a scratch account or a simulator; nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

import msgspec

from quotey.contract.adapter import Call, CrmAdapter
from quotey.contract.dto import (
    CrmQuoteWriteDto,
    QuoteMarker,
    RemoteRecord,
    Value,
)
from quotey.contract.errors import QuoteyError, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.identity import payload_digest
from quotey.contract.mapper import Mapped, Mapper, Rejected
from quotey.contract.mapping import Mapping as CrmMapping

CALL = Call(correlation_id="c_conformance")
MOMENT = datetime(2026, 1, 15, 12, tzinfo=UTC)


class Fault(StrEnum):
    """What the suite asks a world to let go wrong. A world need not know all of them."""

    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    AUTH = "auth"
    MAPPING_ERROR = "mapping_error"
    PARTIAL_BATCH = "partial_batch"
    DUPLICATE_PAGE = "duplicate_page"
    OUT_OF_ORDER = "out_of_order"


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What the suite's deals are in: two stages and two currencies that the CRM takes."""

    stage: str = "proposal"
    later_stage: str = "won"
    currency: str = "EUR"
    other_currency: str = "USD"


class NotOfferedError(Exception):
    """A world raises it when its CRM has no such thing; the test is then not offered."""


class World(Protocol):
    """A CRM that the suite may fill and change. Values are contract fields in canonical text.

    Other records may be there already; the suite leaves them alone. A hand that the CRM does not
    have (merging two deals, where nobody can) raises `NotOfferedError` with the reason. A world may
    have `words: Words` where its CRM does not take the suite's own stages and currencies.
    """

    adapter: CrmAdapter
    mapping: CrmMapping
    connection: str
    faults: frozenset[Fault]

    def reopen(self) -> CrmAdapter:
        """Give another adapter on the same CRM, as a second process would have."""

    def add(
        self, entity: Entity, values: Mapping[str, str | None], *, at: datetime | None = None
    ) -> str:
        """Make a record and give its crm_ref; `at` is its moment where the CRM lets one choose."""

    def edit(self, entity: Entity, ref: str, values: Mapping[str, str | None]) -> None:
        """Change a record; None is null and "" is blank."""

    def take_away(self, entity: Entity, ref: str, field: str) -> None:
        """Take a field away, so that it is absent (the CRM's nearest thing to it)."""

    def delete(self, entity: Entity, ref: str) -> None:
        """Delete a record."""

    def merge(self, entity: Entity, loser: str, winner: str) -> str | None:
        """Merge one record into another; gives the survivor's ref where it may be a third one."""

    def write_marker(self, deal: str, marker: QuoteMarker) -> None:
        """Write a marker into a deal's slot, as another desk would."""

    def scribble(self, deal: str) -> None:
        """Leave something in a deal's slot that is no marker."""

    def effects(self, entity: Entity, ref: str) -> int:
        """Count how often the CRM really changed this record, creation included."""

    def fail(
        self,
        fault: Fault,
        *,
        operation: str = "*",
        times: int = 1,
        after: int = 0,
        retry_after: float | None = None,
    ) -> None:
        """Let the next calls of an operation go wrong."""

    def reauthorise(self) -> None:
        """End an auth stop."""

    def close(self) -> None:
        """Give everything back."""


def words_of(world: World) -> Words:
    """Give the words that this world's deals are in."""
    words = getattr(world, "words", None)
    return words if isinstance(words, Words) else Words()


def refusal(act: Callable[[], object]) -> RemoteFailure:
    """Do what must fail and give the failure; anything but a RemoteFailure is an error here."""
    try:
        answer = act()
    except RemoteFailure as failure:
        if str(failure).strip():
            return failure
        raise AssertionError("a failure says what happened") from failure
    except QuoteyError as error:
        raise AssertionError(f"only RemoteFailure may leave an adapter, not {error!r}") from error
    raise AssertionError(f"this must fail, and answered {answer!r}")


def read(world: World, entity: Entity, record: RemoteRecord) -> Mapped | Rejected:
    """Look at a record with the world's mapping."""
    return Mapper(world.mapping, world.connection).read(entity, record)


def an_account(world: World, name: str = "Conformance Ltd", **more: str | None) -> str:
    """Make an account."""
    return world.add(Entity.ACCOUNT, {"name": name, "segment": "smb", **more})


def a_deal(world: World, account: str = "", **more: str | None) -> str:
    """Make a deal, on an account of its own unless one is given."""
    words = words_of(world)
    values: dict[str, str | None] = {
        "account_id": account or an_account(world),
        "name": "Conformance deal",
        "stage": words.stage,
        "amount": "1200.5",
        "currency": words.currency,
    }
    return world.add(Entity.DEAL, {**values, **more})


def deal_data(world: World | None = None, **more: Value) -> dict[str, Value]:
    """Give what a deal is created with, in the world's words."""
    words = words_of(world) if world else Words()
    values: dict[str, Value] = {
        "name": "Created deal",
        "stage": words.stage,
        "amount": Decimal("99.90"),
        "currency": words.currency,
    }
    return {**values, **more}


def a_summary(
    version: int = 1, quote_id: str = "q_conformance", total: str = "1500.25"
) -> CrmQuoteWriteDto:
    """Give a quote summary."""
    return CrmQuoteWriteDto(
        id=quote_id,
        deal_id="deal_conformance",
        version=version,
        status="sent",
        total=Decimal(total),
        currency="EUR",
        source_provider="quotey",
        source_ts=MOMENT,
    )


def marker_of(summary: CrmQuoteWriteDto, instance_id: str = "inst_ours") -> QuoteMarker:
    """Give the marker that goes with a summary."""
    body: dict[str, str | None] = {
        "total": str(summary.total),
        "currency": summary.currency,
        "status": summary.status,
        "version": str(summary.version),
    }
    return QuoteMarker(
        instance_id=instance_id,
        quote_id=summary.id,
        version=summary.version,
        payload_digest=payload_digest(body),
    )
