"""Deletions, merges, rejects and mass changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.contract.dto import RemoteRecord
from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Policy
from quotey.contract.journal import MirrorRecord, RecordState
from quotey.contract.reconciliation import ConflictType
from quotey.decide.gone import plan_old_ref
from quotey.decide.inbound import (
    MassCounts,
    MassLimits,
    RecordPlan,
    mass_change,
    plan_gone,
    plan_record,
    plan_reject,
)
from tests.decide.build import DEAL, NOW, later, mirror, record_facts, remote

KNOWN = mirror({"stage": "open"})
DELETED = remote(deleted=True)
MERGED = remote(merged_into="900")


def test_a_deleted_record_becomes_a_tombstone_that_keeps_its_values() -> None:
    made = plan_gone(KNOWN, DELETED, content_hash="new", in_use=False)
    assert made.kind == "gone"
    assert made.record is not None
    assert (made.record.state, made.record.local) == (RecordState.GONE, {"stage": "open"})
    assert (made.record.source_ts, made.record.content_hash) == (NOW, "new")
    assert made.audit == (("record.gone", {"crm_ref": "512", "merged_into": None}),)


def test_a_deleted_record_that_nothing_hangs_on_asks_nobody() -> None:
    assert plan_gone(KNOWN, DELETED, content_hash="new", in_use=False).items == ()


def test_a_deleted_record_with_quotes_opens_an_item() -> None:
    (draft,) = plan_gone(KNOWN, DELETED, content_hash="new", in_use=True).items
    assert draft.conflict_type is ConflictType.REMOTE_GONE
    assert (draft.field_name, draft.local_value, draft.remote_value) == ("*", "512", None)
    assert draft.detail == "deal deleted"


def test_a_merged_record_with_quotes_asks_who_it_is_now_and_names_the_survivor() -> None:
    (draft,) = plan_gone(KNOWN, MERGED, content_hash="new", in_use=True).items
    assert draft.conflict_type is ConflictType.IDENTITY_MISMATCH
    assert (draft.remote_value, draft.detail) == ("900", "deal merged into another")


def test_a_merge_never_edits_the_binding() -> None:
    made = plan_gone(KNOWN, MERGED, content_hash="new", in_use=True)
    assert made.record is not None
    assert made.record.crm_ref == "512"


def test_the_same_deletion_seen_again_is_the_same_occurrence() -> None:
    first = plan_gone(KNOWN, DELETED, content_hash="new", in_use=True)
    assert first.record is not None
    second = plan_gone(first.record, DELETED, content_hash="new", in_use=True)
    assert (second.kind, second.record, second.audit) == ("unchanged", None, ())
    assert second.items == first.items


def test_a_deletion_that_is_older_than_what_we_know_is_stale() -> None:
    old = remote(deleted=True, ts=later(-7200), version="")
    assert plan_gone(KNOWN, old, content_hash="n", in_use=True) == RecordPlan(kind="stale")


def test_a_record_that_has_no_source_time_yet_can_be_deleted() -> None:
    known = mirror({}, source_ts=None, source_version="")
    assert plan_gone(known, DELETED, content_hash="n", in_use=False).kind == "gone"


# --- rejects -------------------------------------------------------------------------------------


def problem(field: str, code: str, severity: Severity = Severity.ERROR) -> Diagnostic:
    return Diagnostic(
        code=code, severity=severity, message=f"{field} {code}.", entity="deal", field=field
    )


PROBLEMS = (
    problem("account_id", "missing"),
    problem("stage", "malformed"),
    problem("stage", "too_long"),
    problem("amount", "defaulted", Severity.NOTE),
    problem("", "unreadable"),
)


def rejected(known: MirrorRecord | None = None) -> RecordPlan:
    return plan_reject(remote(), PROBLEMS, mapping=DEAL, entity_id="deal_1", mirror=known)


def test_a_rejected_record_is_told_with_all_its_problems() -> None:
    made = rejected()
    assert made.kind == "reject"
    assert made.diagnostics == PROBLEMS


def test_a_rejected_record_opens_one_item_for_each_field_that_breaks_the_contract() -> None:
    made = rejected()
    assert [one.detail for one in made.items] == [
        "deal.account_id missing",
        "deal.stage malformed",
        "deal unreadable",
    ]
    assert {one.conflict_type for one in made.items} == {ConflictType.SCHEMA_MAPPING_MISMATCH}
    policies = [one.field_policy_mode for one in made.items]
    assert policies == [Policy.CRM_WINS, Policy.CRM_WINS, None]


def test_a_rejected_record_that_is_new_stores_nothing() -> None:
    assert rejected().record is None


def test_a_rejected_record_that_is_known_keeps_its_values_and_is_read_again() -> None:
    made = rejected(KNOWN)
    assert made.record == mirror(
        {"stage": "open"}, content_hash="", source_ts=NOW, source_version="7"
    )
    assert made.items[0].key.local_version == "3"


def test_a_rejected_record_that_is_already_to_be_read_again_stores_nothing() -> None:
    assert rejected(rejected(KNOWN).record).record is None


def test_an_older_revision_that_breaks_the_contract_changes_nothing() -> None:
    assert rejected(mirror({}, source_version="8")) == RecordPlan(kind="stale")


def test_a_rejected_record_lets_go_the_questions_about_fields_that_were_mended() -> None:
    mended = {
        (field, kind) for field, kind, _ in rejected_for(problem("stage", "missing")).resolved
    }
    assert ("account_id", ConflictType.SCHEMA_MAPPING_MISMATCH) in mended
    assert "stage" not in {field for field, _ in mended}


def test_a_record_that_cannot_be_read_at_all_says_nothing_of_its_fields() -> None:
    assert rejected_for(problem("", "unreadable")).resolved == ()


def rejected_for(*problems: Diagnostic) -> RecordPlan:
    return plan_reject(remote(), problems, mapping=DEAL, entity_id="deal_1", mirror=KNOWN)


# --- a ref that a person has rebound --------------------------------------------------------------


@pytest.mark.parametrize("end", [DELETED, MERGED])
def test_that_a_rebound_refs_record_is_gone_was_the_reason_for_it(end: RemoteRecord) -> None:
    assert plan_old_ref(KNOWN, end, "900") == RecordPlan(kind="unchanged")


def test_a_record_that_lives_again_under_its_old_ref_is_asked_about_and_not_taken() -> None:
    made = plan_old_ref(KNOWN, remote(), "900")
    assert (made.kind, made.record) == ("conflict", None)
    (draft,) = made.items
    assert draft.conflict_type is ConflictType.IDENTITY_MISMATCH
    assert (draft.local_value, draft.remote_value) == ("900", "512")


# --- what comes back from the dead ---------------------------------------------------------------


def test_a_record_that_came_back_broken_lives_again_once_the_mapping_is_mended() -> None:
    dead = plan_gone(KNOWN, remote(deleted=True, version="6"), content_hash="h", in_use=False)
    assert dead.record is not None
    broken = rejected(dead.record).record
    assert broken is not None
    assert (broken.state, broken.source_version) == (RecordState.GONE, "7")

    mended = plan_record(record_facts({"stage": "won"}, known=broken))

    assert mended.kind == "update"
    assert mended.record is not None
    assert (mended.record.state, mended.record.local["stage"]) == (RecordState.LIVE, "won")


def test_a_late_page_about_the_dead_stays_stale() -> None:
    dead = plan_gone(KNOWN, DELETED, content_hash="h", in_use=False).record
    assert dead is not None
    assert plan_record(record_facts({"stage": "won"}, known=dead)).kind == "stale"
    assert rejected(dead).kind == "stale"


# --- mass changes (law 11) -----------------------------------------------------------------------


def test_a_full_scan_that_comes_back_empty_stops_the_run() -> None:
    told = mass_change(MassCounts(mirrored=20, touched=0, full=True))
    assert told == "The CRM answered no record at all where 20 are mirrored."


def test_an_empty_page_that_is_no_full_scan_is_nothing_to_stop_for() -> None:
    assert mass_change(MassCounts(mirrored=20, touched=0)) is None


def test_a_share_that_is_just_reached_still_passes() -> None:
    assert mass_change(MassCounts(mirrored=100, touched=20, gone=20)) is None


def test_a_run_that_would_change_more_than_the_configured_share_stops() -> None:
    limits = MassLimits(max_changed_share=0.5)
    told = mass_change(MassCounts(mirrored=100, touched=60, changed=51), limits)
    assert told == (
        "51 of 100 mirrored records would change, more than the 50 % that pass without a person."
    )


def test_by_default_any_number_may_change() -> None:
    assert mass_change(MassCounts(mirrored=100, touched=100, changed=100)) is None


def test_a_record_that_changes_twice_while_it_is_read_is_no_mass_change() -> None:
    assert mass_change(MassCounts(mirrored=20, touched=21, changed=21)) is None


@pytest.mark.parametrize("full", [True, False])
def test_a_small_mirror_is_never_stopped(full: bool) -> None:
    assert mass_change(MassCounts(mirrored=19, touched=0, gone=19, full=full)) is None


@pytest.mark.parametrize(("gone", "share"), [(21, 0.2), (51, 0.5), (1, 0.0)])
def test_a_run_by_which_too_many_would_go_says_how_many(gone: int, share: float) -> None:
    told = mass_change(
        MassCounts(mirrored=100, touched=0, gone=gone), MassLimits(max_gone_share=share)
    )
    assert told == (
        f"{gone} of 100 mirrored records would go, "
        f"more than the {share * 100:.0f} % that pass without a person."
    )


def test_half_of_them_may_go_where_half_is_configured() -> None:
    counts = MassCounts(mirrored=100, touched=0, gone=50, changed=50)
    limits = MassLimits(max_gone_share=0.5, max_changed_share=0.5)
    assert mass_change(counts, limits) is None


@given(st.integers(0, 500), st.integers(0, 500))
def test_more_deletions_never_make_a_stopped_run_go_on(mirrored: int, gone: int) -> None:
    if mass_change(MassCounts(mirrored=mirrored, touched=gone, gone=gone)):
        assert mass_change(MassCounts(mirrored=mirrored, touched=gone, gone=gone + 1))
