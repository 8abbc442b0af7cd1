"""One small business as three CRMs would hold it: the stub's shape, and those of two vendors.

The stub serves each of them through the mapping that is shipped for that vendor.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quotey.adapters.composio import mappings
from quotey.adapters.stub import StubSettings
from quotey.contract.dto import Canonical
from quotey.contract.mapping_file import parse_mapping, with_default_currency
from tests.sync.world import World

VENDORS = ("stub", "hubspot", "salesforce")

SPEC = """as_of = 2026-01-15T09:00:00Z
default_currency = "EUR"
[account]
file = "accounts.json"
key = "{key}"
[contact]
file = "contacts.json"
key = "{key}"
[deal]
file = "deals.json"
key = "{key}"
"""

Rows = list[dict[str, object]]


def _stub() -> tuple[str, Rows, Rows, Rows]:
    accounts: Rows = [
        {"id": "1", "name": "Alder", "website": "https://alder.example/", "segment": "Mid-Market"},
        {"id": "2", "name": "Birch", "website": "birch.example", "segment": "Enterprise"},
    ]
    contacts: Rows = [
        {
            "id": "102",
            "first_name": "Ben",
            "last_name": "Beech",
            "email": "ben@birch.example",
            "account_id": "2",
        }
    ]
    deals: Rows = [
        {
            "id": "201",
            "name": "One",
            "account_id": "1",
            "stage": "prospecting",
            "amount": "100",
            "close_date": "2026-05-01",
            "currency": "EUR",
            "owner": "Olga",
        },
        {
            "id": "202",
            "name": "Two",
            "account_id": "2",
            "stage": "qualification",
            "amount": "200.50",
            "close_date": "2026-06-01",
            "currency": "EUR",
        },
    ]
    return "id", accounts, contacts, deals


def _hubspot() -> tuple[str, Rows, Rows, Rows]:
    def one(id_: str, company: str | None = None, **properties: object) -> dict[str, object]:
        record: dict[str, object] = {"id": id_, "properties": properties}
        return record | ({"associations": {"company": company}} if company else {})

    accounts = [
        one("1", name="Alder", domain="alder.example", numberofemployees="120"),
        one("2", name="Birch", domain="birch.example", numberofemployees="4000"),
    ]
    contacts = [one("102", "2", firstname="Ben", lastname="Beech", email="ben@birch.example")]
    deals = [
        one(
            "201",
            "1",
            dealname="One",
            dealstage="prospecting",
            amount="100",
            closedate="2026-05-01T12:00:00Z",
            deal_currency_code="EUR",
            hubspot_owner_id="777",
        ),
        one(
            "202",
            "2",
            dealname="Two",
            dealstage="qualification",
            amount="200.50",
            closedate="2026-06-01T12:00:00Z",
            deal_currency_code="EUR",
        ),
    ]
    return "id", accounts, contacts, deals


def _salesforce() -> tuple[str, Rows, Rows, Rows]:
    accounts: Rows = [
        {
            "Id": "1",
            "Name": "Alder",
            "Website": "http://www.alder.example",
            "NumberOfEmployees": 120,
        },
        {"Id": "2", "Name": "Birch", "Website": "birch.example", "NumberOfEmployees": 4000},
    ]
    contacts: Rows = [
        {
            "Id": "102",
            "FirstName": "Ben",
            "LastName": "Beech",
            "Email": "ben@birch.example",
            "AccountId": "2",
        }
    ]
    deals: Rows = [
        {
            "Id": "201",
            "Name": "One",
            "AccountId": "1",
            "StageName": "prospecting",
            "Amount": 100,
            "CloseDate": "2026-05-01",
            "CurrencyIsoCode": "EUR",
            "OwnerId": "005xx",
        },
        {
            "Id": "202",
            "Name": "Two",
            "AccountId": "2",
            "StageName": "qualification",
            "Amount": 200.5,
            "CloseDate": "2026-06-01",
            "CurrencyIsoCode": "EUR",
        },
    ]
    return "Id", accounts, contacts, deals


_SHAPES = {"stub": _stub, "hubspot": _hubspot, "salesforce": _salesforce}

EXPECTED: dict[tuple[str, str], Canonical] = {
    ("account", "1"): {"name": "Alder", "domain": "alder.example", "segment": "mid_market"},
    ("account", "2"): {"name": "Birch", "domain": "birch.example", "segment": "enterprise"},
    ("contact", "102"): {"name": "Ben Beech", "email": "ben@birch.example", "account_id": "2"},
    ("deal", "201"): {
        "account_id": "1",
        "name": "One",
        "stage": "prospecting",
        "amount": "100",
        "close_date": "2026-05-01",
        "currency": "EUR",
    },
    ("deal", "202"): {
        "account_id": "2",
        "name": "Two",
        "stage": "qualification",
        "amount": "200.5",
        "close_date": "2026-06-01",
        "currency": "EUR",
    },
}
"""What all three must come to, by entity and id."""


def mapping_text(vendor: str) -> str:
    """Give the mapping that is shipped for this vendor."""
    if vendor != "stub":
        return mappings()[vendor]
    from tests.seed.house import shipped

    return shipped()


@dataclass
class VendorWorld:
    """A whole world over a CRM of that vendor's shape."""

    name: str
    world: World

    @classmethod
    @contextmanager
    def open(cls, folder: Path, name: str) -> Iterator[VendorWorld]:
        """Write the data set, lay the vendor's mapping over the stub, and open everything."""
        key, *tables = _SHAPES[name]()
        data, home = folder / "data", folder / "home"
        data.mkdir(parents=True)
        home.mkdir()
        (data / "dataset.toml").write_text(SPEC.format(key=key), encoding="utf-8")
        for file, rows in zip(("accounts", "contacts", "deals"), tables, strict=True):
            (data / f"{file}.json").write_text(json.dumps(rows), encoding="utf-8")
        text = mapping_text(name)
        (folder / "mapping.toml").write_text(text, encoding="utf-8")
        mapping = with_default_currency(parse_mapping(text, name=f"{name}.toml"), "EUR")
        settings = StubSettings(dataset=data, mapping=folder / "mapping.toml")
        world = World(home=home, settings=settings, mapping=mapping)
        yield cls(name, world)
        world.close()
