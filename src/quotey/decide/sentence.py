"""Every rule of the merge as an English sentence: what `plan` and `explain` show.

The rules themselves are in `merge`; here is one template per rule code.
"""

from __future__ import annotations

from msgspec import UnsetType

from quotey.contract.fields import Strategy
from quotey.contract.moments import moment
from quotey.decide.verdict import FieldFacts, Side, Verdict

SHOWN = 60
"""Characters of a value that a sentence shows; the audit keeps all of it."""

SENTENCES: dict[str, str] = {
    "same": "both sides hold {local}.",
    "absent": "the CRM did not speak of it; {local} stays.",
    "converged": "both sides came to {remote}.",
    "local_pending": "it was changed here to {local}; the CRM still holds {remote}.",
    "echo": "the CRM shows {remote}, which we sent ourselves; the newer {local} stays.",
    "late_echo": (
        "our own {remote} reached the CRM late, over {local} which had won; {local} is sent again."
    ),
    "first_seen": "{policy} - first seen as {remote}.",
    "crm_changed": "{policy} - the CRM changed it from {base} to {remote}; nobody changed it here.",
    "crm_wins": (
        "{policy} - the CRM changed it from {base} to {remote} and it was changed here to {local}; "
        "the CRM's value stands."
    ),
    "local_wins": "{policy} - the CRM holds {remote}; our {local} stands and is sent again.",
    "local_wins_kept": "{policy} - the CRM holds {remote}; our {local} stands and is not sent.",
    "not_inbound": (
        "{direction} only - the CRM may not set it to {remote}; our {local} is sent again."
    ),
    "not_inbound_kept": "{direction} only - the CRM may not set it to {remote}; our {local} stays.",
    "nonblank": "prefer_nonblank - the CRM blanked it; our {local} stands and is sent again.",
    "nonblank_kept": "prefer_nonblank - the CRM blanked it; our {local} stays.",
    "merge_crm": (
        "{policy} by {strategy} - the CRM has {remote}, we had {local}, both changed from {base}; "
        "the CRM's value stands."
    ),
    "merge_local": (
        "{policy} by {strategy} - the CRM has {remote}, we have {local}, both changed from {base}; "
        "ours stands and is sent."
    ),
    "merge_local_kept": (
        "{policy} by {strategy} - the CRM has {remote}, we have {local}, both changed from {base}; "
        "ours stands and is not sent."
    ),
    "merge_both": "{policy} by {strategy} - {local} here and {remote} there become {value}.",
    "undecided": (
        "{policy} by {strategy} - the CRM has {remote}, we have {local}, both changed from {base}; "
        "the rule cannot decide and a person has to."
    ),
    "other_currency": (
        "the CRM moved to another currency - it has {remote} and we have {local}, which was meant "
        "in the one before; nothing is converted and a person has to decide."
    ),
    "locked": (
        "locked - the CRM changed it from {base} to {remote}; {actor} locked it at {local} until "
        "{until}."
    ),
    "identity": (
        "{policy} - the CRM changed it from {base} to {remote}, which must never happen once bound."
    ),
}


def sentence(verdict: Verdict, facts: FieldFacts) -> str:
    """Say what was decided of a field, by which rule and why.

    For example: deal.stage: crm_wins - the CRM changed it from 'x' to 'y'; nobody changed it here.
    """
    value = getattr(verdict, "value", None)
    told = SENTENCES[verdict.rule].format(
        policy=facts.field.policy,
        strategy=facts.field.strategy or "no strategy",
        direction=facts.field.direction,
        base=shown(facts.base),
        local=shown(facts.local),
        remote=shown(facts.remote),
        value=shown(value),
        actor=facts.lock.actor if facts.lock else "somebody",
        until=moment(facts.lock.until) if facts.lock else "it is lifted",
    )
    return f"{facts.entity}.{facts.field.name}: {told}{_moments(verdict.rule, facts)}"


def _moments(rule: str, facts: FieldFacts) -> str:
    """Name the two moments by which `newest` decided, or could not."""
    by_time = facts.field.strategy is Strategy.NEWEST and rule.startswith(("merge_", "undecided"))
    if not by_time:
        return ""
    here, there = (moment(at) if at else "unknown" for at in (facts.local_ts, facts.remote_ts))
    return f" (Changed here: {here}; in the CRM: {there}.)"


def shown(value: Side) -> str:
    """Quote a value for a sentence, cut to size.

    >>> shown("won"), shown(None), shown("x" * 70)[-5:]
    ("'won'", 'null', "xxx…'")
    """
    if isinstance(value, UnsetType):
        return "nothing"
    if value is None:
        return "null"
    return f"'{value}'" if len(value) <= SHOWN else f"'{value[: SHOWN - 1]}…'"
