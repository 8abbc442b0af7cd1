"""The desk and the sync on one home: what a command queues arrives, what arrives can be settled."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import structlog

from quotey.contract.fields import Entity, Policy
from quotey.contract.journal import OpState
from quotey.contract.reconciliation import ConflictType, ItemState
from quotey.desk import deals, locks, outbox, quotes, reconcile
from quotey.desk.explain import FieldStory, explain
from quotey.desk.explain_quote import explain_quote
from quotey.desk.ports import DeskPorts
from quotey.desk.quotes import QuoteTerms
from quotey.desk.reconcile import Decision
from quotey.desk.status import status
from tests.desk.beside_sync import desk_of
from tests.sync.world import World, make_world


def story(desk: DeskPorts, field: str) -> FieldStory:
    """Explain one field of the deal."""
    (found,) = explain(desk, "deal/D-1", field).fields
    return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with structlog.testing.capture_logs():
        made = make_world(tmp_path)
        made.sync()
        yield made
        made.close()


def test_a_quote_arrives_and_so_does_each_later_version(world: World) -> None:
    desk = desk_of(world)
    made = quotes.create(desk, "D-1", QuoteTerms(total="90.50"))
    world.sync()
    assert world.remote("deal", "D-1")["quote_total"] == Decimal("90.5")
    quotes.change_status(desk, made.quote.id, "pending_approval")
    world.sync()

    told = explain_quote(desk, made.quote.id)
    assert [one.state for one in told.versions] == [OpState.DELIVERED, OpState.DELIVERED]
    assert world.remote("deal", "D-1")["quote_status"] == "pending_approval"
    assert world.remote("deal", "D-1")["quote_version"] == 2


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after"])
def test_a_quote_that_is_cancelled_while_it_is_on_its_way_ends_cancelled_on_both_sides(
    world: World, fault: str
) -> None:
    """What may have left is looked for and comes first; the end of the quote follows it."""
    desk = desk_of(world)
    made = quotes.create(desk, "D-1", QuoteTerms(total="90"))
    world.crm.fail(fault, operation="write_quote")
    world.sync()
    quotes.change_status(desk, made.quote.id, "cancelled")
    world.settle_down()
    told = explain_quote(desk, made.quote.id)
    assert [one.state for one in told.versions] == [OpState.DELIVERED, OpState.DELIVERED]
    there = world.remote("deal", "D-1")
    assert (there["quote_status"], there["quote_version"]) == ("cancelled", 2)
    assert world.effects("write_quote") == 2


def test_a_quote_that_is_cancelled_before_it_left_is_sent_as_cancelled_only(world: World) -> None:
    desk = desk_of(world)
    made = quotes.create(desk, "D-1", QuoteTerms(total="90"))
    cancelled = quotes.change_status(desk, made.quote.id, "cancelled")
    assert cancelled.superseded == (made.operation_id,)
    assert [event.kind for event in world.events("operation.superseded")]
    world.settle_down()
    assert world.remote("deal", "D-1")["quote_status"] == "cancelled"
    assert world.effects("write_quote") == 1


def test_a_stale_write_is_revised_over_the_crms_version(world: World) -> None:
    desk = desk_of(world)
    made = quotes.create(desk, "D-1", QuoteTerms(total="90"))
    world.sync()
    world.crm.set("deal", "D-1", {"quote_version": "7"})
    quotes.revise(desk, made.quote.id, QuoteTerms(total="95"))
    world.sync()
    item = reconcile.list_items(desk, each=True).items[0]
    assert item.detail == "newer_version"
    revised = quotes.revise(desk, made.quote.id, QuoteTerms())
    assert (revised.quote.current.version, revised.closed_items) == (8, (item.id,))
    world.sync()
    written = world.desk.outbox.get(revised.operation_id or "")
    assert written is not None
    assert written.state == OpState.DELIVERED
    assert world.remote("deal", "D-1")["quote_total"] == 95


def test_another_instances_quote_is_replaced_only_when_a_person_publishes_again(
    world: World,
) -> None:
    desk = desk_of(world)
    made = quotes.create(desk, "D-1", QuoteTerms(total="90"))
    world.sync()
    world.crm.set(
        "deal",
        "D-1",
        {"quote_id": "q_theirs", "quotey_instance_id": "another", "quote_version": "3"},
    )
    quotes.revise(desk, made.quote.id, QuoteTerms(total="95"))
    world.sync()
    item = reconcile.list_items(desk, each=True).items[0]
    assert item.detail == "other_quote"
    published = quotes.publish(desk, made.quote.id)
    assert published.closed_items == (item.id,)
    world.sync()
    assert world.remote("deal", "D-1")["quote_id"] == made.quote.id


def test_publishing_in_turn_is_written_in_turn(world: World) -> None:
    desk = desk_of(world)
    one = quotes.create(desk, "D-1", QuoteTerms(total="1"))
    two = quotes.create(desk, "D-1", QuoteTerms(total="2"))
    three = quotes.create(desk, "D-1", QuoteTerms(total="3"))
    world.sync()
    quotes.publish(desk, two.quote.id)
    quotes.publish(desk, three.quote.id)
    world.sync()
    assert world.remote("deal", "D-1")["quote_id"] == three.quote.id
    quotes.publish(desk, one.quote.id)
    world.sync()
    assert world.remote("deal", "D-1")["quote_id"] == one.quote.id
    assert world.items() == ()


def test_a_deal_made_offline_is_bound_and_its_quote_follows(world: World) -> None:
    desk = desk_of(world)
    made = deals.create(
        desk, "A-1", {"name": "Fresh", "stage": "prospecting", "amount": "10", "currency": "EUR"}
    )
    quote = quotes.create(desk, made.record.id, QuoteTerms(total="10"))
    world.sync()
    bound = world.desk.records.get(Entity.DEAL, made.record.id)
    assert bound is not None
    assert bound.crm_ref is not None
    assert world.remote("deal", bound.crm_ref)["quote_id"] == quote.quote.id


def test_an_update_arrives_and_is_explained(world: World) -> None:
    desk = desk_of(world)
    deals.update(desk, "D-1", {"amount": "150.25"})
    world.sync()
    assert world.remote("deal", "D-1")["amount"] == Decimal("150.25")
    told = story(desk, "amount")
    assert (told.local, told.base, told.set_by, told.rule) == ("150.25", "150.25", "ann", "edited")
    assert told.losers[0].value == "100"


@pytest.mark.parametrize(
    ("decision", "stands"),
    [
        (Decision(policy=Policy.CRM_WINS), "won"),
        (Decision(policy=Policy.LOCAL_WINS), "prospecting"),
        (Decision(value="qualification"), "qualification"),
    ],
)
def test_a_lock_keeps_the_crm_out_until_a_person_settles_it(
    world: World, decision: Decision, stands: str
) -> None:
    desk = desk_of(world)
    locks.lock(desk, "deal/D-1", "stage", duration="48h", reason="in talks")
    world.crm.set("deal", "D-1", {"stage": "won"})
    world.sync()
    item = reconcile.list_items(desk, each=True).items[0]
    assert item.conflict_type == ConflictType.LOCKED_FIELD_OVERWRITE
    told = story(desk, "stage")
    assert (told.local, told.remote, len(told.items)) == ("prospecting", "won", 1)

    reconcile.apply(desk, item.id, decision)
    world.sync()
    told = story(desk, "stage")
    assert (told.local, told.base, told.items) == (stands, "won", ())
    assert told.rule.startswith("person_") or stands == "prospecting"
    assert world.items() == ()


def test_a_decision_taken_back_asks_the_same_question_again(world: World) -> None:
    desk = desk_of(world)
    locks.lock(desk, "deal/D-1", "stage", duration="48h", reason="in talks")
    world.crm.set("deal", "D-1", {"stage": "won"})
    world.sync()
    item = world.items()[0]
    reconcile.apply(desk, item.id, Decision(policy=Policy.CRM_WINS))
    reconcile.undo(desk, item.id)
    world.sync()
    assert [(one.id, one.state) for one in world.items()] == [(item.id, ItemState.OPEN)]


def test_a_deleted_deal_is_rebound_and_its_quote_written_there(world: World) -> None:
    desk = desk_of(world)
    made = quotes.create(desk, "D-1", QuoteTerms(total="90"))
    world.sync()
    world.crm.delete("deal", "D-1")
    world.sync()
    quotes.revise(desk, made.quote.id, QuoteTerms(total="95"))
    world.sync()
    item = next(one for one in world.items() if one.entity_type == Entity.DEAL)
    reconcile.apply(desk, item.id, Decision(rebind=True, value="D-2"))
    assert world.items() == ()
    world.sync()
    assert world.remote("deal", "D-2")["quote_id"] == made.quote.id


def test_a_deletion_that_was_accepted_is_not_asked_about_again(world: World) -> None:
    """ADR 0004: neither the next sync nor a full reading brings the question back."""
    desk = desk_of(world)
    made = quotes.create(desk, "D-1", QuoteTerms(total="90"))
    world.crm.delete("deal", "D-1")
    world.sync()
    item = next(one for one in world.items() if one.conflict_type == ConflictType.REMOTE_GONE)
    reconcile.apply(desk, item.id, Decision(policy=Policy.CRM_WINS))
    assert world.items() == ()
    entities = {
        entity: msgspec.structs.replace(mapped, fingerprint="another")
        for entity, mapped in world.mapping.entities.items()
    }
    world.mapping = msgspec.structs.replace(world.mapping, entities=entities)
    world.restart()
    report = world.sync()
    assert (world.items(), report.waiting, report.held) == ((), 0, 0)
    assert quotes.show(desk_of(world), made.quote.id).quote.current.total == Decimal(90)


def test_an_operation_that_ran_dry_goes_after_a_retry(world: World) -> None:
    desk = desk_of(world)
    made = quotes.create(desk, "D-1", QuoteTerms(total="90"))
    world.crm.fail("server_error", operation="write_quote", times=100)
    for _ in range(40):
        world.sync()
        world.turn(hours=8)
    op = world.desk.outbox.get(made.operation_id or "")
    assert op is not None
    assert op.state == OpState.DEAD
    stuck = [one.what for one in status(desk, "main", "stub").stuck]
    assert "1 write was given up" in stuck
    world.crm.heal()
    outbox.retry(desk, op.id)
    world.sync()
    after = world.desk.outbox.get(op.id)
    assert after is not None
    assert after.state == OpState.DELIVERED
    assert world.items() == ()


def test_what_ran_dry_goes_again_when_asked_with_what_waits_behind_it(world: World) -> None:
    desk = desk_of(world)
    made = deals.create(desk, "A-1", {"name": "Fresh", "stage": "prospecting", "currency": "EUR"})
    quote = quotes.create(desk, made.record.id, QuoteTerms(total="90", currency="EUR"))
    world.crm.fail("server_error", operation="create_deal", times=100)
    for _ in range(40):
        world.sync()
        world.turn(hours=8)
    create, behind = (world.desk.outbox.get(one.operation_id or "") for one in (made, quote))
    assert create is not None
    assert behind is not None
    assert (create.state, behind.state) == (OpState.DEAD, OpState.HELD)
    world.crm.heal()
    world.sync()
    assert world.effects("create_deal") == 0, "nothing goes by itself"
    outbox.retry(desk, create.id)
    world.settle_down()
    after = [world.desk.outbox.get(one.id) for one in (create, behind)]
    assert [one and one.state for one in after] == [OpState.DELIVERED, OpState.DELIVERED]
    order = [one.operation for one in world.crm.log()]
    assert order.index("create_deal") < order.index("write_quote")
    assert (world.effects("create_deal"), world.effects("write_quote")) == (1, 1)
    assert world.items() == ()


def test_what_was_put_off_goes_at_once_when_asked_and_keeps_its_place(world: World) -> None:
    desk = desk_of(world)
    first = quotes.create(desk, "D-1", QuoteTerms(total="90"))
    second = quotes.revise(desk, first.quote.id, QuoteTerms(total="80"))
    other = quotes.create(desk, "D-2", QuoteTerms(total="70"))
    world.crm.fail("server_error", operation="write_quote", times=2)
    world.sync()
    ops = [world.desk.outbox.get(one.operation_id or "") for one in (first, second, other)]
    put_off = [one for one in ops if one is not None and one.state == OpState.QUEUED]
    assert put_off
    assert all(one.due_at > world.clock.now() for one in put_off if one.attempts)
    world.crm.heal()
    for one in put_off:
        if one.attempts:
            outbox.retry(desk, one.id)
    world.sync()
    assert world.remote("deal", "D-1")["quote_total"] == Decimal(80)
    assert world.remote("deal", "D-1")["quote_version"] == 2
    assert world.remote("deal", "D-2")["quote_total"] == Decimal(70)


def test_a_sync_after_an_error_goes_on_where_it_stopped(world: World) -> None:
    world.crm.set("deal", "D-1", {"stage": "won"})
    made = quotes.create(desk_of(world), "D-2", QuoteTerms(total="90"))
    world.crm.fail("server_error", times=1000)
    before = world.state().cursor
    assert world.sync().exit_code == 6
    kept = world.desk.outbox.get(made.operation_id or "")
    assert kept is not None
    assert (kept.state, kept.attempts, world.state().cursor) == (OpState.QUEUED, 0, before)
    world.crm.heal()
    assert world.sync().exit_code == 0
    assert world.deal("D-1").local["stage"] == "won"
    assert world.remote("deal", "D-2")["quote_total"] == Decimal(90)


@pytest.mark.parametrize(
    ("policy", "stands", "writes"), [(Policy.LOCAL_WINS, "1200", 1), (Policy.CRM_WINS, "100", 0)]
)
def test_a_person_settles_an_amount_whose_deal_moved_to_another_currency(
    world: World, policy: Policy, stands: str, writes: int
) -> None:
    desk = desk_of(world)
    deals.update(desk, "D-1", {"amount": "1200"})
    world.crm.set("deal", "D-1", {"currency": "USD"})
    world.sync()
    [item] = world.items()
    assert item.detail == "deal.amount was meant in another currency"
    reconcile.apply(desk, item.id, Decision(policy=policy))
    world.settle_down()
    there = world.remote("deal", "D-1")
    assert (there["currency"], Decimal(str(there["amount"]))) == ("USD", Decimal(stands))
    assert world.deal("D-1").local["amount"] == stands
    assert world.effects("update_deal") == writes
    assert world.items() == ()
