"""What is handed to a person or to the outbox is whole: every field of it, and its key."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from msgspec.structs import replace

from quotey.contract.drift import FIELD_PARKED, Parked, Use
from quotey.contract.dto import RemoteRecord
from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Entity, FieldType, Policy, Strategy
from quotey.contract.identity import payload_digest
from quotey.contract.journal import Operation, OpKind, OpState, RecordState
from quotey.contract.mapper import cause
from quotey.contract.reconciliation import ConflictKey, ConflictType
from quotey.decide.drift import item_of
from quotey.decide.gone import plan_gone, plan_old_ref
from quotey.decide.inbound import first_sight, held_facts, plan_record, plan_reject
from quotey.decide.outbound import Order, write_of
from quotey.decide.plan import ItemDraft, RecordFacts, RecordPlan
from quotey.decide.quarantine import wait_for_create, wait_for_fields
from quotey.decide.verdict import Take
from tests.decide.build import (
    DEAL,
    NOW,
    any_record_facts,
    field,
    later,
    lock,
    mirror,
    record_facts,
    remote,
)

KNOWN = mirror({"stage": "open", "account_id": "acc_1"})


def key(name: str = "*", local: str = "3", remote: str = "7") -> ConflictKey:
    return ConflictKey(
        entity_id="deal_1",
        field_name=name,
        local_version=local,
        remote_version_or_timestamp=remote,
    )


def draft(conflict_type: ConflictType, detail: str, **more: object) -> ItemDraft:
    whole = ItemDraft(
        entity_type=Entity.DEAL,
        entity_id="deal_1",
        field_name="*",
        conflict_type=conflict_type,
        local_value=None,
        remote_value=None,
        key=key(),
        detail=detail,
    )
    return replace(whole, **more)


@given(any_record_facts())
def test_every_item_of_a_plan_can_be_kept_and_is_keyed_by_its_own_occurrence(
    facts: RecordFacts,
) -> None:
    for one in plan_record(facts).items:
        assert msgspec.convert(msgspec.to_builtins(one), ItemDraft) == one
        assert (one.entity_type, one.entity_id) == (Entity.DEAL, facts.id)
        assert (one.key.entity_id, one.key.field_name) == (facts.id, one.field_name)
        field = facts.mapping.field(one.field_name)
        assert field is not None
        assert one.field_policy_mode is field.policy


@given(any_record_facts())
def test_every_diagnostic_of_a_record_that_waits_names_it(facts: RecordFacts) -> None:
    plan = plan_record(facts)
    if plan.kind == "quarantine":
        assert plan.diagnostics
    for one in plan.diagnostics:
        assert msgspec.convert(msgspec.to_builtins(one), Diagnostic) == one
        assert (one.entity, one.crm_ref, one.severity) == ("deal", "512", Severity.ERROR)
        assert facts.mapping.field(one.field) is not None


# --- the end of records --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "conflict_type", "survivor", "detail"),
    [
        (remote(deleted=True), ConflictType.REMOTE_GONE, None, "deal deleted"),
        (
            remote(merged_into="900"),
            ConflictType.IDENTITY_MISMATCH,
            "900",
            "deal merged into another",
        ),
    ],
)
def test_the_item_of_a_record_that_is_gone(
    record: RemoteRecord, conflict_type: ConflictType, survivor: str | None, detail: str
) -> None:
    (one,) = plan_gone(KNOWN, record, content_hash="new", in_use=True).items
    assert one == draft(
        conflict_type, detail, local_value="512", remote_value=survivor, base_value="512"
    )


def test_the_item_of_a_record_that_lives_again_under_its_old_ref() -> None:
    made = plan_old_ref(KNOWN, remote(), "900")
    assert made == RecordPlan(
        kind="conflict",
        items=(
            draft(
                ConflictType.IDENTITY_MISMATCH,
                "deal lives under its old ref too",
                local_value="900",
                remote_value="512",
                base_value="512",
            ),
        ),
    )


# --- records that may not come in ----------------------------------------------------------------

PROBLEM = Diagnostic(
    code="malformed", severity=Severity.ERROR, message="m", entity="deal", field="stage"
)


@pytest.mark.parametrize(("known", "version"), [(None, "0"), (KNOWN, "3")])
def test_the_item_of_a_record_that_breaks_the_contract(known: object, version: str) -> None:
    mirrored = KNOWN if known is KNOWN else None
    made = plan_reject(remote(), (PROBLEM,), mapping=DEAL, entity_id="deal_1", mirror=mirrored)
    assert made.items == (
        draft(
            ConflictType.SCHEMA_MAPPING_MISMATCH,
            cause(PROBLEM),
            field_name="stage",
            field_policy_mode=Policy.CRM_WINS,
            key=key("stage", version),
        ),
    )


@pytest.mark.parametrize(("known", "version"), [(None, "0"), (KNOWN, "3")])
def test_the_item_of_a_record_without_its_parent(known: object, version: str) -> None:
    mirrored = KNOWN if known is KNOWN else None
    facts = record_facts({"account_id": "77"}, known=mirrored, parent_known=False)
    ours = "acc_1" if mirrored else None
    made = plan_record(facts)
    assert made.items == (
        draft(
            ConflictType.MISSING_PARENT,
            "deal.account_id unknown",
            field_name="account_id",
            local_value=ours,
            remote_value="77",
            base_value=ours,
            field_policy_mode=Policy.CRM_WINS,
            key=key("account_id", version),
        ),
    )
    (told,) = made.diagnostics
    assert (told.code, told.entity, told.field, told.crm_ref) == (
        "missing_parent",
        "deal",
        "account_id",
        "512",
    )
    assert told.message == "deal.account_id names '77', which is not mirrored here."
    assert [(one, kind) for one, kind, _ in made.resolved] == [
        ("*", ConflictType.SCHEMA_MAPPING_MISMATCH)
    ]


def test_a_record_whose_identity_is_in_doubt_is_told_field_by_field() -> None:
    known = mirror({"x_ref": "r1", "stage": "open"})
    made = plan_record(record_facts({"x_ref": "r2", "stage": "won"}, known=known))
    (told,) = made.decisions
    assert (told.field, told.base, told.remote) == ("x_ref", "r1", "r2")
    assert made.diagnostics == (
        Diagnostic(
            code="identity_mismatch",
            severity=Severity.ERROR,
            message=told.sentence,
            entity="deal",
            field="x_ref",
            crm_ref="512",
        ),
    )
    assert made.items == (
        draft(
            ConflictType.IDENTITY_MISMATCH,
            "deal.x_ref must not change and did",
            field_name="x_ref",
            local_value="r1",
            remote_value="r2",
            base_value="r1",
            field_policy_mode=Policy.IMMUTABLE_AFTER_BIND,
            key=key("x_ref"),
        ),
    )
    assert made.record == mirror(
        {"x_ref": "r1", "stage": "open"},
        remote={"x_ref": "r2"},
        content_hash="",
        source_ts=NOW,
        source_version="7",
    )


def test_what_waited_before_is_told_after_what_the_mapping_told() -> None:
    facts = record_facts({"account_id": "77"}, parent_known=False, diagnostics=(PROBLEM,))
    made = plan_record(msgspec.structs.replace(facts, may_have_items=False))
    assert [one.code for one in made.diagnostics] == ["malformed", "missing_parent"]
    assert made.resolved == ()


def test_a_new_deal_that_may_be_our_own_waits_and_asks_nobody() -> None:
    made = wait_for_create(remote(), Entity.DEAL)
    (told,) = made.diagnostics
    assert made == RecordPlan(kind="quarantine", diagnostics=(told,))
    assert (told.code, told.severity) == ("create_in_flight", Severity.NOTE)
    assert (told.entity, told.crm_ref) == ("deal", "512")
    assert told.message.startswith("It may be the deal that is just being created from here")


def test_a_record_that_waits_for_a_parked_field_names_it_and_closes_its_own_items() -> None:
    made = wait_for_fields(remote(), Entity.DEAL, ("stage", "name"))
    assert [(one.code, one.entity, one.field, one.crm_ref) for one in made.diagnostics] == [
        (FIELD_PARKED, "deal", field, "512") for field in ("stage", "name")
    ]
    assert made.diagnostics[0].message == (
        "deal.stage is required and parked; the record is read once it is not."
    )
    assert [(field, kind) for field, kind, _ in made.resolved] == [
        ("*", ConflictType.SCHEMA_MAPPING_MISMATCH)
    ]


def test_the_item_of_a_parked_field_is_of_all_records_and_of_this_connection() -> None:
    parked = Parked(
        connection="main",
        entity=Entity.ACCOUNT,
        field="segment",
        use=Use.FIELD,
        inbound=True,
        outbound=False,
        why="It is gone.",
        fix="Map it.",
        since=NOW,
    )
    assert item_of(parked) == ItemDraft(
        entity_type=Entity.ACCOUNT,
        entity_id="*",
        field_name="segment",
        conflict_type=ConflictType.SCHEMA_MAPPING_MISMATCH,
        local_value=None,
        remote_value="It is gone.",
        base_value=None,
        key=ConflictKey(
            entity_id="*",
            field_name="segment",
            local_version="main",
            remote_version_or_timestamp="2026-03-01T12:00:00+00:00|It is gone.",
        ),
        detail="account.segment is not read: It is gone. Map it.",
    )


# --- facts and operations ------------------------------------------------------------------------


def test_first_sight_takes_every_value_that_was_sent_and_no_other() -> None:
    told = first_sight(record_facts({"stage": "open", "amount": None}))
    assert [(one.field, one.verdict) for one in told] == [
        ("stage", Take("open", rule="first_seen")),
        ("amount", Take(None, rule="first_seen")),
    ]


def test_held_values_are_planned_as_what_the_crm_last_said() -> None:
    held = mirror({"stage": "open"}, remote={"stage": "won"}, extras={"x": 1})
    facts = held_facts(held, DEAL, now=NOW, locks={"stage": lock()})
    assert facts == RecordFacts(
        id="deal_1",
        connection="main",
        mapping=DEAL,
        values={"stage": "won"},
        record=RemoteRecord(crm_ref="512", source_ts=later(-3600), source_version="6", payload=b""),
        content_hash="old",
        now=NOW,
        mirror=held,
        locks={"stage": lock()},
        extras={"x": 1},
    )


def test_held_values_of_an_unbound_record_have_no_ref_and_are_of_now() -> None:
    unbound = mirror({}, crm_ref=None, source_ts=None, state=RecordState.LIVE)
    record = held_facts(unbound, DEAL, now=NOW, locks={}).record
    assert (record.crm_ref, record.source_ts, record.payload) == ("", NOW, b"")


def test_a_write_carries_who_ordered_it_and_what_it_holds() -> None:
    order = Order(id="op_1", instance="i_1", now=NOW, actor="ann", correlation_id="c_1")
    made = write_of(KNOWN, OpKind.UPDATE_DEAL, {"stage": "won", "name": "One"}, order)
    assert made == Operation(
        id="op_1",
        connection="main",
        lane="deal/deal_1",
        kind=OpKind.UPDATE_DEAL,
        entity=Entity.DEAL,
        entity_id="deal_1",
        version=3,
        key="i_1/update_deal/deal_1/3/op_1",
        payload={"name": "One", "stage": "won"},
        digest=payload_digest({"name": "One", "stage": "won"}),
        created_at=NOW,
        due_at=NOW,
        actor="ann",
        correlation_id="c_1",
    )
    assert made.state is OpState.QUEUED


# --- what is handed on within a plan --------------------------------------------------------------


def test_what_was_edited_here_over_null_goes_out_once_a_record_is_back() -> None:
    gone = mirror(
        base={"name": None}, local={"name": "ours"}, state=RecordState.GONE, content_hash="h"
    )
    assert plan_record(record_facts({"name": None}, known=gone)).reassert == ("name",)


def test_a_tie_goes_by_the_priority_of_the_mapping() -> None:
    highest = field("amount", Policy.MERGE_WITH_AUDIT, strategy=Strategy.MAX, type_=FieldType.MONEY)
    known = mirror(base={"amount": "5"}, local={"amount": "1.0"})
    facts = record_facts({"amount": "1"}, known=known, mapping=replace(DEAL, fields=(highest,)))
    rules = [
        plan_record(replace(facts, source_priority=order)).decisions[0].verdict.rule
        for order in (("crm", "local"), ("local", "crm"))
    ]
    assert rules == ["merge_crm", "merge_local_kept"]


def test_a_record_that_has_no_items_settles_none_of_its_own() -> None:
    facts = record_facts({"stage": "won"}, known=KNOWN)
    assert "*" in {name for name, _, _ in plan_record(facts).resolved}
    none = plan_record(replace(facts, may_have_items=False))
    assert "*" not in {name for name, _, _ in none.resolved}
