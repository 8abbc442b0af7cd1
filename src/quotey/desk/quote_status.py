"""The lifecycle of a quote: one move at a time, by the table, each a version of its own.

Source: ADR 0003; the table is `quotey.decide.lifecycle.QUOTE_MOVES`.
"""

from __future__ import annotations

from quotey.contract.errors import Diagnostic, RefusedError, UsageError
from quotey.contract.problems import did_you_mean
from quotey.contract.quote import Quote, QuoteStatus
from quotey.contract.values import FREE_TEXT_BYTES, NAME_BYTES, read_text
from quotey.decide.lifecycle import QUOTE_MOVES, quote_way
from quotey.desk.ports import DeskPorts, problem, told
from quotey.desk.quote_versions import following
from quotey.desk.quote_writes import QuoteAnswer, add_version
from quotey.desk.references import find_quote


def change_status(
    desk: DeskPorts,
    quote_id: str,
    status: str,
    *,
    approver: str | None = None,
    note: str | None = None,
) -> QuoteAnswer:
    """Move a quote along its lifecycle; the move is a version of its own (ADR 0003).

    `approved` needs an approver. Raises `RefusedError` with the moves that there are, `UsageError`
    for a word that is no status.
    """
    with desk.store.transaction("quote.status"):
        quote = find_quote(desk, quote_id)
        wanted = _status(status)
        _refuse_move(desk, quote, wanted)
        named, noted = _approval(wanted, approver, note)
        changes: dict[str, object] = {
            "status": wanted,
            "approver": quote.current.approver if named is None else named,
            "note": quote.current.note if noted is None else noted,
        }
        after = following(desk, quote, changes)
        return add_version(desk, quote, after, "quote.status_changed")


def _status(status: str) -> QuoteStatus:
    try:
        return QuoteStatus(status.strip().lower())
    except ValueError:
        known = did_you_mean(status, [str(one) for one in QuoteStatus])
        raise UsageError(
            f"{status[:40]!r} is no status of a quote. {known} Nothing was changed."
        ) from None


def _refuse_move(desk: DeskPorts, quote: Quote, wanted: QuoteStatus) -> None:
    now, moves = quote.current.status, QUOTE_MOVES[quote.current.status]
    if wanted not in moves:
        may = ", ".join(sorted(moves)) or "nothing; that status is final"
        way = quote_way(now, wanted)
        via = f" The way to {wanted}: {', then '.join(way)}." if way else ""
        step = f"quotey quote status {quote.id} {way[0]}" if way else None
        raise RefusedError(
            f"Quote {quote.id} is {now} and cannot become {wanted}; it can become: {may}.{via} "
            "Nothing was changed.",
            next=(step or f"quotey quote show {quote.id}",),
        )
    past = (
        quote.current.valid_until is not None
        and quote.current.valid_until < desk.now().date().isoformat()
    )
    if wanted == QuoteStatus.SENT and past:
        raise RefusedError(
            f"Quote {quote.id} was valid until {quote.current.valid_until}; a quote that has run "
            "out is not sent. Nothing was changed.",
            next=(f"quotey quote revise {quote.id} --valid-until …",),
        )


def _approval(
    wanted: QuoteStatus, approver: str | None, note: str | None
) -> tuple[str | None, str | None]:
    """Check who approves and what they say; None is what was not said."""
    problems: list[Diagnostic] = []

    def read(field: str, raw: str | None, max_bytes: int) -> str | None:
        try:
            return None if raw is None else read_text(raw, max_bytes)
        except ValueError as error:
            problems.append(problem("bad_value", "quote", field, str(error)))
            return None

    named = read("approver", approver, NAME_BYTES)
    noted = read("note", note, FREE_TEXT_BYTES)
    if wanted == QuoteStatus.APPROVED and not named and not problems:
        problems.append(
            problem("no_approver", "quote", "approver", "an approval names who gave it")
        )
    if problems:
        raise UsageError(told("The status was not changed", problems), diagnostics=tuple(problems))
    return named, noted
