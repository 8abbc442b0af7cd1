"""What the machine found, each defect as a test of its own, told as a story.

After each story the machine's own laws are held and everything must come to rest and agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from quotey.contract.fields import Entity, Policy
from quotey.contract.identity import local_id
from quotey.desk import accounts, deals, locks, outbox, quotes, reconcile
from quotey.desk.quotes import QuoteTerms
from quotey.desk.reconcile import Decision
from tests.machine.test_state_machine import Machine
from tests.machine.told import MARKER
from tests.machine.witness import Row

CRM_WINS = Decision(policy=Policy.CRM_WINS)
REBIND = Decision(rebind=True)


class Story(Machine):
    """The machine, played by hand."""

    def edit(self, ref: str, **values: str) -> str:
        """Edit a deal here; gives its operation."""
        answer = deals.update(self.theatre.desk(), ref, values)
        self.told.edited("deal", answer.record.id, values, self.last_seq())
        assert answer.operation_id is not None
        return answer.operation_id

    def quote_for(self, ref: str) -> str:
        """Quote for a deal."""
        terms = QuoteTerms(total=Decimal(self.told.amount()))
        quote = quotes.create(self.theatre.desk(), ref, terms).quote
        self.told.quoted(quote.current)
        self.told.published.add(quote.id)
        self.told.deal_of[quote.id] = quote.deal_id
        self.quote_rows = self.witness.dump("quote", "quote_version")
        return quote.id

    def publish_again(self, quote_id: str) -> None:
        """Publish a quote in place of another."""
        answer = quotes.publish(self.theatre.desk(), quote_id)
        self.told.quoted(answer.quote.current)
        self.quote_rows = self.witness.dump("quote", "quote_version")

    def there(self, entity: str, ref: str) -> dict[str, Any]:
        """Give a record's payload in the CRM."""
        return dict(self.theatre.crm.show(entity, ref).payload)

    def here(self, ref: str, entity: Entity = Entity.DEAL) -> Row:
        """Give the mirrored record that a ref leads to."""
        found = self.theatre.store.records.by_refs("main", entity, [ref])[ref]
        return next(row for row in self.witness.records() if row["id"] == found.id)

    def op(self, id_: str) -> Row:
        """Give an operation."""
        return next(op for op in self.witness.operations() if op["id"] == id_)

    def waiting(self, conflict_type: str) -> list[Row]:
        """Give the items of a type that wait."""
        items = self.witness.items(waiting=True)
        return [item for item in items if item["conflict_type"] == conflict_type]

    def apply(self, item: Row, decision: Decision) -> None:
        """Settle an item."""
        reconcile.apply(self.theatre.desk(), item["id"], decision)
        self.quote_rows = self.witness.dump("quote", "quote_version")

    def settle(self) -> None:
        """Sync a few times."""
        for _ in range(3):
            self.sync()
            self.theatre.turn(minutes=15)


@pytest.fixture
def story() -> Iterator[Story]:
    """A play on files that were synced once; at its end the laws are held."""
    play = Story()
    play.begin(synced=True, tier=1)
    yield play
    play.laws_hold()
    play.teardown()


# --- records that go and come back ----------------------------------------------------------------


@pytest.mark.parametrize("how", ["deleted", "merged"])
def test_an_edit_that_met_a_record_that_was_gone_goes_out_once_it_is_back(
    story: Story, how: str
) -> None:
    """The item closed by itself when the record came back, and the edit was never sent."""
    story.edit("D-1", x_region="ours")
    if how == "deleted":
        story.theatre.crm.delete("deal", "D-1")
    else:
        story.theatre.crm.merge("deal", "D-1", "D-2")
    story.sync()
    story.theatre.crm.set("deal", "D-1", {"stage": "back"})
    story.settle()
    assert story.there("deal", "D-1")["region"] == "ours"


def test_what_kept_a_record_out_is_moot_once_the_record_is_deleted(story: Story) -> None:
    """The item stayed open for ever: nobody could mend the record, and no policy may settle it."""
    story.theatre.crm.set("deal", "D-1", {"amount": "not money"})
    story.sync()
    assert story.waiting("schema_mapping_mismatch")
    story.theatre.crm.delete("deal", "D-1")
    story.sync()
    assert not story.waiting("schema_mapping_mismatch")


def test_accepting_that_a_record_is_gone_does_not_bury_one_that_has_come_back(
    story: Story,
) -> None:
    """The quote's item outlives the return of its deal; accepting it made the deal a tombstone."""
    story.quote_for("D-1")
    story.theatre.crm.delete("deal", "D-1")
    story.sync()
    story.theatre.crm.set("deal", "D-1", {"stage": "back"})
    story.settle()
    for item in story.waiting("remote_gone"):
        story.told.dropped |= {item["operation_id"]}
        story.apply(item, CRM_WINS)
    assert story.here("D-1")["state"] == "live"


def test_an_edit_that_a_person_was_asked_about_goes_out_once_the_crm_is_back_where_it_was(
    story: Story,
) -> None:
    """The question closed by itself, and the edit, whose write was dropped for it, never went."""
    now = story.theatre.clock.now()
    story.theatre.crm.set("account", "A-1", {"segment": "Enterprise"}, at=now)
    accounts.update(story.theatre.desk(), "A-1", {"segment": "mid_market"})
    story.sync()
    assert story.waiting("undecided_merge")
    story.theatre.crm.set("account", "A-1", {"segment": "SMB"}, at=now)
    story.settle()
    assert not story.waiting("undecided_merge")
    assert story.there("account", "A-1")["segment"] == "Mid-Market"


# --- records that are kept out --------------------------------------------------------------------


@pytest.mark.parametrize(("field", "value"), [("account_id", "A-404"), ("code", "another")])
def test_nothing_is_written_to_a_record_that_is_kept_out(
    story: Story, field: str, value: str
) -> None:
    """Its other fields were written over, though what the CRM held was never taken nor told."""
    id_ = story.edit("D-1", x_region="ours")
    theirs = story.told.word()
    story.theatre.crm.set("deal", "D-1", {field: value, "region": theirs})
    story.settle()
    assert story.there("deal", "D-1")["region"] == theirs
    assert (story.op(id_)["state"], story.op(id_)["hold"]) == ("held", "mapping")
    before = {"account_id": "A-1", "code": "k1"}[field]
    story.theatre.crm.set("deal", "D-1", {field: before})
    story.settle()
    assert story.there("deal", "D-1")["region"] == "ours"


def test_what_was_held_for_a_record_goes_once_a_person_has_let_the_record_in(story: Story) -> None:
    """The person's decision closed the item, and so nothing was left that released the write."""
    story.edit("D-1", x_region="ours")
    story.theatre.crm.set("deal", "D-1", {"code": "another"})
    story.sync()
    [item] = story.waiting("identity_mismatch")
    story.apply(item, REBIND)
    story.settle()
    assert story.there("deal", "D-1")["region"] == "ours"


def test_the_end_of_a_lock_lets_in_nothing_of_a_record_that_is_kept_out(story: Story) -> None:
    """Its one field was judged alone: the record left quarantine, and its parent was "known"."""
    locks.lock(story.theatre.desk(), "deal/D-1", "amount", duration="2h", reason="talks")
    story.theatre.crm.set("deal", "D-1", {"amount": "5"})
    story.sync()
    story.theatre.crm.set("deal", "D-1", {"account_id": "A-404"})
    story.sync()
    story.theatre.turn(hours=3)
    story.settle()
    assert story.waiting("missing_parent")
    story.theatre.crm.set("deal", "D-1", {"account_id": "A-2"})
    story.settle()
    assert story.here("D-1")["local"]["amount"] == "5"


def test_dropping_a_write_leaves_the_question_about_its_record_that_is_kept_out(
    story: Story,
) -> None:
    """One item spoke of both, and dropping the write closed it: the reject was seen by nobody."""
    id_ = story.edit("D-1", amount="5")
    story.theatre.crm.set("deal", "D-1", {"amount": "not money"})
    story.settle()
    outbox.discard(story.theatre.desk(), id_, reason="not wanted")
    story.told.dropped.add(id_)
    assert story.waiting("schema_mapping_mismatch")


def test_a_new_edit_leaves_the_question_about_its_record_that_is_kept_out(story: Story) -> None:
    """The same, when the held write is taken over by a later one."""
    story.edit("D-1", amount="5")
    story.theatre.crm.set("deal", "D-1", {"amount": "not money"})
    story.settle()
    story.edit("D-1", amount="6")
    assert story.waiting("schema_mapping_mismatch")


def test_a_record_that_is_rejected_again_for_the_same_reason_is_asked_about_again(
    story: Story,
) -> None:
    """The occurrence was known, and its item, closed meanwhile, was not opened again."""
    for name in ("narrow", "own", "narrow"):
        story.restart(mapping=name)
        story.settle()
    assert story.waiting("schema_mapping_mismatch")


def test_a_write_that_the_mapping_holds_again_is_asked_about_again(story: Story) -> None:
    """A good record closed the item of its write, which failed again, and nobody was told."""
    story.theatre.crm.fail("mapping_error", operation="update_deal", times=5)
    id_ = story.edit("D-1", x_region="ours")
    story.sync()
    story.theatre.crm.set("deal", "D-1", {"stage": "next"})
    story.settle()
    assert story.op(id_)["state"] == "held"
    assert story.waiting("schema_mapping_mismatch")


def test_what_was_asked_of_a_write_is_moot_once_it_has_ended_in_conflict(story: Story) -> None:
    """A held write was mended, met a foreign quote, and its first item stayed open for ever."""
    story.theatre.crm.fail("mapping_error", operation="get_quote_marker")
    story.quote_for("D-1")
    story.sync()
    assert story.waiting("schema_mapping_mismatch")
    texts = dict(zip(MARKER, ("inst_other", "q_other", "1", "x"), strict=True))
    story.theatre.crm.set("deal", "D-1", texts)
    story.restart(mapping="turned")
    story.settle()
    assert story.waiting("stale_outbound_write")
    assert not story.waiting("schema_mapping_mismatch")


# --- rebinding ------------------------------------------------------------------------------------


def _rebound(story: Story) -> None:
    """Let A-2, which nobody edits any more, be our A-1 from now on."""
    accounts.update(story.theatre.desk(), "A-1", {"x_tag": "ours"})
    story.theatre.crm.merge("account", "A-1", "A-2")
    story.sync()
    [item] = story.waiting("identity_mismatch")
    story.apply(item, REBIND)


def test_a_record_that_was_rebound_is_read_at_the_next_sync(story: Story) -> None:
    """The survivor never changed again, and its older revision looked stale: it was never read."""
    _rebound(story)
    story.settle()
    account = story.here("A-2", Entity.ACCOUNT)
    assert account["crm_ref"] == "A-1"
    assert account["local"]["name"] == "Birch"
    assert story.there("account", "A-2")["tag"] == "ours"


def test_the_end_of_the_old_ref_does_not_end_a_record_that_was_rebound(story: Story) -> None:
    """A full reading met the deletion of the old ref again, and made a tombstone of the record."""
    _rebound(story)
    story.settle()
    story.restart(mapping="turned")  # so that everything is read again
    story.settle()
    assert story.here("A-2", Entity.ACCOUNT)["state"] == "live"


def test_what_was_asked_of_a_ref_that_was_nobodys_is_moot_once_it_is_rebound(
    story: Story,
) -> None:
    """It had been kept out under an id of its own, which nobody ever looked at again."""
    fields = {"name": "New", "stage": "open", "currency": "EUR", "account_id": "A-77"}
    ref = story.theatre.crm.add("deal", "", {**fields, "code": "k1"}).ref
    story.edit("D-1", x_region="ours")
    story.theatre.crm.merge("deal", "D-1", ref)
    story.sync()
    assert story.waiting("missing_parent")
    [item] = story.waiting("identity_mismatch")
    story.apply(item, REBIND)
    story.theatre.crm.set("deal", ref, {"account_id": "A-1"})
    story.settle()
    assert not story.waiting("missing_parent")
    assert story.there("deal", ref)["region"] == "ours"


# --- what the CRM answers -------------------------------------------------------------------------


def test_an_answer_that_tells_of_a_state_that_has_passed_is_no_delivery(story: Story) -> None:
    """A write landed unheard, a person wrote over it, and its repetition was answered from memory.

    That answer was believed: the write was `delivered`, the base was wrong, and nothing was ever
    sent again.
    """
    story.theatre.crm.fail("timeout_after", operation="update_account")
    accounts.update(story.theatre.desk(), "A-1", {"x_tag": "ours"})
    story.sync()
    story.theatre.crm.set("account", "A-1", {"tag": "theirs"})
    story.settle()
    assert story.there("account", "A-1")["tag"] == "ours"


def test_what_goes_back_to_what_it_was_before_our_write_is_seen(story: Story) -> None:
    """The hash was still that of the payload before our write: the person's change was no news."""
    accounts.update(story.theatre.desk(), "A-1", {"segment": "enterprise"})
    story.sync()
    assert story.there("account", "A-1")["segment"] == "Enterprise"
    story.theatre.turn(minutes=5)
    now = story.theatre.clock.now()
    story.theatre.crm.set("account", "A-1", {"segment": "SMB"}, at=now)
    story.settle()
    assert story.here("A-1", Entity.ACCOUNT)["local"]["segment"] == "smb"


def test_a_late_look_leaves_the_slot_to_the_later_write_that_waits_for_it() -> None:
    """It took a newer marker for a late landing, and sent a quote again that was not published.

    So an older version of the published one could go over a newer one of a copy of this desk.
    """
    story = Story()
    story.begin(synced=True, tier=3)
    first, second = story.quote_for("D-1"), story.quote_for("D-1")
    story.publish_again(second)
    story.theatre.crm.fail("timeout_before", operation="write_quote")
    story.sync()
    story.theatre.turn(minutes=1)
    story.sync()
    assert story.there("deal", "D-1")["quote_id"] == second
    story.publish_again(first)
    texts = dict(zip(MARKER, (story.told.instance, first, "9", "x"), strict=True))
    story.theatre.crm.set("deal", "D-1", texts)
    story.theatre.turn(hours=1)
    story.settle()
    assert story.there("deal", "D-1")["quote_version"] == 9
    assert story.waiting("stale_outbound_write")
    story.teardown()


# --- deals that are made here ---------------------------------------------------------------------


def _made_unheard(story: Story) -> str:
    """Make a deal here; it comes into being there, and nobody hears of it. Gives its ref."""
    account = local_id("main", Entity.ACCOUNT, "A-1")
    values = {"name": story.told.word(), "stage": "open"}
    deals.create(story.theatre.desk(), account, values)
    story.theatre.crm.fail("timeout_after", operation="create_deal")
    story.sync()
    [state] = [one for one in story.theatre.crm.list("deal") if one.ref.startswith("D-0")]
    return state.ref


def test_a_deal_that_ended_before_its_creation_was_heard_of_is_gone_here_too(story: Story) -> None:
    """Its deletion passed before it had a name here; then it was bound, and lived for ever."""
    ref = _made_unheard(story)
    story.theatre.crm.delete("deal", ref)
    story.sync()
    story.theatre.turn(minutes=15)
    story.settle()
    assert story.here(ref)["state"] == "gone"


def test_what_is_wrong_with_a_deal_of_ours_is_asked_under_its_own_id(story: Story) -> None:
    """It was asked under the id that a stranger would have got, and could never be closed."""
    ref = _made_unheard(story)
    story.theatre.crm.set("deal", ref, {"amount": "not money"})
    story.settle()
    [item] = story.waiting("schema_mapping_mismatch")
    assert item["entity_id"] == story.here(ref)["id"]
    story.theatre.crm.set("deal", ref, {"amount": "5"})
    story.settle()
    assert not story.waiting("schema_mapping_mismatch")
