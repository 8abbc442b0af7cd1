"""How operations end without being sent, and that nothing stays stuck behind one of them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quotey.contract.errors import RefusedError
from quotey.contract.fields import Policy
from quotey.contract.journal import Hold, MirrorRecord, Operation, OpState
from quotey.contract.reconciliation import ConflictType, ItemState, Reconciliation
from quotey.desk import deals, locks, outbox, quotes, reconcile
from quotey.desk.quotes import QuoteTerms
from quotey.desk.reconcile import Decision
from tests.desk.desk_world import NOW, DeskWorld

CRM_WINS = Decision(policy=Policy.CRM_WINS)
LOCAL_WINS = Decision(policy=Policy.LOCAL_WINS)


def refuse(world: DeskWorld, op: Operation, hold: Hold) -> None:
    """Let the CRM refuse an operation for certain, as the drain settles that."""
    with world.store.transaction():
        claimed = world.store.outbox.claim("main", world.at, world.at + timedelta(seconds=40))
        assert [one.id for one in claimed] == [op.id]
        token = claimed[0].lease_token
        assert world.store.outbox.mark_sent(op.id, token, world.at)
        assert world.store.outbox.settle(
            op.id,
            token,
            state=OpState.HELD,
            hold=hold,
            at=world.at,
            sent_at=None,
            unburn=True,
            error="no such stage",
        )


def asked(world: DeskWorld, op: Operation, kind: ConflictType) -> Reconciliation:
    return world.item(
        op.entity,
        op.entity_id,
        conflict_type=kind,
        field_name="*",
        operation_id=op.id,
    )


def state_of(world: DeskWorld, item: Reconciliation) -> ItemState:
    found = world.store.items.get(item.id)
    assert found is not None
    return found.state


# --- what ended badly is superseded by what a person sends in its place ---------------------------


def test_a_stale_write_that_a_revision_answers_ends_as_superseded(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    old = world.op(made.operation_id)
    item = world.stale(made.quote, old, world.marker(made.quote.id, 7), "newer_version")
    answer = quotes.revise(world.desk, made.quote.id, QuoteTerms())

    assert answer.closed_items == (item.id,)
    assert world.op(old.id).state == OpState.SUPERSEDED
    event = world.store.audit.list(kind="operation.superseded")[0]
    assert (event.body["operation"], event.body["was"]) == (old.id, "conflict")
    assert event.body["why"] == f"taken over by {answer.operation_id}"


def test_a_stale_write_that_publishing_answers_ends_as_superseded(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    old = world.op(made.operation_id)
    world.stale(made.quote, old, world.marker("q_theirs", 3, instance="other"), "other_quote")
    quotes.publish(world.desk, made.quote.id)
    assert world.op(old.id).state == OpState.SUPERSEDED


def test_a_stale_write_that_nobody_has_answered_stays_a_conflict(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    old = world.op(made.operation_id)
    found = world.marker("q_theirs", 3, instance="other")
    item = world.stale(made.quote, old, found, "other_quote")
    quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"))
    assert (world.op(old.id).state, state_of(world, item)) == (OpState.CONFLICT, ItemState.OPEN)


@pytest.mark.parametrize("kind", [ConflictType.ATTEMPTS_EXHAUSTED, ConflictType.UNKNOWN_OUTCOME])
def test_a_dead_write_that_a_revision_replaces_is_superseded_and_its_item_closed(
    world: DeskWorld, deal: MirrorRecord, kind: ConflictType
) -> None:
    made = world.quoted(deal)
    old = world.op(made.operation_id)
    world.settle(old, OpState.DEAD)
    item = asked(world, old, kind)
    answer = quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"))
    assert (world.op(old.id).state, state_of(world, item)) == (
        OpState.SUPERSEDED,
        ItemState.RESOLVED,
    )
    assert answer.closed_items == (item.id,)


def test_a_dead_update_is_superseded_by_a_new_edit_of_its_fields(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    first = deals.update(world.desk, deal.id, {"amount": "150"})
    old = world.op(first.operation_id)
    world.settle(old, OpState.DEAD)
    item = asked(world, old, ConflictType.ATTEMPTS_EXHAUSTED)
    answer = deals.update(world.desk, deal.id, {"amount": "160"})
    assert world.op(old.id).state == OpState.SUPERSEDED
    assert answer.closed_items == (item.id,)


def test_a_dead_update_of_further_fields_waits_for_its_own_decision(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    first = deals.update(world.desk, deal.id, {"amount": "150", "name": "Bigger"})
    old = world.op(first.operation_id)
    world.settle(old, OpState.DEAD)
    deals.update(world.desk, deal.id, {"amount": "160"})
    assert world.op(old.id).state == OpState.DEAD

    again = outbox.retry(world.desk, old.id)
    assert again.operation.state == OpState.QUEUED, "the name was never sent"


def test_sending_again_what_is_dead_leaves_the_item_in_hand_to_the_decision(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    """The update died after another had been queued behind it, so today's values are sent."""
    made = deals.update(world.desk, deal.id, {"amount": "150"})
    old = world.op(made.operation_id)
    world.settle(old, OpState.UNKNOWN)
    behind = deals.update(world.desk, deal.id, {"amount": "160"})
    world.settle(old, OpState.DEAD)
    item = asked(world, old, ConflictType.UNKNOWN_OUTCOME)
    row = reconcile.apply(world.desk, item.id, LOCAL_WINS).rows[0]
    assert (row.outcome, state_of(world, item)) == ("applied", ItemState.RESOLVED)
    assert world.op(row.operation_id).payload == {"amount": "160"}
    ended = [world.op(one).state for one in (old.id, behind.operation_id)]
    assert ended == [OpState.SUPERSEDED, OpState.SUPERSEDED]


# --- what the CRM refused must not stop what mends it ---------------------------------------------


@pytest.mark.parametrize(
    ("hold", "kind"),
    [
        (Hold.OPERATOR, ConflictType.ATTEMPTS_EXHAUSTED),
        (Hold.MAPPING, ConflictType.SCHEMA_MAPPING_MISMATCH),
    ],
)
def test_a_revision_goes_past_a_version_that_the_crm_refused(
    world: DeskWorld, deal: MirrorRecord, hold: Hold, kind: ConflictType
) -> None:
    made = world.quoted(deal)
    old = world.op(made.operation_id)
    refuse(world, old, hold)
    item = asked(world, old, kind)
    answer = quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"))

    assert answer.superseded == (old.id,)
    assert (world.op(old.id).state, state_of(world, item)) == (
        OpState.SUPERSEDED,
        ItemState.RESOLVED,
    )
    with world.store.transaction():
        claimed = world.store.outbox.claim("main", world.at, world.at + timedelta(seconds=40))
    assert [one.id for one in claimed] == [answer.operation_id], "nothing stands before it"


def test_an_edit_goes_past_an_update_that_the_crm_refused(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    first = deals.update(world.desk, deal.id, {"amount": "150", "name": "Bigger"})
    refuse(world, world.op(first.operation_id), Hold.OPERATOR)
    second = deals.update(world.desk, deal.id, {"amount": "160"})
    assert second.superseded == (first.operation_id,)
    assert world.op(second.operation_id).payload == {"amount": "160", "name": "Bigger"}


# --- what was dropped can be sent after all -------------------------------------------------------


def test_a_dropped_update_leaves_a_difference_and_says_how_to_send_it_after_all(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = deals.update(world.desk, deal.id, {"amount": "150"})
    dropped = outbox.discard(world.desk, made.operation_id or "", reason="typed by mistake")
    assert dropped.left == ("amount",)
    assert dropped.next == (f"quotey crm outbox retry {made.operation_id}",)
    again = outbox.retry(world.desk, made.operation_id or "")
    assert (again.before, again.operation.state) == (OpState.DISCARDED, OpState.QUEUED)
    assert again.operation.key == world.op(made.operation_id).key


def test_a_value_that_was_never_sent_is_sent_when_it_is_set_again(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = deals.update(world.desk, deal.id, {"amount": "150"})
    waiting = deals.update(world.desk, deal.id, {"amount": "150"})
    assert (waiting.changed, waiting.operation_id) == (False, None), "it is on its way already"
    outbox.discard(world.desk, made.operation_id or "", reason="x")
    again = deals.update(world.desk, deal.id, {"amount": "150"})
    assert again.changed
    assert world.op(again.operation_id).payload == {"amount": "150"}
    world.deliver(again.operation_id)


def test_a_value_on_which_both_sides_agree_is_not_sent_again(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    assert deals.update(world.desk, deal.id, {"amount": "100"}).changed is False


def test_a_dropped_creation_is_taken_up_again_under_its_own_key(world: DeskWorld) -> None:
    world.account()
    made = deals.create(world.desk, "acc_1", {"name": "N", "stage": "open", "currency": "EUR"})
    key = world.op(made.operation_id).key
    outbox.discard(world.desk, made.operation_id or "", reason="not yet")
    again = outbox.retry(world.desk, made.operation_id or "")
    assert (again.operation.state, again.operation.key) == (OpState.QUEUED, key)


def test_what_waits_for_a_dropped_creation_says_which_one(world: DeskWorld) -> None:
    world.account()
    made = deals.create(world.desk, "acc_1", {"name": "N", "stage": "open", "currency": "EUR"})
    outbox.discard(world.desk, made.operation_id or "", reason="not yet")
    quote = world.quoted(made.record)
    op = world.op(quote.operation_id)
    with world.store.transaction():
        world.store.outbox.set_state([op.id], OpState.HELD, at=NOW, hold=Hold.PARENT)
    with pytest.raises(RefusedError, match=r"is held \(parent\)") as refused:
        outbox.retry(world.desk, op.id)
    assert refused.value.next == (f"quotey crm outbox retry {made.operation_id}",)


def test_a_dropped_quote_is_revised_and_not_sent_as_it_was(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    dropped = outbox.discard(world.desk, made.operation_id or "", reason="x")
    assert dropped.next == (f"quotey quote revise {made.quote.id}",)
    with pytest.raises(RefusedError, match="was dropped") as refused:
        outbox.retry(world.desk, made.operation_id or "")
    assert refused.value.next == (f"quotey quote revise {made.quote.id}",)
    assert quotes.revise(world.desk, made.quote.id, QuoteTerms()).operation_id is not None


def test_a_dead_creation_that_was_dropped_is_sent_again_when_that_is_taken_back(
    world: DeskWorld,
) -> None:
    world.account()
    made = deals.create(world.desk, "acc_1", {"name": "N", "stage": "open", "currency": "EUR"})
    op = world.op(made.operation_id)
    world.settle(op, OpState.DEAD)
    item = asked(world, op, ConflictType.ATTEMPTS_EXHAUSTED)
    reconcile.apply(world.desk, item.id, CRM_WINS)
    assert world.op(op.id).state == OpState.DISCARDED
    reconcile.undo(world.desk, item.id)
    row = reconcile.apply(world.desk, item.id, LOCAL_WINS).rows[0]
    assert row.operation_id == op.id
    assert (world.op(op.id).state, world.op(op.id).key) == (OpState.QUEUED, op.key)


# --- what is being sent right now -----------------------------------------------------------------


def leased(world: DeskWorld, op: Operation) -> None:
    with world.store.transaction():
        claimed = world.store.outbox.claim("main", NOW, NOW + timedelta(seconds=40))
    assert [one.id for one in claimed] == [op.id]


def test_what_loses_while_it_is_being_sent_is_corrected_afterwards(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    """A worker has read the value that a person now decides against; it cannot be stopped."""
    made = deals.update(world.desk, deal.id, {"amount": "150"})
    leased(world, world.op(made.operation_id))
    item = world.clash(world.reload(deal), "amount", "120")
    row = reconcile.apply(world.desk, item.id, CRM_WINS).rows[0]

    assert world.op(made.operation_id).state == OpState.LEASED
    assert world.op(row.operation_id).payload == {"amount": "120"}
    assert row.operation_id != made.operation_id
    undone = reconcile.undo(world.desk, item.id)
    assert undone.value == "150"


def test_what_loses_while_its_outcome_is_unknown_is_corrected_afterwards(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = deals.update(world.desk, deal.id, {"amount": "150"})
    world.settle(world.op(made.operation_id), OpState.UNKNOWN)
    item = world.clash(world.reload(deal), "amount", "120")
    row = reconcile.apply(world.desk, item.id, CRM_WINS).rows[0]
    assert world.op(row.operation_id).payload == {"amount": "120"}


def test_what_is_being_sent_is_not_sent_again(world: DeskWorld, deal: MirrorRecord) -> None:
    made = world.quoted(deal)
    op = world.op(made.operation_id)
    item = asked(world, op, ConflictType.ATTEMPTS_EXHAUSTED)
    leased(world, op)
    before = world.dump()
    with pytest.raises(RefusedError, match="is being sent right now"):
        reconcile.apply(world.desk, item.id, LOCAL_WINS)
    assert world.dump() == before


# --- taking back ----------------------------------------------------------------------------------


def test_a_decision_is_not_taken_back_once_the_crm_has_said_something_newer(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    item = world.clash(deal, "stage", "won", conflict_type=ConflictType.LOCKED_FIELD_OVERWRITE)
    reconcile.apply(world.desk, item.id, LOCAL_WINS)
    kept = world.reload(deal)
    world.deal(1, local=kept.local, base=kept.base | {"stage": "lost"}, local_version=9)
    before = world.dump()
    with pytest.raises(RefusedError, match=r"deal\.stage has changed since"):
        reconcile.undo(world.desk, item.id)
    assert world.dump() == before


def test_a_lock_that_a_decision_ended_is_told_and_put_back_unless_another_stands(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    locks.lock(world.desk, "deal/D-1", "stage", duration="2d", reason="talks")
    item = world.clash(deal, "stage", "won", conflict_type=ConflictType.LOCKED_FIELD_OVERWRITE)
    reconcile.apply(world.desk, item.id, CRM_WINS)
    told = world.store.audit.list(kind="reconciliation.resolved")[0].body["lock"]
    assert isinstance(told, dict)
    assert told["reason"] == "talks"

    other = locks.lock(world.as_("bob"), "deal/D-1", "stage", duration="1h", reason="mine")
    reconcile.undo(world.desk, item.id)
    assert locks.list_locks(world.desk) == (other,)
    assert world.store.audit.list(kind="reconciliation.undone")[0].body["lock"] is None


def test_a_restored_lock_is_in_the_audit(world: DeskWorld, deal: MirrorRecord) -> None:
    locks.lock(world.desk, "deal/D-1", "stage", duration="2d", reason="talks")
    item = world.clash(deal, "stage", "won", conflict_type=ConflictType.LOCKED_FIELD_OVERWRITE)
    reconcile.apply(world.desk, item.id, CRM_WINS)
    reconcile.undo(world.desk, item.id)
    told = world.store.audit.list(kind="reconciliation.undone")[0].body["lock"]
    assert isinstance(told, dict)
    assert told["reason"] == "talks"


def test_items_about_another_operation_stay_open(world: DeskWorld, deal: MirrorRecord) -> None:
    made = world.quoted(deal)
    old = world.op(made.operation_id)
    world.settle(old, OpState.DEAD)
    gone = asked(world, old, ConflictType.REMOTE_GONE)
    quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"))
    assert (world.op(old.id).state, state_of(world, gone)) == (OpState.DEAD, ItemState.OPEN)
