"""Seed 6.1: what is tried again, when, and what is not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quotey.contract.errors import ErrorClass, Outcome
from quotey.contract.journal import Hold, Operation, OpState
from quotey.contract.reconciliation import ConflictType
from quotey.decide.retry import (
    Again,
    Failure,
    GiveUp,
    HoldFor,
    RetryLimits,
    Verify,
    after_failure,
    delay,
)
from tests.decide.build import NOW, later, operation

SECOND = timedelta(seconds=1)


def sent(attempts: int = 1, **more: object) -> Operation:
    whole: dict[str, object] = {"attempts": attempts, "first_sent_at": NOW, "sent_at": NOW}
    return operation(**(whole | {"state": OpState.LEASED} | more))


def after(
    error_class: ErrorClass,
    op: Operation | None = None,
    *,
    outcome: Outcome = Outcome.NOT_APPLIED,
    jitter: float = 0.5,
    retry_after: timedelta | None = None,
    seconds: float = 0,
) -> Failure:
    return after_failure(
        error_class,
        outcome,
        op or sent(),
        now=later(seconds),
        jitter=jitter,
        retry_after=retry_after,
    )


def test_a_transient_failure_is_retried_with_backoff_and_jitter() -> None:
    assert after(ErrorClass.TRANSIENT) == Again(later(0.5))
    assert after(ErrorClass.TRANSIENT, sent(4)) == Again(later(4))


def test_jitter_may_make_the_wait_nothing() -> None:
    assert after(ErrorClass.TRANSIENT, jitter=0.0) == Again(NOW)


def test_a_transient_failure_that_names_a_delay_is_not_retried_before_it() -> None:
    told = after(ErrorClass.TRANSIENT, retry_after=timedelta(seconds=30))
    assert told == Again(later(30))


def test_attempts_are_bounded_and_the_twelfth_is_the_last() -> None:
    assert isinstance(after(ErrorClass.TRANSIENT, sent(11)), Again)
    told = after(ErrorClass.TRANSIENT, sent(12))
    assert told == GiveUp(ConflictType.ATTEMPTS_EXHAUSTED, OpState.DEAD)


def test_attempts_end_after_72_hours_however_few() -> None:
    told = after(ErrorClass.TRANSIENT, sent(2), seconds=72 * 3600)
    assert told == GiveUp(ConflictType.ATTEMPTS_EXHAUSTED, OpState.DEAD)


def test_what_was_never_sent_burns_nothing_and_never_dies() -> None:
    waiting = operation(created_at=later(-(10**6)))
    assert after(ErrorClass.TRANSIENT, waiting) == Again(later(0.5))


@pytest.mark.parametrize(("claims", "wait"), [(1, 0.5), (2, 1), (3, 2), (7, 30), (60, 30)], ids=str)
def test_a_look_that_fails_again_and_again_is_taken_ever_more_seldom(
    claims: int, wait: float
) -> None:
    """Only the claim counts: what was never sent has burnt no attempt (G10)."""
    waiting = operation(state=OpState.LEASED, lease_token=claims)
    assert after(ErrorClass.TRANSIENT, waiting) == Again(later(wait))


def test_claims_that_led_to_a_send_do_not_make_the_wait_longer() -> None:
    assert after(ErrorClass.TRANSIENT, sent(4, lease_token=4)) == Again(later(4))
    assert after(ErrorClass.TRANSIENT, sent(8, lease_token=9)) == Again(later(1800 * 1.05))


def test_a_rate_limit_waits_as_long_as_the_provider_asks_and_burns_no_attempt() -> None:
    told = after(ErrorClass.RATE_LIMIT, retry_after=timedelta(seconds=42))
    assert told == Again(later(42.5), burns=False)


def test_a_rate_limit_that_names_no_delay_waits_ten_seconds() -> None:
    assert after(ErrorClass.RATE_LIMIT) == Again(later(10.5), burns=False)


def test_a_rate_limit_with_a_delay_in_the_past_waits_ten_seconds() -> None:
    told = after(ErrorClass.RATE_LIMIT, retry_after=timedelta(seconds=-5))
    assert told == Again(later(10.5), burns=False)


def test_a_rate_limit_of_a_year_is_capped_at_an_hour() -> None:
    told = after(ErrorClass.RATE_LIMIT, retry_after=timedelta(days=365))
    assert told == Again(later(3600.5), burns=False)


def test_a_rate_limit_never_uses_up_the_attempts() -> None:
    assert isinstance(after(ErrorClass.RATE_LIMIT, sent(12)), Again)


def test_a_rate_limited_look_stays_a_look() -> None:
    told = after(ErrorClass.RATE_LIMIT, sent(state=OpState.UNKNOWN))
    assert told == Verify(later(10.5))


def test_an_invalid_token_is_not_retried_blindly() -> None:
    assert after(ErrorClass.AUTH) == HoldFor(Hold.AUTH)


def test_a_mapping_error_is_held_until_the_mapping_is_fixed() -> None:
    assert after(ErrorClass.MAPPING) == HoldFor(Hold.MAPPING)


def test_a_permanent_failure_waits_for_an_operator() -> None:
    assert after(ErrorClass.PERMANENT) == HoldFor(Hold.OPERATOR)


def test_a_conflict_is_never_retried() -> None:
    told = after(ErrorClass.CONFLICT)
    assert told == GiveUp(ConflictType.STALE_OUTBOUND_WRITE, OpState.CONFLICT)


def test_a_conflict_after_a_send_of_unknown_outcome_is_looked_at_first() -> None:
    assert isinstance(after(ErrorClass.CONFLICT, sent(state=OpState.UNKNOWN)), Verify)


@pytest.mark.parametrize("error_class", list(ErrorClass))
@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.APPLIED])
def test_what_may_have_landed_is_looked_at_before_anything_is_sent(
    error_class: ErrorClass, outcome: Outcome
) -> None:
    assert after(error_class, outcome=outcome) == Verify(later(2))


def test_a_failure_of_unknown_class_is_looked_at_first() -> None:
    assert after(ErrorClass.UNKNOWN) == Verify(later(2))


def test_a_look_that_fails_is_followed_by_another_look_and_no_send() -> None:
    told = after(ErrorClass.TRANSIENT, sent(state=OpState.UNKNOWN), seconds=15)
    assert told == Verify(later(30))


def test_a_look_waits_for_the_backoff_because_a_send_may_follow_it() -> None:
    told = after(ErrorClass.UNKNOWN, sent(7), jitter=0.0, outcome=Outcome.UNKNOWN)
    assert told == Verify(later(300))


def test_an_unknown_outcome_without_a_time_of_sending_is_looked_at_from_now() -> None:
    told = after(ErrorClass.UNKNOWN, sent(sent_at=None, first_sent_at=None))
    assert told == Verify(later(2))


def test_sends_of_unknown_outcome_are_bounded_too() -> None:
    told = after(ErrorClass.UNKNOWN, sent(12), outcome=Outcome.UNKNOWN)
    assert told == GiveUp(ConflictType.UNKNOWN_OUTCOME, OpState.DEAD)


def test_after_the_last_look_a_person_has_to_look() -> None:
    op = sent(state=OpState.UNKNOWN, first_sent_at=later(100))
    told = after(ErrorClass.TRANSIENT, op, seconds=72 * 3600)
    assert told == GiveUp(ConflictType.UNKNOWN_OUTCOME, OpState.DEAD)


limits = st.builds(
    RetryLimits,
    base=st.integers(1, 10**6).map(lambda ms: timedelta(milliseconds=ms)),
    cap=st.integers(1, 10**7).map(lambda ms: timedelta(milliseconds=ms)),
    short_steps=st.integers(0, 40),
    long_steps=st.lists(st.integers(1, 10**5), max_size=3).map(
        lambda seconds: tuple(timedelta(seconds=one) for one in seconds)
    ),
)
jitters = st.floats(0, 1, exclude_max=True)


@given(st.integers(0, 100), jitters, limits)
def test_every_delay_is_bounded(attempts: int, jitter: float, given_limits: RetryLimits) -> None:
    longest = max((given_limits.cap, *(step * 1.1 for step in given_limits.long_steps)))
    assert timedelta(0) <= delay(attempts, jitter, given_limits) <= longest


@given(st.integers(0, 100), jitters, limits, st.integers(0, 10**7))
def test_a_higher_cap_never_shortens_a_delay(
    attempts: int, jitter: float, given_limits: RetryLimits, more: int
) -> None:
    raised = RetryLimits(
        base=given_limits.base,
        cap=given_limits.cap + timedelta(milliseconds=more),
        short_steps=given_limits.short_steps,
        long_steps=given_limits.long_steps,
    )
    assert delay(attempts, jitter, raised) >= delay(attempts, jitter, given_limits)


@given(
    st.sampled_from(ErrorClass),
    st.sampled_from(Outcome),
    st.integers(0, 13),
    st.sampled_from((OpState.LEASED, OpState.UNKNOWN)),
    jitters,
    st.one_of(st.none(), st.integers(-100, 10**6)),
)
def test_no_retry_lies_in_the_past_and_none_further_than_eleven_hours(
    error_class: ErrorClass,
    outcome: Outcome,
    attempts: int,
    state: OpState,
    jitter: float,
    asked: int | None,
) -> None:
    told = after(
        error_class,
        sent(attempts, state=state),
        outcome=outcome,
        jitter=jitter,
        retry_after=None if asked is None else timedelta(seconds=asked),
    )
    if isinstance(told, Again | Verify):
        assert NOW <= told.at <= NOW + timedelta(hours=11)


@given(st.sampled_from(ErrorClass), st.integers(0, 13), jitters)
def test_an_unknown_outcome_is_never_simply_sent_again(
    error_class: ErrorClass, attempts: int, jitter: float
) -> None:
    told = after(error_class, sent(attempts), outcome=Outcome.UNKNOWN, jitter=jitter)
    assert not isinstance(told, Again)


@given(st.integers(1, 30), jitters)
def test_with_the_same_chance_the_back_off_only_grows(attempts: int, jitter: float) -> None:
    assert delay(attempts, jitter) <= delay(attempts + 1, jitter)


@given(
    st.sampled_from(ErrorClass),
    st.sampled_from(Outcome),
    st.integers(0, 12) | st.integers(0, 10**6),
    st.integers(0, 12) | st.integers(0, 10**6),
    jitters,
    limits,
)
@example(ErrorClass.TRANSIENT, Outcome.NOT_APPLIED, 1, 1, 0.5, RetryLimits())
@example(ErrorClass.RATE_LIMIT, Outcome.NOT_APPLIED, 1, 1, 0.5, RetryLimits())
def test_no_wait_overflows_however_often_it_was_tried(
    error_class: ErrorClass,
    outcome: Outcome,
    attempts: int,
    claims: int,
    jitter: float,
    given_limits: RetryLimits,
) -> None:
    assert delay(attempts, jitter, given_limits) >= timedelta(0)
    told = after_failure(
        error_class,
        outcome,
        sent(attempts, lease_token=claims),
        now=NOW,
        jitter=jitter,
        retry_after=timedelta.max,
        limits=given_limits,
    )
    if isinstance(told, Again | Verify):
        assert NOW <= told.at <= NOW + timedelta(days=30)


# --- limits of one's own --------------------------------------------------------------------------

OWN = RetryLimits(
    base=timedelta(seconds=10),
    short_steps=1,
    long_steps=(timedelta(hours=1), timedelta(hours=2)),
    verify_after=(timedelta(seconds=5), timedelta(hours=9)),
)


@pytest.mark.parametrize(
    ("attempts", "wait"),
    [(0, 5.0), (1, 5.0), (2, 3600 * 1.05), (3, 7200 * 1.05), (4, 7200 * 1.05), (99, 7200 * 1.05)],
)
def test_after_the_short_steps_come_the_long_ones_and_the_last_one_stays(
    attempts: int, wait: float
) -> None:
    assert delay(attempts, 0.5, OWN).total_seconds() == wait


def test_own_limits_hold_for_what_is_sent_again() -> None:
    told = after_failure(
        ErrorClass.TRANSIENT, Outcome.NOT_APPLIED, sent(2), now=NOW, jitter=0.0, limits=OWN
    )
    assert told == Again(later(3600))


def test_own_limits_hold_for_what_is_looked_at() -> None:
    told = after_failure(
        ErrorClass.UNKNOWN, Outcome.UNKNOWN, sent(1), now=NOW, jitter=0.0, limits=OWN
    )
    assert told == Verify(later(5))
    told = after_failure(
        ErrorClass.UNKNOWN, Outcome.UNKNOWN, sent(2), now=NOW, jitter=0.0, limits=OWN
    )
    assert told == Verify(later(3600))


@pytest.mark.parametrize(
    ("asked", "wait"), [(None, 10.5), (-1.0, 10.5), (0.0, 0.5), (1.0, 1.5), (10**6, 3600.5)]
)
def test_a_provider_that_asks_for_no_wait_is_asked_again_at_once(
    asked: float | None, wait: float
) -> None:
    seconds = None if asked is None else timedelta(seconds=asked)
    told = after(ErrorClass.RATE_LIMIT, retry_after=seconds)
    assert told == Again(later(wait), burns=False)
