"""The three state machines as tables: quote, sync run, outbox operation.

A move that a table does not hold is absent, and absence raises. Who moves them is not told here.
Source: seed 6.2; design section 9.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, overload

from quotey.contract.errors import IllegalMoveError
from quotey.contract.journal import OpState, SyncPhase
from quotey.contract.quote import QuoteStatus

Q, S, O = QuoteStatus, SyncPhase, OpState  # noqa: E741 - the tables are read, not the letters

QUOTE_MOVES: dict[QuoteStatus, frozenset[QuoteStatus]] = {
    Q.DRAFT: frozenset({Q.PRICED, Q.CANCELLED, Q.SUPERSEDED}),
    Q.PRICED: frozenset({Q.PENDING_APPROVAL, Q.EXPIRED, Q.CANCELLED, Q.SUPERSEDED}),
    Q.PENDING_APPROVAL: frozenset({Q.APPROVED, Q.REJECTED, Q.EXPIRED, Q.CANCELLED, Q.SUPERSEDED}),
    Q.APPROVED: frozenset({Q.SENT, Q.EXPIRED, Q.CANCELLED, Q.SUPERSEDED}),
    Q.SENT: frozenset({Q.ACCEPTED, Q.REJECTED, Q.EXPIRED, Q.CANCELLED, Q.SUPERSEDED}),
    Q.REJECTED: frozenset({Q.SUPERSEDED}),
    Q.EXPIRED: frozenset({Q.SUPERSEDED}),
    Q.ACCEPTED: frozenset(),
    Q.CANCELLED: frozenset(),
    Q.SUPERSEDED: frozenset(),
}
"""From a status to those that may follow in the next version of the quote.

SUPERSEDED is what a revision does to the version before it; so a status from which it can be
reached is one that can be revised.
"""

REVISED = frozenset({Q.DRAFT, Q.PRICED})
"""What a revision starts as: a draft, or priced at once when it comes with a total."""


class SyncEvent(StrEnum):
    """What moves a sync run."""

    START = "start"
    SUCCEED = "succeed"
    FAIL = "fail"
    RETRY = "retry"
    INTERRUPTED = "interrupted"


SYNC_MOVES: dict[tuple[SyncPhase, str], SyncPhase] = {
    (S.IDLE, SyncEvent.START): S.SYNCING,
    (S.SYNCING, SyncEvent.SUCCEED): S.IDLE,
    (S.SYNCING, SyncEvent.FAIL): S.ERROR,
    (S.ERROR, SyncEvent.RETRY): S.SYNCING,
    # A run that died is found by its lease (design section 5).
    (S.SYNCING, SyncEvent.INTERRUPTED): S.ERROR,
}
"""Exactly the four moves of seed 6.2, and the one that a dead process cannot make itself."""


class OpEvent(StrEnum):
    """What moves an operation of the outbox."""

    CLAIM = "claim"
    EXPIRE = "expire"
    UNSURE = "unsure"
    DELIVER = "deliver"
    RETRY = "retry"
    HOLD = "hold"
    RELEASE = "release"
    SUPERSEDE = "supersede"
    CONFLICT = "conflict"
    DIE = "die"
    DISCARD = "discard"
    AGAIN = "again"
    REPAIR = "repair"


OUTBOX_MOVES: dict[tuple[OpState, str], OpState] = {
    (O.QUEUED, OpEvent.CLAIM): O.LEASED,
    (O.QUEUED, OpEvent.HOLD): O.HELD,
    (O.QUEUED, OpEvent.SUPERSEDE): O.SUPERSEDED,
    (O.QUEUED, OpEvent.DISCARD): O.DISCARDED,
    (O.QUEUED, OpEvent.AGAIN): O.QUEUED,  # a person says: now
    (O.LEASED, OpEvent.DELIVER): O.DELIVERED,
    (O.LEASED, OpEvent.RETRY): O.QUEUED,
    (O.LEASED, OpEvent.UNSURE): O.UNKNOWN,
    (O.LEASED, OpEvent.HOLD): O.HELD,
    (O.LEASED, OpEvent.CONFLICT): O.CONFLICT,
    (O.LEASED, OpEvent.DIE): O.DEAD,
    (O.LEASED, OpEvent.SUPERSEDE): O.SUPERSEDED,  # none of its values stands any more
    (O.LEASED, OpEvent.EXPIRE): O.QUEUED,  # the lease ran out and no request may have left
    (O.UNKNOWN, OpEvent.CLAIM): O.LEASED,  # to look, before anything is sent again
    (O.UNKNOWN, OpEvent.DELIVER): O.DELIVERED,
    (O.UNKNOWN, OpEvent.UNSURE): O.UNKNOWN,
    (O.UNKNOWN, OpEvent.RETRY): O.QUEUED,
    (O.UNKNOWN, OpEvent.HOLD): O.HELD,
    (O.UNKNOWN, OpEvent.CONFLICT): O.CONFLICT,
    (O.UNKNOWN, OpEvent.DIE): O.DEAD,
    (O.UNKNOWN, OpEvent.DISCARD): O.DISCARDED,
    (O.UNKNOWN, OpEvent.AGAIN): O.QUEUED,
    (O.DELIVERED, OpEvent.REPAIR): O.QUEUED,  # an older write landed late over it (G5)
    (O.HELD, OpEvent.RELEASE): O.QUEUED,
    (O.HELD, OpEvent.HOLD): O.HELD,  # for another reason
    (O.HELD, OpEvent.SUPERSEDE): O.SUPERSEDED,
    (O.HELD, OpEvent.DISCARD): O.DISCARDED,
    (O.HELD, OpEvent.AGAIN): O.QUEUED,
    (O.CONFLICT, OpEvent.DISCARD): O.DISCARDED,
    (O.CONFLICT, OpEvent.SUPERSEDE): O.SUPERSEDED,  # what a person sends in its place
    (O.DEAD, OpEvent.DISCARD): O.DISCARDED,
    (O.DEAD, OpEvent.SUPERSEDE): O.SUPERSEDED,
    (O.DEAD, OpEvent.AGAIN): O.QUEUED,
    (O.DISCARDED, OpEvent.AGAIN): O.QUEUED,  # under its own key, so that nothing doubles
}
"""AGAIN and DISCARD are a person's; a conflict is never sent again, only replaced (seed 5.4)."""


@overload
def move(machine: Literal["quote"], state: QuoteStatus, event: str) -> QuoteStatus: ...
@overload
def move(machine: Literal["sync"], state: SyncPhase, event: str) -> SyncPhase: ...
@overload
def move(machine: Literal["outbox"], state: OpState, event: str) -> OpState: ...
def move(
    machine: Literal["quote", "sync", "outbox"],
    state: QuoteStatus | SyncPhase | OpState,
    event: str,
) -> QuoteStatus | SyncPhase | OpState:
    """Give the state that follows; a quote's event is the status asked for.

    Raises IllegalMoveError when the table holds no such move.

    >>> move("sync", SyncPhase.IDLE, "start"), move("quote", QuoteStatus.SENT, "accepted")
    (<SyncPhase.SYNCING: 'syncing'>, <QuoteStatus.ACCEPTED: 'accepted'>)
    """
    after = _TABLES[machine].get((state, event))
    if after is None:
        raise IllegalMoveError(machine, str(state), str(event))
    return after


def may_revise(status: QuoteStatus) -> bool:
    """Whether a quote in this status may get a new draft or priced version.

    >>> may_revise(QuoteStatus.SENT), may_revise(QuoteStatus.ACCEPTED)
    (True, False)
    """
    return Q.SUPERSEDED in QUOTE_MOVES[status]


def quote_way(now: QuoteStatus, wanted: QuoteStatus) -> tuple[QuoteStatus, ...]:
    """Give the shortest way by statuses that a person sets, `wanted` last; () when there is none.

    >>> [str(step) for step in quote_way(Q.PRICED, Q.APPROVED)]
    ['pending_approval', 'approved']
    >>> quote_way(Q.ACCEPTED, Q.SENT)
    ()
    """
    ways: list[tuple[QuoteStatus, ...]] = [(now,)]
    seen = {now, Q.SUPERSEDED}
    for way in ways:
        for step in sorted(QUOTE_MOVES[way[-1]] - seen):
            if step == wanted:
                return (*way[1:], step)
            seen.add(step)
            ways.append((*way, step))
    return ()


_State = QuoteStatus | SyncPhase | OpState
_TABLES: dict[str, Mapping[tuple[_State, str], _State]] = {
    "quote": {(before, after): after for before in QUOTE_MOVES for after in QUOTE_MOVES[before]},
    "sync": {(phase, event): after for (phase, event), after in SYNC_MOVES.items()},
    "outbox": {(state, event): after for (state, event), after in OUTBOX_MOVES.items()},
}
