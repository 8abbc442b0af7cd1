"""When a failed operation is tried again, and when it is not: seed 6.1 as one function.

The clock and the dice are arguments. Source: seed 6.1; design sections 6 and 9; reliability 6.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from quotey.contract.errors import ErrorClass, Outcome
from quotey.contract.journal import Hold, Operation, OpState
from quotey.contract.reconciliation import ConflictType


class RetryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how often.

    At most `max_attempts` sent requests within `window` of the first. Waits are drawn from
    0 … min(`cap`, `base`·2^n) for the first `short_steps`, then come the `long_steps` with up to a
    tenth added. `verify_after` are the moments after a send of unknown outcome at which the marker
    is looked at again.
    """

    max_attempts: int = 12
    window: timedelta = timedelta(hours=72)
    base: timedelta = timedelta(seconds=1)
    cap: timedelta = timedelta(seconds=60)
    short_steps: int = 6
    long_steps: tuple[timedelta, ...] = (
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=5),
        timedelta(hours=10),
    )
    rate_default: timedelta = timedelta(seconds=10)
    rate_cap: timedelta = timedelta(hours=1)
    rate_jitter: timedelta = timedelta(seconds=1)
    verify_after: tuple[timedelta, ...] = (
        timedelta(seconds=2),
        timedelta(seconds=10),
        timedelta(seconds=30),
        timedelta(minutes=2),
        timedelta(minutes=10),
        timedelta(hours=1),
        timedelta(hours=6),
        timedelta(hours=24),
        timedelta(hours=72),
    )


DEFAULTS = RetryLimits()
"""The limits that hold where nobody says otherwise."""


class Again(msgspec.Struct, frozen=True, tag=True):
    """Queue it again for `at`. `burns` says whether the failed request counts as an attempt."""

    at: datetime
    burns: bool = True


class HoldFor(msgspec.Struct, frozen=True, tag=True):
    """Hold it until the cause is mended; burns no attempt."""

    hold: Hold


class Verify(msgspec.Struct, frozen=True, tag=True):
    """It may have landed: look at the CRM at `at` before anything is sent again."""

    at: datetime


class GiveUp(msgspec.Struct, frozen=True, tag=True):
    """It ends in `op_state`, with an item of `conflict_type` for a person."""

    conflict_type: ConflictType
    op_state: OpState


Failure = Again | HoldFor | Verify | GiveUp

HOLDS: dict[ErrorClass, Hold] = {
    ErrorClass.AUTH: Hold.AUTH,  # released by re-authentication only
    ErrorClass.MAPPING: Hold.MAPPING,  # released when the mapping's fingerprint changes
    ErrorClass.PERMANENT: Hold.OPERATOR,  # released by a person
}
"""Failures that no repetition mends."""


def after_failure(
    error_class: ErrorClass,
    outcome: Outcome,
    op: Operation,
    *,
    now: datetime,
    jitter: float,
    retry_after: timedelta | None = None,
    limits: RetryLimits = DEFAULTS,
) -> Failure:
    """Say what becomes of an operation whose last request failed.

    `op` is as it was when the request failed: `attempts` counts that request if it was sent, and
    `state` is UNKNOWN if an earlier send still waits to be verified. `jitter` is in [0, 1).
    """
    if error_class in HOLDS and outcome is Outcome.NOT_APPLIED:
        return HoldFor(HOLDS[error_class])
    if error_class is ErrorClass.RATE_LIMIT and outcome is Outcome.NOT_APPLIED:
        return _after_rate_limit(op, now, jitter, retry_after, limits)
    if _may_have_landed(error_class, outcome, op):
        # A refused condition too: it may be our own earlier write that landed and made it false.
        return verify_next(op, now, jitter, limits)
    if error_class is ErrorClass.CONFLICT:
        return GiveUp(ConflictType.STALE_OUTBOUND_WRITE, OpState.CONFLICT)
    return _after_transient(op, now, jitter, retry_after, limits)


def verify_next(
    op: Operation, now: datetime, jitter: float, limits: RetryLimits = DEFAULTS
) -> Verify | GiveUp:
    """Say when a send of unknown outcome is looked at next.

    That is the next moment of `verify_after`, and not before the back-off of its attempts, because
    a look that finds nothing is followed by a send. After the last one a person has to look.
    """
    sent_at = op.sent_at or now
    ahead = (sent_at + after for after in limits.verify_after if sent_at + after > now)
    at = next(ahead, None)
    if at is None or _spent(op, now, limits):
        return GiveUp(ConflictType.UNKNOWN_OUTCOME, OpState.DEAD)
    return Verify(max(at, now + delay(op.attempts, jitter, limits)))


def _spent(op: Operation, now: datetime, limits: RetryLimits) -> bool:
    """Whether no further request may be sent; what was never sent has burnt nothing."""
    first = op.first_sent_at or now
    return op.attempts >= limits.max_attempts or now - first >= limits.window


def delay(attempts: int, jitter: float, limits: RetryLimits = DEFAULTS) -> timedelta:
    """Give the wait after this many sent attempts.

    >>> [delay(sent, 0.5).total_seconds() for sent in range(1, 7)]
    [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
    >>> [str(delay(sent, 0.0)) for sent in range(7, 12)]
    ['0:05:00', '0:30:00', '2:00:00', '5:00:00', '10:00:00']
    >>> str(delay(11, 0.5))
    '10:30:00'
    """
    step = max(attempts - 1, 0)
    if step < limits.short_steps or not limits.long_steps:
        return _short(attempts, jitter, limits)
    long = limits.long_steps[min(step - limits.short_steps, len(limits.long_steps) - 1)]
    return long * (1 + jitter / 10)


def _may_have_landed(error_class: ErrorClass, outcome: Outcome, op: Operation) -> bool:
    return (
        outcome is not Outcome.NOT_APPLIED
        or error_class is ErrorClass.UNKNOWN
        or op.state is OpState.UNKNOWN
    )


def _after_transient(
    op: Operation,
    now: datetime,
    jitter: float,
    retry_after: timedelta | None,
    limits: RetryLimits,
) -> Again | GiveUp:
    """Back off; what was never sent has burnt nothing and waits as long as it must."""
    if _spent(op, now, limits):
        return GiveUp(ConflictType.ATTEMPTS_EXHAUSTED, OpState.DEAD)
    asked = min(retry_after or timedelta(0), limits.rate_cap)
    waits = (delay(op.attempts, jitter, limits), _short(op.lease_token, jitter, limits), asked)
    return Again(now + max(waits))


def _short(claims: int, jitter: float, limits: RetryLimits) -> timedelta:
    """Give the wait after this many claims, sent or not: a look that fails is repeated too (G10).

    The exponent is capped only to keep the product finite; `cap` has long been reached.
    """
    return jitter * min(limits.cap, limits.base * (1 << min(max(claims - 1, 0), 20)))


def _after_rate_limit(
    op: Operation,
    now: datetime,
    jitter: float,
    retry_after: timedelta | None,
    limits: RetryLimits,
) -> Again | Verify:
    """Wait as long as the provider asks, or the default where it asks nothing that makes sense."""
    sensible = retry_after is not None and retry_after >= timedelta(0)
    asked = retry_after if sensible and retry_after is not None else limits.rate_default
    at = now + min(asked, limits.rate_cap) + jitter * limits.rate_jitter
    return Verify(at) if op.state is OpState.UNKNOWN else Again(at, burns=False)
