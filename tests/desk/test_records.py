"""Deals and accounts changed here, locks, lookups: mirror, operation and audit in one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from quotey.contract.errors import NotFoundError, QuoteyError, RefusedError, UsageError
from quotey.contract.fields import Entity
from quotey.contract.journal import ConnectionRow, Hold, MirrorRecord, OpKind, OpState, RecordState
from quotey.desk import accounts, deals, locks, records
from tests.desk.desk_world import NOW, DeskWorld


def test_a_deal_is_made_offline_and_its_creation_queued(world: DeskWorld) -> None:
    world.account()
    answer = deals.create(
        world.desk,
        "acc_1",
        {
            "name": "New",
            "stage": "open",
            "amount": "12.50",
            "close_date": date(2026, 5, 1),
            "currency": "EUR",
        },
    )

    made = answer.record
    assert (made.crm_ref, made.base) == (None, {})
    assert made.local == {
        "account_id": "acc_1",
        "name": "New",
        "stage": "open",
        "amount": "12.5",
        "close_date": "2026-05-01",
        "currency": "EUR",
    }
    op = world.op(answer.operation_id)
    assert (op.kind, op.state, op.lane) == (
        OpKind.CREATE_DEAL,
        OpState.QUEUED,
        f"deal/{made.id}",
    )
    assert op.payload == made.local
    assert world.kinds() == ["deal.created"]


def test_a_name_without_end_is_not_told_back_and_the_command_that_helps_can_be_pasted(
    world: DeskWorld,
) -> None:
    with pytest.raises(NotFoundError) as caught:
        deals.update(world.desk, "it's $(one) " + "x" * 100_000, {"name": "New"})
    assert caught.value.next == (
        "quotey crm lookup deal 'it'\"'\"'s $(one) xxxxxxxxxxxxxxxxxxxxxxxxxxxx'",
    )


def test_a_deal_of_an_unbound_account_waits_for_its_parent(world: DeskWorld) -> None:
    world.account(1, crm_ref=None)
    answer = deals.create(world.desk, "acc_1", {"name": "New", "stage": "open", "currency": "EUR"})
    op = world.op(answer.operation_id)
    assert (op.state, op.hold) == (OpState.HELD, Hold.PARENT)


def test_a_deal_without_a_currency_gets_the_connections_default_with_a_diagnostic(
    world: DeskWorld,
) -> None:
    world.account()
    with world.store.transaction():
        world.store.connections.put(
            ConnectionRow(name="main", provider="stub", default_currency="CHF")
        )
    answer = deals.create(world.desk, "acc_1", {"name": "New", "stage": "open"})
    assert answer.record.local["currency"] == "CHF"
    assert [one.code for one in answer.diagnostics] == ["default_currency"]


def test_a_blank_of_a_new_deal_is_as_good_as_nothing(world: DeskWorld) -> None:
    world.account()
    with world.store.transaction():
        world.store.connections.put(
            ConnectionRow(name="main", provider="stub", default_currency="CHF")
        )
    answer = deals.create(
        world.desk, "acc_1", {"name": "N", "stage": "open", "currency": " ", "amount": ""}
    )
    assert (answer.record.local["currency"], "amount" in answer.record.local) == ("CHF", False)
    with pytest.raises(UsageError, match="a deal needs it"):
        deals.create(world.desk, "acc_1", {"name": " ", "stage": "open"})


def test_a_deal_tells_all_its_problems_at_once_and_is_not_made(world: DeskWorld) -> None:
    world.account()
    before = world.dump()
    with pytest.raises(UsageError) as caught:
        deals.create(
            world.desk,
            "acc_1",
            {"name": "N\x00", "amount": "NaN", "close_date": "0001-01-01", "colour": "red"},
        )
    assert {one.field for one in caught.value.diagnostics} == {
        "name",
        "amount",
        "close_date",
        "colour",
        "stage",
    }
    assert world.dump() == before


def test_an_update_of_a_field_that_flows_out_is_queued(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    answer = deals.update(world.desk, "D-1", {"amount": "150.50", "name": "Bigger"})

    after = world.reload(deal)
    assert (after.local["amount"], after.base["amount"]) == ("150.5", "100")
    assert after.local_version == deal.local_version + 1
    assert after.local_ts == {"amount": NOW, "name": NOW}
    op = world.op(answer.operation_id)
    assert (op.kind, op.payload) == (OpKind.UPDATE_DEAL, {"amount": "150.5", "name": "Bigger"})
    event = world.store.audit.list()[0]
    assert (event.kind, event.body["before"], event.body["after"]) == (
        "deal.updated",
        {"amount": "100", "name": "Deal 1"},
        {"amount": "150.5", "name": "Bigger"},
    )


def test_an_update_takes_over_the_waiting_one(world: DeskWorld, deal: MirrorRecord) -> None:
    first = deals.update(world.desk, deal.id, {"amount": "150", "name": "Bigger"})
    second = deals.update(world.desk, deal.id, {"amount": "160"})

    assert second.superseded == (first.operation_id,)
    assert world.op(first.operation_id).state == OpState.SUPERSEDED
    assert world.op(second.operation_id).payload == {"amount": "160", "name": "Bigger"}


def test_a_custom_field_that_flows_out_is_updated(world: DeskWorld, deal: MirrorRecord) -> None:
    assert deals.update(world.desk, deal.id, {"x_region": "north"}).changed


def test_an_update_that_says_nothing_new_changes_nothing(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    before = world.dump()
    assert deals.update(world.desk, deal.id, {"amount": "100.00"}).changed is False
    assert world.dump() == before


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("stage", "won", r"the CRM's \(inbound, crm_wins\) and is not set here"),
        ("account_id", "acc_2", r"the CRM's \(inbound, crm_wins\) and is not set here"),
        ("id", "x", "immutable_after_bind"),
        ("amuont", "1", "there is no such field"),
        ("name", "", "required and cannot be blank"),
        ("name", "\ud800", "surrogate"),
        ("amount", "1.005", "finer than EUR allows"),
        ("amount", "1_0", "is not an amount"),
    ],
)
def test_a_field_that_may_not_be_set_is_refused_with_its_owner_and_policy(
    world: DeskWorld, deal: MirrorRecord, field: str, value: str, told: str
) -> None:
    before = world.dump()
    with pytest.raises(UsageError, match=told):
        deals.update(world.desk, deal.id, {field: value})
    assert world.dump() == before


def test_an_update_names_at_least_one_field(world: DeskWorld, deal: MirrorRecord) -> None:
    with pytest.raises(UsageError, match="No field"):
        deals.update(world.desk, deal.id, {})


def test_a_record_that_is_gone_is_not_updated(world: DeskWorld) -> None:
    gone = world.deal(2, state=RecordState.GONE)
    with pytest.raises(RefusedError, match="is gone in the CRM"):
        deals.update(world.desk, gone.id, {"amount": "1"})


def test_a_field_that_waits_for_a_decision_is_not_edited_past_it(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    item = world.clash(deal, "amount", "120")
    with pytest.raises(RefusedError, match=f"waits for a decision \\({item.id}\\)"):
        deals.update(world.desk, deal.id, {"amount": "130"})


def test_an_accounts_segment_flows_out_in_the_accounts_own_lane(world: DeskWorld) -> None:
    account = world.account()
    answer = accounts.update(world.desk, "account/A-1", {"segment": "enterprise"})
    op = world.op(answer.operation_id)
    assert (op.kind, op.lane, op.payload) == (
        OpKind.UPDATE_ACCOUNT,
        f"account/{account.id}",
        {"segment": "enterprise"},
    )
    with pytest.raises(UsageError, match="the CRM's"):
        accounts.update(world.desk, account.id, {"name": "Other"})


def test_accounts_and_contacts_are_found_in_the_mirror(world: DeskWorld) -> None:
    world.account()
    world.mirror(Entity.CONTACT, "con_1", "C-1", {"name": "Eva", "email": "eva@acme.test"}, {})
    assert [one.id for one in accounts.search(world.desk, "acme")] == ["acc_1"]
    assert [one.id for one in accounts.search_contacts(world.desk, "EVA@")] == ["con_1"]
    assert accounts.search(world.desk, "nobody") == ()
    with pytest.raises(UsageError, match="Nothing was asked for"):
        accounts.search(world.desk, "  ")


def test_show_gathers_what_hangs_on_a_record(world: DeskWorld, deal: MirrorRecord) -> None:
    world.quoted(deal)
    world.clash(deal, "amount", "120")
    locks.lock(world.desk, "deal/D-1", "stage", duration="2d", reason="talks")
    view = records.show(world.desk, Entity.DEAL, "deal/D-1")
    assert view.conflict is True
    assert [one.field_name for one in view.items] == ["amount"]
    assert list(view.locks) == ["stage"]
    assert len(view.quotes) == 1
    assert view.parent is not None


def test_a_reference_that_two_connections_hold_is_ambiguous(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    world.mirror(Entity.DEAL, "deal_x", "D-1", {"name": "Twin"}, {"connection": "other"})
    two = replace(world.desk, connections=("main", "other"))
    with pytest.raises(UsageError, match="stands in more than one connection: deal_1"):
        records.show(two, Entity.DEAL, "D-1")
    assert records.show(two, Entity.DEAL, "deal_x").record.connection == "other"


@pytest.mark.parametrize("reference", ["deal", "/x", "dael/D-1", "", "deal/"])
def test_a_reference_of_another_shape_is_told(world: DeskWorld, reference: str) -> None:
    with pytest.raises(UsageError, match="does not name a record"):
        locks.lock(world.desk, reference, "stage", duration="1h", reason="x")


def test_another_entity_than_asked_for_is_told(world: DeskWorld, deal: MirrorRecord) -> None:
    with pytest.raises(UsageError, match="is not a deal"):
        deals.update(world.desk, "account/acc_1", {"amount": "1"})


# --- locks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "span"),
    [("48h", timedelta(hours=48)), ("2d", timedelta(days=2)), ("90m", timedelta(minutes=90))],
)
def test_a_lock_is_time_boxed(
    world: DeskWorld, deal: MirrorRecord, text: str, span: timedelta
) -> None:
    made = locks.lock(world.desk, "deal/D-1", "stage", duration=text, reason="talks")
    assert (made.entity_id, made.since, made.until) == (deal.id, NOW, NOW + span)
    assert locks.list_locks(world.desk) == (made,)
    world.turn(days=3)
    assert locks.list_locks(world.desk) == ()
    assert world.kinds() == ["lock.set"]


def test_a_lock_is_lifted_before_its_time(world: DeskWorld, deal: MirrorRecord) -> None:
    locks.lock(world.desk, "deal/D-1", "stage", duration="2d", reason="talks")
    lifted = locks.unlock(world.desk, "deal/D-1", "stage")
    assert lifted.reason == "talks"
    assert locks.list_locks(world.desk) == ()
    with pytest.raises(NotFoundError, match="There is no lock"):
        locks.unlock(world.desk, "deal/D-1", "stage")


@pytest.mark.parametrize(
    ("field", "duration", "reason", "told"),
    [
        ("stgae", "48h", "x", "no such field"),
        ("id", "48h", "x", "it never changes"),
        ("stage", "forever", "x", r"is not a duration; write it as .* 1w\. Nothing was changed\.$"),
        ("stage", "0h", "x", "more than nothing"),
        ("stage", "400d", "x", r"at most 366d\. Nothing was changed\.$"),
        ("stage", "48h", " ", "a lock says why"),
        ("stage", "48h", "\x1b", "control character"),
    ],
)
def test_a_bad_lock_is_refused(
    world: DeskWorld, deal: MirrorRecord, field: str, duration: str, reason: str, told: str
) -> None:
    before = world.dump()
    with pytest.raises(UsageError, match=told):
        locks.lock(world.desk, "deal/D-1", field, duration=duration, reason=reason)
    assert world.dump() == before


def test_a_quote_has_no_field_to_lock(world: DeskWorld) -> None:
    with pytest.raises(UsageError, match="not mirrored"):
        locks.lock(world.desk, "quote/q_1", "total", duration="1h", reason="x")


def test_a_locked_field_is_frozen_for_all_but_its_locker(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    locks.lock(world.desk, "deal/D-1", "amount", duration="2d", reason="agreed")
    with pytest.raises(QuoteyError, match=r"is locked by ann until 2026-03-03 10:00:00Z \(agreed"):
        deals.update(world.as_("bob"), deal.id, {"amount": "1"})
    assert deals.update(world.desk, deal.id, {"amount": "1"}).changed
