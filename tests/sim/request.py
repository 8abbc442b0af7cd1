"""One request on its way: when it reaches the CRM, what happens there, when the reply is back.

Every failure says something secret, as a CRM may that repeats what it was sent: nothing of it may
be kept (G8).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from quotey.contract.adapter import Call
from quotey.contract.errors import Diagnostic, ErrorClass, Outcome, RemoteFailure, Severity
from tests.sim.answers import refusal
from tests.sim.crm import Crm, RefusedByCrmError
from tests.sim.faults import Dice

NEVER = 1e9
CANARY = "pat-na1-canary-4711"
"""What looks like a key, and is in every word that the CRM says of a failure."""


@dataclass
class Request:
    """One request. `penalty` is until when the CRM wants to be left alone."""

    arrives_at: float
    back_at: float
    answer: object = None
    failure: RemoteFailure | None = None
    penalty: float = 0.0


def leaving(dice: Dice, now: float, call: Call, *, writes: bool) -> Request:
    """Draw when a request reaches the CRM and when its reply is back."""
    there = now + dice.between("latency", 0.01, 0.4)
    back = there + dice.between("latency", 0.01, 0.4)
    if dice.strikes("lost_request"):
        return Request(NEVER, NEVER)
    if writes and dice.strikes("late_effect"):
        late = now + call.timeout + dice.between("late_effect", 1.0, 75.0)
        return Request(late, NEVER)
    return Request(there, NEVER if dice.strikes("lost_reply") else back)


def arrive(
    crm: Crm, dice: Dice, request: Request, act: Callable[[], object], *, writes: bool
) -> None:
    """Do what happens inside the CRM when a request reaches it."""
    request.failure = _turned_away(crm, dice, request, writes=writes)
    if request.failure is not None:
        return
    try:
        request.answer = act()
    except RefusedByCrmError as refused:
        request.failure = refusal(refused)
        return
    if dice.strikes("error_after"):
        request.failure = _said(502, ErrorClass.TRANSIENT, writes=writes)


def _turned_away(crm: Crm, dice: Dice, request: Request, *, writes: bool) -> RemoteFailure | None:
    """Say why a request has no effect, if so."""
    now = crm.scheduler.now
    if dice.strikes("auth"):
        crm.authorised = False
    if not crm.authorised:
        return _said(401, ErrorClass.AUTH)
    if now >= crm.penalty_until and dice.strikes("rate_limit"):
        crm.penalty_until = now + dice.between("rate_limit", 3.0, 40.0)
    if now < crm.penalty_until:
        request.penalty = crm.penalty_until
        wait = timedelta(seconds=crm.penalty_until - now)
        return _said(429, ErrorClass.RATE_LIMIT, retry_after=wait)
    if dice.strikes("error_before"):
        return _said(503, ErrorClass.TRANSIENT, writes=writes)
    if writes and dice.strikes("refused"):
        asked = dice.stream("refused").random() < 0.5
        return _said(422, ErrorClass.MAPPING if asked else ErrorClass.PERMANENT)
    return None


def _said(
    status: int,
    class_: ErrorClass,
    *,
    writes: bool = False,
    retry_after: timedelta | None = None,
) -> RemoteFailure:
    words = f"{status} to Bearer {CANARY}"
    why = Diagnostic(code="refused", severity=Severity.ERROR, message=words)
    return RemoteFailure(
        words,
        error_class=class_,
        outcome=Outcome.UNKNOWN if writes else Outcome.NOT_APPLIED,
        retry_after=retry_after,
        diagnostics=(why,),
    )
