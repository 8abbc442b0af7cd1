"""The verdicts of a merge and the facts that they are given on: the vocabulary of `merge`.

No rule is here, only what each verdict means once it is carried out.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

import msgspec
from msgspec import UNSET, UnsetType

from quotey.contract.fields import Entity
from quotey.contract.journal import Lock
from quotey.contract.mapping import FieldMapping
from quotey.contract.reconciliation import ConflictType

Side = str | None | UnsetType
"""Canonical text, null, or absent (UNSET)."""


class FieldFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one field.

    `base` is what the CRM last said; `lock` is a lock that stands now; `in_flight` are values that
    we sent and whose outcome is not settled; `local_ts` is when a person last changed it here;
    `bound` says whether the record already has its `crm_ref`. `other_currency` says that `local` is
    an amount of another currency than `remote`; then no `base` is common to both (UNSET).
    """

    entity: Entity
    field: FieldMapping
    base: Side
    local: Side
    remote: Side
    lock: Lock | None = None
    in_flight: tuple[str | None, ...] = ()
    local_ts: datetime | None = None
    remote_ts: datetime | None = None
    tolerance_seconds: int = 1
    source_priority: tuple[str, ...] = ("crm", "local")
    bound: bool = True
    other_currency: bool = False


class Same(msgspec.Struct, frozen=True, tag=True):
    """Nothing to do: both sides hold it, or the CRM did not speak of it."""

    rule: str = "same"


class Converge(msgspec.Struct, frozen=True, tag=True):
    """Both sides came to the same value by themselves: only the base moves."""

    value: str | None
    rule: str = "converged"


class Take(msgspec.Struct, frozen=True, tag=True):
    """The local value becomes `value`; `loser` is an edit of ours that is lost by it."""

    value: str | None
    loser: Side = UNSET
    rule: str = "crm_changed"


class Keep(msgspec.Struct, frozen=True, tag=True):
    """The local value stays and is not sent; `loser` is the CRM's value, UNSET if it was silent."""

    loser: Side = UNSET
    rule: str = "local_pending"


class Reassert(msgspec.Struct, frozen=True, tag=True):
    """The local value becomes `value` and is sent; `loser` is the CRM's value."""

    value: str | None
    loser: Side = UNSET
    rule: str = "local_wins"


class Ask(msgspec.Struct, frozen=True, tag=True):
    """Only a person can settle it: neither local value nor base moves."""

    conflict_type: ConflictType
    rule: str = "undecided"


class Pending(msgspec.Struct, frozen=True, tag=True):
    """The CRM shows a value that we sent ourselves: the base moves, the newer local value stays."""

    rule: str = "echo"


Verdict = Same | Converge | Take | Keep | Reassert | Ask | Pending


class Sides(msgspec.Struct, frozen=True):
    """Where a field stands once its verdict is carried out; `held` is a value not taken."""

    base: Side
    local: Side
    held: Side = UNSET


def carry_out(verdict: Verdict, facts: FieldFacts) -> Sides:
    """Say where base and local stand after the verdict.

    The base is what the CRM last said, so it moves even when its value was not taken: the field
    then differs from its base, which is what "still to be sent" means (ADR 0002).
    """
    match verdict:
        case Same():
            return Sides(facts.base, facts.local)
        case Ask():
            return Sides(facts.base, facts.local, held=facts.remote)
        case Keep() | Pending():
            return Sides(facts.remote, facts.local)
        case Converge(value=value) | Take(value=value) | Reassert(value=value):
            return Sides(facts.remote, value)
        case _:
            assert_never(verdict)


def is_quiet(verdict: Verdict) -> bool:
    """Whether nothing happened that anybody needs to hear of."""
    return isinstance(verdict, Same) or (isinstance(verdict, Keep) and verdict.loser is UNSET)
