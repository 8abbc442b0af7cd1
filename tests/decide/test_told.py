"""What a decision is called in a sentence and in the audit, by example."""

from __future__ import annotations

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from quotey.contract.fields import Direction, Policy, Strategy
from quotey.contract.reconciliation import ConflictType
from quotey.decide.evidence import evidence
from quotey.decide.plan import FieldDecision
from quotey.decide.sentence import SHOWN, sentence, shown
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
from tests.decide.build import NOW, facts, field, later, lock, remote

NEWEST = field(policy=Policy.MERGE_WITH_AUDIT, direction=Direction.BOTH, strategy=Strategy.NEWEST)
SIDES = facts("a", "b", "c", of=NEWEST, local_ts=later(-60), remote_ts=NOW)
WHEN = " (Changed here: 2026-03-01 11:59:00Z; in the CRM: 2026-03-01 12:00:00Z.)"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("won", "'won'"),
        ("", "''"),
        (None, "null"),
        (UNSET, "nothing"),
        ("x" * SHOWN, f"'{'x' * SHOWN}'"),
        ("x" * (SHOWN + 1), f"'{'x' * (SHOWN - 1)}…'"),
    ],
)
def test_a_value_is_quoted_and_cut_to_size(value: Side, written: str) -> None:
    assert shown(value) == written


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (Same(), "both sides hold 'b'."),
        (Same(rule="absent"), "the CRM did not speak of it; 'b' stays."),
        (Converge("c"), "both sides came to 'c'."),
        (
            Take("c", loser="b", rule="merge_crm"),
            (
                "merge_with_audit by newest - the CRM has 'c', we had 'b', both changed from 'a'; "
                f"the CRM's value stands.{WHEN}"
            ),
        ),
        (
            Ask(ConflictType.UNDECIDED_MERGE),
            (
                "merge_with_audit by newest - the CRM has 'c', we have 'b', both changed from 'a'; "
                f"the rule cannot decide and a person has to.{WHEN}"
            ),
        ),
        (
            Reassert("b;c", rule="merge_both"),
            f"merge_with_audit by newest - 'b' here and 'c' there become 'b;c'.{WHEN}",
        ),
        (
            Keep(loser="c", rule="not_inbound_kept"),
            "both only - the CRM may not set it to 'c'; our 'b' stays.",
        ),
        (
            Ask(ConflictType.LOCKED_FIELD_OVERWRITE, rule="locked"),
            (
                "locked - the CRM changed it from 'a' to 'c'; somebody locked it at 'b' until "
                "it is lifted."
            ),
        ),
    ],
)
def test_every_rule_reads_as_a_sentence_of_its_values(verdict: Verdict, told: str) -> None:
    assert sentence(verdict, SIDES) == f"deal.stage: {told}"


def test_a_lock_is_told_with_its_person_and_its_end() -> None:
    told = sentence(
        Ask(ConflictType.LOCKED_FIELD_OVERWRITE, rule="locked"), replace(SIDES, lock=lock())
    )
    assert told.endswith("ana locked it at 'b' until 2026-03-01 13:00:00Z.")


def test_a_moment_that_is_not_known_is_called_so_and_no_strategy_is_named_so() -> None:
    asked = Ask(ConflictType.UNDECIDED_MERGE)
    unknown = replace(SIDES, local_ts=None)
    assert sentence(asked, unknown).endswith(
        "(Changed here: unknown; in the CRM: 2026-03-01 12:00:00Z.)"
    )
    without = replace(SIDES, field=replace(NEWEST, strategy=None))
    assert sentence(asked, without).startswith("deal.stage: merge_with_audit by no strategy - ")
    assert sentence(asked, without).endswith("a person has to.")


# --- the audit -----------------------------------------------------------------------------------


def audited(verdict: Verdict, of: FieldFacts = SIDES) -> dict[str, object]:
    ((kind, body),) = evidence(remote(), (FieldDecision(facts=of, verdict=verdict),))
    assert (kind, body["remote_version"]) == ("record.updated", "7")
    assert isinstance(body["fields"], dict)
    (found,) = body["fields"].values()
    assert isinstance(found, dict)
    return found


def test_a_merge_by_time_keeps_the_two_moments_that_it_compared() -> None:
    assert audited(Take("c", loser="b", rule="merge_crm")) == {
        "rule": "merge_crm",
        "policy": "merge_with_audit",
        "winner": "c",
        "loser": "b",
        "base": "a",
        "local": "b",
        "remote": "c",
        "local_ts": "2026-03-01T11:59:00+00:00",
        "remote_ts": "2026-03-01T12:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("verdict", "of", "moments"),
    [
        (Take("c", rule="merge_crm"), replace(SIDES, local_ts=None), {"remote_ts"}),
        (Take("c", rule="merge_crm"), replace(SIDES, remote_ts=None), {"local_ts"}),
        (Take("c", rule="crm_changed"), SIDES, set()),
        (
            Take("c", rule="merge_crm"),
            replace(SIDES, field=replace(NEWEST, strategy=Strategy.MAX)),
            set(),
        ),
    ],
)
def test_moments_are_kept_only_where_they_decided(
    verdict: Verdict, of: FieldFacts, moments: set[str]
) -> None:
    assert {name for name in audited(verdict, of) if name.endswith("_ts")} == moments


def test_a_verdict_without_a_loser_names_none() -> None:
    assert "loser" not in audited(Pending())
    assert "loser" not in audited(Converge("c"))
    assert audited(Keep(loser=None, rule="not_inbound_kept"))["loser"] is None


def test_absent_sides_are_left_out_and_null_is_a_value() -> None:
    found = audited(Take(None, rule="first_seen"), facts(remote=None))
    assert found == {
        "rule": "first_seen",
        "policy": "crm_wins",
        "winner": None,
        "remote": None,
    }


def test_what_a_person_settles_is_no_evidence() -> None:
    asked = FieldDecision(facts=SIDES, verdict=Ask(ConflictType.UNDECIDED_MERGE))
    taken = FieldDecision(
        facts=replace(SIDES, field=replace(NEWEST, name="amount")), verdict=Take("c")
    )
    assert evidence(remote(), (asked,)) == ()
    ((_, body),) = evidence(remote(version=""), (asked, taken))
    assert body["remote_version"] == "2026-03-01T12:00:00+00:00"
    assert isinstance(body["fields"], dict)
    assert list(body["fields"]) == ["amount"]


# --- what a verdict comes to ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "stands", "quiet"),
    [
        (Same(), Sides("a", "b"), True),
        (Ask(ConflictType.UNDECIDED_MERGE), Sides("a", "b", held="c"), False),
        (Keep(), Sides("c", "b"), True),
        (Keep(loser="c"), Sides("c", "b"), False),
        (Keep(loser=None), Sides("c", "b"), False),
        (Pending(), Sides("c", "b"), False),
        (Converge("x"), Sides("c", "x"), False),
        (Take("x"), Sides("c", "x"), False),
        (Reassert("x"), Sides("c", "x"), False),
    ],
)
def test_where_base_and_local_stand_after_a_verdict(
    verdict: Verdict, stands: Sides, quiet: bool
) -> None:
    assert carry_out(verdict, SIDES) == stands
    assert is_quiet(verdict) is quiet
