"""One field, three sides: what the merge says, by example."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from quotey.contract.fields import Direction, FieldType, Policy, Strategy
from quotey.contract.mapping import FieldMapping, OnBlank
from quotey.contract.reconciliation import ConflictType
from quotey.decide.merge import (
    Ask,
    Converge,
    Keep,
    Pending,
    Reassert,
    Same,
    Take,
    Verdict,
    merge_field,
    sentence,
)
from tests.decide.build import facts, field, later, lock

BOTH = Direction.BOTH
LOCAL_WINS_OUT = field(policy=Policy.LOCAL_WINS, direction=BOTH)
LOCAL_WINS_IN = field(policy=Policy.LOCAL_WINS)
IMMUTABLE = field(policy=Policy.IMMUTABLE_AFTER_BIND)
NONBLANK_OUT = field(direction=BOTH, on_blank=OnBlank.PREFER_NONBLANK)
NONBLANK_IN = field(on_blank=OnBlank.PREFER_NONBLANK)


def newest(direction: Direction = BOTH) -> FieldMapping:
    return field(policy=Policy.MERGE_WITH_AUDIT, direction=direction, strategy=Strategy.NEWEST)


def merging(strategy: Strategy | None, type_: FieldType = FieldType.TEXT) -> FieldMapping:
    return field(policy=Policy.MERGE_WITH_AUDIT, direction=BOTH, strategy=strategy, type_=type_)


def test_a_field_that_nobody_changed_is_the_same() -> None:
    assert merge_field(facts("x", "x", "x")) == Same()


def test_null_on_all_sides_is_the_same() -> None:
    assert merge_field(facts(None, None, None)) == Same()


def test_absence_is_not_null_and_never_overwrites() -> None:
    assert merge_field(facts("x", "x", UNSET)) == Same(rule="absent")


def test_absence_never_overwrites_an_edit_either() -> None:
    assert merge_field(facts("x", "y", UNSET)) == Same(rule="absent")


def test_null_is_a_value_and_does_overwrite() -> None:
    assert merge_field(facts("x", "x", None)) == Take(None)


def test_blank_is_not_null() -> None:
    assert merge_field(facts(None, None, "")) == Take("")


def test_at_first_sight_everything_is_taken() -> None:
    assert merge_field(facts(UNSET, UNSET, "x")) == Take("x", rule="first_seen")


def test_at_first_sight_even_local_wins_takes() -> None:
    assert merge_field(facts(UNSET, UNSET, "x", of=LOCAL_WINS_OUT)) == Take("x", rule="first_seen")


def test_only_the_crm_changed_and_crm_wins_takes_it_with_no_loser() -> None:
    assert merge_field(facts("x", "x", "y")) == Take("y")


def test_only_the_crm_changed_and_a_merge_takes_it_too() -> None:
    assert merge_field(facts("x", "x", "y", of=newest())) == Take("y")


def test_only_the_crm_changed_and_local_wins_reasserts_with_the_crms_value_as_loser() -> None:
    assert merge_field(facts("x", "x", "y", of=LOCAL_WINS_OUT)) == Reassert("x", loser="y")


def test_local_wins_on_a_field_that_does_not_flow_out_is_kept_with_an_audited_loser() -> None:
    kept = Keep(loser="y", rule="local_wins_kept")
    assert merge_field(facts("x", "x", "y", of=LOCAL_WINS_IN)) == kept


def test_only_we_changed_it_and_it_stays_silently() -> None:
    assert merge_field(facts("x", "y", "x")) == Keep()


def test_both_changed_it_alike_and_converge() -> None:
    assert merge_field(facts("x", "y", "y")) == Converge("y")


def test_both_changed_it_and_crm_wins_takes_with_our_edit_as_loser() -> None:
    assert merge_field(facts("x", "y", "z")) == Take("z", loser="y", rule="crm_wins")


def test_an_edit_to_null_is_a_loser_too() -> None:
    assert merge_field(facts("x", None, "z")) == Take("z", loser=None, rule="crm_wins")


def test_both_changed_it_and_local_wins_reasserts() -> None:
    assert merge_field(facts("x", "y", "z", of=LOCAL_WINS_OUT)) == Reassert("y", loser="z")


@pytest.mark.parametrize("local", ["x", "y"])
def test_an_outbound_field_is_never_taken_from_the_crm(local: str) -> None:
    outbound = field(direction=Direction.OUTBOUND)
    told = Reassert(local, loser="z", rule="not_inbound")
    assert merge_field(facts("x", local, "z", of=outbound)) == told


def test_a_local_field_is_neither_taken_nor_sent() -> None:
    told = Keep(loser="z", rule="not_inbound_kept")
    assert merge_field(facts("x", "x", "z", of=field(direction=Direction.LOCAL))) == told


def test_a_lock_turns_an_inbound_overwrite_into_a_question() -> None:
    told = merge_field(facts("x", "x", "y", lock=lock()))
    assert told == Ask(ConflictType.LOCKED_FIELD_OVERWRITE, rule="locked")


def test_a_lock_also_asks_where_local_wins() -> None:
    told = merge_field(facts("x", "x", "y", of=LOCAL_WINS_OUT, lock=lock()))
    assert told == Ask(ConflictType.LOCKED_FIELD_OVERWRITE, rule="locked")


def test_a_lock_on_a_field_that_we_do_not_hold_asks_too() -> None:
    told = merge_field(facts(UNSET, UNSET, "y", lock=lock()))
    assert told == Ask(ConflictType.LOCKED_FIELD_OVERWRITE, rule="locked")


def test_a_lock_asks_nothing_while_the_crm_has_not_moved() -> None:
    assert merge_field(facts("x", "y", "x", lock=lock())) == Keep()


def test_a_lock_asks_nothing_when_both_sides_agree() -> None:
    assert merge_field(facts("x", "y", "y", lock=lock())) == Converge("y")


def test_our_own_older_write_coming_back_does_not_undo_a_newer_edit() -> None:
    assert merge_field(facts("x", "z", "y", in_flight=("y",))) == Pending()


def test_our_own_write_coming_back_is_no_overwrite_of_a_lock() -> None:
    assert merge_field(facts("x", "z", "y", in_flight=("y",), lock=lock())) == Pending()


def test_our_own_write_that_landed_late_over_a_newer_value_of_the_crm_is_written_over() -> None:
    told = merge_field(facts("x", "x", "y", of=field(direction=BOTH), in_flight=("y",)))
    assert told == Reassert("x", loser="y", rule="late_echo")


def test_our_own_late_write_is_no_overwrite_of_a_lock() -> None:
    told = merge_field(facts("x", "x", "y", of=LOCAL_WINS_OUT, in_flight=("y",), lock=lock()))
    assert told == Reassert("x", loser="y", rule="late_echo")


def test_what_does_not_flow_out_any_more_is_not_sent_for_a_late_write() -> None:
    assert merge_field(facts("x", "x", "y", of=LOCAL_WINS_IN, in_flight=("y",))) == Pending()


def test_a_value_that_we_did_not_send_is_no_echo() -> None:
    assert isinstance(merge_field(facts("x", "z", "w", in_flight=("y",))), Take)


def test_an_immutable_field_that_changes_once_bound_is_an_identity_mismatch() -> None:
    told = merge_field(facts("x", "x", "y", of=IMMUTABLE))
    assert told == Ask(ConflictType.IDENTITY_MISMATCH, rule="identity")


def test_an_immutable_field_may_not_even_change_alike_on_both_sides() -> None:
    told = merge_field(facts("x", "y", "y", of=IMMUTABLE))
    assert told == Ask(ConflictType.IDENTITY_MISMATCH, rule="identity")


def test_an_immutable_field_may_not_become_null() -> None:
    told = merge_field(facts("x", "x", None, of=IMMUTABLE))
    assert told == Ask(ConflictType.IDENTITY_MISMATCH, rule="identity")


def test_an_immutable_field_of_an_unbound_record_is_the_crms_to_say() -> None:
    assert merge_field(facts("x", "x", "y", of=IMMUTABLE, bound=False)) == Take("y")


def test_an_immutable_field_is_taken_when_first_seen_on_a_bound_record() -> None:
    assert merge_field(facts(UNSET, UNSET, "y", of=IMMUTABLE)) == Take("y", rule="first_seen")


def test_an_immutable_field_that_stands_is_the_same() -> None:
    assert merge_field(facts("x", "x", "x", of=IMMUTABLE)) == Same()


def test_prefer_nonblank_keeps_our_value_and_sends_it_again() -> None:
    told = Reassert("x", loser=None, rule="nonblank")
    assert merge_field(facts("x", "x", None, of=NONBLANK_OUT)) == told


def test_prefer_nonblank_on_an_inbound_field_keeps_and_audits() -> None:
    told = Keep(loser=" ", rule="nonblank_kept")
    assert merge_field(facts("x", "x", " ", of=NONBLANK_IN)) == told


def test_prefer_nonblank_has_nothing_to_say_between_two_blanks() -> None:
    assert merge_field(facts(None, None, "", of=NONBLANK_IN)) == Take("")


def test_prefer_nonblank_has_nothing_to_say_of_a_value() -> None:
    assert merge_field(facts("x", "x", "y", of=NONBLANK_IN)) == Take("y")


def test_without_prefer_nonblank_a_blank_overwrites() -> None:
    assert merge_field(facts("x", "x", "")) == Take("")


def clash(
    of: FieldMapping, local: str | None = "y", remote: str | None = "z", **more: object
) -> Verdict:
    return merge_field(facts("x", local, remote, of=of, **more))


def test_newest_takes_the_crms_value_when_it_is_later() -> None:
    told = clash(newest(), local_ts=later(0), remote_ts=later(2))
    assert told == Take("z", loser="y", rule="merge_crm")


def test_newest_reasserts_ours_when_it_is_later() -> None:
    told = clash(newest(), local_ts=later(2), remote_ts=later(0))
    assert told == Reassert("y", loser="z", rule="merge_local")


def test_a_merge_that_we_win_is_only_kept_when_the_field_does_not_flow_out() -> None:
    told = clash(newest(Direction.INBOUND), local_ts=later(2), remote_ts=later(0))
    assert told == Keep(loser="z", rule="merge_local_kept")


@pytest.mark.parametrize("apart", [-1, 0, 1])
def test_newest_inside_the_clock_tolerance_asks_a_person(apart: int) -> None:
    told = clash(newest(), local_ts=later(0), remote_ts=later(apart))
    assert told == Ask(ConflictType.UNDECIDED_MERGE)


def test_newest_with_no_local_time_asks_a_person() -> None:
    assert clash(newest(), remote_ts=later(9)) == Ask(ConflictType.UNDECIDED_MERGE)


def test_newest_with_no_remote_time_asks_a_person() -> None:
    assert clash(newest(), local_ts=later(9)) == Ask(ConflictType.UNDECIDED_MERGE)


def test_a_merge_without_a_strategy_asks_a_person() -> None:
    assert clash(merging(None)) == Ask(ConflictType.UNDECIDED_MERGE)


def test_a_union_of_both_is_held_here_and_sent() -> None:
    told = clash(merging(Strategy.UNION), local="b;a", remote="c")
    assert told == Reassert("a;b;c", loser="c", rule="merge_both")


def test_a_union_that_cannot_be_sent_is_taken() -> None:
    of = field(policy=Policy.MERGE_WITH_AUDIT, strategy=Strategy.UNION)
    assert clash(of, local="b", remote="a") == Take("a;b", loser="b", rule="merge_both")


def test_the_rule_reads_as_a_sentence() -> None:
    given = facts("x", "x", "y")
    assert sentence(merge_field(given), given) == (
        "deal.stage: crm_wins - the CRM changed it from 'x' to 'y'; nobody changed it here."
    )


def test_the_sentence_of_newest_names_the_two_moments_that_decided() -> None:
    given = facts("x", "ours", "theirs", of=newest(), local_ts=later(9), remote_ts=later(2))
    told = sentence(merge_field(given), given)
    assert told.endswith("(Changed here: 2026-03-01 12:00:09Z; in the CRM: 2026-03-01 12:00:02Z.)")


def test_the_sentence_of_a_lock_says_who_and_until_when() -> None:
    given = facts("x", "x", "y", lock=lock())
    assert sentence(merge_field(given), given) == (
        "deal.stage: locked - the CRM changed it from 'x' to 'y'; ana locked it at 'x' until "
        "2026-03-01 13:00:00Z."
    )


def test_a_merge_compares_a_field_as_what_it_is() -> None:
    as_text = merge_field(facts("1", "9", "10", of=merging(Strategy.MAX)))
    as_money = merge_field(facts("1", "9", "10", of=merging(Strategy.MAX, FieldType.MONEY)))
    assert as_text == Reassert("9", loser="10", rule="merge_local")
    assert as_money == Take("10", loser="9", rule="merge_crm")
