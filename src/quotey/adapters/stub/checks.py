"""Checks of what a person typed for a stub tool: words to values, or UsageError with a sentence."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import UNSET

from quotey.adapters.stub.faults import OPERATIONS, FaultKind, FaultSpec
from quotey.contract.errors import UsageError
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.problems import did_you_mean

MAX_COUNT = 1_000_000
MAX_DELAY = 10**9
LATE = 8
"""After how many further requests a late effect lands when nobody says: sent anew, it is there."""
_REF = re.compile(r"[^\s\x00-\x1f]{1,200}")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


def entity_of(word: str) -> Entity:
    """Read account, contact or deal."""
    if word in MIRRORED:
        return Entity(word)
    raise UsageError(f"The stub has no {word!r}. {did_you_mean(word, [str(e) for e in MIRRORED])}")


def new_ref_of(ref: str) -> str:
    """Check the id of a record that is to be made."""
    if _REF.fullmatch(ref):
        return ref
    raise UsageError(f"{ref[:40]!r} cannot be an id: 1 to 200 characters without white space.")


def fault_of(
    kind: str,
    operation: str = "*",
    times: int = 1,
    after: int = 0,
    retry_after: float | None = None,
    delay: int | None = None,
) -> FaultSpec:
    """Check the words of a fault."""
    kinds = [str(one) for one in FaultKind]
    if kind not in kinds:
        raise UsageError(f"There is no fault {kind!r}. {did_you_mean(kind, kinds)}")
    if not any(fnmatch.fnmatchcase(name, operation) for name in OPERATIONS):
        hint = did_you_mean(operation, OPERATIONS)
        raise UsageError(f"No operation is called {operation!r}. {hint}")
    if not 1 <= times <= MAX_COUNT or not 0 <= after <= MAX_COUNT:
        raise UsageError(f"times must be 1 to {MAX_COUNT:,}, and after 0 to {MAX_COUNT:,}.")
    if retry_after is not None and not 0 <= retry_after <= MAX_DELAY:
        raise UsageError(f"retry_after must be 0 to {MAX_DELAY:,} seconds.")
    if retry_after is not None and kind != FaultKind.RATE_LIMITED:
        raise UsageError("Only rate_limited names a delay.")
    if delay is not None and not 0 <= delay <= MAX_COUNT:
        raise UsageError(f"delay must be 0 to {MAX_COUNT:,} requests.")
    if delay is not None and kind != FaultKind.LATE_EFFECT:
        raise UsageError("Only late_effect has a delay.")
    return FaultSpec(
        kind=FaultKind(kind),
        operation=operation,
        times=times,
        after=after,
        retry_after=retry_after,
        delay=LATE if delay is None and kind == FaultKind.LATE_EFFECT else delay or 0,
    )


def like(held: object, text: str | None) -> object:
    """Give typed text the JSON type of what stands there now: a number stays a number.

    >>> like(Decimal("1.5"), "20"), like("1.5", "20"), like(7, "many")
    (Decimal('20'), '20', 'many')
    """
    if text is None or isinstance(held, bool) or not isinstance(held, int | Decimal):
        return text
    return Decimal(text) if _NUMBER.fullmatch(text) else text


def in_utc(at: datetime | None) -> datetime | None:
    """Give a moment in UTC; one without an offset is UTC already."""
    if at is None:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def told(changes: Mapping[str, object]) -> dict[str, object]:
    """Give the changes as an effect keeps them."""
    return {name: "(taken away)" if value is UNSET else value for name, value in changes.items()}
