"""Who a record is: one remote record stays one record here, and nothing that waited is lost."""

from __future__ import annotations

import pytest

from quotey.contract.errors import RefusedError, UsageError
from quotey.contract.fields import Entity
from quotey.contract.journal import MirrorRecord, OpState, RecordState
from quotey.contract.reconciliation import ConflictType, Reconciliation
from quotey.desk import deals, quotes, reconcile
from quotey.desk.quotes import QuoteTerms
from quotey.desk.reconcile import Decision
from tests.desk.desk_world import DeskWorld

REBIND = Decision(rebind=True)


def gone(world: DeskWorld, deal: MirrorRecord, **more: object) -> Reconciliation:
    world.deal(1, state=RecordState.GONE, local=world.reload(deal).local)
    facts: dict[str, object] = {
        "conflict_type": ConflictType.REMOTE_GONE,
        "field_name": "*",
        "local_value": "D-1",
        "remote_value": None,
    }
    return world.item(Entity.DEAL, deal.id, **(facts | more))


def test_the_survivor_of_a_merge_is_not_mirrored_twice(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    survivor = world.deal(2)
    item = gone(world, deal, remote_value="D-2", conflict_type=ConflictType.IDENTITY_MISMATCH)
    reconcile.apply(world.desk, item.id, REBIND)

    assert world.reload(survivor).state == RecordState.GONE
    found = world.store.records.by_refs("main", Entity.DEAL, ["D-2"])
    assert [one.id for one in found.values()] == [deal.id]
    event = world.store.audit.list(kind="record.gone")[0]
    assert (event.entity_id, event.body["merged_into"]) == (survivor.id, deal.id)


@pytest.mark.parametrize("used", ["quote", "write", "item"])
def test_a_survivor_that_is_in_use_here_is_not_pushed_aside(
    world: DeskWorld, deal: MirrorRecord, used: str
) -> None:
    survivor = world.deal(2)
    if used == "quote":
        world.deliver(world.quoted(survivor).operation_id)
    elif used == "write":
        deals.update(world.desk, survivor.id, {"amount": "7"})
    else:
        world.clash(survivor, "amount", "120")
    item = gone(world, deal)
    before = world.dump()
    with pytest.raises(RefusedError, match=r"D-2 is mirrored here as deal_2") as refused:
        reconcile.apply(world.desk, item.id, Decision(rebind=True, value="D-2"))
    assert refused.value.next == ("quotey crm deal show deal_2",)
    assert world.dump() == before


def test_a_preview_warns_that_another_record_is_mirrored_under_the_ref(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    other = world.deal(2, local={"name": "New roof", "account_id": "acc_9"})
    item = gone(world, deal)
    before = world.dump()
    named = Decision(rebind=True, value="D-2")
    row = reconcile.apply(world.desk, item.id, named, dry_run=True).rows[0]
    assert row.sentence.endswith(
        f"Warning: D-2 was mirrored here as {other.id} ('New roof'), of another account (acc_9); "
        "that deal is let go here."
    )
    assert world.dump() == before
    assert (
        "Warning"
        not in reconcile.apply(
            world.desk, item.id, Decision(rebind=True, value="D-9"), dry_run=True
        )
        .rows[0]
        .sentence
    )


def test_a_record_is_not_rebound_to_the_ref_that_is_gone(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    item = gone(world, deal)
    before = world.dump()
    with pytest.raises(RefusedError, match="is D-1 already"):
        reconcile.apply(world.desk, item.id, Decision(rebind=True, value="D-1"))
    assert world.dump() == before


def test_a_ref_is_an_id_and_not_any_text(world: DeskWorld, deal: MirrorRecord) -> None:
    item = gone(world, deal)
    with pytest.raises(UsageError, match="is not an id"):
        reconcile.apply(world.desk, item.id, Decision(rebind=True, value=" "))


def test_an_edit_that_met_the_dead_record_goes_to_the_new_one(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = deals.update(world.desk, deal.id, {"amount": "150"})
    op = world.op(made.operation_id)
    world.settle(op, OpState.CONFLICT, sent=False)
    item = gone(world, deal, operation_id=op.id)
    reconcile.apply(world.desk, item.id, Decision(rebind=True, value="D-9"))

    assert world.op(op.id).state == OpState.SUPERSEDED
    waiting = world.store.outbox.pending("main", f"deal/{deal.id}")
    assert [one.payload for one in waiting] == [{"amount": "150"}]


def test_a_quote_that_met_the_dead_record_is_superseded_by_its_next_version(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    op = world.op(made.operation_id)
    world.settle(op, OpState.CONFLICT, sent=False)
    item = world.item(
        Entity.QUOTE,
        made.quote.id,
        conflict_type=ConflictType.REMOTE_GONE,
        field_name="*",
        remote_value=None,
        operation_id=op.id,
    )
    row = reconcile.apply(world.desk, item.id, Decision(rebind=True, value="D-9")).rows[0]
    assert (row.outcome, world.op(op.id).state) == ("applied", OpState.SUPERSEDED)
    assert world.op(row.operation_id).version == 2


def test_a_creation_that_found_a_record_of_ours_has_come_to_its_end(world: DeskWorld) -> None:
    """The CRM answered a ref that had come in as another record meanwhile."""
    world.account()
    made = deals.create(world.desk, "acc_1", {"name": "N", "stage": "open", "currency": "EUR"})
    op = world.op(made.operation_id)
    world.settle(op, OpState.CONFLICT)
    echo = world.deal(5)
    item = world.item(
        Entity.DEAL,
        made.record.id,
        conflict_type=ConflictType.IDENTITY_MISMATCH,
        field_name="*",
        local_value=made.record.id,
        remote_value="D-5",
        operation_id=op.id,
    )
    reconcile.apply(world.desk, item.id, REBIND)
    assert world.op(op.id).state == OpState.SUPERSEDED
    assert world.store.records.ref_of(Entity.DEAL, made.record.id) == "D-5"
    assert world.reload(echo).state == RecordState.GONE


def test_a_quote_for_the_new_record_can_be_revised(world: DeskWorld, deal: MirrorRecord) -> None:
    made = world.quoted(deal)
    world.deliver(made.operation_id)
    item = gone(world, deal)
    reconcile.apply(world.desk, item.id, Decision(rebind=True, value="D-9"))
    assert quotes.revise(world.desk, made.quote.id, QuoteTerms(total="5")).operation_id
