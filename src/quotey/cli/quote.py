"""`quotey quote`: quotes live here and are true here; the CRM gets summaries by the next sync.

Each function is one command: it asks the façade once and says how to draw the answer.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quotey.app.quotes import LineTerms, QuoteAnswer, QuoteTerms
from quotey.cli.answer import Answer, Injected
from quotey.cli.draw_quotes import draw_done, draw_quote, draw_quotes
from quotey.contract.errors import UsageError

Id = Annotated[str, Parameter(help="the quote's id, as `quote list` shows it")]
Total = Annotated[str | None, Parameter(help="the total, as 12000.00; never rounded")]
Currency = Annotated[str | None, Parameter(help="ISO 4217 code; default: the deal's")]
ValidUntil = Annotated[str | None, Parameter(help="last day, as 2027-01-31; blank clears")]
Lines = Annotated[
    tuple[str, ...],
    Parameter(name="--line", help="NAME=TOTAL or '3 x NAME=TOTAL'; may be repeated"),
]
Note = Annotated[str | None, Parameter(help="a note that stays here")]
Trace = Annotated[str | None, Parameter(help="how the price came about; never leaves here")]
File = Annotated[str | None, Parameter(help="a file, named from the attachment root")]
Draft = Annotated[bool, Parameter(help="not priced yet")]
Token = Annotated[str | None, Parameter(help="any word; the same word again gives the same quote")]
_LINE = re.compile(r"(?:(?P<quantity>\d+(?:\.\d+)?)\s+x\s+)?(?P<name>[^=]+)=(?P<total>[^=]+)")


def create(  # noqa: PLR0913 - the words of one quote
    deal: Annotated[str, Parameter(help="the deal, by our id or the CRM's")],
    /,
    *,
    quotey: Injected,
    total: Total = None,
    currency: Currency = None,
    valid_until: ValidUntil = None,
    line: Lines = (),
    note: Note = None,
    price_trace: Trace = None,
    attachment: File = None,
    draft: Draft = False,
    token: Token = None,
) -> Answer:
    """Make a quote for a deal and queue its summary. The deal's first quote is published.

    $ quotey quote create D-1001 --total 12000.00 --valid-until 2027-01-31
    $ quotey quote create D-1001 --line "3 x Licence=9000.00" --line "Set-up=3000.00"
    """
    terms = _terms(total, currency, valid_until, line, note, price_trace, attachment)
    return _done(quotey.quote_create(deal, terms, draft=draft, token=token))


def revise(  # noqa: PLR0913 - the words of one quote
    quote: Id,
    /,
    *,
    quotey: Injected,
    total: Total = None,
    currency: Currency = None,
    valid_until: ValidUntil = None,
    line: Lines = (),
    note: Note = None,
    price_trace: Trace = None,
    attachment: File = None,
    draft: Draft = False,
    token: Token = None,
) -> Answer:
    """Make the next version of a quote; what is not named stays. It steps over a stale conflict.

    $ quotey quote revise q_1f2e3d4c5b6a7988 --total 11500.00
    """
    terms = _terms(total, currency, valid_until, line, note, price_trace, attachment)
    return _done(quotey.quote_revise(quote, terms, draft=draft, token=token))


def publish(quote: Id, /, *, quotey: Injected) -> Answer:
    """Make this the deal's only published quote: the one that the CRM sees.

    $ quotey quote publish q_1f2e3d4c5b6a7988
    """
    return _done(quotey.quote_publish(quote))


def status(
    quote: Id,
    to: Annotated[str | None, Parameter(help="the new status; default: only show it")] = None,
    /,
    *,
    quotey: Injected,
    approver: Annotated[str | None, Parameter(help="who approves; `approved` needs it")] = None,
    note: Note = None,
) -> Answer:
    """Move a quote along its lifecycle, or show where it stands.

    $ quotey quote status q_1f2e3d4c5b6a7988
    $ quotey quote status q_1f2e3d4c5b6a7988 approved --approver "Kim Lee"
    """
    if to is None:
        return show(quote, quotey=quotey)
    return _done(quotey.quote_status(quote, to, approver=approver, note=note))


def attach(
    quote: Id,
    file: Annotated[str, Parameter(help="a file, named from the attachment root")],
    /,
    *,
    quotey: Injected,
    copy: Annotated[bool, Parameter(help="FILE is a path; it is copied into the root")] = False,
) -> Answer:
    """Attach a file; its digest and size are fixed now.

    $ quotey quote attach q_1f2e3d4c5b6a7988 2026/offer.pdf
    $ quotey quote attach q_1f2e3d4c5b6a7988 ~/Downloads/offer.pdf --copy
    """
    if copy:
        return _done(quotey.quote_attach_file(quote, Path(file)))
    return _done(quotey.quote_attach(quote, file))


def show(quote: Id, /, *, quotey: Injected) -> Answer:
    """Show a quote: its versions, what waits to be written, what waits for a person.

    $ quotey quote show q_1f2e3d4c5b6a7988
    """
    answer = quotey.quote_show(quote)
    waits = ("quotey crm reconcile list",) if answer.conflict else ()
    return Answer(data=answer, draw=lambda screen: draw_quote(screen, answer), next=waits)


def list_(
    *,
    quotey: Injected,
    deal: Annotated[str | None, Parameter(help="only of this deal")] = None,
    limit: Annotated[int, Parameter(help="how many; default: 100")] = 100,
) -> Answer:
    """List quotes, newest version each.

    $ quotey quote list
    $ quotey quote list --deal D-1001
    """
    answer = quotey.quote_list(deal, limit=limit)
    return Answer(data=answer, draw=lambda screen: draw_quotes(screen, answer))


def _done(answer: QuoteAnswer) -> Answer:
    waits = ("quotey crm sync",) if answer.operation_id else ()
    return Answer(data=answer, draw=lambda screen: draw_done(screen, answer), next=waits)


def _terms(
    total: str | None,
    currency: str | None,
    valid_until: str | None,
    lines: tuple[str, ...],
    note: str | None,
    price_trace: str | None,
    attachment: str | None,
) -> QuoteTerms:
    return QuoteTerms(
        total=total,
        currency=currency,
        valid_until=valid_until,
        lines=tuple(_line(text) for text in lines) if lines else None,
        note=note,
        price_trace=price_trace,
        attachment=attachment,
    )


def _line(text: str) -> LineTerms:
    """Read `NAME=TOTAL` or `3 x NAME=TOTAL`; raises UsageError for anything else.

    >>> _line("3 x Licence=9000.00").quantity
    '3'
    """
    found = _LINE.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"--line {text!r} is not NAME=TOTAL or '3 x NAME=TOTAL'. Nothing was changed.",
            next=("quotey quote create --help",),
        )
    return LineTerms(
        name=found["name"].strip(), total=found["total"].strip(), quantity=found["quantity"] or "1"
    )
