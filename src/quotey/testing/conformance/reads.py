"""Reads: looking up, searching, one deal; absent, null, blank and value are four things."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from msgspec import UNSET

from quotey.contract.dto import CrmDealDto
from quotey.contract.errors import ErrorClass, Outcome
from quotey.contract.fields import Entity
from quotey.testing.conformance.suite import Suite
from quotey.testing.world import CALL, World, a_deal, an_account, refusal, words_of


class ReadConformance(Suite):
    """What every read promises (seed 2.1, 2.2; design sections 4 and 9)."""

    def test_an_account_is_found_by_its_name(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = an_account(world, "Quibble Works")
            found = world.adapter.lookup_account("quibble works", call=CALL)
            assert found[0].crm_ref == ref
            assert found[0].name == "Quibble Works"

    def test_an_account_is_found_by_its_domain(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = an_account(world, "Plain", domain="quibble.example")
            found = world.adapter.lookup_account("quibble.example", call=CALL)
            assert [account.crm_ref for account in found][:1] == [ref]

    def test_what_nobody_is_called_finds_nothing(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            assert world.adapter.lookup_account("zzqx no such name", call=CALL) == ()
            assert world.adapter.search_contacts("zzqx no such name", call=CALL) == ()

    def test_a_contact_is_found_by_name_and_by_e_mail(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            values = {"name": "Ottoline Quux", "email": "ottoline@quux.example"}
            ref = world.add(Entity.CONTACT, {**values, "account_id": an_account(world)})
            for query in ("ottoline quux", "ottoline@quux.example"):
                found = world.adapter.search_contacts(query, call=CALL)
                assert [contact.crm_ref for contact in found][:1] == [ref]

    def test_every_dto_says_where_it_comes_from(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            deal = _deal(world, a_deal(world))
            assert deal.source_provider == world.adapter.provider
            assert deal.source_ts.utcoffset() == timedelta(0)
            assert deal.id
            assert deal.id != deal.crm_ref

    def test_the_internal_id_is_the_same_in_every_read(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = a_deal(world)
            again = world.reopen().get_deal(ref, call=CALL)
            assert again is not None
            assert _deal(world, ref).id == again.id

    def test_a_deal_has_the_values_that_the_crm_holds(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            account = an_account(world)
            deal = _deal(world, a_deal(world, account, amount="1200.5"))
            assert deal.account_id == account
            words = words_of(world)
            assert (deal.name, deal.stage) == ("Conformance deal", words.stage)
            assert deal.currency == words.currency
            assert isinstance(deal.amount, Decimal)
            assert deal.amount == Decimal("1200.5")

    def test_absent_null_and_blank_are_not_a_value(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            absent, null, blank = a_deal(world), a_deal(world), a_deal(world)
            world.take_away(Entity.DEAL, absent, "amount")
            world.edit(Entity.DEAL, null, {"amount": None})
            world.edit(Entity.DEAL, blank, {"amount": ""})
            assert _deal(world, absent).amount in (UNSET, None)
            assert _deal(world, null).amount is None
            assert _deal(world, blank).amount is None

    def test_an_unknown_deal_is_none(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            assert world.adapter.get_deal("no-such-deal", call=CALL) is None

    def test_a_deleted_deal_is_none(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = a_deal(world)
            world.delete(Entity.DEAL, ref)
            assert world.adapter.get_deal(ref, call=CALL) is None

    def test_a_merged_deal_is_answered_by_its_survivor(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            loser, winner = a_deal(world), a_deal(world)
            survivor = world.merge(Entity.DEAL, loser, winner) or winner
            assert _deal(world, loser).crm_ref == survivor

    def test_a_deal_that_breaks_the_contract_is_a_mapping_failure(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = a_deal(world)
            world.edit(Entity.DEAL, ref, {"stage": None})
            failure = refusal(lambda: world.adapter.get_deal(ref, call=CALL))
            assert failure.error_class is ErrorClass.MAPPING
            assert failure.outcome is Outcome.NOT_APPLIED
            assert [problem.field for problem in failure.diagnostics] == ["stage"]

    def test_a_closed_adapter_may_be_closed_again(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            adapter = world.reopen()
            adapter.close()
            adapter.close()


def _deal(world: World, ref: str) -> CrmDealDto:
    deal = world.adapter.get_deal(ref, call=CALL)
    assert deal is not None
    return deal
