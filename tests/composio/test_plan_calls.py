"""`plan` says how many requests a sync will cost, and it costs so many."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from quotey.testing.names import Simulated
from quotey.testing.simulators.hubspot import HubSpotCore, Property
from quotey.testing.simulators.salesforce import Field, SalesforceCore
from tests.composio.shopfront import Shopfront, shopfront

STAGE = {"hubspot": "appointmentscheduled", "salesforce": "Prospecting"}
UPDATES_ACCOUNTS = {
    "hubspot": '[account.fields.segment]\npath = "properties.quotey_segment"\n',
    "salesforce": '[account.fields.segment]\npath = "Quotey_Segment__c"\n',
}


@pytest.fixture(params=["hubspot", "salesforce"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shopfront]:
    provider: Simulated = request.param
    with shopfront(tmp_path, provider) as made:
        made.configure(gone_every_hours="0", full_every_hours="0")
        made.connect()
        yield made


def an_account_with_a_deal(shop: Shopfront) -> tuple[str, str]:
    core = shop.rig.vendor
    if isinstance(core, HubSpotCore):
        company = core.create("companies", {"name": "Acme", "domain": "acme.example"})
        deal = core.create("deals", {"dealname": "Old", "dealstage": STAGE["hubspot"]})
        core.link(deal, company, 5)
    else:
        assert isinstance(core, SalesforceCore)
        account = core.create("Account", {"Name": "Acme"})
        core.create(
            "Opportunity",
            {
                "Name": "Old",
                "StageName": STAGE["salesforce"],
                "CloseDate": "2026-05-01",
                "AccountId": account.row_id,
            },
        )
    shop.clock.at += timedelta(hours=2)
    assert shop("crm", "sync").code == 0
    found = shop.json("crm", "lookup", "account", "Acme")["records"][0]["id"]
    return found, shop.json("crm", "lookup", "deal", "Old")["records"][0]["id"]


def sent(shop: Shopfront) -> int:
    return len(shop.rig.gateway.log)


def calls_of_a_sync(shop: Shopfront) -> tuple[int, int]:
    """Give what the plan said, and how many requests then reached the service."""
    shop.clock.at += timedelta(hours=2)
    plan = shop.json("crm", "plan")
    assert [one["action"] for one in plan["operations"]]
    shop.clock.at += timedelta(minutes=1)
    before = sent(shop)
    report = shop("crm", "sync")
    assert report.code == 0, report
    return plan["calls"], sent(shop) - before


def test_a_sync_costs_what_the_plan_has_said(shop: Shopfront) -> None:
    account, deal = an_account_with_a_deal(shop)
    stage = f"stage={STAGE[shop.provider]}"
    shop("crm", "deal", "update", deal, "amount=12.50")
    shop("crm", "deal", "create", account, "name=New", stage, "close_date=2026-05-01")
    quote = shop.json("quote", "create", deal, "--total", "10.00", "--currency", "USD")
    shop("quote", "publish", quote["quote"]["id"])
    said, cost = calls_of_a_sync(shop)
    assert said == cost
    assert said > 20, "several requests an operation, not one"


def test_an_account_that_is_written_costs_what_was_said(shop: Shopfront) -> None:
    property_of_our_own(shop)
    account, _deal = an_account_with_a_deal(shop)
    shop("crm", "account", "update", account, "segment=enterprise")
    said, cost = calls_of_a_sync(shop)
    assert said == cost


def property_of_our_own(shop: Shopfront) -> None:
    """Have a segment that is written, in a property of its own."""
    core = shop.rig.vendor
    if isinstance(core, HubSpotCore):
        core.define("companies", Property("quotey_segment", "string", hubspot_defined=False))
    else:
        assert isinstance(core, SalesforceCore)
        core.define("Account", Field("Quotey_Segment__c"))
    folder = shop.cwd / "mappings"
    folder.mkdir()
    more = 'direction = "both"\ntransform = { kind = "none" }\n'
    text = f'provider = "{shop.provider}"\n{UPDATES_ACCOUNTS[shop.provider]}{more}'
    (folder / "main.toml").write_text(text, encoding="utf-8")
