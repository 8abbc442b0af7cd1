"""What one inbound record changes, by example."""

from __future__ import annotations

import msgspec
import pytest

from quotey.contract.dto import Canonical
from quotey.contract.fields import Entity, Policy
from quotey.contract.journal import RecordState
from quotey.contract.reconciliation import ConflictType
from quotey.decide.inbound import (
    RecordPlan,
    first_sight,
    held_facts,
    plan_record,
)
from quotey.decide.merge import Reassert, Take
from tests.decide.build import DEAL, NOW, later, lock, mirror, record_facts, remote

OPEN: Canonical = {"name": "Deal", "stage": "open", "amount": "10", "account_id": "acc_1"}


def plan(change: Canonical, *, known: object = None, **more: object) -> RecordPlan:
    base = known or mirror(OPEN)
    return plan_record(record_facts(OPEN | change, known=base, **more))  # type: ignore[arg-type]


def test_a_new_record_is_taken_whole_with_base_equal_to_local() -> None:
    made = plan_record(record_facts(OPEN, extras={"owner": "x"}))
    assert made.kind == "create"
    assert made.record is not None
    assert made.record.local == made.record.base == OPEN
    assert made.record.local is not made.record.base
    assert (made.record.local_version, made.record.crm_ref) == (1, "512")
    assert (made.record.content_hash, made.record.source_version) == ("new", "7")
    assert made.record.extras == {"owner": "x"}


def test_a_new_record_is_audited_once_with_its_values() -> None:
    body = {"rule": "first_seen", "values": OPEN}
    assert plan_record(record_facts(OPEN)).audit == (("record.created", body),)


def test_a_new_record_that_came_out_of_quarantine_closes_what_kept_it_there() -> None:
    closed = {(field, kind) for field, kind, _ in plan_record(record_facts(OPEN)).resolved}
    assert closed == {
        ("*", ConflictType.SCHEMA_MAPPING_MISMATCH),
        ("*", ConflictType.MISSING_PARENT),
    }


def test_a_record_that_surely_has_no_item_closes_none() -> None:
    assert plan_record(record_facts(OPEN, may_have_items=False)).resolved == ()


def test_the_first_sight_of_a_record_can_be_shown_field_by_field() -> None:
    told = first_sight(record_facts({"stage": "open", "amount": None}))
    assert [one.field for one in told] == ["stage", "amount"]
    assert told[0].sentence == "deal.stage: crm_wins - first seen as 'open'."
    assert told[1].verdict == Take(None, rule="first_seen")


def test_an_unchanged_record_changes_nothing_but_its_revision() -> None:
    made = plan({})
    assert made.kind == "unchanged"
    assert made.record is not None
    assert (made.record.content_hash, made.record.local_version) == ("new", 3)
    assert (made.decisions, made.items, made.audit, made.reassert) == ((), (), (), ())


def test_a_record_that_was_to_be_read_again_is_never_called_unchanged() -> None:
    assert plan({}, known=mirror(OPEN, content_hash="")).kind == "update"


def test_nothing_is_stored_when_not_even_the_revision_moved() -> None:
    known = mirror(OPEN, content_hash="new", source_ts=NOW, source_version="7")
    assert plan({}, known=known).record is None


def test_a_field_that_the_crm_changed_is_taken_and_the_local_version_grows() -> None:
    made = plan({"stage": "won"})
    assert made.kind == "update"
    assert made.record is not None
    assert made.record.local["stage"] == made.record.base["stage"] == "won"
    assert made.record.local_version == 4


def test_only_the_fields_that_changed_are_told_with_their_sentences() -> None:
    (one,) = plan({"stage": "won"}).decisions
    assert (one.field, one.base, one.local, one.remote) == ("stage", "open", "open", "won")
    assert one.sentence == (
        "deal.stage: crm_wins - the CRM changed it from 'open' to 'won'; nobody changed it here."
    )


def test_the_audit_names_rule_winner_loser_and_the_three_sides() -> None:
    known = mirror(OPEN, local=OPEN | {"stage": "lost"})
    ((kind, body),) = plan({"stage": "won"}, known=known).audit
    assert kind == "record.updated"
    assert body == {
        "remote_version": "7",
        "fields": {
            "stage": {
                "rule": "crm_wins",
                "policy": "crm_wins",
                "winner": "won",
                "loser": "lost",
                "base": "open",
                "local": "lost",
                "remote": "won",
            }
        },
    }


def test_an_audit_body_never_holds_an_absent_value() -> None:
    ((_, body),) = plan({"x_ref": "r1"}).audit
    assert body["fields"] == {
        "x_ref": {
            "rule": "first_seen",
            "policy": "immutable_after_bind",
            "winner": "r1",
            "remote": "r1",
        }
    }
    msgspec.json.encode(body)


def test_a_taken_field_is_no_longer_a_persons_edit() -> None:
    known = mirror(OPEN, local_ts={"stage": NOW, "name": NOW})
    made = plan({"stage": "won"}, known=known)
    assert made.record is not None
    assert made.record.local_ts == {"name": NOW}


def test_a_field_that_the_payload_lacks_stays_as_it_is() -> None:
    made = plan_record(record_facts({"name": "Deal"}, known=mirror(OPEN)))
    assert made.record is not None
    assert made.record.local == OPEN


def test_a_drifted_local_wins_field_is_sent_again_and_its_base_follows_the_crm() -> None:
    made = plan({"name": "Their name"})
    assert made.reassert == ("name",)
    assert made.decisions[0].verdict == Reassert("Deal", loser="Their name")
    assert made.record is not None
    assert (made.record.local["name"], made.record.base["name"]) == ("Deal", "Their name")
    assert made.record.local_version == 3


def test_a_drift_that_was_answered_is_not_answered_again() -> None:
    first = plan({"name": "Their name"})
    second = plan({"name": "Their name"}, known=first.record)
    assert (second.reassert, second.audit, second.record) == ((), (), None)


def test_a_locked_field_is_not_taken_and_becomes_an_item_with_a_deterministic_key() -> None:
    made = plan({"stage": "won"}, locks={"stage": lock()})
    (draft,) = made.items
    assert made.record is not None
    assert made.record.local["stage"] == made.record.base["stage"] == "open"
    assert made.record.remote == {"stage": "won"}
    assert draft.conflict_type is ConflictType.LOCKED_FIELD_OVERWRITE
    assert (draft.local_value, draft.remote_value, draft.base_value) == ("open", "won", "open")
    assert draft.field_policy_mode is Policy.CRM_WINS
    assert str(draft.key) == "deal_1|stage|3|7"
    assert draft.detail == "deal.stage is locked and the CRM changed it"


def test_a_question_is_audited_when_its_item_is_recorded_and_not_here() -> None:
    assert plan({"stage": "won"}, locks={"stage": lock()}).audit == ()


def test_a_change_that_only_a_person_may_let_in_is_a_conflict_and_no_update() -> None:
    locks = {"stage": lock()}
    assert plan({"stage": "won"}, locks=locks).kind == "conflict"
    assert plan({"stage": "won", "account_id": "acc_2"}, locks=locks).kind == "update"


def test_a_record_that_lives_again_is_updated_whatever_is_asked_about_it() -> None:
    dead = mirror(OPEN, state=RecordState.GONE)
    assert plan({"stage": "won"}, known=dead, locks={"stage": lock()}).kind == "update"


def test_the_same_revision_under_the_same_lock_is_the_same_occurrence() -> None:
    locks = {"stage": lock()}
    first = plan({"stage": "won", "amount": "20"}, locks=locks)
    second = plan({"stage": "won", "amount": "20"}, locks=locks, known=first.record)
    assert [one.key for one in first.items] == [one.key for one in second.items]
    assert (second.kind, second.record) == ("unchanged", None)


def test_without_a_version_the_key_takes_the_sources_time() -> None:
    made = plan({"stage": "won"}, locks={"stage": lock()}, record=remote(version=""))
    assert made.items[0].key.remote_version_or_timestamp == "2026-03-01T12:00:00+00:00"


def test_a_lock_that_has_run_out_is_none() -> None:
    made = plan({"stage": "won"}, locks={"stage": lock(until=NOW)})
    assert made.items == ()
    assert made.record is not None
    assert made.record.local["stage"] == "won"


def test_once_a_lock_has_ended_the_held_value_is_taken_and_its_item_closed() -> None:
    asked = plan({"stage": "won"}, locks={"stage": lock()}).record
    assert asked is not None
    made = plan_record(held_facts(asked, DEAL, now=later(9999), locks={"stage": lock()}))
    assert made.record is not None
    assert (made.record.local["stage"], made.record.remote) == ("won", {})
    assert made.record.local["name"] == "Deal"
    assert made.record.content_hash == asked.content_hash
    assert ("stage", ConflictType.LOCKED_FIELD_OVERWRITE) in {(f, t) for f, t, _ in made.resolved}


def test_held_values_can_be_planned_for_a_mirror_that_has_no_source_time() -> None:
    known = mirror(OPEN, remote={"stage": "won"}, source_ts=None, crm_ref=None)
    made = plan_record(held_facts(known, DEAL, now=NOW, locks={}))
    assert made.record is not None
    assert made.record.local["stage"] == "won"


def test_a_crm_that_goes_back_to_the_base_closes_the_question() -> None:
    asked = plan({"stage": "won"}, locks={"stage": lock()}).record
    made = plan({}, known=asked, locks={"stage": lock()})
    assert made.record is not None
    assert made.record.remote == {}
    assert ("stage", ConflictType.LOCKED_FIELD_OVERWRITE) in {(f, t) for f, t, _ in made.resolved}


def test_a_question_that_becomes_another_closes_the_first_and_keeps_the_second() -> None:
    known = mirror(OPEN, local=OPEN | {"amount": "11"}, remote={"amount": "12"})
    made = plan({"amount": "12"}, known=known)
    closed = {kind for field, kind, _ in made.resolved if field == "amount"}
    assert closed == {ConflictType.LOCKED_FIELD_OVERWRITE}
    assert [one.conflict_type for one in made.items] == [ConflictType.UNDECIDED_MERGE]


def test_an_undecided_merge_leaves_local_and_base_where_they_are() -> None:
    known = mirror(OPEN, local=OPEN | {"amount": "11"})
    made = plan({"amount": "12"}, known=known)
    assert made.record is not None
    assert (made.record.local["amount"], made.record.base["amount"]) == ("11", "10")
    assert made.items[0].detail == "deal.amount changed on both sides"


def test_a_newer_edit_wins_by_the_time_it_was_made() -> None:
    known = mirror(OPEN, local=OPEN | {"amount": "11"}, local_ts={"amount": later(60)})
    assert plan({"amount": "12"}, known=known).reassert == ("amount",)


def test_our_own_write_coming_back_moves_the_base_and_leaves_the_newer_edit() -> None:
    known = mirror(OPEN, local=OPEN | {"amount": "12"})
    made = plan({"amount": "11"}, known=known, in_flight={"amount": ("11",)})
    assert made.record is not None
    assert (made.record.local["amount"], made.record.base["amount"]) == ("12", "11")
    assert (made.items, made.reassert) == ((), ())


def test_our_own_write_that_ends_a_question_has_the_newer_edit_sent() -> None:
    known = mirror(OPEN, local=OPEN | {"amount": "12"}, remote={"amount": "13"})
    made = plan({"amount": "11"}, known=known, in_flight={"amount": ("11",)})
    assert made.record is not None
    assert (made.record.local["amount"], made.record.remote) == ("12", {})
    assert made.reassert == ("amount",)


@pytest.mark.parametrize(
    ("ts", "version"), [(NOW, "5"), (later(-7200), ""), (later(-7200), "x"), (later(9999), "05")]
)
def test_an_older_revision_changes_nothing(ts: object, version: str) -> None:
    made = plan({"stage": "won"}, record=remote(ts=ts, version=version))  # type: ignore[arg-type]
    assert made == RecordPlan(kind="stale")


def test_numbers_are_compared_as_numbers_whatever_the_clock_says() -> None:
    made = plan({"stage": "won"}, record=remote(ts=later(-9999), version="10"))
    assert made.kind == "update"


def test_the_same_revision_read_again_under_a_new_mapping_is_not_stale() -> None:
    made = plan({"stage": "won"}, record=remote(ts=later(-3600), version="6"))
    assert made.kind == "update"


def test_a_record_whose_parent_is_unknown_waits_in_quarantine() -> None:
    made = plan_record(record_facts(OPEN | {"account_id": "99"}, parent_known=False))
    (draft,) = made.items
    assert (made.kind, made.record) == ("quarantine", None)
    assert draft.conflict_type is ConflictType.MISSING_PARENT
    assert (draft.detail, draft.remote_value) == ("deal.account_id unknown", "99")
    assert str(draft.key) == "deal_1|account_id|0|7"
    assert made.diagnostics[0].code == "missing_parent"
    assert made.diagnostics[0].message == (
        "deal.account_id names '99', which is not mirrored here."
    )


def test_a_record_that_waits_only_for_its_parent_keeps_the_contract() -> None:
    made = plan_record(record_facts(OPEN | {"account_id": "99"}, parent_known=False))
    assert [(field, kind) for field, kind, _ in made.resolved] == [
        ("*", ConflictType.SCHEMA_MAPPING_MISMATCH)
    ]


def test_a_known_record_that_moved_to_an_unknown_parent_keeps_its_values() -> None:
    made = plan({"account_id": "99", "stage": "won"}, parent_known=False)
    assert made.kind == "quarantine"
    assert made.record == mirror(OPEN, content_hash="", source_ts=NOW, source_version="7")
    assert made.items[0].local_value == "acc_1"


def test_a_late_page_does_not_let_in_what_a_newer_revision_keeps_out() -> None:
    kept_out = plan({"account_id": "99"}, parent_known=False).record
    assert plan({}, known=kept_out, record=remote(version="6")).kind == "stale"
    assert plan({"account_id": "acc_2"}, known=kept_out).kind == "update"


def test_an_unmapped_parent_field_has_no_policy_to_name() -> None:
    bare = msgspec.structs.replace(DEAL, fields=())
    made = plan_record(record_facts({"account_id": "9"}, parent_known=False, mapping=bare))
    assert made.items[0].field_policy_mode is None


def test_a_record_without_a_parent_needs_none() -> None:
    assert plan_record(record_facts({"account_id": None}, parent_known=False)).kind == "create"


def test_a_changed_identity_quarantines_the_whole_record() -> None:
    known = mirror(OPEN | {"x_ref": "r1"})
    made = plan({"x_ref": "r2", "stage": "won"}, known=known)
    assert made.kind == "quarantine"
    assert made.record is not None
    assert made.record.local == OPEN | {"x_ref": "r1"}
    assert (made.record.remote, made.record.content_hash) == ({"x_ref": "r2"}, "")
    assert [one.conflict_type for one in made.items] == [ConflictType.IDENTITY_MISMATCH]
    assert [one.code for one in made.diagnostics] == ["identity_mismatch"]


def test_a_changed_identity_is_asked_once() -> None:
    known = mirror(OPEN | {"x_ref": "r1"})
    first = plan({"x_ref": "r2"}, known=known)
    second = plan({"x_ref": "r2"}, known=first.record)
    assert (second.record, second.items) == (None, first.items)


def test_an_identity_that_comes_back_closes_its_item() -> None:
    known = mirror(OPEN | {"x_ref": "r1"}, remote={"x_ref": "r2"}, content_hash="")
    made = plan({"x_ref": "r1"}, known=known)
    assert made.kind == "update"
    assert ("x_ref", ConflictType.IDENTITY_MISMATCH) in {(f, t) for f, t, _ in made.resolved}


def test_an_unbound_record_is_bound_by_its_first_page() -> None:
    known = mirror(OPEN, crm_ref=None, base={}, source_ts=None, source_version="")
    made = plan({}, known=known)
    assert made.record is not None
    assert (made.record.crm_ref, made.record.base) == ("512", OPEN)


def test_a_binding_is_never_edited() -> None:
    made = plan({"stage": "won"}, known=mirror(OPEN, crm_ref="511"))
    assert made.record is not None
    assert made.record.crm_ref == "511"


def test_a_record_that_was_gone_comes_back_by_a_newer_revision_and_closes_its_items() -> None:
    made = plan({}, known=mirror(OPEN, state=RecordState.GONE))
    closed = {(field, kind) for field, kind, _ in made.resolved}
    assert made.record is not None
    assert made.record.state is RecordState.LIVE
    assert made.kind == "update"
    assert {("*", ConflictType.REMOTE_GONE), ("*", ConflictType.IDENTITY_MISMATCH)} <= closed


def test_a_late_page_does_not_bring_back_the_dead() -> None:
    dead = mirror(OPEN, state=RecordState.GONE, source_ts=NOW, source_version="7")
    assert plan({"stage": "won"}, known=dead).kind == "stale"


def test_diagnostics_of_the_mapping_travel_with_the_plan() -> None:
    noted = plan_record(record_facts({"account_id": "9"}, parent_known=False)).diagnostics
    assert plan({}, diagnostics=noted).diagnostics == noted
    assert plan_record(record_facts(OPEN, diagnostics=noted)).diagnostics == noted


def test_a_plan_speaks_of_the_entity_of_its_mapping() -> None:
    made = plan_record(record_facts(OPEN))
    assert made.record is not None
    assert made.record.entity is Entity.DEAL


def test_what_was_edited_while_the_record_was_gone_goes_out_when_it_is_back() -> None:
    dead = mirror(OPEN, local=OPEN | {"amount": "20"}, state=RecordState.GONE, content_hash="h")
    made = plan({}, known=dead)
    assert made.record is not None
    assert (made.record.state, made.reassert) == (RecordState.LIVE, ("amount",))
