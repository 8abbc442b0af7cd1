"""A whole Quotey on a simulated org: read in, quote, write back, settle what was lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from quotey.app.facade import Quotey, open_quotey
from quotey.contract.errors import ExitCode
from quotey.contract.fields import Entity
from quotey.contract.journal import OpState
from quotey.desk.quote_checks import QuoteTerms
from quotey.sync.clock import Clock
from quotey.testing.clock import VirtualClock
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.world import a_deal, an_account
from tests.composio.salesforce_world import OWN, SITE, SalesforceWorld
from tests.composio.worlds import KEY, USER

PATCH = "salesforce PATCH */sobjects/Opportunity/*"
CANARY = "Canaria Quibble"


@pytest.fixture
def world() -> Iterator[SalesforceWorld]:
    with closing(SalesforceWorld()) as made:
        yield made


def opened(world: SalesforceWorld, tmp_path: Path, clock: Clock | None = None) -> Quotey:
    (tmp_path / "quotey.toml").write_text(
        f"""
[connections.main]
provider = "salesforce"
instance_url = "{SITE}"
guard_rules = true
connected_account_id = "{world.account}"
user_id = "{USER}"
base_url = "{world.base}"
loopback = true
default_currency = "EUR"
requests_per_minute = 1000000
requests_per_ten_seconds = 1000000
"""
    )
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "main.toml").write_text(OWN)
    environ = {"QUOTEY_CONNECTIONS__MAIN__API_KEY": KEY}
    return open_quotey(cwd=tmp_path, environ=environ, clock=clock)


@pytest.fixture
def quotey(world: SalesforceWorld, tmp_path: Path) -> Iterator[Quotey]:
    with opened(world, tmp_path) as whole:
        yield whole


def published(quotey: Quotey, total: str) -> str:
    mine = quotey.lookup_deal("Conformance deal").records[0].id
    made = quotey.quote_create(mine, QuoteTerms(total=Decimal(total), currency="EUR"))
    quotey.quote_publish(made.quote.id)
    return made.quote.id


def held(world: SalesforceWorld, deal: str) -> dict[str, object]:
    row = world.core.org.find("Opportunity", deal)
    assert row is not None
    return dict(row.values)


def patches(world: SalesforceWorld) -> int:
    return sum(method == "PATCH" for method, _ in world.sent())


def test_accounts_and_deals_come_in_and_a_quote_goes_out(
    world: SalesforceWorld, quotey: Quotey, tmp_path: Path
) -> None:
    deal = a_deal(world, an_account(world, "Quibble Works"))
    assert quotey.sync().exit_code == ExitCode.DONE
    quote = published(quotey, "1500.25")
    assert quotey.sync().exit_code == ExitCode.DONE
    values = held(world, deal)
    assert values["Quotey_Quote_Id__c"] == quote
    assert (values["Quotey_Version__c"], values["Quotey_Total__c"]) == (1, Decimal("1500.25"))
    told = [one for one in quotey.audit_list().items if one.kind == "operation.delivered"]
    assert told
    assert "log_id" in json.dumps(told[0].body)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(KEY in path.read_text(errors="replace") for path in files)


def test_a_second_sync_with_nothing_new_writes_nothing(
    world: SalesforceWorld, quotey: Quotey
) -> None:
    a_deal(world)
    quotey.sync()
    before = len(world.core.effects)
    world.clock.advance(3600)
    assert quotey.sync().exit_code == ExitCode.DONE
    assert len(world.core.effects) == before


def test_a_lost_answer_is_settled_by_the_marker(world: SalesforceWorld, quotey: Quotey) -> None:
    deal = a_deal(world)
    quotey.sync()
    published(quotey, "10")
    world.core.faults.add(Switch("timeout", PATCH, effect=True))
    quotey.sync()
    assert held(world, deal)["Quotey_Version__c"] == 1
    before = patches(world)
    quotey.sync()
    assert patches(world) == before


def test_an_edit_of_the_deal_in_the_same_moment_does_not_lose_the_quote(
    world: SalesforceWorld, quotey: Quotey
) -> None:
    deal = a_deal(world)
    quotey.sync()
    published(quotey, "10")
    world.edit(Entity.DEAL, deal, {"amount": "7"})
    quotey.sync()
    values = held(world, deal)
    assert (values["Quotey_Version__c"], values["Amount"]) == (1, Decimal(7))


def test_a_412_is_looked_at_again_and_the_quote_goes_out_once(
    world: SalesforceWorld, tmp_path: Path
) -> None:
    """Somebody wrote between our look and our write: the org refuses, and we judge anew."""
    deal, clock = a_deal(world), VirtualClock()
    with opened(world, tmp_path, clock) as quotey:
        quotey.sync()
        published(quotey, "10")
        refused = Switch("status", PATCH, status=412, code="MATCH_PRECONDITION_FAILED")
        world.core.faults.add(refused)
        quotey.sync()
        assert "Quotey_Version__c" not in held(world, deal)
        [waiting] = quotey.outbox_list().items
        assert (waiting.state, waiting.attempts) == (OpState.QUEUED, 1)
        clock.advance(timedelta(minutes=1))
        assert quotey.sync().outbound.delivered == 1
        assert held(world, deal)["Quotey_Version__c"] == 1
        assert quotey.status().open == 0


def test_an_expired_account_asks_for_a_new_connection(
    world: SalesforceWorld, quotey: Quotey
) -> None:
    world.gateway.faults.add(Switch("account_expired"))
    assert quotey.sync().exit_code == ExitCode.REAUTH


def test_a_spent_quota_is_told_and_everything_waits(world: SalesforceWorld, quotey: Quotey) -> None:
    a_deal(world)
    world.core.faults.add(Switch("rate_limited", policy="TotalRequests"))
    assert quotey.sync().exit_code == ExitCode.UNREACHABLE
    asked = len(world.core.log)
    assert quotey.sync().exit_code == ExitCode.UNREACHABLE
    assert len(world.core.log) == asked, "nothing is asked while the quota is spent"
    status = quotey.status()
    assert status.rate_limited_until is not None
    wait = (status.rate_limited_until - status.at).total_seconds()
    assert 840 < wait <= 900, "a quarter of an hour"


def test_what_the_org_says_of_a_person_is_in_no_failure(
    world: SalesforceWorld, quotey: Quotey
) -> None:
    world.core.create("Contact", {"LastName": CANARY})
    quotey.sync()  # the definitions are looked at by the first one, which fails in silence
    page = Switch(
        "status", status=400, code="MALFORMED_QUERY", policy=f"unexpected token: '{CANARY}'"
    )
    world.core.faults.add(page)
    report = quotey.sync()
    assert report.failures
    assert CANARY not in str(report.failures)
