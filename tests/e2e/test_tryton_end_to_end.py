"""A whole Quotey on a real Tryton: read in, lock, clash, quote, write back, and be refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from quotey.adapters.tryton.values import from_wire
from quotey.app.facade import Quotey
from quotey.contract.errors import ExitCode
from quotey.contract.fields import Entity
from quotey.contract.reconciliation import ConflictType
from quotey.desk.quote_checks import QuoteTerms
from quotey.testing.world import a_deal, an_account
from tests.e2e.desk import mirrored, open_on, own_id
from tests.e2e.hands import decimal
from tests.e2e.prepared import SELLER
from tests.e2e.server import Tryton
from tests.e2e.world import TrytonWorld

pytestmark = pytest.mark.e2e


@pytest.fixture
def world(tryton: Tryton) -> Iterator[TrytonWorld]:
    with closing(TrytonWorld(tryton)) as made:
        yield made


@pytest.fixture
def quotey(world: TrytonWorld, tryton: Tryton, tmp_path: Path) -> Iterator[Quotey]:
    with open_on(tryton.url, tmp_path) as opened:
        yield opened


def remote(world: TrytonWorld, deal: str) -> dict[str, object]:
    fields = ["description", "state", "amount"]
    found: dict[str, object] = world.hands("sale.opportunity.read", [int(deal)], fields)[0]
    return found


def kinds(quotey: Quotey) -> list[ConflictType]:
    return [one.conflict_type for one in quotey.reconcile_list(each=True).items]


def test_accounts_contacts_and_deals_come_in_and_a_quote_goes_out(
    world: TrytonWorld, quotey: Quotey
) -> None:
    account = an_account(world, "Quibble Works", domain="quibble.example")
    person = {"name": "Otto", "email": "otto@quibble.example", "account_id": account}
    world.add(Entity.CONTACT, person)
    deal = a_deal(world, account)
    assert quotey.sync().exit_code == ExitCode.DONE
    assert len(quotey.lookup_account("Quibble Works").records) == 1
    assert len(quotey.lookup_contact("Otto").records) == 1
    made = quotey.quote_create(own_id(quotey), QuoteTerms(total=Decimal("1500.25"), currency="EUR"))
    quotey.quote_publish(made.quote.id)
    assert quotey.sync().exit_code == ExitCode.DONE
    where = [["origin", "=", f"sale.opportunity,{deal}"]]
    sales = world.hands("sale.sale.search_read", where, 0, None, None, ["reference", "state"])
    assert [(one["reference"], one["state"]) for one in sales] == [(made.quote.id, "quotation")]


def test_a_local_edit_goes_out_and_a_second_sync_writes_nothing(
    world: TrytonWorld, quotey: Quotey
) -> None:
    deal = a_deal(world)
    quotey.sync()
    quotey.deal_update(own_id(quotey), {"name": "Renamed here"})
    assert quotey.sync().exit_code == ExitCode.DONE
    assert remote(world, deal)["description"] == "Renamed here"
    before = world.effects(Entity.DEAL, deal)
    assert quotey.sync().exit_code == ExitCode.DONE
    assert world.effects(Entity.DEAL, deal) == before


def test_a_locked_field_is_kept_and_the_change_over_there_asks_a_person(
    world: TrytonWorld, quotey: Quotey
) -> None:
    deal = a_deal(world)
    quotey.sync()
    mine = own_id(quotey)
    quotey.lock(f"deal/{mine}", "amount", span="2d", reason="agreed with the buyer")
    world.edit(Entity.DEAL, deal, {"amount": "777"})
    quotey.sync()
    assert quotey.deal_show(mine).record.local["amount"] == "1200.5"
    assert kinds(quotey) == [ConflictType.LOCKED_FIELD_OVERWRITE]


def sells_for(tryton: Tryton, deal: str, amount: str) -> datetime:
    """Let a person change the amount in Tryton, and say when Tryton says that it was."""
    seller = tryton.hands(SELLER)
    seller("sale.opportunity.write", [int(deal)], {"amount": decimal(amount)})
    told = seller("sale.opportunity.read", [int(deal)], ["last_modified_at"])[0]
    at = from_wire(told["last_modified_at"])
    assert isinstance(at, datetime)
    return at


def test_when_both_sides_changed_the_newer_wins_and_the_loser_is_in_the_audit(
    world: TrytonWorld, tryton: Tryton, tmp_path: Path
) -> None:
    with mirrored(world, tryton.url, tmp_path, ago=timedelta(hours=1)) as (
        deal,
        mine,
        quotey,
        clock,
    ):
        quotey.deal_update(mine, {"amount": Decimal("111.5")})
        sells_for(tryton, deal, "222.5")
        clock.advance(timedelta(hours=1))
        quotey.sync()
        assert quotey.deal_show(mine).record.local["amount"] == "222.5"
        assert remote(world, deal)["amount"] == decimal("222.5")
        assert any("111.5" in str(one.body) for one in quotey.audit_list().items)


def test_when_the_later_edit_is_ours_it_goes_out_over_theirs(
    world: TrytonWorld, tryton: Tryton, tmp_path: Path
) -> None:
    with mirrored(world, tryton.url, tmp_path) as (deal, mine, quotey, clock):
        later = sells_for(tryton, deal, "222.5") + timedelta(hours=1)
        clock.advance(later - clock.now())
        quotey.deal_update(mine, {"amount": Decimal("111.5")})
        quotey.sync()
        assert quotey.deal_show(mine).record.local["amount"] == "111.5"
        assert remote(world, deal)["amount"] == decimal("111.5")
        assert any("222.5" in str(one.body) for one in quotey.audit_list().items)


def test_when_both_changed_at_one_moment_nobody_guesses(
    world: TrytonWorld, tryton: Tryton, tmp_path: Path
) -> None:
    with mirrored(world, tryton.url, tmp_path) as (deal, mine, quotey, clock):
        clock.advance(sells_for(tryton, deal, "222.5") - clock.now())
        quotey.deal_update(mine, {"amount": Decimal("111.5")})
        assert quotey.sync().exit_code == ExitCode.NEEDS_PERSON
        assert kinds(quotey) == [ConflictType.UNDECIDED_MERGE]
        assert remote(world, deal)["amount"] == decimal("222.5")
        assert quotey.deal_show(mine).record.local["amount"] == "111.5"


def test_an_edit_of_a_deal_that_a_quotation_made_read_only_ends_as_an_item_for_a_person(
    world: TrytonWorld, quotey: Quotey
) -> None:
    deal = a_deal(world)
    quotey.sync()
    mine = own_id(quotey)
    terms = QuoteTerms(total=Decimal(900), currency="EUR")
    quotey.quote_publish(quotey.quote_create(mine, terms).quote.id)
    quotey.sync()
    assert remote(world, deal)["state"] == "converted"
    quotey.deal_update(mine, {"name": "Too late"})
    told = quotey.sync()
    assert told.exit_code == ExitCode.NEEDS_PERSON
    assert remote(world, deal)["description"] == "Conformance deal"
    waiting = quotey.reconcile_list(each=True).items
    assert [(one.entity_type, one.entity_id) for one in waiting] == [(Entity.DEAL, mine)]
    assert "not allowed to modify" in str(waiting[0])
    sent = world.hands("sale.opportunity.read", [int(deal)], ["_timestamp"])
    quotey.sync()
    assert world.hands("sale.opportunity.read", [int(deal)], ["_timestamp"]) == sent
    assert len(quotey.reconcile_list(each=True).items) == 1
