"""Mapping drift over real HTTP on both simulated CRMs: found, parked, told, and let go again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from quotey.contract.quote import QuoteStatus
from quotey.testing.names import Simulated
from quotey.testing.simulators.hubspot import HubSpotCore, Property
from quotey.testing.simulators.salesforce import Field, SalesforceCore
from tests.composio.shopfront import Shopfront, shopfront

WORDS = tuple(sorted(map(str, QuoteStatus)))
STAGE = {"hubspot": "appointmentscheduled", "salesforce": "Prospecting"}
WON = {"hubspot": "closedwon", "salesforce": "Closed Won"}
NAMES = {
    "stage": {"hubspot": "dealstage", "salesforce": "StageName"},
    "name": {"hubspot": "dealname", "salesforce": "Name"},
    "amount": {"hubspot": "amount", "salesforce": "Amount"},
    "total": {"hubspot": "quotey_total", "salesforce": "Quotey_Total__c"},
    "status": {"hubspot": "quotey_status", "salesforce": "Quotey_Status__c"},
    "quote_id": {"hubspot": "quotey_quote_id", "salesforce": "Quotey_Quote_Id__c"},
}


class Crm:
    """The hands of an administrator and of a sales person in a simulated CRM."""

    def __init__(self, shop: Shopfront) -> None:
        self.shop = shop
        self.core = shop.rig.vendor

    def name(self, field: str) -> str:
        return NAMES[field][self.shop.provider]

    @property
    def properties(self) -> dict[str, Any]:
        if isinstance(self.core, HubSpotCore):
            return self.core.portal.properties["deals"]
        assert isinstance(self.core, SalesforceCore)
        return self.core.org.objects["Opportunity"]

    def delete(self, field: str) -> Callable[[], None]:
        """Take a property away; gives what brings it back."""
        return self._put(field, None)

    def make_read_only(self, field: str) -> Callable[[], None]:
        held = self.properties[self.name(field)]
        change = {"read_only": True} if isinstance(held, Property) else {"writable": False}
        return self._put(field, replace(held, **change))

    def change_type(self, field: str) -> Callable[[], None]:
        held = self.properties[self.name(field)]
        other = "bool" if isinstance(held, Property) else "boolean"
        return self._put(field, replace(held, type=other))

    def let_hold_twice(self, field: str) -> Callable[[], None]:
        return self._put(field, replace(self.properties[self.name(field)], unique=False))

    def offer_statuses(self, *words: str) -> Callable[[], None]:
        """Make the status a list of these words."""
        if self.shop.provider == "hubspot":
            options = tuple((word, word) for word in words)
            listed: Any = Property(self.name("status"), "enumeration", options=options)
        else:
            listed = Field(self.name("status"), "picklist", options=words, restricted=True)
        return self._put("status", listed)

    def _put(self, field: str, definition: object | None) -> Callable[[], None]:
        name, properties = self.name(field), self.properties
        held = properties[name]
        if definition is None:
            del properties[name]
        else:
            properties[name] = definition

        def restore() -> None:
            properties[name] = held

        return restore

    def add_deal(self, name: str) -> str:
        if isinstance(self.core, HubSpotCore):
            company = self.core.create("companies", {"name": "Acme", "domain": "acme.example"})
            words = {"dealname": name, "dealstage": STAGE["hubspot"], "amount": "100"}
            deal = self.core.create("deals", words)
            self.core.link(deal, company, 5)
            return str(deal.record_id)
        assert isinstance(self.core, SalesforceCore)
        account = self.core.create("Account", {"Name": "Acme"})
        row = self.core.create(
            "Opportunity",
            {
                "Name": name,
                "StageName": STAGE["salesforce"],
                "CloseDate": "2026-05-01",
                "Amount": Decimal(100),
                "AccountId": account.row_id,
            },
        )
        return str(row.row_id)

    def edit(self, ref: str, **fields: str) -> None:
        values = {self.name(field): value for field, value in fields.items()}
        if isinstance(self.core, HubSpotCore):
            self.core.edit("deals", int(ref), values)
        else:
            assert isinstance(self.core, SalesforceCore)
            self.core.edit(ref, values)

    def held(self, ref: str, field: str) -> str:
        if isinstance(self.core, HubSpotCore):
            record = self.core.portal.find("deals", int(ref))
            assert record is not None
            return str(record.properties.get(self.name(field), ""))
        assert isinstance(self.core, SalesforceCore)
        row = self.core.org.find("Opportunity", ref)
        assert row is not None
        return str(row.values.get(self.name(field)) or "")


@pytest.fixture(params=["hubspot", "salesforce"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shopfront]:
    provider: Simulated = request.param
    with shopfront(tmp_path, provider) as made:
        made.configure(gone_every_hours="0", full_every_hours="0")
        made.connect()
        yield made


@pytest.fixture
def crm(shop: Shopfront) -> Crm:
    return Crm(shop)


def sync(shop: Shopfront) -> int:
    """Sync two hours later, so that a look is due."""
    shop.clock.at += timedelta(hours=2)
    code = shop("crm", "sync").code
    shop.clock.at += timedelta(minutes=1)
    return code


def deal_here(shop: Shopfront) -> dict[str, Any]:
    [found] = shop.json("crm", "deal", "list")["records"]
    return dict(found)


def open_items(shop: Shopfront) -> list[str]:
    items = shop.json("crm", "reconcile", "list", "--each")["items"]
    return [f"{one['entity_type']}.{one['field_name']}" for one in items]


def test_a_deleted_property_parks_its_field_and_comes_back(shop: Shopfront, crm: Crm) -> None:
    ref = crm.add_deal("One")
    assert sync(shop) == 0
    restore = crm.delete("stage")
    crm.edit(ref, name="One more")
    assert sync(shop) == 3
    here = deal_here(shop)["values"]
    assert (here["name"], here["stage"]) == ("One more", STAGE[shop.provider])
    assert open_items(shop) == ["deal.stage"]
    restore()
    crm.edit(ref, stage=WON[shop.provider])
    assert sync(shop) == 0
    assert deal_here(shop)["values"]["stage"] == WON[shop.provider]
    assert open_items(shop) == []


def test_a_read_only_property_is_left_out_and_follows(shop: Shopfront, crm: Crm) -> None:
    ref = crm.add_deal("One")
    assert sync(shop) == 0
    restore = crm.make_read_only("amount")
    shop("crm", "deal", "update", deal_here(shop)["id"], "amount=555", "name=Renamed")
    assert sync(shop) == 3
    assert (crm.held(ref, "name"), Decimal(crm.held(ref, "amount"))) == (
        "Renamed",
        Decimal(100),
    )
    assert open_items(shop) == ["deal.amount"]
    restore()
    assert sync(shop) == 0
    assert Decimal(crm.held(ref, "amount")) == Decimal(555)
    assert open_items(shop) == []


def test_another_type_parks_both_ways(shop: Shopfront, crm: Crm) -> None:
    ref = crm.add_deal("One")
    assert sync(shop) == 0
    restore = crm.change_type("amount")
    shop("crm", "deal", "update", deal_here(shop)["id"], "amount=555", "name=Renamed")
    assert sync(shop) == 3
    assert crm.held(ref, "name") == "Renamed"
    assert deal_here(shop)["values"]["amount"] == "555"
    assert open_items(shop) == ["deal.amount"]
    restore()
    assert sync(shop) == 0
    assert Decimal(crm.held(ref, "amount")) == Decimal(555)


def test_a_lost_word_holds_only_what_would_send_it(shop: Shopfront, crm: Crm) -> None:
    ref = crm.add_deal("One")
    crm.offer_statuses(*WORDS)
    assert sync(shop) == 0
    quote = shop.json(
        "quote", "create", deal_here(shop)["id"], "--total", "10.00", "--currency", "USD"
    )["quote"]["id"]
    shop("quote", "publish", quote)
    assert sync(shop) == 0
    assert crm.held(ref, "status") == "priced"
    crm.offer_statuses(*(word for word in WORDS if word != "pending_approval"))
    shop("quote", "status", quote, "pending_approval")
    assert sync(shop) == 3
    assert crm.held(ref, "status") == "priced"
    assert open_items(shop) == ["deal.quote.status"]
    crm.offer_statuses(*WORDS)
    assert sync(shop) == 0
    assert crm.held(ref, "status") == "pending_approval"


def test_a_quote_waits_for_its_place_and_goes_out(shop: Shopfront, crm: Crm) -> None:
    ref = crm.add_deal("One")
    assert sync(shop) == 0
    restore = crm.delete("total")
    quote = shop.json(
        "quote", "create", deal_here(shop)["id"], "--total", "10.00", "--currency", "USD"
    )["quote"]["id"]
    shop("quote", "publish", quote)
    crm.edit(ref, name="One more")
    assert sync(shop) == 3
    assert deal_here(shop)["values"]["name"] == "One more"
    assert open_items(shop) == ["deal.quote.total"]
    restore()
    assert sync(shop) == 0
    assert crm.held(ref, "quote_id") == quote


def test_a_key_that_is_not_unique_refuses_the_connection(shop: Shopfront, crm: Crm) -> None:
    restore = crm.let_hold_twice("quote_id")
    crm.add_deal("One")
    shop.clock.at += timedelta(hours=2)
    ran = shop("crm", "sync")
    assert ran.code == 5
    assert "does not have unique values" in ran.out + ran.err
    assert shop.json("crm", "deal", "list")["records"] == []
    restore()
    assert sync(shop) == 0


def test_a_conditional_write_needs_its_rule(shop: Shopfront) -> None:
    core = shop.rig.vendor
    if not isinstance(core, SalesforceCore):
        pytest.skip("only an org promises conditional writes")
    rules = list(core.validations)
    core.validations.clear()
    shop.clock.at += timedelta(hours=2)
    ran = shop("crm", "sync")
    assert ran.code == 5
    assert "QUOTEY_STALE_VERSION" in ran.out + ran.err
    core.validations.extend(rules)
    assert sync(shop) == 0
