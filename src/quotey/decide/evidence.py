"""What of a plan goes into the audit log: every changed field with its rule, winner and loser.

Conflicts that a person must settle are audited when their item is recorded. Source: seed 5.3.
"""

from __future__ import annotations

from msgspec import UNSET

from quotey.contract.dto import RemoteRecord
from quotey.contract.fields import Strategy
from quotey.decide.items import revision
from quotey.decide.plan import FieldDecision
from quotey.decide.verdict import Ask, carry_out


def evidence(
    record: RemoteRecord, told: tuple[FieldDecision, ...]
) -> tuple[tuple[str, dict[str, object]], ...]:
    """Keep every changed field with rule, winner, loser and the three sides (seed 5.3).

    What a person must settle is audited as an occurrence, when its item is recorded.
    """
    fields = {one.field: _field_body(one) for one in told if not isinstance(one.verdict, Ask)}
    if not fields:
        return ()
    body: dict[str, object] = {"remote_version": revision(record), "fields": fields}
    return (("record.updated", body),)


def _field_body(one: FieldDecision) -> dict[str, object]:
    after = carry_out(one.verdict, one.facts)
    loser = getattr(one.verdict, "loser", UNSET)
    sides = {
        "winner": after.local,
        "loser": loser,
        "base": one.base,
        "local": one.local,
        "remote": one.remote,
    }
    body: dict[str, object] = {"rule": one.verdict.rule, "policy": str(one.facts.field.policy)}
    known = {name: side for name, side in sides.items() if side is not UNSET}
    return body | known | _moments(one)


def _moments(one: FieldDecision) -> dict[str, object]:
    """Keep the two moments that a merge by `newest` compared."""
    facts = one.facts
    if facts.field.strategy is not Strategy.NEWEST or not one.verdict.rule.startswith("merge_"):
        return {}
    moments = {"local_ts": facts.local_ts, "remote_ts": facts.remote_ts}
    return {name: at.isoformat() for name, at in moments.items() if at is not None}
