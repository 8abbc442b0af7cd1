"""Rights that were taken away and fields that are not there: found, read past, and given back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from quotey.adapters.tryton import shipped_mapping
from quotey.adapters.tryton.adapter import open_adapter
from quotey.contract.adapter import Counting, CrmAdapter, Surveying
from quotey.contract.errors import ExitCode
from quotey.contract.fields import Entity
from quotey.contract.journal import OpKind
from quotey.contract.mapper import Mapped
from quotey.contract.mapping_file import parse_mapping
from quotey.testing.conformance.pages import end_of, records
from quotey.testing.conformance.quotes import write
from quotey.testing.world import CALL, a_deal, a_summary, an_account, deal_data, read
from tests.e2e.desk import mirrored
from tests.e2e.hands import decimal
from tests.e2e.prepared import OURS
from tests.e2e.server import Tryton
from tests.e2e.world import MAPPING, TrytonWorld, settings_of

pytestmark = pytest.mark.e2e

DEAL = "sale.opportunity"


@pytest.fixture
def world(tryton: Tryton) -> Iterator[TrytonWorld]:
    with closing(TrytonWorld(tryton, quotation=True)) as made:
        yield made


@contextlib.contextmanager
def without_right(world: TrytonWorld, right: str, field: str) -> Iterator[None]:
    """Let an administrator take a right on a field of deals from everybody, for a while."""
    rights = dict.fromkeys(("perm_read", "perm_write", "perm_create", "perm_delete"), True)
    values = {"model": DEAL, "field": field, **rights, right: False}
    made = world.hands("ir.model.field.access.create", [values])
    try:
        yield
    finally:
        world.hands("ir.model.field.access.delete", made)


@contextlib.contextmanager
def outside(world: TrytonWorld, group: str) -> Iterator[None]:
    """Let an administrator take our user out of a group, for a while."""
    hands = world.hands
    users = hands("res.user.search", [["login", "=", OURS]], 0, None, None)
    groups = hands("res.group.search", [["name", "=", group]], 0, None, None)
    hands("res.user.write", users, {"groups": [["remove", groups]]})
    try:
        yield
    finally:
        hands("res.user.write", users, {"groups": [["add", groups]]})


def findings(adapter: CrmAdapter) -> list[tuple[str, str]]:
    """Give the code and the field of everything that does not fit."""
    assert isinstance(adapter, Surveying)
    return [(one.code, one.field or "") for one in adapter.survey(call=CALL).findings]


def test_a_stock_tryton_fits_the_shipped_mapping(world: TrytonWorld) -> None:
    a_deal(world)
    assert findings(world.adapter) == []


def test_a_field_that_may_not_be_written_any_more_is_found(world: TrytonWorld) -> None:
    with without_right(world, "perm_write", "description"):
        assert findings(world.adapter) == [("property_read_only", "name")]
    assert findings(world.adapter) == []


def test_a_field_that_may_not_be_read_any_more_is_found_and_read_past(world: TrytonWorld) -> None:
    deal = a_deal(world)
    with without_right(world, "perm_read", "end_date"):
        assert findings(world.adapter) == [("property_missing", "close_date")]
        page = world.adapter.sync_incremental(Entity.DEAL, "", limit=10, call=CALL)
        (met,) = page.records
        found = read(world, Entity.DEAL, met)
        assert isinstance(found, Mapped)
        assert found.values["name"] == "Conformance deal"
        assert "close_date" not in found.values, "hidden is not empty"
        assert [one.code for one in page.diagnostics] == ["field_not_shown"]
        assert world.adapter.get_deal(deal, call=CALL) is not None
    (met,) = records(world.adapter, Entity.DEAL)
    found = read(world, Entity.DEAL, met)
    assert isinstance(found, Mapped)
    assert "close_date" in found.values


def test_a_field_that_is_not_there_is_found_and_read_past(tryton: Tryton) -> None:
    own = """
[deal.fields.x_rating]
path = "rating"
type = "text"

[account.fields.x_ledger]
path = "name.ledger"
type = "text"
"""
    mapping = parse_mapping(own, name="main.toml", over=MAPPING)
    with closing(TrytonWorld(tryton)) as world:
        a_deal(world)
        adapter = open_adapter(settings_of(tryton), mapping, "main")
        with closing(adapter):
            missing = [("property_missing", "x_ledger"), ("property_missing", "x_rating")]
            assert findings(adapter) == missing
            assert len(records(adapter, Entity.DEAL)) == 1
            assert len(records(adapter, Entity.ACCOUNT)) == 3


def test_a_field_of_another_type_is_found(tryton: Tryton) -> None:
    text = shipped_mapping().replace('path = "end_date"', 'path = "lines"')
    adapter = open_adapter(settings_of(tryton), parse_mapping(text, name="tryton.toml"), "main")
    with closing(adapter):
        assert findings(adapter) == [("property_type", "close_date")]


def test_a_group_that_our_user_has_left_is_noticed_by_what_it_allowed(world: TrytonWorld) -> None:
    with outside(world, "Sale Opportunity"):
        found = findings(world.adapter)
        assert {code for code, _ in found} == {"property_read_only"}
        assert {"name", "amount", "reference", "reference (of a new deal)"} <= {
            field for _, field in found
        }
    with outside(world, "Sales"):
        assert ("field_not_shown", "") in findings(world.adapter), "no sale can be read"
    assert findings(world.adapter) == []


def test_operations_take_the_requests_that_they_are_said_to_take(world: TrytonWorld) -> None:
    account, adapter = an_account(world), world.adapter
    assert isinstance(adapter, Counting)
    adapter.get_deal("1", call=CALL)

    def taken() -> int:
        taken = len(world.between.log)
        world.between.log.clear()
        return taken

    taken()
    made = adapter.create_deal(account, deal_data(world), key="k", call=CALL)
    assert taken() == adapter.calls_of(OpKind.CREATE_DEAL)
    adapter.update_deal(made.crm_ref, {"name": "Counted"}, key="u", call=CALL)
    assert taken() == adapter.calls_of(OpKind.UPDATE_DEAL)
    write(world, made.crm_ref, a_summary())
    adapter.get_quote_marker(made.crm_ref, "q_conformance", call=CALL)
    assert taken() == adapter.calls_of(OpKind.WRITE_QUOTE)


def test_a_lost_right_parks_one_field_and_what_waited_goes_once_it_is_back(
    world: TrytonWorld, tryton: Tryton, tmp_path: Path
) -> None:
    with mirrored(world, tryton.url, tmp_path) as (deal, mine, quotey, clock):
        with without_right(world, "perm_write", "description"):
            clock.advance(timedelta(hours=2))
            quotey.deal_update(mine, {"name": "Renamed here", "amount": Decimal("55.5")})
            assert quotey.sync().exit_code == ExitCode.NEEDS_PERSON
            there = world.hands(f"{DEAL}.read", [int(deal)], ["description", "amount"])[0]
            assert (there["description"], there["amount"]) == ("Conformance deal", decimal("55.5"))
            waiting = quotey.reconcile_list(each=True).items
            assert [one.field_name for one in waiting] == ["name"]
        clock.advance(timedelta(hours=2))
        assert quotey.sync().exit_code == ExitCode.DONE
        clock.advance(timedelta(minutes=1))
        quotey.sync()
        there = world.hands(f"{DEAL}.read", [int(deal)], ["description"])[0]
        assert there["description"] == "Renamed here"
        assert quotey.reconcile_list(each=True).items == ()


def test_a_hidden_field_keeps_its_value_here_and_the_others_flow(
    world: TrytonWorld, tryton: Tryton, tmp_path: Path
) -> None:
    with mirrored(world, tryton.url, tmp_path) as (deal, mine, quotey, clock):
        with without_right(world, "perm_read", "description"):
            world.edit(Entity.DEAL, deal, {"amount": "777"})
            clock.advance(timedelta(hours=2))
            quotey.sync()
            here = quotey.deal_show(mine).record.local
            assert (here["name"], here["amount"]) == ("Conformance deal", "777")
        clock.advance(timedelta(hours=2))
        world.edit(Entity.DEAL, deal, {"name": "Seen again"})
        assert quotey.sync().exit_code == ExitCode.DONE
        assert quotey.deal_show(mine).record.local["name"] == "Seen again"
        assert end_of(world.adapter, Entity.DEAL)
