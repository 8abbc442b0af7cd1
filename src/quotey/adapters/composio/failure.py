"""From an outcome to what an adapter raises: error class, what is known of the effect, the wait.

The sentences are built here, so that both providers speak alike.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from quotey.adapters.composio.ops import Failed, Kind, Op, Outcome, Problem, Reply
from quotey.contract.errors import Diagnostic, ErrorClass, RemoteFailure, Severity
from quotey.contract.errors import Outcome as Effect

CLASS_OF = {
    Kind.TRANSIENT: ErrorClass.TRANSIENT,
    Kind.RATE_LIMIT: ErrorClass.RATE_LIMIT,
    Kind.AUTH: ErrorClass.AUTH,
    Kind.PERMISSION: ErrorClass.PERMANENT,
    Kind.MAPPING: ErrorClass.MAPPING,
    Kind.CONFLICT: ErrorClass.CONFLICT,
    Kind.NOT_FOUND: ErrorClass.PERMANENT,
    Kind.PERMANENT: ErrorClass.PERMANENT,
    # For reads; a write of which no more is known has an unknown outcome (law 5).
    Kind.AMBIGUOUS: ErrorClass.TRANSIENT,
    Kind.MALFORMED: ErrorClass.TRANSIENT,
}
OWN_BUDGET = "budget"
"""The code of what our own budget refused."""
UNSURE = (Kind.AMBIGUOUS, Kind.MALFORMED)

FieldOf = Callable[[Problem], tuple[str, str]]
"""Names the entity and the contract field of a property, "" where it is none."""


def failure_of(failed: Failed, op: Op, field_of: FieldOf) -> RemoteFailure:
    """Build what is raised for a request that did not succeed."""
    unsure = op.writes and failed.kind in UNSURE
    end = "Whether it was carried out is not known." if unsure else "Nothing was changed."
    trace = str(failed.trace) if failed.trace.request_id else "not sent"
    code = f" [{failed.code}]" if failed.code else ""
    wait = failed.wait_seconds
    return RemoteFailure(
        f"{op.name}: {failed.message.rstrip('.')}{code}. {end} ({trace})",
        error_class=ErrorClass.UNKNOWN if unsure else CLASS_OF[failed.kind],
        outcome=Effect.UNKNOWN if unsure else Effect.NOT_APPLIED,
        retry_after=None if wait is None else timedelta(seconds=wait),
        diagnostics=tuple(_diagnostic(problem, field_of) for problem in failed.problems),
        ours=failed.code == OWN_BUDGET,
    )


def expect(outcome: Outcome, op: Op, field_of: FieldOf) -> Reply:
    """Give the reply, or raise RemoteFailure."""
    if isinstance(outcome, Failed):
        raise failure_of(outcome, op, field_of)
    return outcome


def _diagnostic(problem: Problem, field_of: FieldOf) -> Diagnostic:
    entity, field = field_of(problem)
    return Diagnostic(
        code=problem.code.lower()[:60],
        severity=Severity.ERROR,
        message=f"The CRM refuses the property {problem.property} ({problem.code}).",
        entity=entity,
        field=field or problem.property,
    )
