"""Contract values to vendor properties, or all reasons why not."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from quotey.adapters.composio import mappings
from quotey.contract.dto import Value
from quotey.contract.errors import MappingError, Severity
from quotey.contract.fields import Entity
from quotey.contract.mapper import Mapped, read_record, wire_value, write_fields
from quotey.contract.mapping_file import parse_mapping
from tests.contract.texts import MAPPING, added, changed, mapping_of, record

NEW_DEAL: dict[str, Value] = {
    "account_id": "c1", "name": "Big one", "stage": "open", "amount": Decimal("1500.50"),
    "close_date": date(2026, 3, 31), "currency": "EUR", "x_rank": 3,
}  # fmt: skip
NOT_MONEY = "'1_000' is not an amount: at most 15 digits, then at most 6 after a point"
QUOTE: dict[str, Value] = {
    "id": "q1", "version": 2, "status": "sent", "total": Decimal("10.00"), "currency": "EUR",
}  # fmt: skip


def problems_of(entity: Entity, values: dict[str, Value], *, creating: bool) -> list[str]:
    with pytest.raises(MappingError) as caught:
        write_fields(mapping_of(), entity, values, creating=creating)
    assert caught.value.message.startswith("Nothing was sent: ")
    return [problem.message for problem in caught.value.diagnostics]


def test_a_new_deal_carries_all_that_is_sent_on_create() -> None:
    assert write_fields(mapping_of(), Entity.DEAL, NEW_DEAL, creating=True) == {
        "company": "c1", "title": "Big one", "stage": "Open", "amount": Decimal("1500.50"),
        "closes": "31.03.2026", "currency": "EUR", "rank": 3,
    }  # fmt: skip


def test_a_quote_is_written_with_its_id() -> None:
    assert write_fields(mapping_of(), Entity.QUOTE, QUOTE, creating=True) == {
        "q_id": "q1", "q_version": 2, "q_status": "sent", "q_total": Decimal("10.00"),
        "q_currency": "EUR",
    }  # fmt: skip


def test_an_update_writes_only_what_flows_out() -> None:
    written = write_fields(
        mapping_of(), Entity.DEAL, {"name": "New", "amount": None}, creating=False
    )
    assert written == {"title": "New", "amount": None}
    assert write_fields(mapping_of(), Entity.ACCOUNT, {"segment": "a"}, creating=False) == {
        "segment": "a"
    }


def test_all_reasons_are_told_at_once() -> None:
    values: dict[str, Value] = {
        "nmae": "x", "stage": "won", "name": None, "amount": "1_000", "id": "7",
    }  # fmt: skip
    assert problems_of(Entity.DEAL, values, creating=False) == [
        "deal.nmae is not in the mapping.",
        "deal.id (to 'id') is read only.",
        "deal.name (to 'title') is required and cannot be cleared.",
        "deal.stage (to 'stage') is only sent when the record is created.",
        f"deal.amount (to 'amount') cannot be written: {NOT_MONEY}.",
    ]


def test_a_new_record_needs_its_required_fields() -> None:
    found = problems_of(Entity.DEAL, {"name": " ", "stage": "lost"}, creating=True)
    assert found == [
        "deal.account_id (to 'company') is required and was not given.",
        "deal.name (to 'title') cannot be written: it is blank.",
        "deal.stage (to 'stage') cannot be written: 'lost' has no word in the value map.",
    ]
    found = problems_of(Entity.QUOTE, {"version": 1}, creating=True)
    assert [message.split(" ")[0] for message in found] == [
        "quote.id", "quote.status", "quote.total", "quote.currency",
    ]  # fmt: skip


def test_an_entity_that_is_not_mapped_cannot_be_written() -> None:
    start, end = MAPPING.index("[contact]"), MAPPING.index("[deal]")
    with pytest.raises(MappingError, match=r"no \[contact\] to write"):
        write_fields(mapping_of(MAPPING[:start] + MAPPING[end:]), Entity.CONTACT, {}, creating=True)


def test_unknown_words_pass_where_the_map_keeps_them_but_never_as_another_word() -> None:
    text = changed(("values = { Won", 'otherwise = "keep", values = { Won'))
    mapping = mapping_of(text)

    def stage(word: str) -> object:
        values: dict[str, Value] = {**NEW_DEAL, "stage": word}
        return write_fields(mapping, Entity.DEAL, values, creating=True)["stage"]

    assert stage("lost") == "lost"
    with pytest.raises(MappingError, match="'Won' has no word"):
        stage("Won")


def test_money_may_be_kept_in_another_unit() -> None:
    text = added("deal.fields.amount", 'transform = { kind = "money", scale = -2 }')
    mapping = mapping_of(text)
    written = write_fields(mapping, Entity.DEAL, {"amount": Decimal("15.50")}, creating=False)
    assert written == {"amount": Decimal(1550)}
    payload = {"company": "c", "title": "t", "stage": "Won", "amount": 1550}
    answer = read_record(mapping, Entity.DEAL, record(payload), connection="main")
    assert isinstance(answer, Mapped)
    assert answer.values["amount"] == "15.5"


def test_what_is_written_reads_back_as_itself() -> None:
    written = write_fields(mapping_of(), Entity.DEAL, NEW_DEAL, creating=True)
    payload = {**written, "amount": str(written["amount"])}
    answer = read_record(mapping_of(), Entity.DEAL, record(payload), connection="main")
    assert isinstance(answer, Mapped)
    read = {name: getattr(answer.dto, name) for name in NEW_DEAL if name != "x_rank"}
    assert {**read, **answer.dto.custom} == NEW_DEAL


def test_a_hubspot_close_date_is_written_as_midday() -> None:
    mapping = parse_mapping(mappings()["hubspot"], name="hubspot")
    field = mapping.entities[Entity.DEAL].field("close_date")
    assert field is not None
    assert wire_value(field, date(2026, 3, 10)) == "2026-03-10T12:00:00Z"
    assert wire_value(field, None) is None


def test_every_reason_names_its_code_its_field_and_what_may_help() -> None:
    values: dict[str, Value] = {
        "nmae": "x", "stage": "won", "name": None, "amount": "1_000", "id": "7",
    }  # fmt: skip
    with pytest.raises(MappingError) as caught:
        write_fields(mapping_of(), Entity.DEAL, values, creating=False)
    found = caught.value.diagnostics
    assert [(one.code, one.field) for one in found] == [
        ("unknown_field", "nmae"),
        ("not_writable", "id"),
        ("missing", "name"),
        ("not_writable", "stage"),
        ("malformed", "amount"),
    ]
    assert {(one.entity, one.severity) for one in found} == {("deal", Severity.ERROR)}
    assert [one.fix for one in found] == ["Did you mean 'name'?", "", "", "", ""]
    told = "; ".join(one.message.rstrip(".") for one in found)
    assert str(caught.value) == f"Nothing was sent: {told}."


def test_what_a_new_record_lacks_is_told_as_missing() -> None:
    with pytest.raises(MappingError) as caught:
        write_fields(mapping_of(), Entity.DEAL, {"name": "x", "stage": "won"}, creating=True)
    assert [(one.code, one.field) for one in caught.value.diagnostics] == [
        ("missing", "account_id")
    ]
