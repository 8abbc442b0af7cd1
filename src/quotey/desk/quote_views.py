"""Quotes as they are shown. Nothing is changed here."""

from __future__ import annotations

import msgspec

from quotey.contract.fields import Entity
from quotey.contract.journal import Operation
from quotey.contract.quote import Quote, QuoteVersion
from quotey.contract.reconciliation import Reconciliation
from quotey.desk.ports import DeskPorts
from quotey.desk.references import find, find_quote


class QuoteView(msgspec.Struct, frozen=True, kw_only=True):
    """A quote as it is shown: with what waits for a person and what waits to be written.

    `conflict` is derived: an item of the quote is open or deferred.
    """

    quote: Quote
    conflict: bool
    items: tuple[Reconciliation, ...] = ()
    operations: tuple[Operation, ...] = ()


def show(desk: DeskPorts, quote_id: str) -> QuoteView:
    """Give a quote with its open items and its operations, newest last."""
    with desk.store.snapshot():
        quote = find_quote(desk, quote_id)
        items = desk.store.items.open_for(Entity.QUOTE, [quote.id]).get(quote.id, ())
        operations = desk.store.outbox.list(
            quote.connection, entity=Entity.QUOTE, entity_id=quote.id, limit=1000
        )
        return QuoteView(quote=quote, conflict=bool(items), items=items, operations=operations)


def list_quotes(
    desk: DeskPorts, deal_id: str | None = None, *, limit: int = 100, after: str = ""
) -> tuple[Quote, ...]:
    """Give quotes by id, of one deal or of all; `after` is the last id of the page before."""
    with desk.store.snapshot():
        deal = None if deal_id is None else find(desk, Entity.DEAL, deal_id).id
        return desk.store.quotes.list(deal, limit, after)


def history(desk: DeskPorts, quote_id: str) -> tuple[QuoteVersion, ...]:
    """Give every version of a quote, oldest first."""
    with desk.store.snapshot():
        return desk.store.quotes.versions(find_quote(desk, quote_id).id)
