"""Sweeps of a real Tryton: what reading cannot see is found; no end is believed without proof."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from quotey.contract.adapter import Sweepable
from quotey.contract.dto import Ends
from quotey.contract.errors import ExitCode
from quotey.contract.fields import Entity
from quotey.contract.journal import RecordState
from quotey.sync.clock import SystemClock
from quotey.testing.clock import VirtualClock
from quotey.testing.conformance.pages import end_of
from quotey.testing.world import CALL, a_deal, an_account
from tests.e2e.desk import open_on, own_id
from tests.e2e.server import Tryton
from tests.e2e.world import TrytonWorld

pytestmark = pytest.mark.e2e


@pytest.fixture
def world(tryton: Tryton) -> Iterator[TrytonWorld]:
    with closing(TrytonWorld(tryton)) as made:
        yield made


def ends_of(world: TrytonWorld, entity: Entity, *refs: str) -> Ends:
    adapter = world.reopen()
    assert isinstance(adapter, Sweepable)
    return adapter.find_ends(entity, refs, read_to=end_of(adapter, entity), call=CALL)


def listed(world: TrytonWorld, entity: Entity) -> set[str]:
    adapter = world.reopen()
    assert isinstance(adapter, Sweepable)
    read_to = end_of(adapter, entity)
    page = adapter.list_ids(entity, "", read_to=read_to, limit=50, call=CALL)
    assert not page.has_more
    return {one.crm_ref for one in page.listed}


@contextlib.contextmanager
def hidden_by_a_rule(world: TrytonWorld, deal: str) -> Iterator[None]:
    """Let an administrator's rule hide one deal from everybody, for a while."""
    rule = {"domain": f'[["id", "!=", {deal}]]'}
    group = {"name": "Secret", "model": "sale.opportunity", "global_p": True}
    group |= {"rules": [["create", [rule]]]}
    made = world.hands("ir.rule.group.create", [group])
    try:
        yield
    finally:
        world.hands("ir.rule.group.delete", made)


def date(world: TrytonWorld, deal: str, column: str, *, days_ago: int) -> None:
    at = SystemClock().now().replace(tzinfo=None) - timedelta(days=days_ago)
    text = at.isoformat(" ")
    world.sql(f"update sale_opportunity set {column} = ? where id = ?", text, int(deal))  # noqa: S608 - our own words


def test_a_deleted_deal_is_proved_to_be_gone_and_one_that_a_rule_hides_is_not(
    world: TrytonWorld,
) -> None:
    gone, hidden, there = a_deal(world), a_deal(world), a_deal(world)
    world.delete(Entity.DEAL, gone)
    with hidden_by_a_rule(world, hidden):
        assert listed(world, Entity.DEAL) == {there}
        ends = ends_of(world, Entity.DEAL, gone, hidden, there, "nonsense")
    assert [(one.crm_ref, one.deleted) for one in ends.records] == [(gone, True)]
    assert ends.living == {there}
    assert ends.due == {gone}, "a deletion for good is told by no page"


def test_an_id_that_never_was_is_gone_too(world: TrytonWorld) -> None:
    ends = ends_of(world, Entity.ACCOUNT, "987654321")
    assert [one.crm_ref for one in ends.records] == ["987654321"]


def test_a_deactivated_party_is_not_listed_and_its_end_is_proved(world: TrytonWorld) -> None:
    ref, there = an_account(world, "Off"), an_account(world, "On")
    world.hands("party.party.write", [int(ref)], {"active": False})
    assert ref not in listed(world, Entity.ACCOUNT)
    ends = ends_of(world, Entity.ACCOUNT, ref, there)
    assert [(one.crm_ref, one.deleted) for one in ends.records] == [(ref, True)]
    assert ends.living == {there}


def test_an_address_that_has_become_a_phone_is_no_contact_any_more(world: TrytonWorld) -> None:
    person = {"name": "Otto", "email": "otto@quibble.example", "account_id": an_account(world)}
    ref = world.add(Entity.CONTACT, person)
    assert listed(world, Entity.CONTACT) == {ref}
    world.hands(
        "party.contact_mechanism.write", [int(ref)], {"type": "phone", "value": "+3212345678"}
    )
    assert listed(world, Entity.CONTACT) == set()
    ends = ends_of(world, Entity.CONTACT, ref)
    assert [(one.crm_ref, one.deleted) for one in ends.records] == [(ref, True)]


def test_a_party_that_was_replaced_is_found_to_be_merged(world: TrytonWorld) -> None:
    loser, winner = an_account(world, "Loser"), an_account(world, "Winner")
    world.merge(Entity.ACCOUNT, loser, winner)
    assert listed(world, Entity.ACCOUNT) & {loser, winner} == {winner}
    (end,) = ends_of(world, Entity.ACCOUNT, loser).records
    assert (end.crm_ref, end.merged_into) == (loser, winner)


def test_a_party_replaced_by_another_takes_its_deals_along(
    world: TrytonWorld, tryton: Tryton, tmp_path: Path
) -> None:
    loser, winner = an_account(world, "Loser"), an_account(world, "Winner")
    a_deal(world, loser)
    with open_on(tryton.url, tmp_path) as quotey:
        quotey.sync()
        mine = own_id(quotey)
        (survivor,) = quotey.lookup_account("Winner").records
        world.merge(Entity.ACCOUNT, loser, winner)
        assert quotey.sync().exit_code == ExitCode.DONE
        quotey.sync(sweep=True)
        assert quotey.deal_show(mine).record.local["account_id"] == survivor.id


def test_what_was_deleted_or_changed_unseen_is_brought_by_the_sweep_and_counted(
    world: TrytonWorld, tryton: Tryton, tmp_path: Path
) -> None:
    clock = VirtualClock(SystemClock().now())
    with open_on(tryton.url, tmp_path, clock) as quotey:
        account = an_account(world)
        gone = world.add(
            Entity.DEAL, {"account_id": account, "name": "Purged", "stage": "lead", "amount": "1"}
        )
        deal = a_deal(world, account)
        date(world, deal, "create_date", days_ago=9)
        quotey.sync()
        mine = own_id(quotey)
        (purged,) = quotey.lookup_deal("Purged").records
        world.delete(Entity.DEAL, gone)
        # A transaction that was slow to commit: its stamp lies before what has been read.
        world.edit(Entity.DEAL, deal, {"amount": "5"})
        date(world, deal, "write_date", days_ago=8)
        clock.advance(timedelta(minutes=5))
        quotey.sync(entities=[Entity.DEAL])
        assert quotey.deal_show(mine).record.local["amount"] == "1200.5"
        report = quotey.sync(sweep=True)
        assert report.exit_code == ExitCode.DONE
        (swept,) = [one.sweep for one in report.entities if one.entity is Entity.DEAL]
        assert swept is not None
        assert (swept.gone, swept.stale, swept.missing) == (1, 1, 0)
        assert quotey.deal_show(mine).record.local["amount"] == "5"
        assert quotey.deal_show(purged.id).record.state is RecordState.GONE
