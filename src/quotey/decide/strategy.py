"""How `merge_with_audit` picks between two values that clash: the five strategies.

Whether there is a clash at all is decided in `merge`. Source: design section 5.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import assert_never

import msgspec
from msgspec import UnsetType

from quotey.contract.fields import FieldType, Strategy

Dated = tuple[str | None, datetime | None]
"""A value and when it was set; None when that is not known."""


class Winner(StrEnum):
    """Whose value stands; BOTH when it was joined from the two and is neither."""

    LOCAL = "local"
    REMOTE = "remote"
    BOTH = "both"


class Picked(msgspec.Struct, frozen=True):
    """The winner and the value that stands."""

    winner: Winner
    value: str | None


def is_blank(value: str | UnsetType | None) -> bool:
    """Whether there is nothing to read in it.

    >>> [is_blank(value) for value in (None, "", "  ", msgspec.UNSET, "x")]
    [True, True, True, True, False]
    """
    return not isinstance(value, str) or not value.strip()


def pick(
    strategy: Strategy | None,
    type_: FieldType,
    *,
    local: Dated,
    remote: Dated,
    tolerance_seconds: int,
    source_priority: tuple[str, ...],
) -> Picked | None:
    """Pick by the strategy; None when it cannot decide and a person has to.

    Ties break on `source_priority`; `newest` has none: inside the tolerance, or with a time
    missing, it is undecided.
    """
    winner: Winner | None
    match strategy:
        case Strategy.NEWEST:
            winner = _newest(local[1], remote[1], tolerance_seconds)
        case Strategy.PREFER_NONBLANK:
            winner = _nonblank(local[0], remote[0]) or first_of(source_priority)
        case Strategy.MAX | Strategy.MIN:
            winner = _extreme(strategy, type_, local[0], remote[0], first_of(source_priority))
        case Strategy.UNION:
            return _union(local[0], remote[0])
        case None:
            winner = None
        case _:
            assert_never(strategy)
    if winner is None:
        return None
    return Picked(winner, local[0] if winner is Winner.LOCAL else remote[0])


def first_of(source_priority: tuple[str, ...]) -> Winner | None:
    """Whose value a tie gives, by the mapping's `source_priority`; None when it names no side.

    >>> first_of(("crm", "local")), first_of(("local",)), first_of(())
    (<Winner.REMOTE: 'remote'>, <Winner.LOCAL: 'local'>, None)
    """
    sides = {"crm": Winner.REMOTE, "local": Winner.LOCAL}
    return next((sides[name] for name in source_priority if name in sides), None)


def _newest(
    local_ts: datetime | None, remote_ts: datetime | None, tolerance_seconds: int
) -> Winner | None:
    if local_ts is None or remote_ts is None:
        return None
    ahead = (remote_ts - local_ts).total_seconds()
    if abs(ahead) <= tolerance_seconds:
        return None
    return Winner.REMOTE if ahead > 0 else Winner.LOCAL


def _nonblank(local: str | None, remote: str | None) -> Winner | None:
    if is_blank(local) == is_blank(remote):
        return None
    return Winner.REMOTE if is_blank(local) else Winner.LOCAL


def _extreme(
    strategy: Strategy,
    type_: FieldType,
    local: str | None,
    remote: str | None,
    tie: Winner | None,
) -> Winner | None:
    """A value beats a blank; numbers are compared as numbers, dates and words as text."""
    if is_blank(local) or is_blank(remote):
        return _nonblank(local, remote) or tie
    try:
        ours, theirs = _measure(local or "", type_), _measure(remote or "", type_)
    except InvalidOperation:
        return None
    if ours == theirs:
        return tie
    return Winner.REMOTE if (theirs > ours) == (strategy is Strategy.MAX) else Winner.LOCAL


def _measure(text: str, type_: FieldType) -> tuple[Decimal, str]:
    if type_ in (FieldType.MONEY, FieldType.INTEGER):
        return Decimal(text), ""
    return Decimal(0), text  # canonical dates are ISO 8601, so that text order is date order


def _union(local: str | None, remote: str | None) -> Picked:
    """Join two ';'-separated texts, each part once, sorted.

    A side that has every part stands as it is written, so that a CRM which keeps another order is
    not corrected for ever.

    >>> _union("b;a", "c; a").value, _union("a", "b;a").value, _union(None, " ").value
    ('a;b;c', 'b;a', ' ')
    """
    ours, theirs = _parts(local), _parts(remote)
    if theirs >= ours:
        return Picked(Winner.REMOTE, remote)
    if ours >= theirs:
        return Picked(Winner.LOCAL, local)
    return Picked(Winner.BOTH, ";".join(sorted(ours | theirs)))


def _parts(text: str | None) -> set[str]:
    return {part.strip() for part in (text or "").split(";")} - {""}
