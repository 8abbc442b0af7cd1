"""Explaining a value from the audit, and telling where everything stands."""

from __future__ import annotations

import dataclasses
import shlex
from datetime import timedelta

import msgspec
import pytest

from quotey.contract.errors import (
    Diagnostic,
    ErrorClass,
    ExitCode,
    MappingError,
    NotFoundError,
    Severity,
    UsageError,
)
from quotey.contract.fields import Entity, Owner, Policy
from quotey.contract.identity import local_id
from quotey.contract.journal import (
    AuditEvent,
    ConnectionRow,
    ConnectionState,
    Hold,
    MirrorRecord,
    OpState,
    Quarantined,
    SyncDirection,
    SyncPhase,
)
from quotey.contract.mapping import Mapping
from quotey.desk import deals, locks, outbox, quotes, reconcile
from quotey.desk.explain import FieldStory, explain
from quotey.desk.explain_quote import explain_quote
from quotey.desk.ports import DeskPorts
from quotey.desk.quotes import QuoteTerms
from quotey.desk.reconcile import Decision
from quotey.desk.status import Status, status
from tests.desk.desk_world import NOW, DeskWorld


def story(world: DeskWorld, reference: str, field: str) -> FieldStory:
    """Explain one field."""
    (found,) = explain(world.desk, reference, field).fields
    return found


def sync_event(world: DeskWorld, record: MirrorRecord, kind: str, body: dict[str, object]) -> None:
    """Leave the event that an inbound page leaves."""
    event = AuditEvent(
        kind=kind,
        at=world.at,
        actor="sync",
        correlation_id=f"c_{kind}",
        connection="main",
        entity=record.entity,
        entity_id=record.id,
        body=body,
    )
    with world.store.transaction():
        world.store.audit.append([event])


@pytest.fixture
def storied(world: DeskWorld, deal: MirrorRecord) -> MirrorRecord:
    """A deal with a past: seen, changed by the CRM against an edit of ours."""
    sync_event(world, deal, "record.created", {"rule": "first_seen", "values": deal.local})
    world.turn(hours=1)
    deals.update(world.desk, deal.id, {"amount": "150"})
    world.turn(hours=1)
    decision = {
        "rule": "merge_crm",
        "policy": "merge_with_audit",
        "winner": "120",
        "loser": "150",
        "base": "100",
        "local": "150",
        "remote": "120",
    }
    body: dict[str, object] = {
        "fields": {"amount": decision},
        "sentences": {"amount": "deal.amount: merge_with_audit by newest - the CRM's value stands"},
    }
    sync_event(world, deal, "record.updated", body)
    edited = world.reload(deal)
    taken = msgspec.structs.replace(
        edited, local=edited.local | {"amount": "120"}, base=edited.base | {"amount": "120"}
    )
    with world.store.transaction():
        world.store.records.put_many([taken])
    return taken


def test_explain_says_who_set_a_value_when_by_which_rule_and_what_lost(
    world: DeskWorld, storied: MirrorRecord
) -> None:
    told = story(world, "deal/D-1", "amount")

    assert (told.local, told.base, told.remote) == ("120", "120", "120")
    assert (told.set_by, told.set_at, told.rule) == ("the CRM", world.at, "merge_crm")
    assert "by newest" in told.sentence
    assert told.correlation_id == "c_record.updated"
    assert [(one.value, one.rule) for one in told.losers] == [
        ("150", "merge_crm"),
        ("100", "edited"),
    ]
    assert told.correlation_ids == ("c_record.updated", "c_test", "c_record.created")
    assert (told.owner, told.policy) == (Owner.POLICY, Policy.MERGE_WITH_AUDIT)
    assert [one.payload for one in told.waiting] == [{"amount": "150"}]


def test_explain_of_an_untouched_value_leads_back_to_its_first_sight(
    world: DeskWorld, storied: MirrorRecord
) -> None:
    told = story(world, "deal/D-1", "stage")
    assert (told.rule, told.set_at, told.losers) == ("first_seen", NOW, ())


def test_explain_shows_lock_item_and_the_value_that_was_not_taken(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    locks.lock(world.desk, "deal/D-1", "stage", duration="2d", reason="talks")
    item = world.clash(deal, "stage", "won")
    told = story(world, "deal/D-1", "stage")
    assert (told.local, told.base, told.remote) == ("open", "open", "won")
    assert told.lock is not None
    assert [one.id for one in told.items] == [item.id]


def test_explain_tells_a_persons_decision_and_that_it_was_taken_back(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    item = world.clash(deal, "amount", "120")
    reconcile.apply(world.desk, item.id, Decision(policy=Policy.CRM_WINS))
    told = story(world, "deal/D-1", "amount")
    assert (told.set_by, told.rule) == ("ann", "person_take_remote")
    assert "the CRM's value '120' stands" in told.sentence
    reconcile.undo(world.desk, item.id)
    told = story(world, "deal/D-1", "amount")
    assert (told.local, told.rule, told.losers[0].value) == ("100", "undone", "120")


def test_explain_survives_an_erased_audit_body(world: DeskWorld, storied: MirrorRecord) -> None:
    seqs = [event.seq for event in world.store.audit.list(entity="deal", entity_id=storied.id)]
    with world.store.transaction():
        world.store.audit.erase(seqs, at=NOW, actor="ann", correlation_id="c", reason="asked")
    told = story(world, "deal/D-1", "amount")
    assert (told.local, told.set_by, told.history) == ("120", "", ())


def test_explain_of_a_field_that_is_not_mapped_names_the_near_one(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    with pytest.raises(UsageError, match="Did you mean 'stage'"):
        explain(world.desk, "deal/D-1", "stgae")
    with pytest.raises(UsageError, match="explained whole"):
        explain(world.desk, "quote/q_1", "total")


def test_explain_all_covers_every_field_that_has_a_value(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    fields = [one.field for one in explain(world.desk, "deal/D-1").fields]
    assert fields == ["account_id", "name", "stage", "amount", "currency"]


def test_a_record_that_was_kept_out_is_explained_by_its_reasons(world: DeskWorld) -> None:
    reason = Diagnostic(
        code="missing", severity=Severity.ERROR, message="deal.stage is absent", field="stage"
    )
    row = Quarantined(
        connection="main",
        entity=Entity.DEAL,
        crm_ref="D-9",
        payload=b"{}",
        source_ts=NOW,
        source_version="1",
        fingerprint="f",
        reasons=(reason,),
        first_seen=NOW,
        correlation_id="c_1",
    )
    with world.store.transaction():
        world.store.quarantine.put_many([row])
    for key in ("D-9", local_id("main", Entity.DEAL, "D-9")):
        told = explain(world.desk, f"deal/{key}")
        assert (told.state, told.crm_ref, told.fields) == (None, "D-9", ())
        assert told.kept_out is not None
        assert (told.kept_out.reasons, told.kept_out.since) == ((reason,), NOW)
    with pytest.raises(NotFoundError):
        explain(world.desk, "deal/D-8")


def test_a_mirrored_record_whose_newest_revision_was_kept_out_tells_both(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    row = Quarantined(
        connection="main",
        entity=Entity.DEAL,
        crm_ref="D-1",
        payload=b"{}",
        source_ts=NOW,
        source_version="2",
        fingerprint="f",
        reasons=(),
        first_seen=NOW,
        correlation_id="c_1",
    )
    with world.store.transaction():
        world.store.quarantine.put_many([row])
    told = explain(world.desk, "deal/D-1")
    assert told.fields
    assert told.kept_out is not None


def test_what_is_upheld_tells_who_set_it_and_the_rule_that_upheld_it(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    deals.update(world.desk, deal.id, {"amount": "150"})
    edited = world.at
    world.turn(hours=1)
    decision = {"rule": "merge_local", "winner": "150", "loser": "120", "local": "150"}
    sync_event(world, deal, "record.updated", {"fields": {"amount": decision}})
    told = story(world, "deal/D-1", "amount")
    assert (told.set_by, told.set_at, told.rule) == ("ann", edited, "merge_local")
    assert told.losers[0].value == "120"


def test_explaining_a_quote_tells_its_versions(world: DeskWorld, deal: MirrorRecord) -> None:
    made = world.quoted(deal)
    told = explain(world.desk, f"quote/{made.quote.id}")
    assert told.quote is not None
    assert [one.version for one in told.quote.versions] == [1]
    assert told.state is None


def test_a_quote_is_explained_by_its_versions_writes_and_markers(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    world.deliver(made.operation_id)
    quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"))
    told = explain_quote(world.desk, made.quote.id)

    newest, oldest = told.versions
    assert (newest.version, newest.state, newest.marker) == (2, OpState.QUEUED, None)
    assert (oldest.version, oldest.state, oldest.correlation_id) == (
        1,
        OpState.DELIVERED,
        "c_test",
    )
    assert oldest.marker is not None
    assert (oldest.marker.version, oldest.marker.quote_id) == (1, made.quote.id)


def test_explain_says_how_a_value_stands_to_the_crms(world: DeskWorld, deal: MirrorRecord) -> None:
    def said(field: str) -> tuple[str, tuple[str, ...]]:
        told = story(world, "deal/D-1", field)
        return told.standing, told.next

    assert said("amount") == ("Both sides hold '100'.", ())
    made = deals.update(world.desk, deal.id, {"amount": "150"})
    assert said("amount") == (f"It is on its way to the CRM ({made.operation_id}, queued).", ())

    outbox.discard(world.desk, made.operation_id or "", reason="x")
    sentence, steps = said("amount")
    assert sentence == "The CRM holds '100' and nothing is on its way."
    assert steps == (f"quotey crm deal update {deal.id} amount=150",)

    world.clash(world.reload(deal), "amount", "120")
    item = world.store.items.open_for(Entity.DEAL, [deal.id])[deal.id][0]
    assert said("amount") == (
        "The CRM's '120' waits for a decision.",
        (f"quotey crm reconcile show {item.id}",),
    )


def test_a_value_that_does_not_flow_out_stands_here_only(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    world.deal(1, base=deal.base | {"stage": "won"})
    told = story(world, "deal/D-1", "stage")
    assert told.standing == "It stands here only; the CRM holds 'won'."
    assert told.next == ()


def test_a_deal_that_the_crm_has_not_seen_yet_says_so(world: DeskWorld) -> None:
    world.account()
    made = deals.create(
        world.desk, "acc_1", {"name": "New one", "stage": "open", "currency": "EUR"}
    )
    told = story(world, f"deal/{made.record.id}", "name")
    assert told.standing == f"It is on its way to the CRM ({made.operation_id}, queued)."
    outbox.discard(world.desk, made.operation_id or "", reason="x")
    told = story(world, f"deal/{made.record.id}", "name")
    assert told.standing == "The CRM has no such deal and nothing is on its way."
    assert told.next == (f"quotey crm outbox list --record deal/{made.record.id} --all",)


def test_a_value_of_several_words_is_quoted_in_the_command(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = deals.update(world.desk, deal.id, {"name": "It's big"})
    outbox.discard(world.desk, made.operation_id or "", reason="x")
    told = story(world, "deal/D-1", "name")
    assert shlex.split(told.next[0])[-1] == "name=It's big"


# --- status --------------------------------------------------------------------------------------


def now(world: DeskWorld) -> Status:
    """Ask for the status of the only connection."""
    return status(world.desk, "main", "stub")


def read(world: DeskWorld, entity: Entity = Entity.DEAL, **changes: object) -> None:
    """Put a run of this entity into the sync state."""
    state = world.store.sync_state.get("main", entity, SyncDirection.INBOUND)
    facts: dict[str, object] = {"epoch": state.epoch + 1, "started_at": NOW, "succeeded_at": NOW}
    with world.store.transaction():
        world.store.sync_state.put(msgspec.structs.replace(state, **(facts | changes)))


def test_status_of_an_empty_store_says_that_nothing_was_read(world: DeskWorld) -> None:
    report = now(world)
    assert report.verdict == "not in step: nothing was read yet"
    assert (report.next, report.exit_code) == (("quotey crm sync",), 0)
    assert (report.connection, report.provider, report.mode) == ("main", "stub", "stub")


def test_a_connection_of_which_nothing_is_open_is_in_step(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    read(world)
    report = now(world)
    assert (report.verdict, report.in_step, report.stuck) == ("in step", True, ())
    assert (report.next, report.exit_code) == ((), 0)


def test_status_counts_what_is_here_and_what_waits(world: DeskWorld, deal: MirrorRecord) -> None:
    world.quoted(deal)
    world.clash(deal, "amount", "120")
    locks.lock(world.desk, "deal/D-1", "stage", duration="2d", reason="talks")
    read(world)
    world.turn(minutes=5)
    report = now(world)

    of_deal = next(one for one in report.entities if one.entity == Entity.DEAL)
    assert (of_deal.live, of_deal.age_seconds) == (1, 300)
    assert (report.outbox.counts, report.outbox.oldest_seconds) == ({OpState.QUEUED: 1}, 300)
    assert (report.open, len(report.causes), report.locks) == (1, 1, 1)
    assert report.verdict == "not in step: 1 item waits for a person, 1 write waits to be sent"
    assert report.next == ("quotey crm reconcile list", "quotey crm sync")
    assert report.exit_code == ExitCode.NEEDS_PERSON


def test_what_only_waits_for_the_next_sync_needs_nobody(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    world.quoted(deal)
    read(world)
    assert (now(world).in_step, now(world).exit_code) == (False, 0)


def test_status_names_what_is_stuck_why_and_what_to_do_now(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    with world.store.transaction():
        world.store.connections.put(
            ConnectionRow(name="main", provider="stub", state=ConnectionState.AUTH_STOPPED)
        )
        world.store.outbox.set_state(
            [made.operation_id or ""], OpState.HELD, at=NOW, hold=Hold.MAPPING
        )
    read(
        world,
        phase=SyncPhase.ERROR,
        error_class=ErrorClass.MAPPING,
        error="deal.stage has no path",
        correlation_id="c_9",
    )
    report = now(world)
    assert [(one.what, one.next[0], one.exit_code) for one in report.stuck] == [
        ("connection main is stopped", "quotey crm connect stub", 4),
        ("reading of deals failed", "quotey crm mapping check", 3),
        ("1 write is held (mapping)", "quotey crm mapping check", 3),
    ]
    assert "c_9" in report.stuck[1].why
    assert (report.outbox.holds, report.outbox.held) == ({Hold.MAPPING: 1}, 1)
    assert report.exit_code == ExitCode.REAUTH


def test_a_stopped_connection_tells_its_refusal_once(world: DeskWorld, deal: MirrorRecord) -> None:
    with world.store.transaction():
        world.store.connections.put(
            ConnectionRow(name="main", provider="stub", state=ConnectionState.AUTH_STOPPED)
        )
    read(world, phase=SyncPhase.ERROR, error_class=ErrorClass.AUTH, error="401")
    assert [one.what for one in now(world).stuck] == ["connection main is stopped"]


def test_a_crm_that_was_away_needs_nobody(world: DeskWorld) -> None:
    read(world, phase=SyncPhase.ERROR, error_class=ErrorClass.TRANSIENT, error="503")
    report = now(world)
    assert report.verdict == "not in step: reading of deals failed"
    assert report.exit_code == 0


def test_status_tells_a_rate_limit_and_a_run_that_died(world: DeskWorld) -> None:
    with world.store.transaction():
        world.store.connections.put(
            ConnectionRow(
                name="main", provider="stub", rate_limited_until=NOW + timedelta(minutes=1)
            )
        )
    read(world, phase=SyncPhase.SYNCING, lease_until=NOW + timedelta(seconds=40))
    report = now(world)
    assert [one.what for one in report.stuck] == ["the CRM limits our requests"]
    assert "2026-03-01 10:01:00Z" in report.stuck[0].why
    world.turn(minutes=2)
    report = now(world)
    assert report.rate_limited_until is None
    assert [one.what for one in report.stuck] == ["reading of deals was cut off"]
    assert "its run died" in report.stuck[0].why


def test_a_broken_mapping_stops_no_status(world: DeskWorld, deal: MirrorRecord) -> None:
    read(world)
    report = status(without_mapping(world), "main", "stub")
    assert report.mapping_problem == "main.toml is broken."
    assert report.stuck[0].next[0] == "quotey crm mapping check"
    assert report.exit_code == ExitCode.MAPPING


def test_with_a_broken_mapping_no_next_step_is_a_sync(world: DeskWorld, deal: MirrorRecord) -> None:
    """A sync would end with the mapping again; once that is mended it is offered as before."""
    world.quoted(deal)
    report = status(without_mapping(world), "main", "stub")
    waits = report.stuck[-1]
    assert waits.what == "1 write waits to be sent"
    assert waits.why.startswith("once the mapping is mended, ")
    assert report.next == ("quotey crm mapping check", "quotey crm doctor")
    assert now(world).stuck[-1].next == ("quotey crm sync",)


# --- without a mapping ---------------------------------------------------------------------------


def without_mapping(world: DeskWorld) -> DeskPorts:
    """Give the ports of a command while neither the own nor the shipped mapping can be read."""

    def broken(_connection: str) -> Mapping:
        raise MappingError("main.toml is broken.")

    return dataclasses.replace(world.desk, mapping_of=broken, shipped_mapping_of=broken)


def test_quotes_locks_and_explanations_need_no_mapping(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    desk = without_mapping(world)
    made = quotes.create(desk, deal.id, QuoteTerms(total="5"))
    assert made.operation_id is not None
    assert quotes.revise(desk, made.quote.id, QuoteTerms(total="6")).operation_id
    assert locks.lock(desk, "deal/D-1", "stage", duration="2d", reason="talks").field == "stage"
    (told,) = explain(desk, "deal/D-1", "stage").fields
    assert (told.policy, told.local) == (Policy.CRM_WINS, "open")


def test_what_flows_out_is_not_changed_without_its_mapping(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    with pytest.raises(MappingError):
        deals.update(without_mapping(world), deal.id, {"amount": "150"})
