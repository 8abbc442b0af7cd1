"""The table of design section 9: who may settle what, and what a refusal says."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.contract.fields import Entity, Policy, Strategy
from quotey.contract.mapping import FieldMapping
from quotey.contract.reconciliation import (
    OVERWROTE_OTHER,
    ConflictType,
    ItemState,
    Reconciliation,
)
from quotey.decide.remedies import REASONS, WAYS, ways
from quotey.decide.settle import TABLE, Refusal, Settlement, settle
from tests.decide.build import AMOUNT, NOW, STAGE, field, item

FIELD_ITEMS = (ConflictType.LOCKED_FIELD_OVERWRITE, ConflictType.UNDECIDED_MERGE)
SENT_ITEMS = (ConflictType.PARTIAL_SUCCESS, ConflictType.UNKNOWN_OUTCOME)
WAITING = (ConflictType.SCHEMA_MAPPING_MISMATCH, ConflictType.MISSING_PARENT)
IDENTITY = (ConflictType.IDENTITY_MISMATCH, ConflictType.REMOTE_GONE)
of_each = pytest.mark.parametrize


def asked(
    subject: Reconciliation | ConflictType,
    policy: str | None = None,
    *,
    value: str | None = None,
    of: FieldMapping | None = STAGE,
    rebind: bool = False,
    priority: tuple[str, ...] = ("crm", "local"),
) -> Settlement | Refusal:
    return settle(
        subject if isinstance(subject, Reconciliation) else item(subject),
        Policy(policy) if policy else None,
        value,
        field=of,
        rebind=rebind,
        now=NOW,
        source_priority=priority,
    )


@of_each("conflict_type", FIELD_ITEMS)
def test_crm_wins_takes_the_remote_value_and_ends_the_lock(conflict_type: ConflictType) -> None:
    told = asked(conflict_type, "crm_wins")
    assert told == Settlement(action="take_remote", at=NOW, value="won", ends_lock=True)


@of_each("conflict_type", FIELD_ITEMS)
def test_local_wins_keeps_ours_and_sends_it_if_the_field_flows_out(
    conflict_type: ConflictType,
) -> None:
    kept = Settlement(action="keep_local", at=NOW, value="open")
    assert asked(conflict_type, "local_wins") == kept
    sent = msgspec.structs.replace(kept, reassert=True)
    assert asked(conflict_type, "local_wins", of=AMOUNT) == sent


def test_local_wins_leaves_the_lock_standing() -> None:
    told = asked(ConflictType.LOCKED_FIELD_OVERWRITE, "local_wins")
    assert isinstance(told, Settlement)
    assert not told.ends_lock


def test_a_field_that_is_no_longer_mapped_can_be_settled_but_not_sent() -> None:
    told = asked(ConflictType.UNDECIDED_MERGE, "local_wins", of=None)
    assert told == Settlement(action="keep_local", at=NOW, value="open")


@of_each("conflict_type", FIELD_ITEMS)
@of_each("policy", [None, "merge_with_audit"])
def test_a_value_set_by_hand_stands_and_is_sent(
    conflict_type: ConflictType, policy: str | None
) -> None:
    told = asked(conflict_type, policy, value="12", of=AMOUNT)
    assert told == Settlement(action="set_value", at=NOW, value="12", reassert=True)


def merging(strategy: Strategy | None) -> FieldMapping:
    return msgspec.structs.replace(AMOUNT, strategy=strategy)


def test_merge_with_audit_merges_by_the_strategy_of_the_field() -> None:
    numbers = item(ConflictType.UNDECIDED_MERGE, local_value="9", remote_value="10")
    larger = asked(numbers, "merge_with_audit", of=merging(Strategy.MAX))
    smaller = asked(numbers, "merge_with_audit", of=merging(Strategy.MIN))
    assert larger == Settlement(action="take_remote", at=NOW, value="10", ends_lock=True)
    assert smaller == Settlement(action="keep_local", at=NOW, value="9", reassert=True)


def test_merge_with_audit_joins_by_union() -> None:
    parts = item(ConflictType.UNDECIDED_MERGE, local_value="a", remote_value="b")
    told = asked(parts, "merge_with_audit", of=merging(Strategy.UNION))
    assert told == Settlement(action="set_value", at=NOW, value="a;b", reassert=True)


@of_each(("priority", "action"), [(("crm",), "take_remote"), (("local",), "keep_local")])
def test_what_newest_left_undecided_is_merged_by_source_priority(
    priority: tuple[str, ...], action: str
) -> None:
    told = asked(ConflictType.UNDECIDED_MERGE, "merge_with_audit", of=AMOUNT, priority=priority)
    assert isinstance(told, Settlement)
    assert told.action == action


@of_each("of", [None, STAGE])
def test_merge_with_audit_needs_a_strategy(of: FieldMapping | None) -> None:
    told = asked(ConflictType.UNDECIDED_MERGE, "merge_with_audit", of=of)
    assert isinstance(told, Refusal)
    assert "deal.stage has no strategy that could merge it" in told.sentence


def test_merge_with_audit_needs_a_priority_where_newest_is_undecided() -> None:
    told = asked(ConflictType.UNDECIDED_MERGE, "merge_with_audit", of=AMOUNT, priority=())
    assert isinstance(told, Refusal)


def test_a_stale_write_is_discarded_when_the_crm_wins() -> None:
    told = asked(ConflictType.STALE_OUTBOUND_WRITE, "crm_wins")
    assert told == Settlement(action="discard_operation", at=NOW)


def test_a_stale_write_is_never_forced_and_the_refusal_names_the_revision() -> None:
    stale = item(ConflictType.STALE_OUTBOUND_WRITE, entity_type=Entity.QUOTE, entity_id="q_1")
    told = asked(stale, "local_wins")
    assert told == Refusal(
        sentence="r_81 (stale_outbound_write) was not settled: the CRM holds what this version "
        "may not replace, so only a new version can be written. Nothing was changed.",
        next=("quotey quote revise q_1", "quotey crm reconcile apply r_81 --policy crm_wins"),
    )


@of_each(
    ("detail", "first"),
    [
        ("newer_version", "quotey quote revise q_1"),
        ("version_reused", "quotey quote revise q_1"),
        ("other_quote", "quotey quote publish q_1"),
        ("foreign", "quotey quote revise q_1"),
    ],
)
def test_the_way_out_of_a_stale_quote_depends_on_what_stands_there(detail: str, first: str) -> None:
    stale = item(
        ConflictType.STALE_OUTBOUND_WRITE,
        entity_type=Entity.QUOTE,
        entity_id="q_1",
        detail=detail,
    )
    assert ways(stale)[0] == first


def test_another_ones_value_that_was_written_over_is_not_published_away() -> None:
    over = item(
        ConflictType.STALE_OUTBOUND_WRITE,
        entity_type=Entity.QUOTE,
        entity_id="q_1",
        detail=OVERWROTE_OTHER,
    )
    assert ways(over) == ("quotey crm reconcile apply r_81 --policy crm_wins",)


@of_each(
    ("detail", "said"),
    [
        ("other_quote", "publishing it is the leave to replace that one"),
        ("foreign", "clear it there"),
    ],
)
def test_the_refusal_says_what_stands_in_the_way(detail: str, said: str) -> None:
    stale = item(
        ConflictType.STALE_OUTBOUND_WRITE, entity_type=Entity.QUOTE, entity_id="q_1", detail=detail
    )
    told = asked(stale, "local_wins")
    assert isinstance(told, Refusal)
    assert said in told.sentence


def test_a_stale_write_of_a_deal_is_answered_by_reading_it_again() -> None:
    told = asked(ConflictType.STALE_OUTBOUND_WRITE, "local_wins")
    assert isinstance(told, Refusal)
    assert told.next[0] == "quotey crm sync"


@of_each("conflict_type", WAITING)
@of_each("policy", ["crm_wins", "local_wins", "merge_with_audit"])
def test_what_mends_itself_is_refused_and_the_fix_is_named(
    conflict_type: ConflictType, policy: str
) -> None:
    told = asked(conflict_type, policy)
    assert isinstance(told, Refusal)
    assert "by itself" in told.sentence
    assert "quotey crm sync" in told.next
    assert "quotey crm reconcile defer r_81 --for 24h" in told.next


@of_each("policy", ["crm_wins", "local_wins", "merge_with_audit"])
def test_no_policy_settles_who_a_record_is(policy: str) -> None:
    told = asked(ConflictType.IDENTITY_MISMATCH, policy)
    assert isinstance(told, Refusal)
    assert "--rebind" in told.next[0]


def test_a_deletion_is_accepted_and_never_overruled() -> None:
    """ADR 0004."""
    deleted = gone(ConflictType.REMOTE_GONE, None)
    assert asked(deleted, "crm_wins") == Settlement(action="accept_gone", at=NOW)
    for policy in ("local_wins", "merge_with_audit"):
        told = asked(deleted, policy)
        assert isinstance(told, Refusal)
        assert told.next[0] == "quotey crm reconcile apply r_81 --policy crm_wins"


def gone(conflict_type: ConflictType, survivor: str | None) -> Reconciliation:
    return item(conflict_type, field_name="*", remote_value=survivor)


def test_a_merged_record_is_rebound_to_its_survivor() -> None:
    told = asked(gone(ConflictType.IDENTITY_MISMATCH, "900"), rebind=True)
    assert told == Settlement(action="rebind", at=NOW, value="900")


def test_a_deleted_record_is_rebound_to_the_one_that_a_person_names() -> None:
    told = asked(gone(ConflictType.REMOTE_GONE, None), rebind=True, value="901")
    assert told == Settlement(action="rebind", at=NOW, value="901")


def test_a_deleted_record_has_no_survivor_to_be_guessed() -> None:
    told = asked(gone(ConflictType.REMOTE_GONE, None), rebind=True)
    assert isinstance(told, Refusal)
    assert "--value must name the record" in told.sentence


def test_a_changed_identity_field_takes_its_new_value_when_rebound() -> None:
    told = asked(ConflictType.IDENTITY_MISMATCH, rebind=True)
    assert told == Settlement(action="take_remote", at=NOW, value="won", ends_lock=True)


@of_each("conflict_type", SENT_ITEMS)
def test_a_doubtful_send_is_confirmed_from_the_marker_or_sent_again(
    conflict_type: ConflictType,
) -> None:
    confirmed = asked(conflict_type, "crm_wins")
    again = asked(conflict_type, "local_wins")
    assert confirmed == Settlement(action="confirm_from_marker", at=NOW)
    assert again == Settlement(action="send_again", at=NOW)


def test_an_operation_that_ran_out_of_attempts_is_dropped_or_sent_again() -> None:
    dropped = asked(ConflictType.ATTEMPTS_EXHAUSTED, "crm_wins")
    again = asked(ConflictType.ATTEMPTS_EXHAUSTED, "local_wins")
    assert dropped == Settlement(action="discard_operation", at=NOW)
    assert again == Settlement(action="send_again", at=NOW)


@of_each("policy", ["crm_wins", "local_wins", "merge_with_audit"])
def test_a_mass_change_is_settled_by_looking_at_the_plan(policy: str) -> None:
    told = asked(ConflictType.MASS_CHANGE, policy)
    assert isinstance(told, Refusal)
    assert told.next[0] == "quotey crm plan"


@of_each("conflict_type", [one for one in ConflictType if one not in FIELD_ITEMS])
def test_a_value_settles_only_what_is_about_a_value(conflict_type: ConflictType) -> None:
    assert isinstance(asked(conflict_type, value="x"), Refusal)


@of_each("conflict_type", [one for one in ConflictType if one not in IDENTITY])
def test_rebinding_settles_only_what_is_about_identity(conflict_type: ConflictType) -> None:
    assert isinstance(asked(conflict_type, rebind=True), Refusal)


@of_each("conflict_type", list(ConflictType))
def test_nothing_said_is_nothing_settled(conflict_type: ConflictType) -> None:
    told = asked(conflict_type)
    assert isinstance(told, Refusal)
    assert "say with --policy or --value what is to stand" in told.sentence


@of_each("conflict_type", list(ConflictType))
def test_immutable_after_bind_is_no_way_to_settle_anything(conflict_type: ConflictType) -> None:
    assert isinstance(asked(conflict_type, "immutable_after_bind"), Refusal)


@of_each("policy", ["crm_wins", "local_wins"])
def test_a_value_and_a_side_are_a_contradiction(policy: str) -> None:
    told = asked(ConflictType.UNDECIDED_MERGE, policy, value="x")
    assert isinstance(told, Refusal)
    assert f"--value goes without --policy {policy}" in told.sentence


def test_rebinding_and_a_policy_are_a_contradiction() -> None:
    told = asked(gone(ConflictType.IDENTITY_MISMATCH, "900"), "crm_wins", rebind=True)
    assert isinstance(told, Refusal)
    assert "--rebind goes without --policy" in told.sentence


@of_each(("by", "why", "told"), [("ana", "ours", "ana: ours"), ("", "", "sync: no reason")])
def test_what_is_settled_stays_settled(by: str, why: str, told: str) -> None:
    done = item(
        ConflictType.UNDECIDED_MERGE, state=ItemState.RESOLVED, resolved_by=by, resolution=why
    )
    refused = asked(done, "crm_wins")
    assert isinstance(refused, Refusal)
    assert told in refused.sentence
    assert refused.next == ("quotey crm reconcile show r_81",)


def test_a_deferred_item_may_be_settled_before_its_time() -> None:
    deferred = item(ConflictType.UNDECIDED_MERGE, state=ItemState.DEFERRED)
    assert isinstance(asked(deferred, "crm_wins"), Settlement)


def test_the_tables_speak_of_every_conflict_type() -> None:
    assert set(TABLE) == set(REASONS) == set(WAYS) == set(ConflictType)


ALLOWED = {
    ConflictType.STALE_OUTBOUND_WRITE: {"discard_operation"},
    ConflictType.LOCKED_FIELD_OVERWRITE: {"take_remote", "keep_local", "set_value"},
    ConflictType.UNDECIDED_MERGE: {"take_remote", "keep_local", "set_value"},
    ConflictType.SCHEMA_MAPPING_MISMATCH: set(),
    ConflictType.MISSING_PARENT: set(),
    ConflictType.IDENTITY_MISMATCH: {"rebind", "take_remote"},
    ConflictType.REMOTE_GONE: {"rebind", "accept_gone"},
    ConflictType.PARTIAL_SUCCESS: {"confirm_from_marker", "send_again"},
    ConflictType.UNKNOWN_OUTCOME: {"confirm_from_marker", "send_again"},
    ConflictType.ATTEMPTS_EXHAUSTED: {"discard_operation", "send_again"},
    ConflictType.MASS_CHANGE: set(),
}

fields = st.one_of(
    st.none(),
    st.builds(
        lambda policy, strategy: field(policy=policy, strategy=strategy),
        st.sampled_from(Policy),
        st.one_of(st.none(), st.sampled_from(Strategy)),
    ),
)
texts = st.one_of(st.none(), st.sampled_from(("", "a", "a;b")))


@given(
    st.sampled_from(ConflictType),
    st.one_of(st.none(), st.sampled_from(Policy)),
    texts,
    fields,
    st.booleans(),
    texts,
)
def test_settling_never_gives_what_the_table_forbids(
    conflict_type: ConflictType,
    policy: Policy | None,
    value: str | None,
    of: FieldMapping | None,
    rebind: bool,
    theirs: str | None,
) -> None:
    whole = "*" if conflict_type is ConflictType.REMOTE_GONE else "stage"
    subject = item(conflict_type, remote_value=theirs, field_name=whole)
    told = settle(subject, policy, value, field=of, rebind=rebind, now=NOW)
    if isinstance(told, Settlement):
        assert told.action in ALLOWED[conflict_type]
        assert not (told.reassert and (of is None or not of.flows_out))
    else:
        assert told.next
        assert told.sentence.endswith("Nothing was changed.")


def test_a_parked_field_is_mended_in_the_crm_and_by_no_policy() -> None:
    one = msgspec.structs.replace(item(ConflictType.SCHEMA_MAPPING_MISMATCH), entity_id="*")
    told = asked(one, "crm_wins")
    assert isinstance(told, Refusal)
    assert "flows by itself once the property or the mapping is mended" in told.sentence
    assert ways(one) == (
        "quotey crm doctor",
        "quotey crm sync",
        "quotey crm reconcile defer r_81 --for 24h",
    )
    assert ways(item(ConflictType.SCHEMA_MAPPING_MISMATCH))[0] == "quotey crm mapping check"


def test_nothing_is_rebound_unless_it_is_said() -> None:
    told = settle(
        item(ConflictType.LOCKED_FIELD_OVERWRITE), Policy.CRM_WINS, None, field=STAGE, now=NOW
    )
    assert isinstance(told, Settlement)
    assert told.action == "take_remote"
