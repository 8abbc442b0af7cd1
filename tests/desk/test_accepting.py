"""A deletion that sales meant is accepted: what waited is dropped, and quotes stay (ADR 0004)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quotey.contract.errors import RefusedError
from quotey.contract.fields import Entity, Policy
from quotey.contract.journal import MirrorRecord, OpState, RecordState
from quotey.contract.reconciliation import ConflictType, ItemState, Reconciliation
from quotey.desk import deals, quotes, reconcile
from quotey.desk.quotes import QuoteTerms
from quotey.desk.reconcile import Decision
from tests.desk.desk_world import DeskWorld

ACCEPT = Decision(policy=Policy.CRM_WINS)


def deleted(world: DeskWorld, entity: Entity, id_: str, **more: object) -> Reconciliation:
    facts: dict[str, object] = {
        "conflict_type": ConflictType.REMOTE_GONE,
        "field_name": "*",
        "local_value": "D-1",
        "remote_value": None,
    }
    return world.item(entity, id_, **(facts | more))


def test_a_deletion_is_accepted_and_what_waited_is_dropped_and_audited(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    edit = deals.update(world.desk, deal.id, {"amount": "150"})
    world.deal(1, state=RecordState.GONE, local=world.reload(deal).local)
    item = deleted(world, Entity.DEAL, deal.id)
    before = world.store.quotes.versions(made.quote.id)

    row = reconcile.apply(world.desk, item.id, ACCEPT).rows[0]

    assert row.sentence.startswith("Accepted that deal deal_1 is gone; 2 operations are discarded")
    for id_ in (made.operation_id, edit.operation_id):
        assert world.op(id_).state == OpState.DISCARDED
    kept = world.store.audit.list(kind="operation.discarded")
    assert {event.body["operation"] for event in kept} == {made.operation_id, edit.operation_id}
    assert all(event.body["payload"] for event in kept)
    assert world.store.quotes.versions(made.quote.id) == before
    assert world.reload(deal).state == RecordState.GONE
    settled = world.store.items.get(item.id)
    assert settled is not None
    assert settled.state == ItemState.RESOLVED


def test_accepting_the_end_of_a_quotes_deal_makes_the_deal_a_tombstone(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    """A write told us first, so the mirror still thinks that the deal lives."""
    made = world.quoted(deal)
    world.settle(world.op(made.operation_id), OpState.CONFLICT)
    of_quote = deleted(world, Entity.QUOTE, made.quote.id, operation_id=made.operation_id)
    of_deal = deleted(world, Entity.DEAL, deal.id)

    row = reconcile.apply(world.desk, of_quote.id, ACCEPT).rows[0]

    assert row.closed_items == (of_deal.id,)
    assert world.reload(deal).state == RecordState.GONE
    assert world.op(made.operation_id).state == OpState.DISCARDED
    assert world.store.audit.list(kind="record.gone")[0].entity_id == deal.id


def test_accepting_that_the_account_is_gone_gives_up_the_deal_that_was_to_be_made(
    world: DeskWorld,
) -> None:
    world.account()
    made = deals.create(world.desk, "acc_1", {"name": "N", "stage": "open", "currency": "EUR"})
    world.settle(world.op(made.operation_id), OpState.CONFLICT)
    item = deleted(
        world,
        Entity.DEAL,
        made.record.id,
        field_name="account_id",
        operation_id=made.operation_id,
    )
    row = reconcile.apply(world.desk, item.id, ACCEPT).rows[0]
    assert "is not made in the CRM; 1 operation is discarded" in row.sentence
    assert world.reload(made.record).state == RecordState.LIVE, "it was never bound, and stays here"


def test_a_deletion_is_not_accepted_while_something_is_being_sent(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    with world.store.transaction():
        world.store.outbox.claim("main", world.at, world.at + timedelta(seconds=40))
    assert world.op(made.operation_id).state == OpState.LEASED
    item = deleted(world, Entity.DEAL, deal.id)
    before = world.dump()
    with pytest.raises(RefusedError, match="is being sent right now"):
        reconcile.apply(world.desk, item.id, ACCEPT)
    assert world.dump() == before


def test_a_preview_of_accepting_changes_nothing(world: DeskWorld, deal: MirrorRecord) -> None:
    world.quoted(deal)
    item = deleted(world, Entity.DEAL, deal.id)
    before = world.dump()
    row = reconcile.apply(world.desk, item.id, ACCEPT, dry_run=True).rows[0]
    assert (row.outcome, row.after) == ("would_apply", "gone")
    assert world.dump() == before


def test_an_accepted_deletion_is_not_taken_back(world: DeskWorld, deal: MirrorRecord) -> None:
    item = deleted(world, Entity.DEAL, deal.id)
    reconcile.apply(world.desk, item.id, ACCEPT)
    with pytest.raises(RefusedError, match="in a way that is not taken back"):
        reconcile.undo(world.desk, item.id)


def test_a_quote_is_revised_all_the_same_and_asks_again(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    item = deleted(world, Entity.DEAL, deal.id)
    reconcile.apply(world.desk, item.id, ACCEPT)
    again = quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"))
    assert world.op(again.operation_id).state == OpState.QUEUED
