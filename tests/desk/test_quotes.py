"""What a quote command does: versions, operation and audit together, once, and never a CRM."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from msgspec.structs import replace

from quotey.contract.errors import NotFoundError, RefusedError, UsageError
from quotey.contract.fields import Entity
from quotey.contract.identity import payload_digest
from quotey.contract.journal import MirrorRecord, OpKind, OpState, RecordState
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.quote import QuoteStatus
from quotey.contract.reconciliation import ItemState
from quotey.desk import quotes
from quotey.desk.quotes import LineTerms, QuoteTerms
from tests.desk.desk_world import MAPPING, DeskWorld


def test_a_deals_first_quote_is_published_by_itself_and_the_second_is_not(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    first = world.quoted(deal)
    second = world.quoted(deal, "200")

    assert (first.quote.published, second.quote.published) == (True, False)
    assert first.operation_id is not None
    assert second.operation_id is None, "only the published quote is written out"


def test_quote_operation_and_audit_are_committed_together(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    answer = quotes.create(
        world.desk,
        "D-1",
        QuoteTerms(
            total="1500.50",
            currency="EUR",
            valid_until=date(2026, 4, 1),
            note="for Ann",
            price_trace='{"rule": 7}',
        ),
    )

    op = world.op(answer.operation_id)
    assert (op.kind, op.lane, op.state) == (OpKind.WRITE_QUOTE, f"deal/{deal.id}", OpState.QUEUED)
    assert op.key == f"{world.store.instance_id}/{answer.quote.id}/1"
    assert op.digest == payload_digest(op.payload)
    assert op.payload == {
        "id": answer.quote.id,
        "deal_id": deal.id,
        "version": "1",
        "status": "priced",
        "total": "1500.5",
        "currency": "EUR",
        "valid_until": "2026-04-01",
        "attachment_ref": None,
        "attachment_sha256": None,
        "attachment_bytes": None,
    }
    event = world.store.audit.list()[0]
    assert (event.kind, event.actor, event.correlation_id) == ("quote.created", "ann", "c_test")
    assert event.body["before"] is None
    assert event.body["after"]["total"] == "1500.50"  # type: ignore[index]


def test_lines_without_a_total_are_summed(world: DeskWorld, deal: MirrorRecord) -> None:
    lines = (LineTerms(name="Seats", total="120.25"), LineTerms(name="Discount", total="-20.25"))
    answer = quotes.create(world.desk, deal.id, QuoteTerms(lines=lines))

    assert answer.quote.current.total == Decimal(100)
    assert [line.name for line in quotes.show(world.desk, answer.quote.id).quote.current.lines] == [
        "Seats",
        "Discount",
    ]


def test_a_new_total_drops_lines_that_do_not_sum_to_it(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = quotes.create(
        world.desk, deal.id, QuoteTerms(lines=(LineTerms(name="Seats", total="100"),))
    )

    kept = quotes.revise(world.desk, made.quote.id, QuoteTerms(note="hello"))
    dropped = quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"))

    assert [line.total for line in kept.quote.current.lines] == [Decimal(100)]
    assert dropped.quote.current.lines == ()


def test_a_revision_supersedes_the_queued_write_that_was_never_sent(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    revised = quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"))

    assert revised.quote.current.version == 2
    assert revised.superseded == (made.operation_id,)
    assert world.op(made.operation_id).state == OpState.SUPERSEDED
    assert world.op(revised.operation_id).state == OpState.QUEUED
    assert world.kinds() == ["quote.created", "operation.superseded", "quote.revised"]


def test_a_write_that_may_have_been_sent_is_not_superseded(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    world.settle(world.op(made.operation_id), OpState.UNKNOWN)
    revised = quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"))

    assert revised.superseded == ()
    assert world.op(made.operation_id).state == OpState.UNKNOWN


def test_versions_only_grow_and_the_earlier_ones_stay(world: DeskWorld, deal: MirrorRecord) -> None:
    made = world.quoted(deal)
    quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"))
    quotes.change_status(world.desk, made.quote.id, "pending_approval")

    versions = quotes.history(world.desk, made.quote.id)
    assert [(one.version, one.total, str(one.status)) for one in versions] == [
        (1, Decimal(100), "priced"),
        (2, Decimal(90), "priced"),
        (3, Decimal(90), "pending_approval"),
    ]


def test_new_terms_void_an_approval_and_a_note_does_not(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    quotes.change_status(world.desk, made.quote.id, "pending_approval")
    approved = quotes.change_status(
        world.desk, made.quote.id, "approved", approver="Bob", note="fine"
    )
    assert (approved.quote.current.approver, approved.quote.current.note) == ("Bob", "fine")

    noted = quotes.revise(world.desk, made.quote.id, QuoteTerms(note="call first"))
    assert (str(noted.quote.current.status), noted.quote.current.approver) == ("approved", "Bob")
    revised = quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"))
    assert (str(revised.quote.current.status), revised.quote.current.approver) == ("priced", "")


def test_a_draft_stays_a_draft_until_it_is_priced(world: DeskWorld, deal: MirrorRecord) -> None:
    made = quotes.create(world.desk, deal.id, QuoteTerms(total="100"), draft=True)
    assert made.quote.current.status == QuoteStatus.DRAFT
    priced = quotes.change_status(world.desk, made.quote.id, "priced")
    assert priced.quote.current.status == QuoteStatus.PRICED


def test_an_approval_names_who_gave_it(world: DeskWorld, deal: MirrorRecord) -> None:
    made = world.quoted(deal)
    quotes.change_status(world.desk, made.quote.id, "pending_approval")
    before = world.dump()
    with pytest.raises(UsageError, match="names who gave it"):
        quotes.change_status(world.desk, made.quote.id, "approved")
    assert world.dump() == before


def test_a_move_that_the_table_does_not_hold_is_refused_with_those_that_it_does(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    before = world.dump()
    with pytest.raises(RefusedError, match="can become: cancelled, expired, pending_approval"):
        quotes.change_status(world.desk, made.quote.id, "accepted")
    assert world.dump() == before


def test_a_word_that_is_no_status_is_told_with_the_near_match(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    with pytest.raises(UsageError, match="Did you mean 'accepted'"):
        quotes.change_status(world.desk, made.quote.id, "acepted")


def test_a_quote_that_has_run_out_is_not_sent(world: DeskWorld, deal: MirrorRecord) -> None:
    made = quotes.create(world.desk, deal.id, QuoteTerms(total="100", valid_until="2026-03-02"))
    quotes.change_status(world.desk, made.quote.id, "pending_approval")
    quotes.change_status(world.desk, made.quote.id, "approved", approver="Bob")
    world.turn(days=3)
    with pytest.raises(RefusedError, match="valid until 2026-03-02"):
        quotes.change_status(world.desk, made.quote.id, "sent")


def test_an_accepted_quotes_terms_are_not_revised_any_more(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    for status in ("pending_approval", "approved", "sent", "accepted"):
        quotes.change_status(world.desk, made.quote.id, status, approver="Bob")
    with pytest.raises(RefusedError, match="is accepted; its terms cannot be revised"):
        quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"))


def test_a_revision_that_says_nothing_new_is_a_wrong_request(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    with pytest.raises(UsageError, match="already says that"):
        quotes.revise(world.desk, made.quote.id, QuoteTerms(total="100.00"))


def test_the_same_token_answers_the_same_quote(world: DeskWorld, deal: MirrorRecord) -> None:
    first = quotes.create(world.desk, deal.id, QuoteTerms(total="100"), token="t-1")
    quotes.revise(world.desk, first.quote.id, QuoteTerms(total="90"))
    before = world.dump()
    again = quotes.create(world.desk, deal.id, QuoteTerms(total="100"), token="t-1")

    assert (again.changed, again.quote.id, again.quote.current.version) == (
        False,
        first.quote.id,
        1,
    )
    assert world.dump() == before


def test_a_token_makes_a_repeated_revision_harmless(world: DeskWorld, deal: MirrorRecord) -> None:
    made = world.quoted(deal)
    for _ in range(3):
        answer = quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"), token="t-2")
        assert answer.quote.current.version == 2
    assert len(quotes.history(world.desk, made.quote.id)) == 2


def test_a_token_is_not_taken_for_another_command(world: DeskWorld, deal: MirrorRecord) -> None:
    quotes.create(world.desk, deal.id, QuoteTerms(total="100"), token="t-1")
    before = world.dump()
    with pytest.raises(UsageError, match="was used for another command"):
        quotes.create(world.desk, deal.id, QuoteTerms(total="101"), token="t-1")
    assert world.dump() == before


def test_nothing_is_quoted_for_a_deal_that_is_gone(world: DeskWorld) -> None:
    gone = world.deal(9, state=RecordState.GONE)
    with pytest.raises(RefusedError, match="gone in the CRM"):
        world.quoted(gone)


def test_an_unknown_deal_is_told_with_near_matches(world: DeskWorld, deal: MirrorRecord) -> None:
    with pytest.raises(NotFoundError) as caught:
        quotes.create(world.desk, "Deal", QuoteTerms(total="1"))
    assert "deal_1 (Deal 1)" in caught.value.diagnostics[0].message
    assert caught.value.next == (f"quotey crm deal show {deal.id}",)


@pytest.mark.parametrize("blank", ["", "  ", "deal/", "deal/ "])
def test_by_a_blank_name_no_deal_is_near(world: DeskWorld, deal: MirrorRecord, blank: str) -> None:
    with pytest.raises(NotFoundError, match="There is no deal") as caught:
        quotes.create(world.desk, blank, QuoteTerms(total="1"))
    assert (caught.value.diagnostics, caught.value.next) == ((), ())


def test_an_unknown_quote_is_told(world: DeskWorld) -> None:
    with pytest.raises(NotFoundError, match="There is no quote 'q_404'"):
        quotes.show(world.desk, "q_404")


# --- published quotes ----------------------------------------------------------------------------


def test_publishing_another_quote_may_replace_the_one_before(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    first, second = world.quoted(deal), world.quoted(deal, "200")
    world.deliver(first.operation_id)
    answer = quotes.publish(world.desk, second.quote.id)

    assert world.op(answer.operation_id).replaces == first.quote.id
    assert [one.published for one in quotes.list_quotes(world.desk, "deal/D-1")] == [False, True]


def test_a_chain_of_unsent_publications_replaces_what_the_crm_still_holds(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    one, two, three = (world.quoted(deal, total) for total in ("1", "2", "3"))
    world.deliver(one.operation_id)
    second = quotes.publish(world.desk, two.quote.id)
    third = quotes.publish(world.desk, three.quote.id)

    assert third.superseded == (second.operation_id,)
    assert world.op(third.operation_id).replaces == one.quote.id


def test_publishing_an_earlier_quote_again_writes_a_version_that_was_never_queued(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    one, two = world.quoted(deal), world.quoted(deal, "200")
    world.deliver(one.operation_id)
    world.deliver(quotes.publish(world.desk, two.quote.id).operation_id)
    back = quotes.publish(world.desk, one.quote.id)

    assert back.quote.current.version == 2
    assert world.op(back.operation_id).replaces == two.quote.id


def test_a_quote_that_is_not_published_any_more_says_so_in_its_own_trail(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    one, two = world.quoted(deal), world.quoted(deal, "200")
    quotes.publish(world.desk, two.quote.id)
    event = world.store.audit.list(entity="quote", entity_id=one.quote.id)[0]
    assert event.kind in ("quote.unpublished", "operation.superseded")
    told = world.store.audit.list(kind="quote.unpublished")[0]
    assert (told.entity_id, told.body["published_instead"]) == (one.quote.id, two.quote.id)


def test_another_instances_marker_in_a_quotes_own_slot_is_replaced_by_publishing_again(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    """After a restore every slot bears the old instance's name; a person must be able to go on."""
    world.mapping = parse_mapping(
        MAPPING.replace('"deal_properties"', '"quote_record"'), name="test.toml"
    )
    made = world.quoted(deal)
    found = world.marker(made.quote.id, 5, instance="before-restore")
    item = world.stale(made.quote, world.op(made.operation_id), found, "other_quote")
    answer = quotes.publish(world.desk, made.quote.id)
    assert answer.closed_items == (item.id,)
    assert world.op(answer.operation_id).version == 6
    assert world.op(answer.operation_id).replaces == f"before-restore/{made.quote.id}"


def test_publishing_another_quote_replaces_nothing_where_each_has_its_own_slot(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    world.mapping = parse_mapping(
        MAPPING.replace('"deal_properties"', '"quote_record"'), name="test.toml"
    )
    one, two = world.quoted(deal), world.quoted(deal, "200")
    world.deliver(one.operation_id)
    answer = quotes.publish(world.desk, two.quote.id)
    assert (answer.operation_id, answer.quote.current.version) == (None, 1)
    assert world.op(two.operation_id).replaces is None


def test_publishing_what_is_published_changes_nothing(world: DeskWorld, deal: MirrorRecord) -> None:
    made = world.quoted(deal)
    before = world.dump()
    assert quotes.publish(world.desk, made.quote.id).changed is False
    assert world.dump() == before


def test_a_cancelled_quote_is_not_published(world: DeskWorld, deal: MirrorRecord) -> None:
    world.quoted(deal)
    other = world.quoted(deal, "200")
    quotes.change_status(world.desk, other.quote.id, "cancelled")
    with pytest.raises(RefusedError, match="is cancelled; it cannot be published"):
        quotes.publish(world.desk, other.quote.id)


def test_a_revision_steps_over_the_version_that_the_crm_holds_and_closes_the_item(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    item = world.stale(
        made.quote, world.op(made.operation_id), world.marker(made.quote.id, 7), "newer_version"
    )
    answer = quotes.revise(world.desk, made.quote.id, QuoteTerms())

    assert answer.quote.current.version == 8
    assert answer.closed_items == (item.id,)
    closed = world.store.items.get(item.id)
    assert closed is not None
    assert closed.state == ItemState.RESOLVED
    assert world.op(made.operation_id).state == OpState.SUPERSEDED, "never sent again"
    assert world.op(answer.operation_id).version == 8


def test_only_a_person_may_replace_a_quote_of_another_instance(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    item = world.stale(
        made.quote,
        world.op(made.operation_id),
        world.marker("q_theirs", 3, instance="other"),
        "other_quote",
    )
    with pytest.raises(RefusedError, match="publishing does") as refused:
        quotes.revise(world.desk, made.quote.id, QuoteTerms())
    assert refused.value.next == (f"quotey quote publish {made.quote.id}",)
    answer = quotes.publish(world.desk, made.quote.id)

    assert answer.closed_items == (item.id,)
    assert answer.quote.current.version == 2
    assert world.op(answer.operation_id).replaces == "other/q_theirs"
    assert world.store.items.open_for(Entity.QUOTE, [made.quote.id]) == {}


def test_the_same_quote_of_another_instance_is_stepped_over_by_publishing(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    """A restored copy of this database has another instance id and the same quote ids."""
    made = world.quoted(deal)
    found = world.marker(made.quote.id, 5, instance="before-restore")
    world.stale(made.quote, world.op(made.operation_id), found, "other_quote")
    answer = quotes.publish(world.desk, made.quote.id)
    assert answer.quote.current.version == 6
    assert world.op(answer.operation_id).replaces == f"before-restore/{made.quote.id}"


def test_a_slot_that_held_no_marker_is_tried_again_by_a_revision(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    item = world.stale(made.quote, world.op(made.operation_id), world.marker("q_x", 1), "foreign")
    with world.store.transaction():
        draft = replace(
            item,
            remote_value="typed by somebody",
            key=replace(item.key, remote_version_or_timestamp="typed by somebody"),
        )
        world.store.items.record(draft)
    assert quotes.publish(world.desk, made.quote.id).changed is False
    answer = quotes.revise(world.desk, made.quote.id, QuoteTerms())
    assert (answer.quote.current.version, answer.closed_items) == (2, (item.id,))


def test_a_write_that_did_not_arrive_may_be_repeated_by_a_revision(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    made = world.quoted(deal)
    world.settle(world.op(made.operation_id), OpState.DEAD)
    answer = quotes.revise(world.desk, made.quote.id, QuoteTerms())
    assert answer.quote.current.version == 2
    assert world.op(answer.operation_id).state == OpState.QUEUED


def test_a_permission_that_was_never_used_passes_to_the_next_version(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    one, two = world.quoted(deal), world.quoted(deal, "200")
    world.deliver(one.operation_id)
    published = quotes.publish(world.desk, two.quote.id)
    world.settle(world.op(published.operation_id), OpState.DEAD)
    revised = quotes.revise(world.desk, two.quote.id, QuoteTerms(total="210"))

    assert world.op(revised.operation_id).replaces == one.quote.id


def test_show_says_conflict_while_an_item_is_open(world: DeskWorld, deal: MirrorRecord) -> None:
    made = world.quoted(deal)
    assert quotes.show(world.desk, made.quote.id).conflict is False
    world.stale(
        made.quote, world.op(made.operation_id), world.marker(made.quote.id, 7), "newer_version"
    )
    view = quotes.show(world.desk, f"quote/{made.quote.id}")
    assert (view.conflict, len(view.items), len(view.operations)) == (True, 1, 1)
