"""The page of state machines, and their drawings: read from the tables of `decide.lifecycle`.

Source: seed 6.2; design section 9.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from quotey.contract.journal import Hold, OpState, SyncPhase
from quotey.contract.quote import QuoteStatus
from quotey.decide.lifecycle import OUTBOX_MOVES, QUOTE_MOVES, SYNC_MOVES, may_revise
from scripts.pages.markdown import MADE, block, table

S = TypeVar("S", bound=StrEnum)
Moves = Mapping[tuple[S, str], S]

INTRO = """\
A move that is not listed here does not exist: asking for it is refused (a quote) or a fault of
Quotey (a run, an operation). The tables are those of `quotey.decide.lifecycle`.
"""
QUOTES = """\
`quotey quote status` moves a quote; every move makes a version. A status marked ● may be revised:
`quotey quote revise` then begins again with `draft` or `priced`.
"""
MOVERS = """\
`again` and `discard` are a person's. A retry is `queued` with a later `due`. `repair` sends again
what was delivered, when an older version landed late over it.
"""
PHASES: dict[SyncPhase, str] = {
    SyncPhase.IDLE: "nothing runs; the last run ended well",
    SyncPhase.SYNCING: "a run reads or writes, and holds the lease",
    SyncPhase.ERROR: "the last run was stopped: credentials, mapping, database, CRM, a crash",
}
OPERATIONS: dict[OpState, str] = {
    OpState.QUEUED: "waits for its turn, or for its next attempt (`due`)",
    OpState.LEASED: "a process is sending it",
    OpState.UNKNOWN: "sent, and no answer came: the CRM is looked at before it is sent again",
    OpState.HELD: "waits for something that is named: see holds",
    OpState.DELIVERED: "the CRM was seen to hold it",
    OpState.SUPERSEDED: "a newer operation carries what it would have",
    OpState.CONFLICT: "the CRM holds what it may not replace; it is never sent again",
    OpState.DEAD: "tried as often as allowed; a person decides",
    OpState.DISCARDED: "given up by a person",
}
HOLDS: dict[Hold, tuple[str, str]] = {
    Hold.AUTH: ("the credentials were refused", "`quotey crm connect <provider>`"),
    Hold.MAPPING: ("the mapping cannot write it", "a change of the mapping"),
    Hold.PARENT: ("what it belongs to is not in the CRM yet", "the parent's creation"),
    Hold.OPERATOR: ("the CRM refused it for good", "`quotey crm outbox retry` or `discard`"),
}
STATUSES: dict[QuoteStatus, str] = {
    QuoteStatus.DRAFT: "being written",
    QuoteStatus.PRICED: "has a total",
    QuoteStatus.PENDING_APPROVAL: "waits for an approver",
    QuoteStatus.APPROVED: "somebody approved it, and is named",
    QuoteStatus.SENT: "the buyer has it",
    QuoteStatus.ACCEPTED: "the buyer said yes",
    QuoteStatus.REJECTED: "the buyer, or the approver, said no",
    QuoteStatus.EXPIRED: "its validity is over",
    QuoteStatus.CANCELLED: "withdrawn",
    QuoteStatus.SUPERSEDED: "a version with a later one after it",
}


def states_page() -> str:
    """Write the whole page."""
    return "\n".join(
        [
            "# States\n",
            MADE,
            INTRO,
            "## Quote\n",
            QUOTES,
            table(("status", "meaning", "may become"), [_status(one) for one in QuoteStatus]),
            "## Sync run\n",
            "One per connection, entity and direction (`crm_sync_state`).\n",
            block(drawing(SYNC_MOVES)),
            table(("state", "meaning"), [(f"`{one}`", PHASES[one]) for one in SyncPhase]),
            "## Operation of the outbox\n",
            block(drawing(OUTBOX_MOVES)),
            table(("state", "meaning"), [(f"`{one}`", OPERATIONS[one]) for one in OpState]),
            MOVERS,
            "### Holds\n",
            table(("hold", "why", "released by"), [(f"`{one}`", *HOLDS[one]) for one in Hold]),
        ]
    )


def _status(status: QuoteStatus) -> tuple[str, ...]:
    after = [one for one in QuoteStatus if one in QUOTE_MOVES[status]]
    words = ", ".join(f"`{one}`" for one in after if one is not QuoteStatus.SUPERSEDED)
    mark = " ●" if may_revise(status) else ""
    return f"`{status}`{mark}", STATUSES[status], words or "nothing"


def drawing(moves: Moves[S]) -> str:
    """Draw a machine, a state with its arrows after the other; a test reads it back."""
    before = max(len(state) for state, _ in moves)
    event = max(len(name) for _, name in moves)
    lines = []
    for state in dict.fromkeys(state for state, _ in moves):
        arrows = [(name, after) for (one, name), after in moves.items() if one == state]
        for number, (name, after) in enumerate(arrows):
            left = f"{state} " if number == 0 else ""
            fill = "─" if number == 0 else " "
            stem = left.ljust(before + 1, fill) + _stem(number, len(arrows))
            lines.append(f"{stem} {name} {'─' * (event - len(name))}──▶ {after}")
    return "".join(f"{line}\n" for line in lines)


def _stem(number: int, count: int) -> str:
    if count == 1:
        return "────"
    return "─┬──" if number == 0 else " └──" if number == count - 1 else " ├──"
