"""A whole Quotey on a simulated portal: read in, quote, write back, and nothing told of the key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from quotey.app.facade import Quotey, open_quotey
from quotey.contract.errors import ExitCode
from quotey.contract.fields import Entity
from quotey.desk.quote_checks import QuoteTerms
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.world import a_deal, an_account
from tests.composio.hubspot_world import OWN, HubSpotWorld
from tests.composio.worlds import KEY, USER


@pytest.fixture
def world() -> Iterator[HubSpotWorld]:
    with closing(HubSpotWorld()) as made:
        yield made


@pytest.fixture
def quotey(world: HubSpotWorld, tmp_path: Path) -> Iterator[Quotey]:
    (tmp_path / "quotey.toml").write_text(
        f"""
[connections.main]
provider = "hubspot"
connected_account_id = "{world.account}"
user_id = "{USER}"
base_url = "{world.base}"
loopback = true
default_currency = "EUR"
"""
    )
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "main.toml").write_text(OWN)
    environ = {"QUOTEY_CONNECTIONS__MAIN__API_KEY": KEY}
    with open_quotey(cwd=tmp_path, environ=environ) as opened:
        yield opened


def test_accounts_and_deals_come_in_and_a_quote_goes_out(
    world: HubSpotWorld, quotey: Quotey, tmp_path: Path
) -> None:
    deal = a_deal(world, an_account(world, "Quibble Works"))
    report = quotey.sync()
    assert report.exit_code == ExitCode.DONE
    mine = quotey.lookup_deal("Conformance deal").records[0].id
    made = quotey.quote_create(mine, QuoteTerms(total=Decimal("1500.25"), currency="EUR"))
    quotey.quote_publish(made.quote.id)
    assert quotey.sync().exit_code == ExitCode.DONE
    held = world.record(Entity.DEAL, deal).properties
    assert held["quotey_quote_id"] == made.quote.id
    assert (held["quotey_version"], held["quotey_total"]) == ("1", "1500.25")
    told = [one for one in quotey.audit_list().items if one.kind == "operation.delivered"]
    assert told
    assert "log_id" in json.dumps(told[0].body)
    assert not any(KEY in path.read_text(errors="replace") for path in _files(tmp_path))


def test_a_second_sync_with_nothing_new_writes_nothing(world: HubSpotWorld, quotey: Quotey) -> None:
    a_deal(world)
    quotey.sync()
    before = len(world.core.effects)
    world.clock.advance(3600)
    report = quotey.sync()
    assert report.exit_code == ExitCode.DONE
    assert len(world.core.effects) == before


def test_a_lost_answer_is_settled_by_the_marker(world: HubSpotWorld, quotey: Quotey) -> None:
    deal = a_deal(world)
    quotey.sync()
    mine = quotey.lookup_deal("Conformance deal").records[0].id
    made = quotey.quote_create(mine, QuoteTerms(total=Decimal(10), currency="EUR"))
    quotey.quote_publish(made.quote.id)
    lost = Switch("timeout", operation="hubspot PATCH */objects/deals/*", effect=True)
    world.core.faults.add(lost)
    quotey.sync()
    assert world.record(Entity.DEAL, deal).properties["quotey_version"] == "1"
    patches = [one for one in world.sent() if one[0] == "PATCH"]
    quotey.sync()
    assert [one for one in world.sent() if one[0] == "PATCH"] == patches


def test_an_expired_account_asks_for_a_new_connection(world: HubSpotWorld, quotey: Quotey) -> None:
    world.gateway.faults.add(Switch("account_expired"))
    assert quotey.sync().exit_code == ExitCode.REAUTH


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
