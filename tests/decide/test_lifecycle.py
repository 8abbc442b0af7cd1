"""The three tables: only the moves that are in them exist."""

from __future__ import annotations

import pytest

from quotey.contract.errors import IllegalMoveError
from quotey.contract.journal import PENDING, OpState, SyncPhase
from quotey.contract.quote import QuoteStatus
from quotey.decide.lifecycle import (
    OUTBOX_MOVES,
    QUOTE_MOVES,
    REVISED,
    SYNC_MOVES,
    OpEvent,
    SyncEvent,
    may_revise,
    move,
    quote_way,
)

ENDS = tuple(state for state in OpState if state not in PENDING)


def test_a_sync_moves_exactly_as_the_seed_says_and_is_found_when_interrupted() -> None:
    told = {(str(phase), event): str(after) for (phase, event), after in SYNC_MOVES.items()}
    assert told == {
        ("idle", "start"): "syncing",
        ("syncing", "succeed"): "idle",
        ("syncing", "fail"): "error",
        ("error", "retry"): "syncing",
        ("syncing", "interrupted"): "error",
    }


@pytest.mark.parametrize("phase", list(SyncPhase))
@pytest.mark.parametrize("event", list(SyncEvent))
def test_an_absent_sync_move_raises(phase: SyncPhase, event: SyncEvent) -> None:
    if (phase, event) in SYNC_MOVES:
        assert move("sync", phase, event) is SYNC_MOVES[phase, event]
    else:
        with pytest.raises(IllegalMoveError, match=f"sync: there is no move '{event}'"):
            move("sync", phase, event)


@pytest.mark.parametrize("state", list(OpState))
@pytest.mark.parametrize("event", list(OpEvent))
def test_an_absent_outbox_move_raises(state: OpState, event: OpEvent) -> None:
    if (state, event) in OUTBOX_MOVES:
        assert move("outbox", state, event) is OUTBOX_MOVES[state, event]
    else:
        with pytest.raises(IllegalMoveError):
            move("outbox", state, event)


@pytest.mark.parametrize("status", list(QuoteStatus))
@pytest.mark.parametrize("after", list(QuoteStatus))
def test_an_absent_quote_move_raises(status: QuoteStatus, after: QuoteStatus) -> None:
    if after in QUOTE_MOVES[status]:
        assert move("quote", status, after) is after
    else:
        with pytest.raises(IllegalMoveError):
            move("quote", status, after)


def test_an_unknown_event_raises() -> None:
    with pytest.raises(IllegalMoveError):
        move("outbox", OpState.QUEUED, "vanish")


def test_every_quote_status_has_its_row() -> None:
    assert set(QUOTE_MOVES) == set(QuoteStatus)


def test_a_quote_can_go_the_whole_way() -> None:
    way = ("priced", "pending_approval", "approved", "sent", "accepted")
    status = QuoteStatus.DRAFT
    for step in way:
        status = move("quote", status, step)
    assert status is QuoteStatus.ACCEPTED


@pytest.mark.parametrize("status", ["accepted", "cancelled", "superseded"])
def test_what_is_settled_with_the_buyer_cannot_be_revised(status: str) -> None:
    assert not may_revise(QuoteStatus(status))
    assert QUOTE_MOVES[QuoteStatus(status)] == frozenset()


@pytest.mark.parametrize("status", ["draft", "priced", "sent", "rejected", "expired"])
def test_anything_else_can_be_revised(status: str) -> None:
    assert may_revise(QuoteStatus(status))


def test_no_status_leads_back_to_a_draft_but_a_revision() -> None:
    assert all(QuoteStatus.DRAFT not in after for after in QUOTE_MOVES.values())
    assert QuoteStatus.DRAFT in REVISED


def test_a_quote_is_never_sent_before_it_is_approved() -> None:
    before = {status for status, after in QUOTE_MOVES.items() if QuoteStatus.SENT in after}
    assert before == {QuoteStatus.APPROVED}


def test_only_a_person_moves_what_has_ended() -> None:
    ends = [state for state in ENDS if state is not OpState.DELIVERED]
    events = {event for (state, event) in OUTBOX_MOVES if state in ends}
    assert events == {OpEvent.DISCARD, OpEvent.AGAIN, OpEvent.SUPERSEDE}


def test_a_conflict_is_never_sent_again() -> None:
    events = {event for (state, event) in OUTBOX_MOVES if state is OpState.CONFLICT}
    assert events == {OpEvent.DISCARD, OpEvent.SUPERSEDE}


@pytest.mark.parametrize("end", [OpState.CONFLICT, OpState.DEAD])
def test_what_ended_badly_is_superseded_by_what_a_person_sends_in_its_place(end: OpState) -> None:
    assert move("outbox", end, OpEvent.SUPERSEDE) is OpState.SUPERSEDED


def test_dropping_is_taken_back_by_a_person_only() -> None:
    events = {event for (state, event) in OUTBOX_MOVES if state is OpState.DISCARDED}
    assert events == {OpEvent.AGAIN}


def test_what_was_superseded_is_final() -> None:
    assert not [state for (state, _) in OUTBOX_MOVES if state is OpState.SUPERSEDED]


def test_what_was_delivered_is_only_left_to_repair_a_late_landing() -> None:
    events = {event for (state, event) in OUTBOX_MOVES if state is OpState.DELIVERED}
    assert events == {OpEvent.REPAIR}


def test_only_what_is_leased_or_unknown_can_be_delivered() -> None:
    before = {state for (state, event) in OUTBOX_MOVES if event == OpEvent.DELIVER}
    assert before == {OpState.LEASED, OpState.UNKNOWN}


@pytest.mark.parametrize("state", [OpState.UNKNOWN, OpState.DELIVERED, OpState.DISCARDED])
def test_what_may_have_landed_or_has_a_good_end_is_never_superseded(state: OpState) -> None:
    assert (state, OpEvent.SUPERSEDE) not in OUTBOX_MOVES


def test_a_move_that_there_is_not_is_told_with_machine_state_and_event() -> None:
    with pytest.raises(IllegalMoveError) as caught:
        move("outbox", OpState.DELIVERED, OpEvent.CLAIM)
    assert str(caught.value) == "outbox: there is no move 'claim' from 'delivered'."


def _ways(now: QuoteStatus) -> dict[QuoteStatus, int]:
    """Count the steps to every status that can be reached, by walking the table."""
    far, edge = {now: 0}, [now]
    for status in edge:
        for after in QUOTE_MOVES[status] - far.keys() - {QuoteStatus.SUPERSEDED}:
            far[after] = far[status] + 1
            edge.append(after)
    return far


@pytest.mark.parametrize("wanted", QuoteStatus)
@pytest.mark.parametrize("now", QuoteStatus)
def test_the_way_to_a_status_is_the_shortest_and_every_step_of_it_is_a_move(
    now: QuoteStatus, wanted: QuoteStatus
) -> None:
    way, steps = quote_way(now, wanted), _ways(now).get(wanted, 0)
    assert len(way) == steps
    for before, after in zip((now, *way), way, strict=False):
        assert after in QUOTE_MOVES[before]
    if way:
        assert way[-1] is wanted


def test_nobody_sets_what_a_revision_does() -> None:
    assert quote_way(QuoteStatus.DRAFT, QuoteStatus.SUPERSEDED) == ()


def test_of_two_shortest_ways_the_same_one_is_given_each_time() -> None:
    assert quote_way(QuoteStatus.PRICED, QuoteStatus.REJECTED) == (
        QuoteStatus.PENDING_APPROVAL,
        QuoteStatus.REJECTED,
    )
