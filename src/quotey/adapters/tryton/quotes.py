"""Writing a quote into a sale of its deal: look, write conditionally, move it on, look again.

Source: measured. A quotation is read-only: it goes back to draft before it is written, and each
step carries the timestamp that our look before it saw. A new sale cannot be made conditionally.
The steps are requests of their own, so a sale may be met between two of them: it is then told as
unfinished, and the same write finishes it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime

import msgspec

from quotey.adapters.tryton.rpc import Rpc
from quotey.adapters.tryton.settings import TrytonSettings
from quotey.adapters.tryton.shape import MODIFIED, id_of
from quotey.adapters.tryton.slot import (
    read_slot,
    read_summary,
    sale_texts,
    slot_of,
    written,
)
from quotey.adapters.tryton.values import Doc, microseconds
from quotey.adapters.tryton.writes import Writes, stamped
from quotey.adapters.tryton.written import CURRENCY, after_writing, currency_id, moved_on, not_there
from quotey.contract.adapter import Call
from quotey.contract.dto import (
    Attachment,
    CrmQuoteWriteDto,
    MarkerReading,
    QuoteMarker,
    RemoteWrite,
)
from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.mapping import Mapping
from quotey.contract.refusals import refusing

FIELDS = (
    *("id", "reference", "description", "comment", "state", "untaxed_amount", "currency.code"),
    *("lines", "_timestamp", MODIFIED),
)
DRAFT, QUOTATION = "draft", "quotation"
QUOTE = "quote"
"""The button that moves a draft on."""
ATTACHMENT = "ir.attachment"


class Quotes:
    """The sales of one database's deals that are quotes."""

    def __init__(
        self, rpc: Rpc, writes: Writes, mapping: Mapping, settings: TrytonSettings
    ) -> None:
        self._rpc = rpc
        self._writes = writes
        self._mapping = mapping
        self._slot = slot_of(mapping)
        self._quoted = settings.quotation

    def reading(self, deal: str, quote_id: str, call: Call) -> MarkerReading:
        """Read the marker by deal and quote id, from the database itself."""
        sale = self._sale(deal, quote_id, call)
        found = read_slot(sale, self._slot)
        if sale is None or found.marker is None or not self._lacks_a_step(sale, call):
            return found
        return msgspec.structs.replace(found, unfinished=True)

    def write(
        self,
        deal: str,
        summary: CrmQuoteWriteDto,
        attachment: Attachment | None,
        marker: QuoteMarker,
        token: str | None,
        call: Call,
    ) -> RemoteWrite:
        """Write summary and marker in one request, unless that marker is there already."""
        with refusing(f"The quote on deal {deal} was not written"):
            fields = written(self._mapping, self._slot, summary, marker, attachment)
        owner = self._writes.living(deal, call)
        sale = self._sale(deal, summary.id, call)
        found = read_slot(sale, self._slot)
        if found.marker == marker:
            # Nothing is sent but what was left undone; a refusal of that is for good.
            return self._finish(deal, summary.id, attachment, call)
        if token and token != found.token:
            raise moved_on(f"The quote on deal {deal}")
        if sale is None:
            self._create(owner, fields, call)
        elif sale["state"] == DRAFT:
            self._rewrite(sale, fields, call)
        else:
            self._reopen(deal, sale, fields, call)
        with after_writing(f"The quote on deal {deal} was written"):
            return self._finish(deal, summary.id, attachment, call)

    def _sale(self, deal: str, quote_id: str, call: Call) -> Doc | None:
        """Find the sale of a quote; two of them are for a person to look at."""
        number = id_of(deal)
        if number is None:
            return None
        where = [["origin", "=", f"sale.opportunity,{number}"], ["reference", "=", quote_id]]
        found = self._rpc.call(
            self._slot.model, "search_read", where, 0, 2, [["id", "ASC"]], list(FIELDS), call=call
        )
        if len(found) > 1:
            refs = ", ".join(str(one["id"]) for one in found)
            raise RemoteFailure(
                f"Several sales of deal {deal} are quote {quote_id}: {refs}. Nothing was changed.",
                error_class=ErrorClass.CONFLICT,
            )
        return found[0] if found else None

    def _create(self, deal: Doc, fields: dict[str, object], call: Call) -> None:
        """Make the sale, with its one line and the party's first address."""
        where = [["party", "=", deal["party"]]]
        order = [["sequence", "ASC"], ["id", "ASC"]]
        found = self._rpc.call(
            "party.address", "search_read", where, 0, 1, order, ["id"], call=call
        )
        address = found[0]["id"] if found else None
        values = {
            **self._values(fields, call),
            "party": deal["party"],
            "company": deal["company"],
            "origin": f"sale.opportunity,{deal['id']}",
            "invoice_address": address,
            "shipment_address": address,
            "lines": [["create", [_line(fields)]]],
        }
        self._rpc.call(self._slot.model, "create", [values], call=call)

    def _reopen(self, deal: str, sale: Doc, fields: dict[str, object], call: Call) -> None:
        """Rewrite a quotation: it goes back to draft first, and is put back where that is refused.

        Raises RemoteFailure; of unknown outcome where it may have been left a draft.
        """
        if sale["state"] != QUOTATION:
            raise RemoteFailure(
                f"The sale of the quote on deal {deal} is {sale['state']}. Nothing was changed.",
                error_class=ErrorClass.PERMANENT,
            )
        model = self._slot.model
        self._rpc.call(model, DRAFT, [sale["id"]], call=call, **stamped(model, sale))
        with self._put_back(deal, sale, call):
            now = self._sale(deal, str(sale["reference"]), call)
            if now is None or read_slot(now, self._slot).token != read_slot(sale, self._slot).token:
                raise moved_on(f"The quote on deal {deal}")
            self._rewrite(now, fields, call)

    @contextlib.contextmanager
    def _put_back(self, deal: str, sale: Doc, call: Call) -> Iterator[None]:
        """Make a sale a quotation again when what it was opened for has failed."""
        try:
            yield
        except RemoteFailure as failure:
            if failure.error_class is ErrorClass.CONFLICT or failure.outcome is Outcome.UNKNOWN:
                raise  # somebody else is at it, or it may have been written
            with after_writing(f"The quote on deal {deal} was opened and not rewritten"):
                self._rpc.call(self._slot.model, QUOTE, [sale["id"]], call=call)
            raise

    def _rewrite(self, sale: Doc, fields: dict[str, object], call: Call) -> None:
        """Write over what we saw, and over nothing else."""
        known = sale.get("lines") or []
        line = ["write", known[:1], _line(fields)] if known else ["create", [_line(fields)]]
        lines = [line, ["delete", known[1:]]] if known[1:] else [line]
        values = {**self._values(fields, call), "lines": lines}
        model = self._slot.model
        self._rpc.call(model, "write", [sale["id"]], values, call=call, **stamped(model, sale))

    def _values(self, fields: dict[str, object], call: Call) -> dict[str, object]:
        currency = currency_id(self._rpc, Entity.QUOTE, str(fields[CURRENCY]), call)
        return {**sale_texts(fields), "currency": currency}

    def _finish(
        self, deal: str, quote_id: str, attachment: Attachment | None, call: Call
    ) -> RemoteWrite:
        """Attach the file and move the sale on, where that is not done yet; then read it."""
        sale = self._there(deal, quote_id, call)
        if attachment is not None:
            self._attach(sale, attachment, call)
        if self._waits(sale):
            self._rpc.call(self._slot.model, QUOTE, [sale["id"]], call=call)
            sale = self._there(deal, quote_id, call)
        at = sale[MODIFIED]
        assert isinstance(at, datetime)
        return RemoteWrite(
            crm_ref=deal,
            source_ts=at,
            source_version=str(microseconds(at)),
            values=read_summary(sale, self._mapping),
        )

    def _waits(self, sale: Doc) -> bool:
        """Whether it is still to be moved on; that is always the last step."""
        return self._quoted and sale["state"] == DRAFT

    def _lacks_a_step(self, sale: Doc, call: Call) -> bool:
        """Whether a step is left: the move to quotation, or the file of one that stays a draft."""
        if self._quoted:
            return self._waits(sale)
        ref = read_summary(sale, self._mapping).get("attachment_ref")
        return bool(ref) and not self._link_of(sale, str(ref), call)

    def _there(self, deal: str, quote_id: str, call: Call) -> Doc:
        sale = self._sale(deal, quote_id, call)
        if sale is None:
            raise not_there(Entity.QUOTE, quote_id)
        return sale

    def _attach(self, sale: Doc, attachment: Attachment, call: Call) -> None:
        """Leave a link with digest and size; the file itself stays where it is."""
        told = f"sha256 {attachment.sha256}, {attachment.bytes} bytes"
        known = self._link_of(sale, attachment.ref, call)
        values = {
            "name": attachment.ref,
            "type": "link",
            "link": attachment.ref,
            "resource": f"{self._slot.model},{sale['id']}",
            "description": told,
        }
        if not known:
            self._rpc.call(ATTACHMENT, "create", [values], call=call)
        elif known[0].get("description") != told:
            self._rpc.call(ATTACHMENT, "write", [known[0]["id"]], {"description": told}, call=call)

    def _link_of(self, sale: Doc, ref: str, call: Call) -> list[Doc]:
        where = [["resource", "=", f"{self._slot.model},{sale['id']}"], ["link", "=", ref]]
        found: list[Doc] = self._rpc.call(
            ATTACHMENT, "search_read", where, 0, 1, None, ["description"], call=call
        )
        return found


def _line(fields: dict[str, object]) -> dict[str, object]:
    """Give the one line of the sale, which is worth the total."""
    return {
        "type": "line",
        "description": f"Quote {fields['reference']}",
        "quantity": 1,
        "unit_price": fields["untaxed_amount"],
    }
