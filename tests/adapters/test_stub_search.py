"""Search: what a person types finds what they mean, best first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quotey.adapters.stub.adapter import StubCrmAdapter
from quotey.adapters.stub.search import LIMIT, likeness, plain
from quotey.contract.fields import Entity
from quotey.testing.world import CALL
from tests.adapters.stub_world import StubWorld, open_stub


@pytest.fixture
def adapter(tmp_path: Path) -> Iterator[StubCrmAdapter]:
    opened = open_stub(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "query",
    ["Bluefin Marine Supply", "bluefin marine supply", "BLUEFIN", "marine", "Blufin Marine Supply"],
)
def test_names_are_found_whole_in_part_and_misspelt(adapter: StubCrmAdapter, query: str) -> None:
    found = adapter.lookup_account(query, call=CALL)
    assert "A-1002" in [account.crm_ref for account in found]


def test_the_same_name_comes_first(adapter: StubCrmAdapter) -> None:
    found = adapter.lookup_account("Bluefin Marine Supplies Inc", call=CALL)
    assert found[0].crm_ref == "A-1029"


@pytest.mark.parametrize(
    "query", ["eastgatehospitals.example", "https://www.eastgatehospitals.example/about"]
)
def test_a_web_address_is_found_by_its_host(adapter: StubCrmAdapter, query: str) -> None:
    assert [one.crm_ref for one in adapter.lookup_account(query, call=CALL)] == ["A-1005"]


@pytest.mark.parametrize("query", ["", "   ", "?!", "zzzzzz"])
def test_nothing_typed_or_nothing_meant_finds_nothing(adapter: StubCrmAdapter, query: str) -> None:
    assert adapter.lookup_account(query, call=CALL) == ()
    assert adapter.search_contacts(query, call=CALL) == ()


def test_a_contact_is_found_by_phone_however_it_is_written(adapter: StubCrmAdapter) -> None:
    found = adapter.search_contacts("555-0102", call=CALL)
    assert [one.crm_ref for one in found] == ["C-1003"]


def test_records_that_break_the_contract_are_not_offered(adapter: StubCrmAdapter) -> None:
    assert adapter.lookup_account("Stellar Freight Unlimited", call=CALL) == ()


def test_an_answer_is_never_longer_than_a_person_reads(tmp_path: Path) -> None:
    world = StubWorld(tmp_path)
    for number in range(LIMIT + 5):
        world.add(Entity.ACCOUNT, {"name": f"Twin {number:02d}", "segment": "smb"})
    assert len(world.adapter.lookup_account("twin", call=CALL)) == LIMIT
    world.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("* AKZO NOBEL N.V.", "akzo nobel nv"), ("Müller & Söhne", "müller söhne"), (None, "")],
)
def test_names_are_compared_without_marks_and_case(text: str | None, expected: str) -> None:
    assert plain(text) == expected


def test_likeness_falls_from_the_same_to_nothing() -> None:
    name = "akzo nobel nv"
    queries = ["akzo nobel nv", "akzo", "nobel", "obel", "shell", ""]
    rated = [likeness(query, name) for query in queries]
    assert rated == sorted(rated, reverse=True)
    assert rated[-2:] == [0.0, 0.0]
