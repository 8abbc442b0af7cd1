"""Quotes: create, revise, publish, move, attach, show. They are true here, whatever the CRM says.

A command commits the quote, the operation that writes it out and its audit event together, and
returns; it never waits for a CRM. Source: seed 4.1, 5.4, 7.3; design section 9; ADR 0003.
"""

from __future__ import annotations

import msgspec

from quotey.contract.dto import Attachment
from quotey.contract.errors import Diagnostic, RefusedError, UsageError
from quotey.contract.fields import Entity
from quotey.contract.journal import MirrorRecord, RecordState
from quotey.contract.quote import Quote, QuoteStatus
from quotey.decide.lifecycle import may_revise
from quotey.desk import replay, stale
from quotey.desk.attaching import ENDED, attach, attach_file, fixed
from quotey.desk.ports import DeskPorts, readable_mapping, told
from quotey.desk.quote_checks import (
    Agreed,
    LineTerms,
    QuoteTerms,
    Setting,
    check_terms,
)
from quotey.desk.quote_status import change_status
from quotey.desk.quote_versions import (
    columns,
    commercial,
    following,
    new_quote,
    terms_of,
)
from quotey.desk.quote_views import QuoteView, history, list_quotes, show
from quotey.desk.quote_writes import (
    QuoteAnswer,
    add_version,
    missed,
    note_quote,
    own_slot,
    send,
    write_key,
)
from quotey.desk.references import find, find_quote

__all__ = [
    "LineTerms",
    "QuoteAnswer",
    "QuoteTerms",
    "QuoteView",
    "attach",
    "attach_file",
    "change_status",
    "create",
    "history",
    "list_quotes",
    "publish",
    "revise",
    "show",
]


def create(
    desk: DeskPorts,
    deal_id: str,
    terms: QuoteTerms,
    *,
    draft: bool = False,
    token: str | None = None,
) -> QuoteAnswer:
    """Make a quote for a deal. The deal's first is published by itself.

    A quote with a total is `priced` at once, unless it is still a `draft`. `token` makes repeating
    the command harmless: the same token answers the same quote (reliability CP-2).
    Raises `UsageError` with every problem, `NotFoundError`, `RefusedError` for a deal that is gone.
    """
    request = replay.Request("quote.create", token, (deal_id, terms, draft))
    if answered := replay.answer(desk, request):
        return answered
    attached, problems = fixed(desk, terms.attachment)
    with desk.store.transaction("quote.create"):
        if answered := replay.answer(desk, request):
            return answered
        deal = _open_deal(desk, deal_id)
        agreed = _agreed(desk, deal, terms, attached, problems, before=None)
        quote = new_quote(desk, deal, agreed, draft=draft)
        desk.store.quotes.add(quote)
        if quote.published:
            desk.store.quotes.set_published(deal.id, quote.id)
        answer = send(desk, quote, None)
        note_quote(desk, "quote.created", quote, None, operation=answer.operation_id)
        return replay.remember(desk, request, answer)


def revise(
    desk: DeskPorts,
    quote_id: str,
    terms: QuoteTerms,
    *,
    draft: bool = False,
    token: str | None = None,
) -> QuoteAnswer:
    """Make the next version of a quote; what is not named stays.

    New commercial terms void an approval: the version is `priced` (or `draft`) again. With an open
    `stale_outbound_write` the version steps over the CRM's and the item is closed; nothing else
    need change then (seed 5.4, design section 9).
    Raises as `create`, and `RefusedError` when the quote's status allows no revision.
    """
    request = replay.Request("quote.revise", token, (quote_id, terms, draft))
    if answered := replay.answer(desk, request):
        return answered
    attached, problems = fixed(desk, terms.attachment)
    with desk.store.transaction("quote.revise"):
        if answered := replay.answer(desk, request):
            return answered
        quote = find_quote(desk, quote_id)
        deal = _deal_of(desk, quote)
        before = terms_of(quote.current)
        agreed = _agreed(desk, deal, terms, attached, problems, before=before)
        answer = _revised(desk, quote, before, agreed, draft=draft)
        return replay.remember(desk, request, answer)


def publish(desk: DeskPorts, quote_id: str) -> QuoteAnswer:
    """Make this the deal's only published quote: the one that is written to the deal.

    Where another quote of ours was published, this one may replace it. Where a write of this quote
    met another quote in the CRM, publishing it (again) is the person's permission to replace that
    one. Publishing what is published changes nothing.
    """
    with desk.store.transaction("quote.publish"):
        quote = find_quote(desk, quote_id)
        if quote.current.status in ENDED:
            raise RefusedError(
                f"Quote {quote.id} is {quote.current.status}; it cannot be published. "
                "Nothing was changed.",
                next=(f"quotey quote create {quote.deal_id} --total …",),
            )
        met = stale.found(desk, quote)
        before = desk.store.quotes.published(quote.deal_id)
        if quote.published and met.other is None:
            return QuoteAnswer(quote=quote, changed=False)
        desk.store.quotes.set_published(quote.deal_id, quote.id)
        quote = msgspec.structs.replace(quote, published=True)
        closed = stale.answered(desk, met, f"may replace {met.other}", by=met.other is not None)
        answer = _published(desk, quote, before, met)
        return msgspec.structs.replace(answer, closed_items=closed + answer.closed_items)


# --- what a command is judged by -----------------------------------------------------------------


def _open_deal(desk: DeskPorts, deal_id: str) -> MirrorRecord:
    deal = find(desk, Entity.DEAL, deal_id)
    if deal.state == RecordState.GONE:
        raise RefusedError(
            f"Deal {deal.id} is gone in the CRM, so nothing new can be quoted for it. "
            "Nothing was changed.",
            next=(f"quotey crm reconcile list --entity deal/{deal.id}",),
        )
    return deal


def _deal_of(desk: DeskPorts, quote: Quote) -> MirrorRecord:
    deal = desk.store.records.get(Entity.DEAL, quote.deal_id)
    assert deal is not None, "a quote's deal is never deleted"
    return deal


def _agreed(
    desk: DeskPorts,
    deal: MirrorRecord,
    terms: QuoteTerms,
    attached: Attachment | None,
    problems: tuple[Diagnostic, ...],
    *,
    before: Agreed | None,
) -> Agreed:
    setting = Setting(
        today=desk.now().date(),
        deal_currency=deal.local.get("currency"),
        default_currency=default_currency(desk, deal.connection),
        before=before,
    )
    agreed, found = check_terms(terms, setting, attached)
    if agreed is None or problems:
        every = (*found, *problems)
        raise UsageError(told("The quote was not saved", every), diagnostics=every)
    return agreed


def default_currency(desk: DeskPorts, connection: str) -> str | None:
    """Give the currency of what names none: the connection's, else the mapping's."""
    row = desk.store.connections.get(connection)
    known = row.default_currency if row else None
    return known or readable_mapping(desk, connection).default_currency


# --- the versions that come of it ----------------------------------------------------------------


def _revised(
    desk: DeskPorts, quote: Quote, before: Agreed, agreed: Agreed, *, draft: bool
) -> QuoteAnswer:
    met = stale.found(desk, quote)
    status, approver = quote.current.status, quote.current.approver
    if commercial(before) != commercial(agreed) or draft:
        _refuse_revision(quote)
        status, approver = (QuoteStatus.DRAFT if draft else QuoteStatus.PRICED), ""
    elif before == agreed:
        _refuse_idle(desk, quote, met)
    theirs = met.version if met.other is None else None
    changes = {**columns(agreed), "status": status, "approver": approver}
    after = following(desk, quote, changes, marker=theirs)
    why = f"revised as version {after.version}"
    closed = stale.answered(desk, met, why, by=met.other is None)
    answer = add_version(desk, quote, after, "quote.revised", stepped_over=theirs)
    return msgspec.structs.replace(answer, closed_items=closed + answer.closed_items)


def _refuse_revision(quote: Quote) -> None:
    if not may_revise(quote.current.status):
        raise RefusedError(
            f"Quote {quote.id} is {quote.current.status}; its terms cannot be revised any more. "
            "Nothing was changed.",
            next=(f"quotey quote create {quote.deal_id} --total …",),
        )


def _refuse_idle(desk: DeskPorts, quote: Quote, met: stale.Found) -> None:
    """Refuse a revision that says nothing new, unless it writes again what did not arrive."""
    if met.other is not None:
        raise RefusedError(
            f"The CRM holds another quote ({met.other}) where {quote.id} would stand; a revision "
            "does not replace it, publishing does. Nothing was changed.",
            next=(f"quotey quote publish {quote.id}",),
        )
    if met.item is None and not missed(desk, quote):
        raise UsageError(
            f"Quote {quote.id} already says that; there is nothing to revise. Nothing was changed.",
            next=(f"quotey quote revise {quote.id} --total …",),
        )


def _published(
    desk: DeskPorts, quote: Quote, before: Quote | None, met: stale.Found
) -> QuoteAnswer:
    """Write the published quote out; a version that was queued once is never queued again.

    Where each quote has a slot of its own, only what was met there is in its way.
    """
    alone, other = own_slot(desk, quote), before if before and before.id != quote.id else None
    replaces = met.other or (other.id if other and not alone else None)
    facts: dict[str, object] = {"published_before": before.id if before else None}
    if other is not None:
        _note_unpublished(desk, other, quote.id)
    queued = desk.store.outbox.by_key(write_key(desk, quote.current))
    if queued is not None and (met.other or not alone):
        after = following(desk, quote, {}, marker=met.version)
        return add_version(
            desk, quote, after, "quote.published", replaces=replaces, in_hand="", **facts
        )
    answer = QuoteAnswer(quote=quote) if queued else send(desk, quote, replaces)
    note_quote(
        desk, "quote.published", quote, quote.current, operation=answer.operation_id, **facts
    )
    return answer


def _note_unpublished(desk: DeskPorts, other: Quote, by: str) -> None:
    """Audit the quote that is not published any more; its terms stay as they are."""
    other = msgspec.structs.replace(other, published=False)
    note_quote(desk, "quote.unpublished", other, other.current, published_instead=by)
