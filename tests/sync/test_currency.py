"""A deal whose currency was changed in the CRM: nothing is converted or lands beside it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotey.contract.fields import Entity
from quotey.contract.journal import OpState
from quotey.contract.reconciliation import ConflictType
from quotey.sync import push
from tests.sync.world import World


def to_usd(world: World) -> None:
    world.crm.set("deal", "D-1", {"currency": "USD"})


@pytest.mark.parametrize("read_first", [True, False])
def test_an_amount_meant_in_another_currency_is_asked_about_and_not_written(
    synced: World, *, read_first: bool
) -> None:
    before = synced.deal("D-1").local["amount"]
    op = synced.edit(Entity.DEAL, "D-1", amount="1200")
    to_usd(synced)
    if read_first:
        assert synced.sync().exit_code == 3
    else:
        push.drain(synced.run())
    there = synced.remote("deal", "D-1")
    assert (there["currency"], Decimal(str(there["amount"]))) == ("USD", Decimal(before or ""))
    assert synced.effects("update_deal") == 0
    assert synced.op(op).state is OpState.SUPERSEDED
    [item] = synced.items(ConflictType.UNDECIDED_MERGE)
    assert (item.field_name, item.local_value, item.remote_value) == ("amount", "1200", before)


def test_it_is_asked_about_until_a_person_decides(synced: World) -> None:
    synced.edit(Entity.DEAL, "D-1", amount="1200")
    to_usd(synced)
    synced.settle_down()
    synced.crm.set("deal", "D-1", {"name": "Renamed"})
    synced.settle_down()
    assert synced.effects("update_deal") == 0
    assert len(synced.items(ConflictType.UNDECIDED_MERGE)) == 1
    assert synced.deal("D-1").local["amount"] == "1200"


def test_a_queued_quote_goes_out_beside_its_own_currency(synced: World) -> None:
    amount = synced.remote("deal", "D-1")["amount"]
    op = synced.quote(synced.deal("D-1").id, "90")
    to_usd(synced)
    assert synced.sync().exit_code == 0
    assert synced.op(op).state is OpState.DELIVERED
    there = synced.remote("deal", "D-1")
    assert (there["quote_total"], there["quote_currency"]) == (90, "EUR")
    assert (there["amount"], there["currency"]) == (amount, "USD")
