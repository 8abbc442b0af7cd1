"""The stub's JSON: numbers stay exact, paths reach into tables, the rest is left alone."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import UNSET

from quotey.adapters.stub import StubSettings
from quotey.adapters.stub.checks import like
from quotey.adapters.stub.payload import Payload, at_path, decode, encode, put_path
from quotey.contract.errors import DataSetError
from quotey.testing.world import CALL
from tests.adapters.stub_world import empty_data_set, open_stub, open_stub_tools

NESTED = """
as_of = 2026-01-15T09:00:00Z
mapping = "mapping.toml"
[account]
file = "accounts.json"
key = "Id"
[deal]
file = "deals.json"
key = "Id"
"""


def nested_data_set(folder: Path) -> StubSettings:
    """Write a data set of JSON with numbers and tables, and a mapping laid over the shipped one."""
    empty_data_set(folder)
    (folder / "dataset.toml").write_text(NESTED)
    (folder / "accounts.json").write_text('[{"Id": 7, "name": "Seven", "segment": "SMB"}]')
    (folder / "deals.json").write_text(
        '[{"Id": 70, "name": "Deal", "account": {"id": "7", "name": "Seven"}, "stage": "won",'
        ' "amount": 1234567890.12345, "currency": "EUR", "other": {"b": 1, "a": 0.10}}]'
    )
    shipped = Path(__file__).parents[2] / "src/quotey/adapters/stub/demo/stub.toml"
    text = shipped.read_text().replace('path = "account_id"', 'path = "account.id"')
    (folder / "mapping.toml").write_text(text)
    return StubSettings(dataset=folder)


def test_numbers_keep_every_digit() -> None:
    text = '{"amount":1234567890.123456,"other":0.10,"whole":7}'
    assert encode(decode(text)) == text
    assert decode(text)["amount"] == Decimal("1234567890.123456")


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a", 1), ("b.c", 2), ("d.e", 3), ("b.x", UNSET), ("a.x", UNSET), ("x.y.z", UNSET)],
)
def test_what_stands_at_a_path(path: str, expected: object) -> None:
    assert at_path({"a": 1, "b": {"c": 2}, "d.e": 3}, path) == expected


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("a", 2, {"a": 2, "d.e": 3}),
        ("b.c", 2, {"a": 1, "d.e": 3, "b": {"c": 2}}),
        ("d.e", 4, {"a": 1, "d.e": 4}),
        ("a.b", 2, {"a": {"b": 2}, "d.e": 3}),
        ("a", UNSET, {"d.e": 3}),
        ("x", UNSET, {"a": 1, "d.e": 3}),
    ],
)
def test_what_is_put_at_a_path(path: str, value: object, expected: Payload) -> None:
    payload: Payload = {"a": 1, "d.e": 3}
    put_path(payload, path, value)
    assert payload == expected


@pytest.mark.parametrize(
    ("held", "text", "expected"),
    [
        (Decimal("1.5"), "20", Decimal(20)),
        (7, "-0.5", Decimal("-0.5")),
        (7, "many", "many"),
        (7, "1e5", "1e5"),
        (7, "NaN", "NaN"),
        (7, "", ""),
        ("7", "8", "8"),
        (True, "1", "1"),
        (7, None, None),
        (UNSET, "1", "1"),
    ],
)
def test_typed_text_takes_the_type_of_what_it_replaces(
    held: object, text: str | None, expected: object
) -> None:
    assert like(held, text) == expected


def test_a_write_leaves_all_else_of_a_payload_as_it_was(tmp_path: Path) -> None:
    settings = nested_data_set(tmp_path / "data")
    adapter = open_stub(tmp_path / "home", settings)
    tools = open_stub_tools(tmp_path / "home", settings)
    before = tools.show("deal", "70").payload
    written = adapter.update_deal("70", {"amount": Decimal("0.10")}, key="k", call=CALL)
    after = tools.show("deal", "70").payload
    assert written.values == {"amount": "0.1"}
    assert after == {**before, "amount": after["amount"]}
    assert list(after) == list(before)
    assert tools.set("deal", "70", {"amount": "12.50"}).payload["amount"] == Decimal("12.50")
    adapter.close()
    tools.close()


def test_a_deal_is_created_with_its_id_and_its_tables(tmp_path: Path) -> None:
    settings = nested_data_set(tmp_path / "data")
    adapter = open_stub(tmp_path / "home", settings)
    tools = open_stub_tools(tmp_path / "home", settings)
    data = {"name": "New", "stage": "won", "currency": "EUR"}
    made = adapter.create_deal("7", data, key="k", call=CALL)
    assert made.values["account_id"] == "7"
    assert tools.show("deal", made.crm_ref).payload["account"] == {"id": "7"}
    adapter.close()
    tools.close()


def test_tools_give_their_file_back_when_the_data_set_cannot_be_read(tmp_path: Path) -> None:
    settings = nested_data_set(tmp_path / "data")
    (tmp_path / "data" / "deals.json").write_text("{")
    with pytest.raises(DataSetError, match="not JSON"):
        open_stub_tools(tmp_path / "home", settings)


def test_a_dataset_toml_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    folder = empty_data_set(tmp_path)
    (folder / "dataset.toml").write_text("#" * 1_000_001)
    with pytest.raises(DataSetError, match="longer than"):
        open_stub(tmp_path / "home", StubSettings(dataset=folder))
