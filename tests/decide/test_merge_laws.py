"""What holds of every merge, whatever the facts."""

from __future__ import annotations

import msgspec
from hypothesis import given
from msgspec import UNSET

from quotey.contract.fields import Direction, Policy
from quotey.contract.mapping import OnBlank
from quotey.contract.reconciliation import ConflictType
from quotey.decide.merge import (
    Ask,
    FieldFacts,
    Keep,
    Reassert,
    Same,
    Take,
    carry_out,
    is_quiet,
    merge_field,
    sentence,
)
from quotey.decide.sentence import SENTENCES
from tests.decide.build import field_facts


def again(facts: FieldFacts) -> FieldFacts:
    """The same facts once the verdict was carried out."""
    after = carry_out(merge_field(facts), facts)
    return msgspec.structs.replace(facts, base=after.base, local=after.local)


@given(field_facts)
def test_the_merge_is_total_and_every_verdict_has_its_sentence(facts: FieldFacts) -> None:
    verdict = merge_field(facts)
    assert verdict.rule in SENTENCES
    assert sentence(verdict, facts).startswith("deal.stage: ")


@given(field_facts)
def test_the_merge_is_deterministic(facts: FieldFacts) -> None:
    assert merge_field(facts) == merge_field(msgspec.structs.replace(facts))


@given(field_facts)
def test_a_verdict_carried_out_leaves_nothing_to_do_or_the_same_question(
    facts: FieldFacts,
) -> None:
    first, second = merge_field(facts), merge_field(again(facts))
    if isinstance(first, Ask):
        assert second == first
    else:
        assert is_quiet(second)


@given(field_facts)
def test_the_base_is_what_the_crm_last_said_unless_a_person_must_decide(facts: FieldFacts) -> None:
    verdict = merge_field(facts)
    after = carry_out(verdict, facts)
    silent = facts.remote is UNSET or isinstance(verdict, Ask)
    assert after.base == (facts.base if silent else facts.remote)


@given(field_facts)
def test_what_a_person_must_decide_is_held_and_nothing_moves(facts: FieldFacts) -> None:
    verdict = merge_field(facts)
    after = carry_out(verdict, facts)
    if isinstance(verdict, Ask):
        assert (after.base, after.local, after.held) == (facts.base, facts.local, facts.remote)
    else:
        assert after.held is UNSET


@given(field_facts)
def test_an_absent_value_never_changes_anything(facts: FieldFacts) -> None:
    silent = msgspec.structs.replace(facts, remote=UNSET)
    assert merge_field(silent) == Same(rule="absent")


@given(field_facts)
def test_a_lock_is_never_overwritten(facts: FieldFacts) -> None:
    after = carry_out(merge_field(facts), facts)
    if facts.lock is not None and facts.remote != facts.base:
        assert after.local == facts.local


@given(field_facts)
def test_a_local_value_is_replaced_only_by_a_take_a_union_or_a_first_sight(
    facts: FieldFacts,
) -> None:
    verdict = merge_field(facts)
    after = carry_out(verdict, facts)
    if after.local != facts.local:
        assert isinstance(verdict, Take) or verdict.rule == "merge_both"


@given(field_facts)
def test_a_value_that_somebody_set_here_is_never_replaced_without_a_loser(
    facts: FieldFacts,
) -> None:
    verdict = merge_field(facts)
    edited = facts.local is not UNSET and facts.local != facts.base
    if edited and isinstance(verdict, Take):
        assert verdict.loser == facts.local


@given(field_facts)
def test_a_value_that_the_crm_set_is_never_passed_over_without_a_loser(facts: FieldFacts) -> None:
    verdict = merge_field(facts)
    if isinstance(verdict, Reassert) or (isinstance(verdict, Keep) and not is_quiet(verdict)):
        assert verdict.loser == facts.remote != facts.base


@given(field_facts)
def test_only_a_field_that_flows_out_is_sent_again(facts: FieldFacts) -> None:
    if isinstance(merge_field(facts), Reassert):
        assert facts.field.flows_out


@given(field_facts)
def test_local_wins_never_gives_way(facts: FieldFacts) -> None:
    if facts.field.policy is Policy.LOCAL_WINS and facts.local is not UNSET:
        assert carry_out(merge_field(facts), facts).local == facts.local


@given(field_facts)
def test_a_field_that_does_not_flow_in_never_gives_way(facts: FieldFacts) -> None:
    closed = facts.field.direction in (Direction.OUTBOUND, Direction.LOCAL)
    if closed and facts.local is not UNSET:
        assert carry_out(merge_field(facts), facts).local == facts.local


@given(field_facts)
def test_crm_wins_always_follows_a_crm_that_moved(facts: FieldFacts) -> None:
    open_ = facts.field.direction in (Direction.INBOUND, Direction.BOTH)
    moved = facts.remote is not UNSET and facts.remote != facts.base
    free = (
        facts.lock is None
        and not facts.other_currency
        and facts.remote not in facts.in_flight
        and facts.field.on_blank is not OnBlank.PREFER_NONBLANK
    )
    if facts.field.policy is Policy.CRM_WINS and open_ and moved and free:
        assert carry_out(merge_field(facts), facts).local == facts.remote


@given(field_facts)
def test_who_a_bound_record_is_never_changes(facts: FieldFacts) -> None:
    immutable = facts.field.policy is Policy.IMMUTABLE_AFTER_BIND and facts.bound
    if immutable and facts.base is not UNSET and facts.remote not in (UNSET, facts.base):
        told = merge_field(facts)
        assert told == Ask(ConflictType.IDENTITY_MISMATCH, rule="identity")


@given(field_facts)
def test_prefer_nonblank_never_blanks_a_value(facts: FieldFacts) -> None:
    prefers = facts.field.on_blank is OnBlank.PREFER_NONBLANK
    if prefers and isinstance(facts.local, str) and facts.local.strip():
        after = carry_out(merge_field(facts), facts).local
        assert isinstance(after, str)
        assert after.strip()
