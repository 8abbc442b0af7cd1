"""Late effects: writes of quotes that were never answered, and land when others have been.

A request that lands late meets the CRM as it is then: what a condition refuses, nobody hears of.
"""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec

from quotey.adapters.stub.crm import StubCrm
from quotey.adapters.stub.quotes import QuoteDesk
from quotey.contract.adapter import Tier
from quotey.contract.dto import Attachment, CrmQuoteWriteDto, QuoteMarker
from quotey.contract.errors import MappingError, RemoteFailure
from quotey.contract.fields import Entity

_WAITING = "SELECT seq, request FROM late"


class LateWrite(msgspec.Struct, frozen=True):
    """One write of a quote, as it was sent; `tier` says whether its token is a condition."""

    deal_id: str
    summary: CrmQuoteWriteDto
    attachment: Attachment | None
    marker: QuoteMarker
    token: str | None
    tier: Tier


class LateWrites:
    """The writes of one stub file that are still on their way."""

    def __init__(self, crm: StubCrm) -> None:
        self._crm = crm
        self._drawer = crm.drawer

    def park(self, late: LateWrite, wait: int) -> None:
        """Keep it until `wait` further requests are answered. Inside a transaction."""
        text = msgspec.json.encode(late).decode()
        self._drawer.rows("INSERT INTO late (wait, request) VALUES (?, ?)", wait, text)

    def arrive(self) -> None:
        """Count one more request, and land before it what has waited long enough."""
        if not self._drawer.rows("SELECT 1 FROM late LIMIT 1"):
            return
        with self._drawer.transaction():
            self._land(self._drawer.rows(f"{_WAITING} WHERE wait <= 0 ORDER BY seq"))
            self._drawer.rows("UPDATE late SET wait = wait - 1")

    def land(self, most: int) -> int:
        """Land now, in the order in which they were sent (-1 = all). Inside a transaction."""
        return self._land(self._drawer.rows(f"{_WAITING} ORDER BY seq LIMIT ?", most))

    def forget(self) -> None:
        """Let none of them arrive."""
        self._drawer.rows("DELETE FROM late")

    def _land(self, rows: list[tuple[Any, ...]]) -> int:
        for seq, request in rows:
            self._drawer.rows("DELETE FROM late WHERE seq = ?", seq)
            with contextlib.suppress(RemoteFailure, MappingError):  # nobody waits for the answer
                self._write(msgspec.json.decode(request, type=LateWrite))
        return len(rows)

    def _write(self, late: LateWrite) -> None:
        deal = self._crm.living(Entity.DEAL, late.deal_id)
        desk = QuoteDesk(self._crm, late.tier)
        desk.write(deal, late.summary, late.attachment, late.marker, late.token)
