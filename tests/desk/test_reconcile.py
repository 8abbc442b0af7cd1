"""Settling what waits for a person: the table, previews, bulk, undo; audited, nothing lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quotey.contract.errors import MappingError, NotFoundError, RefusedError, UsageError
from quotey.contract.fields import Entity, Policy
from quotey.contract.journal import MirrorRecord, OpState, Quarantined, RecordState
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.reconciliation import ConflictType, ItemState, Reconciliation
from quotey.desk import deals, locks, outbox, quotes, reconcile
from quotey.desk.quotes import QuoteTerms
from quotey.desk.reconcile import Decision, ItemFilter
from quotey.store import open_store
from tests.desk.desk_world import MAPPING, NOW, DeskWorld

CRM_WINS = Decision(policy=Policy.CRM_WINS)
LOCAL_WINS = Decision(policy=Policy.LOCAL_WINS)


def state_of(world: DeskWorld, item: Reconciliation) -> ItemState:
    found = world.store.items.get(item.id)
    assert found is not None
    return found.state


@pytest.fixture
def edited(world: DeskWorld, deal: MirrorRecord) -> MirrorRecord:
    """A deal whose amount was changed here, with its write still waiting."""
    deals.update(world.desk, deal.id, {"amount": "150"})
    return world.reload(deal)


def test_crm_wins_takes_the_remote_value_and_ends_the_lock(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    locks.lock(world.desk, "deal/D-1", "stage", duration="2d", reason="talks")
    item = world.clash(deal, "stage", "won", conflict_type=ConflictType.LOCKED_FIELD_OVERWRITE)
    row = reconcile.apply(world.desk, item.id, CRM_WINS).rows[0]

    after = world.reload(deal)
    assert (after.local["stage"], after.base["stage"], after.remote) == ("won", "won", {})
    assert (row.outcome, row.before, row.after, row.operation_id) == (
        "applied",
        "open",
        "won",
        None,
    )
    assert state_of(world, item) == ItemState.RESOLVED
    assert locks.list_locks(world.desk) == ()


def test_the_loser_of_a_persons_decision_is_in_the_audit(
    world: DeskWorld, edited: MirrorRecord
) -> None:
    item = world.clash(edited, "amount", "120")
    reconcile.apply(world.desk, item.id, CRM_WINS)
    event = world.store.audit.list(kind="reconciliation.resolved")[0]
    assert event.body["fields"] == {
        "amount": {
            "rule": "person_take_remote",
            "winner": "120",
            "loser": "150",
            "base": "100",
            "local": "150",
            "remote": "120",
        }
    }


def test_a_value_that_lost_is_not_sent_any_more_and_the_rest_of_its_write_is(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    first = deals.update(world.desk, deal.id, {"amount": "150", "name": "Bigger"})
    item = world.clash(world.reload(deal), "amount", "120")
    reconcile.apply(world.desk, item.id, CRM_WINS)

    assert world.op(first.operation_id).state == OpState.SUPERSEDED
    waiting = world.store.outbox.pending("main", f"deal/{deal.id}")
    assert [op.payload for op in waiting] == [{"name": "Bigger"}]


def test_a_write_that_carried_only_the_loser_is_discarded(
    world: DeskWorld, edited: MirrorRecord
) -> None:
    item = world.clash(edited, "amount", "120")
    reconcile.apply(world.desk, item.id, CRM_WINS)
    assert world.store.outbox.pending("main", f"deal/{edited.id}") == ()


def test_local_wins_keeps_ours_and_sends_it_again_where_the_field_flows_out(
    world: DeskWorld, edited: MirrorRecord
) -> None:
    item = world.clash(edited, "amount", "120")
    row = reconcile.apply(world.desk, item.id, LOCAL_WINS).rows[0]

    after = world.reload(edited)
    assert (after.local["amount"], after.base["amount"], after.remote) == ("150", "120", {})
    assert world.op(row.operation_id).payload == {"amount": "150"}


def test_local_wins_sends_nothing_where_the_field_does_not_flow_out(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    item = world.clash(deal, "stage", "won", conflict_type=ConflictType.LOCKED_FIELD_OVERWRITE)
    row = reconcile.apply(world.desk, item.id, LOCAL_WINS).rows[0]
    after = world.reload(deal)
    assert (row.operation_id, after.local["stage"], after.base["stage"]) == (None, "open", "won")


def test_a_value_set_by_hand_stands_and_is_sent(world: DeskWorld, edited: MirrorRecord) -> None:
    item = world.clash(edited, "amount", "120")
    row = reconcile.apply(world.desk, item.id, Decision(value="135.00")).rows[0]
    after = world.reload(edited)
    assert (after.local["amount"], after.local_ts["amount"]) == ("135", NOW)
    assert world.op(row.operation_id).payload == {"amount": "135"}


@pytest.mark.parametrize("value", ["NaN", "1.005", "9" * 40])
def test_a_bad_value_set_by_hand_is_refused(
    world: DeskWorld, edited: MirrorRecord, value: str
) -> None:
    item = world.clash(edited, "amount", "120")
    before = world.dump()
    with pytest.raises(UsageError, match=r"cannot stand for deal\.amount"):
        reconcile.apply(world.desk, item.id, Decision(value=value))
    assert world.dump() == before


@pytest.mark.parametrize("value", ["", "  "])
def test_a_blank_is_no_value_that_could_stand(
    world: DeskWorld, deal: MirrorRecord, value: str
) -> None:
    item = world.clash(deal, "name", "Theirs")
    before = world.dump()
    with pytest.raises(UsageError, match=r"cannot stand for deal\.name: it is blank"):
        reconcile.apply(world.desk, item.id, Decision(value=value))
    assert world.dump() == before


def test_a_value_that_the_mapping_cannot_write_out_is_refused_at_once(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    words = 'transform = { kind = "value_map", values = { North = "north" } }'
    text = MAPPING.replace('type = "text"', f'type = "text"\n{words}')
    world.mapping = parse_mapping(text, name="test.toml")
    item = world.clash(deal, "x_region", "south")
    before = world.dump()
    with pytest.raises(MappingError, match="has no word in the value map"):
        reconcile.apply(world.desk, item.id, Decision(value="east"))
    assert world.dump() == before
    reconcile.apply(world.desk, item.id, Decision(value="north"))


def test_a_value_that_does_not_fit_one_of_many_is_told_in_its_row(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    """Else the rows before it would be done, and the message would say that nothing was."""
    yen = world.deal(2, local=deal.local | {"currency": "JPY"})
    one, two = world.clash(deal, "amount", "120"), world.clash(yen, "amount", "130")
    report = reconcile.apply_all(world.desk, ItemFilter(field="amount"), Decision(value="9.50"))
    assert [(row.item_id, row.outcome) for row in report.rows] == [
        (one.id, "applied"),
        (two.id, "refused"),
    ]
    assert "finer than JPY allows" in report.rows[1].sentence


def test_a_database_that_gets_busy_ends_a_bulk_decision_and_its_rows_are_told(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    one = world.clash(deal, "amount", "120")
    world.clash(world.deal(2), "amount", "130")
    with open_store(world.path, role="desk") as other, other.transaction():
        report = reconcile.apply_all(world.desk, ItemFilter(field="amount"), CRM_WINS)
    assert [(row.item_id, row.outcome) for row in report.rows] == [(one.id, "refused")]
    assert "Another process" in report.rows[0].sentence


def test_a_preview_shows_the_same_row_and_writes_nothing(
    world: DeskWorld, edited: MirrorRecord
) -> None:
    item = world.clash(edited, "amount", "120")
    before = world.dump()
    preview = reconcile.apply(world.desk, item.id, LOCAL_WINS, dry_run=True)
    assert world.dump() == before
    done = reconcile.apply(world.desk, item.id, LOCAL_WINS)

    told, did = preview.rows[0], done.rows[0]
    assert (told.outcome, did.outcome) == ("would_apply", "applied")
    assert (told.before, told.after, told.sentence) == (did.before, did.after, did.sentence)


def test_an_item_is_settled_once(world: DeskWorld, edited: MirrorRecord) -> None:
    item = world.clash(edited, "amount", "120")
    reconcile.apply(world.desk, item.id, CRM_WINS)
    before = world.dump()
    with pytest.raises(RefusedError, match="was settled already by ann"):
        reconcile.apply(world.desk, item.id, LOCAL_WINS)
    assert world.dump() == before


def test_a_decision_on_values_that_moved_on_is_refused(
    world: DeskWorld, edited: MirrorRecord
) -> None:
    item = world.clash(edited, "amount", "120")
    world.clash(edited, "amount", "125")
    with pytest.raises(RefusedError, match="moved on since it was shown"):
        reconcile.apply(world.desk, item.id, Decision(policy=Policy.CRM_WINS, rev=item.rev))


def test_a_refusal_names_the_next_command(world: DeskWorld, deal: MirrorRecord) -> None:
    made = world.quoted(deal)
    item = world.stale(
        made.quote, world.op(made.operation_id), world.marker(made.quote.id, 7), "newer_version"
    )
    with pytest.raises(RefusedError) as caught:
        reconcile.apply(world.desk, item.id, LOCAL_WINS)
    assert f"quotey quote revise {made.quote.id}" in caught.value.next


def test_crm_wins_on_a_stale_write_discards_the_operation_and_keeps_the_quote(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    item = world.stale(
        made.quote, world.op(made.operation_id), world.marker(made.quote.id, 7), "newer_version"
    )
    reconcile.apply(world.desk, item.id, CRM_WINS)
    assert world.op(made.operation_id).state == OpState.DISCARDED
    assert quotes.show(world.desk, made.quote.id).quote == made.quote
    discarded = world.store.audit.list(kind="operation.discarded")[0]
    assert discarded.body["payload"] == world.op(made.operation_id).payload


@pytest.mark.parametrize("decision", [CRM_WINS, LOCAL_WINS])
def test_an_unknown_outcome_is_looked_at_before_anything_is_sent_again(
    world: DeskWorld, deal: MirrorRecord, decision: Decision
) -> None:
    made = world.quoted(deal)
    op = world.op(made.operation_id)
    world.settle(op, OpState.DEAD)
    item = world.item(
        Entity.QUOTE,
        made.quote.id,
        conflict_type=ConflictType.UNKNOWN_OUTCOME,
        field_name="*",
        operation_id=op.id,
    )
    reconcile.apply(world.desk, item.id, decision)
    after = world.op(op.id)
    assert (after.state, after.sent_at) == (OpState.QUEUED, op.sent_at or NOW)
    assert state_of(world, item) == ItemState.RESOLVED


def test_a_delivered_write_is_confirmed_or_written_anew_as_a_version(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    world.deliver(made.operation_id)
    facts: dict[str, object] = {
        "conflict_type": ConflictType.PARTIAL_SUCCESS,
        "field_name": "write_quote",
        "operation_id": made.operation_id,
    }
    first = world.item(Entity.QUOTE, made.quote.id, **facts)
    reconcile.apply(world.desk, first.id, CRM_WINS)
    assert len(quotes.history(world.desk, made.quote.id)) == 1
    second = world.item(Entity.QUOTE, made.quote.id, **facts)
    row = reconcile.apply(world.desk, second.id, LOCAL_WINS).rows[0]
    assert [one.version for one in quotes.history(world.desk, made.quote.id)] == [1, 2]
    assert world.op(row.operation_id).version == 2


def test_a_rebinding_is_an_alias_and_the_published_quote_follows(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    op = world.op(made.operation_id)
    world.settle(op, OpState.CONFLICT, sent=False)
    gone = world.deal(1, state=RecordState.GONE)
    of_quote = world.item(
        Entity.QUOTE,
        made.quote.id,
        conflict_type=ConflictType.REMOTE_GONE,
        field_name="*",
        operation_id=op.id,
    )
    of_deal = world.item(
        Entity.DEAL,
        gone.id,
        conflict_type=ConflictType.IDENTITY_MISMATCH,
        field_name="*",
        local_value="D-1",
        remote_value="D-77",
    )
    row = reconcile.apply(world.desk, of_deal.id, Decision(rebind=True)).rows[0]

    assert world.store.records.ref_of(Entity.DEAL, gone.id) == "D-77"
    assert world.reload(gone).crm_ref == "D-1", "a binding is never edited"
    assert world.reload(gone).state == RecordState.LIVE
    assert row.closed_items == (of_quote.id,)
    assert world.op(row.operation_id).version == 2
    with pytest.raises(RefusedError, match="in a way that is not taken back"):
        reconcile.undo(world.desk, of_deal.id)


def test_a_decision_is_taken_back_while_nothing_was_sent(
    world: DeskWorld, edited: MirrorRecord
) -> None:
    item = world.clash(edited, "amount", "120")
    before = world.reload(edited)
    reconcile.apply(world.desk, item.id, CRM_WINS)
    answer = reconcile.undo(world.desk, item.id)

    after = world.reload(edited)
    assert (after.local, after.base, after.remote) == (before.local, before.base, before.remote)
    assert after.local_ts == before.local_ts
    assert state_of(world, item) == ItemState.OPEN
    assert world.op(answer.operation_id).payload == {"amount": "150"}, "it waits to be sent again"
    assert world.kinds()[-1] == "reconciliation.undone"


def test_taking_back_a_reassertion_withdraws_its_write_and_restores_the_lock(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = locks.lock(world.desk, "deal/D-1", "amount", duration="2d", reason="agreed")
    item = world.clash(deal, "amount", "120", conflict_type=ConflictType.LOCKED_FIELD_OVERWRITE)
    reconcile.apply(world.desk, item.id, CRM_WINS)
    assert locks.list_locks(world.desk) == ()
    reconcile.undo(world.desk, item.id)
    assert locks.list_locks(world.desk) == (made,)

    again = reconcile.apply(world.desk, item.id, LOCAL_WINS).rows[0]
    reconcile.undo(world.desk, item.id)
    assert world.op(again.operation_id).state == OpState.DISCARDED
    assert world.reload(deal).remote == {"amount": "120"}


def test_a_decision_that_was_sent_is_not_taken_back(world: DeskWorld, edited: MirrorRecord) -> None:
    item = world.clash(edited, "amount", "120")
    row = reconcile.apply(world.desk, item.id, LOCAL_WINS).rows[0]
    world.turn(minutes=1)
    world.deliver(row.operation_id)
    before = world.dump()
    with pytest.raises(RefusedError, match=r"was sent already \(delivered\)"):
        reconcile.undo(world.desk, item.id)
    assert world.dump() == before


def test_a_decision_that_was_built_upon_is_not_taken_back(
    world: DeskWorld, edited: MirrorRecord
) -> None:
    item = world.clash(edited, "amount", "120")
    reconcile.apply(world.desk, item.id, LOCAL_WINS)
    deals.update(world.desk, edited.id, {"amount": "170"})
    with pytest.raises(RefusedError, match="taken over by a later change"):
        reconcile.undo(world.desk, item.id)
    with pytest.raises(RefusedError, match="it is open, so there is no decision"):
        reconcile.undo(world.desk, world.clash(edited, "name", "Other").id)


def test_a_discarded_stale_write_is_asked_about_again_when_taken_back(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    item = world.stale(
        made.quote, world.op(made.operation_id), world.marker(made.quote.id, 7), "newer_version"
    )
    reconcile.apply(world.desk, item.id, CRM_WINS)
    reconcile.undo(world.desk, item.id)
    assert state_of(world, item) == ItemState.OPEN
    assert quotes.revise(world.desk, made.quote.id, QuoteTerms()).quote.current.version == 8


def test_many_items_are_settled_by_a_filter_and_refusals_stop_nothing(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    other = world.deal(2)
    one, two = world.clash(deal, "amount", "120"), world.clash(other, "amount", "130")
    kept_out = world.item(
        Entity.DEAL,
        "deal_missing",
        field_name="amount",
        conflict_type=ConflictType.SCHEMA_MAPPING_MISMATCH,
    )
    wanted = ItemFilter(field="amount")
    before = world.dump()
    preview = reconcile.apply_all(world.desk, wanted, CRM_WINS, dry_run=True)
    assert world.dump() == before
    report = reconcile.apply_all(world.desk, wanted, CRM_WINS)

    assert [row.outcome for row in preview.rows] == ["would_apply", "would_apply", "refused"]
    assert [(row.item_id, row.outcome) for row in report.rows] == [
        (one.id, "applied"),
        (two.id, "applied"),
        (kept_out.id, "refused"),
    ]
    assert report.refused == 1


def test_a_bulk_decision_must_be_narrowed_down(world: DeskWorld) -> None:
    with pytest.raises(UsageError, match="Name what is to be settled"):
        reconcile.apply_all(world.desk, ItemFilter(), CRM_WINS)


def test_items_are_filtered_by_type_field_record_and_age(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    old = world.clash(deal, "amount", "120")
    world.turn(days=3)
    new = world.item(Entity.DEAL, "deal_2")

    def found(wanted: ItemFilter) -> list[str]:
        return [item.id for item in reconcile.list_items(world.desk, wanted, each=True).items]

    assert found(ItemFilter()) == [old.id, new.id]
    assert found(ItemFilter(older_than="2d")) == [old.id]
    assert found(ItemFilter(conflict_type="locked_field_overwrite")) == [new.id]
    assert found(ItemFilter(reference="deal/D-1")) == [old.id]
    assert found(ItemFilter(reference="deal/deal_2")) == [new.id]
    assert found(ItemFilter(field="amount", entity="deal")) == [old.id]
    with pytest.raises(UsageError, match="Did you mean 'undecided_merge'"):
        found(ItemFilter(conflict_type="undecided_mrege"))
    with pytest.raises(UsageError, match="is not a duration"):
        found(ItemFilter(older_than="long"))


def test_a_list_groups_by_cause_with_a_count(world: DeskWorld) -> None:
    for number in range(3):
        world.item(Entity.DEAL, f"deal_{number}")
    world.item(Entity.DEAL, "deal_9", field_name="amount", detail="deal.amount differs")
    for wanted in (ItemFilter(), ItemFilter(states=(ItemState.OPEN, ItemState.DEFERRED))):
        listed = reconcile.list_items(world.desk, wanted)
        assert listed.total == 4
        assert [(group.field_name, group.count) for group in listed.groups] == [
            ("stage", 3),
            ("amount", 1),
        ]


def test_a_deferred_item_waits_for_its_time(world: DeskWorld, deal: MirrorRecord) -> None:
    item = world.clash(deal, "amount", "120")
    deferred = reconcile.defer(world.desk, item.id, "2d")
    assert (deferred.state, deferred.deferred_until) == (
        ItemState.DEFERRED,
        NOW + timedelta(days=2),
    )
    assert reconcile.defer(world.desk, item.id, "2026-03-05").deferred_until is not None
    for wrong in ("yesterday", "2026-02-01", "2d ago"):
        with pytest.raises(UsageError, match="Nothing was changed"):
            reconcile.defer(world.desk, item.id, wrong)
    with pytest.raises(NotFoundError):
        reconcile.defer(world.desk, "r_404", "2d")


def test_an_item_is_shown_with_all_that_helps_to_decide_it(
    world: DeskWorld, edited: MirrorRecord
) -> None:
    item = world.clash(edited, "amount", "120")
    view = reconcile.show(world.desk, item.id)
    assert view.record is not None
    assert (view.record.local["amount"], view.undoable) == ("150", False)
    reconcile.apply(world.desk, item.id, CRM_WINS)
    assert reconcile.show(world.desk, item.id).undoable is True


@pytest.mark.parametrize("kind", ["update", "create"])
def test_a_delivered_write_of_a_record_is_sent_anew_from_todays_values(
    world: DeskWorld, deal: MirrorRecord, kind: str
) -> None:
    if kind == "update":
        answer = deals.update(world.desk, deal.id, {"amount": "150"})
    else:
        answer = deals.create(
            world.desk, "acc_1", {"name": "N", "stage": "open", "currency": "EUR"}
        )
    world.deliver(answer.operation_id)
    item = world.item(
        Entity.DEAL,
        answer.record.id,
        conflict_type=ConflictType.PARTIAL_SUCCESS,
        operation_id=answer.operation_id,
    )
    if kind == "create":
        with pytest.raises(RefusedError, match="is delivered and cannot be sent again"):
            reconcile.apply(world.desk, item.id, LOCAL_WINS)
        return
    row = reconcile.apply(world.desk, item.id, LOCAL_WINS).rows[0]
    assert row.operation_id != answer.operation_id
    assert world.op(row.operation_id).payload == {"amount": "150"}


def test_an_item_about_an_operation_that_is_not_there_is_refused(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    item = world.item(Entity.DEAL, deal.id, conflict_type=ConflictType.UNKNOWN_OUTCOME)
    with pytest.raises(RefusedError, match="speaks of no operation"):
        reconcile.apply(world.desk, item.id, CRM_WINS)


def test_a_send_again_is_taken_back_while_it_waits(world: DeskWorld, deal: MirrorRecord) -> None:
    made = world.quoted(deal)
    op = world.op(made.operation_id)
    world.settle(op, OpState.DEAD)
    world.turn(minutes=1)
    item = world.item(
        Entity.QUOTE,
        made.quote.id,
        conflict_type=ConflictType.ATTEMPTS_EXHAUSTED,
        operation_id=op.id,
    )
    reconcile.apply(world.desk, item.id, LOCAL_WINS)
    assert world.op(op.id).state == OpState.QUEUED
    reconcile.undo(world.desk, item.id)
    assert world.op(op.id).state == OpState.DISCARDED
    assert state_of(world, item) == ItemState.OPEN


@pytest.mark.parametrize("asked", ["the item", "the operation"])
def test_a_held_write_goes_itself_before_the_newer_one_that_waits_behind_it(
    world: DeskWorld, deal: MirrorRecord, asked: str
) -> None:
    """Else it would hold up its lane for ever, with nobody asked any more."""
    made = world.quoted(deal)
    op = world.op(made.operation_id)
    world.settle(op, OpState.UNKNOWN)
    newer = quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"))
    world.settle(world.op(op.id), OpState.HELD)
    item = world.item(
        Entity.QUOTE,
        made.quote.id,
        conflict_type=ConflictType.ATTEMPTS_EXHAUSTED,
        operation_id=op.id,
    )
    if asked == "the item":
        reconcile.apply(world.desk, item.id, LOCAL_WINS)
    else:
        assert outbox.retry(world.desk, op.id).closed_items == (item.id,)
    assert world.op(op.id).state == OpState.QUEUED
    assert world.op(newer.operation_id).state == OpState.QUEUED


def test_a_rebinding_of_a_quotes_item_means_its_deal(world: DeskWorld, deal: MirrorRecord) -> None:
    made = world.quoted(deal)
    item = world.item(
        Entity.QUOTE,
        made.quote.id,
        conflict_type=ConflictType.REMOTE_GONE,
        field_name="*",
        remote_value=None,
        operation_id=made.operation_id,
    )
    with pytest.raises(RefusedError):
        reconcile.apply(world.desk, item.id, Decision(rebind=True))
    with pytest.raises(UsageError, match="control character"):
        reconcile.apply(world.desk, item.id, Decision(rebind=True, value="D\x00"))
    reconcile.apply(world.desk, item.id, Decision(rebind=True, value="D-9"))
    assert world.store.records.ref_of(Entity.DEAL, deal.id) == "D-9"


def test_a_changed_identity_is_taken_and_its_record_judged_again(
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
    item = world.item(
        Entity.DEAL,
        deal.id,
        conflict_type=ConflictType.IDENTITY_MISMATCH,
        field_name="currency",
        local_value="EUR",
        remote_value="USD",
    )
    assert reconcile.show(world.desk, item.id).quarantined is not None
    with pytest.raises(RefusedError, match="who a record is"):
        reconcile.apply(world.desk, item.id, CRM_WINS)
    reconcile.apply(world.desk, item.id, Decision(rebind=True))
    assert world.reload(deal).local["currency"] == "USD"
    assert world.store.quarantine.list("main", Entity.DEAL)[0].fingerprint == ""


# --- the outbox ----------------------------------------------------------------------------------


def test_a_dead_operation_is_queued_again_and_its_item_closed(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    op = world.op(made.operation_id)
    world.settle(op, OpState.DEAD)
    item = world.item(
        Entity.QUOTE,
        made.quote.id,
        conflict_type=ConflictType.ATTEMPTS_EXHAUSTED,
        operation_id=op.id,
    )
    answer = outbox.retry(world.desk, op.id)
    assert (answer.before, answer.operation.state) == (OpState.DEAD, OpState.QUEUED)
    assert answer.closed_items == (item.id,)
    assert world.kinds()[-2:] == ["operation.requeued", "reconciliation.resolved"]


def test_an_overtaken_operation_is_not_sent_again(world: DeskWorld, deal: MirrorRecord) -> None:
    made = world.quoted(deal)
    world.settle(world.op(made.operation_id), OpState.UNKNOWN)
    quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"))
    world.settle(world.op(made.operation_id), OpState.DEAD)
    with pytest.raises(RefusedError, match="was overtaken by"):
        outbox.retry(world.desk, made.operation_id or "")


def test_a_held_operation_is_released_by_what_it_waits_for(world: DeskWorld) -> None:
    world.account(1, crm_ref=None)
    made = deals.create(world.desk, "acc_1", {"name": "N", "stage": "open", "currency": "EUR"})
    with pytest.raises(RefusedError, match=r"is held \(parent\)"):
        outbox.retry(world.desk, made.operation_id or "")


def test_a_discarded_operation_keeps_its_payload_in_the_audit(
    world: DeskWorld, edited: MirrorRecord
) -> None:
    op = world.store.outbox.pending("main", f"deal/{edited.id}")[0]
    with pytest.raises(UsageError, match="needs a reason"):
        outbox.discard(world.desk, op.id, reason=" ")
    answer = outbox.discard(world.desk, op.id, reason="typed by mistake")
    assert answer.operation.state == OpState.DISCARDED
    event = outbox.show(world.desk, op.id).events[0]
    assert (event.kind, event.body["payload"]) == ("operation.discarded", {"amount": "150"})
    assert world.reload(edited).local["amount"] == "150"
    with pytest.raises(RefusedError, match="has ended"):
        outbox.discard(world.desk, op.id, reason="again")


def test_what_is_being_sent_is_left_alone(world: DeskWorld, edited: MirrorRecord) -> None:
    op = world.store.outbox.pending("main", f"deal/{edited.id}")[0]
    with world.store.transaction():
        world.store.outbox.claim("main", NOW, NOW + timedelta(seconds=40))
    with pytest.raises(RefusedError, match="is being sent right now"):
        outbox.discard(world.desk, op.id, reason="x")
    with pytest.raises(RefusedError, match="is leased"):
        outbox.retry(world.desk, op.id)


def test_a_deals_creation_is_not_dropped_while_its_quotes_wait(world: DeskWorld) -> None:
    world.account()
    made = deals.create(world.desk, "acc_1", {"name": "N", "stage": "open", "currency": "EUR"})
    world.quoted(made.record)
    with pytest.raises(RefusedError, match="1 operation waits for the deal"):
        outbox.discard(world.desk, made.operation_id or "", reason="x")


def test_operations_are_listed_by_state(world: DeskWorld, edited: MirrorRecord) -> None:
    assert len(outbox.list_operations(world.desk, "main")) == 1
    assert outbox.list_operations(world.desk, "main", states=(OpState.DEAD,)) == ()
    with pytest.raises(NotFoundError):
        outbox.show(world.desk, "op_404")
