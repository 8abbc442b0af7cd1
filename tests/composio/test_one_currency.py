"""A CRM with one currency has no property for it; deals are made there all the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from quotey.testing.names import Simulated
from quotey.testing.simulators.hubspot import HubSpotCore
from quotey.testing.simulators.salesforce import SalesforceCore
from tests.composio.shopfront import Shopfront, shopfront

STAGE = {"hubspot": "appointmentscheduled", "salesforce": "Prospecting"}


@pytest.fixture(params=["hubspot", "salesforce"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shopfront]:
    provider: Simulated = request.param
    with shopfront(tmp_path, provider) as made:
        made.configure(default_currency='"USD"')
        made.connect()
        core = made.rig.vendor
        if isinstance(core, HubSpotCore):
            del core.portal.properties["deals"]["deal_currency_code"]
            core.create("companies", {"name": "Acme", "domain": "acme.example"})
        else:
            assert isinstance(core, SalesforceCore)
            core.create("Account", {"Name": "Acme"})
        made.clock.at += timedelta(hours=2)
        assert made("crm", "sync").code == 0
        yield made


def create(shop: Shopfront, *words: str) -> None:
    account = shop.json("crm", "lookup", "account", "Acme")["records"][0]["id"]
    stage = f"stage={STAGE[shop.provider]}"
    ran = shop("crm", "deal", "create", account, "name=New", stage, "close_date=2026-05-01", *words)
    assert ran.code == 0, ran


def test_a_deal_in_the_connections_own_currency_is_made(shop: Shopfront) -> None:
    create(shop)
    ran = shop("crm", "sync")
    assert ran.code == 0, ran
    deal = shop.json("crm", "lookup", "deal", "New")["records"][0]
    assert deal["crm_ref"]
    assert deal["values"]["currency"] == "USD"


def test_a_deal_in_another_currency_is_never_made_in_this_one(shop: Shopfront) -> None:
    create(shop, "currency=JPY")
    ran = shop("crm", "sync")
    assert ran.code == 5
    assert not shop.json("crm", "lookup", "deal", "New")["records"][0]["crm_ref"]
