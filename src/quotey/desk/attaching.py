"""Attaching a file to a quote: a reference inside the root, or a file that is copied in first.

What a reference may be is said in `attachments`.
"""

from __future__ import annotations

from pathlib import Path

from quotey.contract.dto import Attachment
from quotey.contract.errors import Diagnostic, RefusedError, UsageError
from quotey.contract.quote import Quote, QuoteStatus
from quotey.desk import attachments, copying_in
from quotey.desk.ports import DeskPorts, told
from quotey.desk.quote_checks import attachment_problem
from quotey.desk.quote_versions import attachment_columns, following, terms_of
from quotey.desk.quote_writes import QuoteAnswer, add_version
from quotey.desk.references import find_quote

ENDED = (QuoteStatus.CANCELLED, QuoteStatus.SUPERSEDED)
"""Statuses in which nothing is done with a quote any more."""


def attach(desk: DeskPorts, quote_id: str, ref: str) -> QuoteAnswer:
    """Attach a file of the attachment root, digest and size fixed now; the status stays.

    Attaching what is attached, unchanged, changes nothing.
    Raises `UsageError` when the reference is not a regular file inside the root.
    """
    attached, problems = fixed(desk, ref)
    if problems or attached is None:
        raise _not_attached(problems)
    return _attached(desk, quote_id, attached)


def attach_file(desk: DeskPorts, quote_id: str, source: Path) -> QuoteAnswer:
    """Copy a file of this machine into the attachment root and attach it there.

    Only for a path that a person typed: a reference that came from elsewhere is for `attach`.
    Raises `UsageError` when it is not a regular file of 1 byte to 25 MB, or cannot be copied.
    """
    with desk.store.snapshot():
        _refuse_ended(find_quote(desk, quote_id))
    try:
        attached = copying_in.bring_in(desk.attachments, source, token=desk.ids("att"))
    except attachments.AttachmentProblem as refused:
        raise _not_attached((attachment_problem(source.name, str(refused)),)) from refused
    return _attached(desk, quote_id, attached)


def fixed(desk: DeskPorts, ref: str | None) -> tuple[Attachment | None, tuple[Diagnostic, ...]]:
    """Fix the attachment before any transaction is open: hashing a file takes its time."""
    if not ref:
        return None, ()
    try:
        return attachments.fix(desk.attachments, ref), ()
    except attachments.AttachmentProblem as refused:
        return None, (attachment_problem(ref, str(refused)),)


def _attached(desk: DeskPorts, quote_id: str, attached: Attachment) -> QuoteAnswer:
    with desk.store.transaction("quote.attach"):
        quote = find_quote(desk, quote_id)
        _refuse_ended(quote)
        if terms_of(quote.current).attachment == attached:
            return QuoteAnswer(quote=quote, changed=False)
        after = following(desk, quote, attachment_columns(attached))
        return add_version(desk, quote, after, "quote.attached")


def _refuse_ended(quote: Quote) -> None:
    if quote.current.status in ENDED:
        raise RefusedError(
            f"Quote {quote.id} is {quote.current.status}; nothing can be attached to it. "
            "Nothing was changed.",
            next=(f"quotey quote create {quote.deal_id} --total …",),
        )


def _not_attached(problems: tuple[Diagnostic, ...]) -> UsageError:
    if not problems:
        return UsageError("No file was named. Nothing was changed.")
    return UsageError(told("The file was not attached", problems), diagnostics=problems)
