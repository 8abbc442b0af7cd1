"""What holds of every record plan, whatever the record and the mirror."""

from __future__ import annotations

import msgspec
from hypothesis import given

from quotey.contract.dto import Canonical
from quotey.contract.journal import MirrorRecord
from quotey.contract.reconciliation import ConflictType
from quotey.decide.inbound import RecordFacts, RecordPlan, plan_record
from tests.decide.build import any_record_facts

EMPTY: Canonical = {}


def carried_out(facts: RecordFacts, plan: RecordPlan) -> RecordFacts:
    return msgspec.structs.replace(facts, mirror=plan.record or facts.mirror)


@given(any_record_facts())
def test_planning_twice_is_planning_once(facts: RecordFacts) -> None:
    first = plan_record(facts)
    second = plan_record(carried_out(facts, first))
    assert second.record is None
    assert (second.audit, second.reassert) == ((), ())
    assert second.items == first.items
    assert second.kind in ("unchanged", "update", first.kind)


@given(any_record_facts())
def test_the_same_facts_give_the_same_plan_byte_for_byte(facts: RecordFacts) -> None:
    once, twice = (
        msgspec.json.encode((plan.record, plan.items, plan.audit, plan.reassert, plan.resolved))
        for plan in (plan_record(facts), plan_record(facts))
    )
    assert once == twice


@given(any_record_facts())
def test_a_record_in_doubt_changes_no_value(facts: RecordFacts) -> None:
    plan = plan_record(facts)
    if plan.kind in ("quarantine", "stale") and plan.record is not None:
        assert facts.mirror is not None
        assert (plan.record.local, plan.record.base) == (facts.mirror.local, facts.mirror.base)
        assert plan.record.content_hash == ""


@given(any_record_facts())
def test_facts_are_never_changed_by_planning(facts: RecordFacts) -> None:
    before = msgspec.json.encode((facts.mirror, facts.values, facts.record))
    plan_record(facts)
    assert msgspec.json.encode((facts.mirror, facts.values, facts.record)) == before


@given(any_record_facts())
def test_every_value_that_is_replaced_here_is_in_the_audit(facts: RecordFacts) -> None:
    plan = plan_record(facts)
    if facts.mirror is None or plan.record is None:
        return
    audited = [body["fields"] for _, body in plan.audit]
    for name, value in facts.mirror.local.items():
        if plan.record.local[name] != value:
            assert isinstance(audited[0], dict)
            assert audited[0][name]["local"] == value


@given(any_record_facts())
def test_the_local_version_grows_exactly_when_a_local_value_changed(facts: RecordFacts) -> None:
    plan = plan_record(facts)
    if facts.mirror is not None and plan.record is not None:
        grown = plan.record.local_version - facts.mirror.local_version
        assert grown == int(plan.record.local != facts.mirror.local)


@given(any_record_facts())
def test_a_binding_is_made_once(facts: RecordFacts) -> None:
    plan, known = plan_record(facts), facts.mirror
    if known is not None and known.crm_ref is not None and plan.record is not None:
        assert plan.record.crm_ref == known.crm_ref


@given(any_record_facts())
def test_a_field_is_held_back_exactly_when_a_person_is_asked_or_the_crm_is_silent(
    facts: RecordFacts,
) -> None:
    plan = plan_record(facts)
    record: MirrorRecord | None = plan.record or facts.mirror
    if record is None or plan.kind == "stale":
        return
    asked = {one.field_name for one in plan.items} - {"*"}
    if not any(one.conflict_type is ConflictType.MISSING_PARENT for one in plan.items):
        assert asked <= set(record.remote)
