"""Quotes for the façade: the desk's commands, and a quote shown whole."""

from __future__ import annotations

import msgspec

from quotey.contract.journal import Operation
from quotey.contract.quote import Quote, QuoteVersion
from quotey.contract.reconciliation import Reconciliation
from quotey.desk import quotes
from quotey.desk.ports import DeskPorts
from quotey.desk.quotes import LineTerms, QuoteAnswer, QuoteTerms

__all__ = ["LineTerms", "QuoteAnswer", "QuoteDetail", "QuoteTerms", "detail"]


class QuoteDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A quote with every version (oldest first), open items and operations.

    `conflict`: an item of the quote waits for a person.
    """

    quote: Quote
    conflict: bool
    versions: tuple[QuoteVersion, ...]
    items: tuple[Reconciliation, ...] = ()
    operations: tuple[Operation, ...] = ()


def detail(desk: DeskPorts, quote_id: str) -> QuoteDetail:
    """Gather a quote whole. Raises NotFoundError with near matches."""
    view = quotes.show(desk, quote_id)
    return QuoteDetail(
        quote=view.quote,
        conflict=view.conflict,
        versions=quotes.history(desk, view.quote.id),
        items=view.items,
        operations=view.operations,
    )
