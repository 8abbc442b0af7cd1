"""How one field is merged: base, local and remote in, a verdict out.

Nothing is stored or sent here. A clash is judged against the base, never by comparing two clocks,
except where a mapping asks for `newest`. Source: seed 4.3, 5.2, 5.3; design sections 5 and 9.
"""

from __future__ import annotations

from typing import assert_never

from msgspec import UNSET, UnsetType

from quotey.contract.fields import Direction, Policy
from quotey.contract.mapping import FieldMapping, OnBlank
from quotey.contract.reconciliation import ConflictType
from quotey.decide.sentence import sentence
from quotey.decide.strategy import Winner, is_blank, pick
from quotey.decide.verdict import (
    Ask,
    Converge,
    FieldFacts,
    Keep,
    Pending,
    Reassert,
    Same,
    Side,
    Sides,
    Take,
    Verdict,
    carry_out,
    is_quiet,
)

__all__ = [
    "Ask",
    "Converge",
    "FieldFacts",
    "Keep",
    "Pending",
    "Reassert",
    "Same",
    "Side",
    "Sides",
    "Take",
    "Verdict",
    "carry_out",
    "is_quiet",
    "merge_field",
    "sentence",
]


def merge_field(facts: FieldFacts) -> Verdict:
    """Say what becomes of one field. Total, deterministic, and at rest once carried out.

    The questions are asked in order; the first that has an answer decides.
    """
    for question in _QUESTIONS:
        verdict = question(facts)
        if verdict is not None:
            return verdict
    return _clash(facts) if _edited(facts) else _crm_changed(facts)


# --- the questions, in order ---------------------------------------------------------------------


def _absent(facts: FieldFacts) -> Verdict | None:
    """An absent value never overwrites (law 9)."""
    return Same(rule="absent") if facts.remote is UNSET else None


def _agreed(facts: FieldFacts) -> Verdict | None:
    return Same() if facts.remote == facts.local == facts.base else None


def _identity(facts: FieldFacts) -> Verdict | None:
    """What is immutable after binding is not even taken when both sides changed it alike."""
    if (
        facts.field.policy is Policy.IMMUTABLE_AFTER_BIND
        and facts.bound
        and facts.base is not UNSET
        and facts.remote != facts.base
    ):
        return Ask(ConflictType.IDENTITY_MISMATCH, rule="identity")
    return None


def _converged(facts: FieldFacts) -> Verdict | None:
    return Converge(_said(facts)) if facts.remote == facts.local else None


def _other_currency(facts: FieldFacts) -> Verdict | None:
    """An amount that was meant in another currency is neither converted nor sent (reliability C13).

    Asked before all that could let ours stand.
    """
    if not facts.other_currency:
        return None
    return Ask(ConflictType.UNDECIDED_MERGE, rule="other_currency")


def _only_ours(facts: FieldFacts) -> Verdict | None:
    """The CRM has not moved: what was changed here is on its way out."""
    return Keep() if facts.remote == facts.base and facts.local is not UNSET else None


def _echo(facts: FieldFacts) -> Verdict | None:
    """Our own older write, seen again, must not undo what is newer (reliability G13).

    A newer edit of ours is on its way out. A newer value of the CRM is not: our write landed late
    over it and has lost, so it is given back to the CRM.
    """
    if facts.local is UNSET or facts.remote not in facts.in_flight:
        return None
    if _edited(facts) or not facts.field.flows_out:
        return Pending()
    return Reassert(_held_here(facts), loser=facts.remote, rule="late_echo")


def _locked(facts: FieldFacts) -> Verdict | None:
    if facts.lock is None:
        return None
    return Ask(ConflictType.LOCKED_FIELD_OVERWRITE, rule="locked")


def _first_seen(facts: FieldFacts) -> Verdict | None:
    return Take(_said(facts), rule="first_seen") if facts.local is UNSET else None


def _blank(facts: FieldFacts) -> Verdict | None:
    """`on_blank = prefer_nonblank` goes with any policy."""
    if facts.field.on_blank is not OnBlank.PREFER_NONBLANK:
        return None
    if not is_blank(facts.remote) or is_blank(facts.local):
        return None
    return _ours(facts, "nonblank")


_QUESTIONS = (
    _absent,
    _agreed,
    _identity,
    _converged,
    _other_currency,
    _only_ours,
    _echo,
    _locked,
    _first_seen,
    _blank,
)


# --- the policies --------------------------------------------------------------------------------


def _crm_changed(facts: FieldFacts) -> Verdict:
    """Only the CRM changed it: it speaks, unless direction or policy forbid."""
    if not _crm_speaks(facts.field):
        return _ours(facts, "not_inbound")
    if facts.field.policy is Policy.LOCAL_WINS:
        return _ours(facts, "local_wins")
    return Take(_said(facts))


def _clash(facts: FieldFacts) -> Verdict:
    """Both changed it, to different values."""
    if not _crm_speaks(facts.field):
        return _ours(facts, "not_inbound")
    match facts.field.policy:
        case Policy.LOCAL_WINS:
            return _ours(facts, "local_wins")
        case Policy.CRM_WINS | Policy.IMMUTABLE_AFTER_BIND:
            return Take(_said(facts), loser=facts.local, rule="crm_wins")
        case Policy.MERGE_WITH_AUDIT:
            return _merge(facts)
        case _:
            assert_never(facts.field.policy)


def _merge(facts: FieldFacts) -> Verdict:
    local, remote = _held_here(facts), _said(facts)
    picked = pick(
        facts.field.strategy,
        facts.field.type,
        local=(local, facts.local_ts),
        remote=(remote, facts.remote_ts),
        tolerance_seconds=facts.tolerance_seconds,
        source_priority=facts.source_priority,
    )
    if picked is None:
        return Ask(ConflictType.UNDECIDED_MERGE)
    if picked.winner is Winner.REMOTE:
        return Take(remote, loser=local, rule="merge_crm")
    if picked.winner is Winner.LOCAL:
        return _ours(facts, "merge_local")
    if facts.field.flows_out:
        return Reassert(picked.value, loser=remote, rule="merge_both")
    return Take(picked.value, loser=local, rule="merge_both")


def _ours(facts: FieldFacts, rule: str) -> Verdict:
    """Keep our value against the CRM's; sent again if the field flows out (design section 5)."""
    if facts.field.flows_out:
        return Reassert(_held_here(facts), loser=facts.remote, rule=rule)
    return Keep(loser=facts.remote, rule=f"{rule}_kept")


def _crm_speaks(field: FieldMapping) -> bool:
    return field.direction in (Direction.INBOUND, Direction.BOTH)


def _edited(facts: FieldFacts) -> bool:
    return facts.local != facts.base


def _said(facts: FieldFacts) -> str | None:
    assert not isinstance(facts.remote, UnsetType), "asked only of a value that was sent"
    return facts.remote


def _held_here(facts: FieldFacts) -> str | None:
    assert not isinstance(facts.local, UnsetType), "asked only of a value that we hold"
    return facts.local
