"""Payload to DTO: what is read, what is rejected, and that bad data never raises (G19)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from quotey.adapters.composio import mappings
from quotey.contract.dto import CrmAccountDto, CrmDealDto
from quotey.contract.errors import MappingError, Severity
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.identity import local_id
from quotey.contract.mapper import MAX_PAYLOAD, Mapped, Mapper, Rejected, Taken, cause, read_record
from quotey.contract.mapping_file import parse_mapping
from tests.contract.texts import (
    MAPPING,
    MOMENT,
    added,
    changed,
    mapped,
    mapping_of,
    read,
    record,
    rejected,
)

ACCOUNT: dict[str, Any] = {
    "id": 7, "props": {"name": " Acme "}, "web": "https://www.acme.com/x", "segment": "large",
}  # fmt: skip
DEAL: dict[str, Any] = {
    "id": "7", "company": "c1", "title": "Big one", "stage": "Won", "amount": "1500.00",
    "closes": "31.3.2026", "currency": "USD", "rank": 3,
}  # fmt: skip


def test_a_whole_record_becomes_a_dto_with_canonical_values() -> None:
    answer = mapped(Entity.DEAL, DEAL)
    assert answer.dto == CrmDealDto(
        id=local_id("main", Entity.DEAL, "7"),
        crm_ref="7",
        source_provider="stub",
        source_ts=MOMENT,
        source_version="1",
        account_id="c1",
        name="Big one",
        stage="won",
        amount=Decimal("1500.00"),
        close_date=date(2026, 3, 31),
        currency="USD",
        custom={"x_rank": 3},
    )
    assert answer.values == {
        "account_id": "c1", "name": "Big one", "stage": "won", "amount": "1500",
        "close_date": "2026-03-31", "currency": "USD", "x_rank": "3",
    }  # fmt: skip
    assert answer.diagnostics == ()


def test_dotted_paths_transforms_and_joins_are_followed() -> None:
    account = mapped(Entity.ACCOUNT, ACCOUNT).values
    assert account == {"name": "Acme", "domain": "acme.com", "segment": "large"}
    contact = mapped(Entity.CONTACT, {"first": "Ada ", "last": "King", "mail": "A@B.com"}).values
    assert contact == {"name": "Ada King", "email": "a@b.com"}


def test_reading_one_record_equals_reading_many() -> None:
    one = read_record(mapping_of(), Entity.DEAL, record(DEAL), connection="main")
    assert one == read(Entity.DEAL, DEAL)


# --- absent, null, blank and value are four things -----------------------------------------------


@pytest.mark.parametrize(
    ("on_blank", "amount", "expected"),
    [
        ("null", UNSET, UNSET),
        ("null", None, None),
        ("null", " ", None),
        ("null", "0", "0"),
        ("keep", UNSET, UNSET),
        ("keep", None, None),
        ("keep", "", UNSET),
        ("keep", "0", "0"),
        ("prefer_nonblank", UNSET, UNSET),
        ("prefer_nonblank", None, None),
        ("prefer_nonblank", "", None),
        ("prefer_nonblank", "0", "0"),
    ],
)
def test_absent_null_blank_and_value_are_four_things(
    on_blank: str, amount: object, expected: object
) -> None:
    payload = {
        key: value for key, value in {**DEAL, "amount": amount}.items() if value is not UNSET
    }
    answer = mapped(
        Entity.DEAL, payload, text=added("deal.fields.amount", f'on_blank = "{on_blank}"')
    )
    assert answer.values.get("amount", UNSET) == expected
    assert isinstance(answer.dto, CrmDealDto)
    if expected in (UNSET, None):
        assert answer.dto.amount is expected
    else:
        assert answer.dto.amount == Decimal(str(expected))


@pytest.mark.parametrize("value", [UNSET, None, "", "  "])
def test_a_default_fills_what_is_empty_and_says_so_every_time(value: object) -> None:
    payload = {key: one for key, one in {**ACCOUNT, "segment": value}.items() if one is not UNSET}
    answer = mapped(Entity.ACCOUNT, payload)
    assert answer.values["segment"] == "none"
    assert isinstance(answer.dto, CrmAccountDto)
    assert answer.dto.segment == "none"
    (remark,) = answer.diagnostics
    assert answer.dto.diagnostics == (remark,)
    assert (remark.code, remark.severity) == ("default_used", Severity.WARNING)
    assert "the field's default 'none' was used" in remark.message


def test_a_recommended_field_that_is_not_there_leaves_a_note_and_null_leaves_none() -> None:
    nothing = mapped(Entity.DEAL, {key: one for key, one in DEAL.items() if key != "amount"})
    assert [(one.field, one.severity) for one in nothing.diagnostics] == [("amount", Severity.NOTE)]
    assert mapped(Entity.DEAL, {**DEAL, "amount": None}).diagnostics == ()


def test_a_deal_without_currency_takes_the_default_currency() -> None:
    answer = mapped(Entity.DEAL, {**DEAL, "currency": None})
    assert answer.values["currency"] == "EUR"
    assert "the default currency 'EUR' was used" in answer.diagnostics[0].message


def test_a_deal_without_currency_stays_without_when_there_is_no_default() -> None:
    text = changed(('default_currency = "EUR"\n', ""))
    answer = mapped(Entity.DEAL, {**DEAL, "currency": None}, text=text)
    assert answer.values["currency"] is None


def test_a_default_never_stands_in_for_a_malformed_value() -> None:
    answer = rejected(Entity.DEAL, {**DEAL, "currency": "EURO"})
    assert [cause(problem) for problem in answer.problems] == ["deal.currency malformed"]


@pytest.mark.parametrize("value", [UNSET, None, "", " \t"])
@pytest.mark.parametrize("on_blank", ["null", "keep", "prefer_nonblank"])
def test_a_required_field_without_value_rejects_the_record(value: object, on_blank: str) -> None:
    payload = {key: one for key, one in {**DEAL, "company": value}.items() if one is not UNSET}
    text = added("deal.fields.account_id", f'on_blank = "{on_blank}"')
    answer = rejected(Entity.DEAL, payload, text=text)
    assert answer.crm_ref == "7"
    (problem,) = answer.problems
    assert cause(problem) == "deal.account_id missing"
    assert problem.severity is Severity.ERROR
    assert problem.message == (
        "deal.account_id (from 'company') is required and absent, null or blank."
    )


def test_all_problems_of_a_record_are_told_at_once() -> None:
    payload = {
        "title": ["x"],
        "stage": "Maybe",
        "amount": "NaN",
        "closes": "30.2.2026",
        "rank": 1.5,
    }
    answer = rejected(Entity.DEAL, payload)
    assert [cause(problem) for problem in answer.problems] == [
        "deal.account_id missing",
        "deal.name malformed",
        "deal.stage unknown_value",
        "deal.amount malformed",
        "deal.close_date malformed",
        "deal.x_rank malformed",
    ]
    assert "'Maybe' is not in the value map" in answer.problems[2].message


# --- malformed -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "raw"),
    [
        ("amount", "1" * 40), ("amount", "Infinity"), ("amount", "-1e5"), ("amount", [1]),
        ("amount", True), ("closes", "1.1.0001"), ("closes", "31.12.9999"), ("closes", 7),
        ("closes", "\uff11.1.2026"), ("currency", "usd"), ("currency", "DEM"),
        ("title", "a\x00b"),
        ("title", "x" * 2000), ("company", {"id": 1}), ("company", False), ("rank", "1_0"),
    ],
)  # fmt: skip
def test_a_malformed_value_that_decides_something_rejects_the_record(
    field: str, raw: object
) -> None:
    answer = rejected(Entity.DEAL, {**DEAL, field: raw})
    assert [problem.code for problem in answer.problems] == ["malformed"]


def test_a_malformed_recommended_text_is_left_out_with_a_warning() -> None:
    answer = mapped(Entity.ACCOUNT, {**ACCOUNT, "web": "n/a"})
    assert "domain" not in answer.values
    (remark,) = answer.diagnostics
    assert (cause(remark), remark.severity) == ("account.domain malformed", Severity.WARNING)
    assert "'n/a'" in remark.message or "'n'" in remark.message


def test_a_required_text_that_is_malformed_rejects() -> None:
    answer = rejected(Entity.CONTACT, {"first": "a\x07", "last": "b"})
    assert [cause(problem) for problem in answer.problems] == ["contact.name malformed"]


@pytest.mark.parametrize("first", [["Ada"], {"x": 1}])
def test_a_part_of_a_join_that_is_no_text_is_malformed(first: object) -> None:
    answer = rejected(Entity.CONTACT, {"first": first, "last": "King"})
    assert [cause(problem) for problem in answer.problems] == ["contact.name malformed"]


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({"first": "Ada"}, "Ada"),
        ({"first": None, "last": "King"}, "King"),
        ({"first": " ", "last": "King"}, "King"),
        ({"first": 7, "last": True}, "7 true"),
        ({}, None),
        ({"first": None}, None),
        ({"first": "", "last": " "}, None),
    ],
)
def test_a_join_leaves_out_what_is_not_there(parts: dict[str, object], name: str | None) -> None:
    answer = read(Entity.CONTACT, parts)
    if name is None:
        assert isinstance(answer, Rejected)
        assert [cause(problem) for problem in answer.problems] == ["contact.name missing"]
    else:
        assert isinstance(answer, Mapped)
        assert answer.values["name"] == name


def test_a_word_that_maps_to_null_is_null() -> None:
    values = 'transform = { kind = "value_map", otherwise = "null", values = { a = "b" } }'
    text = added("contact.fields.email", values).replace('"b" }', '"a@b.com" }')
    answer = mapped(Entity.CONTACT, {"first": "Ada", "mail": "unknown"}, text=text)
    assert answer.values["email"] is None


# --- what is not a record ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        b'{"stage":"Won","amount":"1","stage":"Lost"}',
        b'{"stage" : "Won", "stage" : "Lost"}',
        b'{"stage":"Won", "stage" :"Lost"}',
        b'{"props":{"stage":1,"stage":2}}',
        b'{"list":[{"a":1},{"stage":1,"stage":1}]}',
        b'{"note":"a \\"b\\":c","stage":1,"stage":2}',
        b'{"note":"no key\\": here","stage":1,"stage":2,"n":999999999999999999999999}',
    ],
)
def test_a_record_that_names_a_key_twice_is_rejected(payload: bytes) -> None:
    """Which of the two values the CRM means is not for us to guess (reliability 2.B)."""
    (problem,) = rejected(Entity.DEAL, payload).problems
    assert cause(problem) == "deal unreadable"
    assert "the record names 'stage' twice" in problem.message


@pytest.mark.parametrize(
    "note", ['he said "stage": won', '":', '{"title":"x","title":"y"}', "a:b", '" :']
)
def test_a_text_that_looks_like_a_key_named_twice_is_a_text(note: str) -> None:
    assert mapped(Entity.DEAL, {**DEAL, "note": note}).dto.extras["note"] == note


@pytest.mark.parametrize("spaces", [" ", "\n ", "\t"])
def test_blanks_around_colons_do_not_matter(spaces: str) -> None:
    payload = msgspec.json.encode(DEAL).replace(b'":', f'"{spaces}:'.encode())
    assert isinstance(read(Entity.DEAL, payload), Mapped)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b'"x"', "not a JSON object"),
        (b"{", "not a JSON object"),
        (b'{"amount": NaN}', "not a JSON object"),
        (b'{"amount": Infinity}', "not a JSON object"),
        (b'{"a": "\xff"}', "not a JSON object"),
        (b'{"a": "\\ud800"}', "not a JSON object"),
        (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"a": 1e99999999999999999999}', "number that is too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not a JSON object"),
        (b'{"a": "' + b"x" * MAX_PAYLOAD + b'"}', "bytes long; at most 1,048,576 are read"),
    ],
)
def test_what_cannot_be_decoded_is_rejected(payload: bytes, why: str) -> None:
    answer = rejected(Entity.DEAL, payload)
    (problem,) = answer.problems
    assert cause(problem) == "deal unreadable"
    assert why in problem.message


@pytest.mark.parametrize(
    ("crm_ref", "code", "why"),
    [
        ("", "missing", "is not an id"),
        (" ", "missing", "is not an id"),
        (" 7", "malformed", "has blanks around it"),
        ("a\x00", "malformed", "control character"),
        ("\ud800", "malformed", "half a surrogate pair"),
        ("x" * 2000, "malformed", "longer than"),
    ],
)
def test_a_record_needs_an_id(crm_ref: str, code: str, why: str) -> None:
    answer = read(Entity.DEAL, DEAL, crm_ref=crm_ref)
    assert isinstance(answer, Rejected)
    (problem,) = answer.problems
    assert cause(problem) == f"deal.id {code}"
    assert why in problem.message


def test_an_id_is_opaque_and_kept_as_it_is() -> None:
    answer = read(Entity.DEAL, DEAL, crm_ref="Cafe\u0301 No. 007")
    assert isinstance(answer, Mapped)
    assert answer.dto.crm_ref == "Cafe\u0301 No. 007"


def test_numbers_are_exact_from_the_first_byte() -> None:
    payload = b'{"company":"c","title":"t","stage":"Won","amount":0.1,"rank":999999999999999}'
    answer = mapped(Entity.DEAL, payload)
    assert answer.values["amount"] == "0.1"
    assert answer.values["x_rank"] == "999999999999999"
    answer = mapped(Entity.DEAL, payload.replace(b"0.1", b"1.0E7"))
    assert answer.values["amount"] == "10000000"


def test_an_entity_that_is_not_mapped_cannot_be_read() -> None:
    start, end = MAPPING.index("[contact]"), MAPPING.index("[deal]")
    mapper = Mapper(mapping_of(MAPPING[:start] + MAPPING[end:]), "main")
    with pytest.raises(MappingError, match=r"no \[contact\]"):
        mapper.read(Entity.CONTACT, record({}))


def test_a_mapping_without_conversions_still_reads_paths_that_are_not_there() -> None:
    answer = rejected(Entity.ACCOUNT, {"props": "flat", "segment": "x"})
    assert [cause(problem) for problem in answer.problems] == ["account.name missing"]
    answer2 = mapped(Entity.ACCOUNT, {"props.name": "Acme", "segment": "x"})
    assert answer2.values["name"] == "Acme"


# --- extras --------------------------------------------------------------------------------------


def _extras(payload: dict[str, object]) -> dict[str, object]:
    return mapped(Entity.ACCOUNT, {**ACCOUNT, **payload}).dto.extras


def test_what_the_mapping_does_not_know_is_kept_beside() -> None:
    payload = {"props": {"name": "Acme", "city": "Bonn"}, "owner": {"id": 3}, "rate": 1.25}
    assert _extras(payload) == {
        "props.city": "Bonn", "owner": {"id": 3}, "rate": Decimal("1.25"),
    }  # fmt: skip


def test_the_parts_of_a_join_are_no_extras() -> None:
    assert mapped(Entity.CONTACT, {"first": "a", "last": "b", "c": 1}).dto.extras == {"c": 1}


def test_extras_are_few() -> None:
    assert len(_extras({f"k{number}": number for number in range(100)})) == 32


def test_extras_are_small() -> None:
    found = _extras({"a": "x" * 3000, "b": "x" * 3000, "c": 1, "d": ["y"] * 3})
    assert set(found) == {"a", "c", "d"}
    assert len(msgspec.json.encode(found)) <= 4096


def test_a_record_of_very_many_fields_is_read_and_a_very_deep_one_is_told() -> None:
    many: dict[str, object] = {f"k{number}": number for number in range(65_536)}
    assert len(_extras(many)) == 32
    deep = b'{"props":{"name":"Acme"},"segment":"x","a":' + b"[" * 1_000 + b"]" * 1_000 + b"}"
    assert "nested too deeply" in rejected(Entity.ACCOUNT, deep).problems[0].message


def test_extras_are_shallow() -> None:
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    assert _extras({"deep": deep, "flat": [[1]]}) == {"flat": [[1]]}


# --- never raises --------------------------------------------------------------------------------

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=20)
    | st.floats() | st.sampled_from(["Won", "31.3.2026", "EUR", "1.5", "https://a.com"])
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from([*DEAL, *ACCOUNT, "first", "last", "mail", "props.name", "other"])
MAPPERS = {
    name: Mapper(parse_mapping(text, name=name), "main")
    for name, text in {"own": MAPPING, **mappings()}.items()
}


def _check(answer: Mapped | Rejected) -> None:
    if isinstance(answer, Rejected):
        assert answer.problems
        assert all(problem.severity is Severity.ERROR for problem in answer.problems)
    else:
        assert all(remark.severity is not Severity.ERROR for remark in answer.diagnostics)
        assert "id" not in answer.values
        assert msgspec.json.encode(answer.dto)


@given(
    st.dictionaries(KEYS, JSON, max_size=8),
    st.sampled_from(MIRRORED),
    st.sampled_from(list(MAPPERS)),
)
def test_no_json_makes_the_mapper_raise(
    payload: dict[str, object], entity: Entity, name: str
) -> None:
    nested = {"properties": payload, **payload}
    _check(MAPPERS[name].read(entity, record(nested)))


@given(st.binary(max_size=80), st.text(max_size=5), st.sampled_from(MIRRORED))
def test_no_bytes_make_the_mapper_raise(payload: bytes, crm_ref: str, entity: Entity) -> None:
    _check(MAPPERS["own"].read(entity, record(payload, crm_ref)))


@given(st.dictionaries(KEYS, JSON, max_size=8), st.sampled_from(MIRRORED))
def test_mapping_twice_is_mapping_once(payload: dict[str, object], entity: Entity) -> None:
    one, two = (MAPPERS["own"].read(entity, record(payload)) for _ in range(2))
    assert msgspec.json.encode(one) == msgspec.json.encode(two)


# --- the shipped mappings on the vendors' envelopes ----------------------------------------------


def test_a_hubspot_deal_is_read() -> None:
    payload = {
        "id": "512",
        "properties": {
            "dealname": "X", "amount": "1500.00", "closedate": "2026-03-10T12:00:00.123Z",
            "dealstage": "closedwon", "deal_currency_code": None, "hs_object_id": "512",
        },
        "associations": {"company": 77},
        "archived": False,
    }  # fmt: skip
    mapping = parse_mapping(mappings()["hubspot"], name="hubspot")
    answer = read_record(mapping, Entity.DEAL, record(payload, "512"), connection="main")
    assert isinstance(answer, Mapped)
    assert answer.values == {
        "account_id": "77", "name": "X", "stage": "closedwon", "amount": "1500",
        "close_date": "2026-03-10", "currency": None,
    }  # fmt: skip
    assert answer.dto.extras == {"properties.hs_object_id": "512", "archived": False}


@pytest.mark.parametrize(
    ("employees", "segment"),
    [
        ("49", "small"),
        ("50", "mid_market"),
        (250, "large"),
        (1000, "enterprise"),
        (None, "unsegmented"),
    ],
)
def test_a_segment_is_derived_from_the_number_of_employees(employees: object, segment: str) -> None:
    mapping = parse_mapping(mappings()["salesforce"], name="salesforce")
    payload = {"Id": "1", "Name": "Acme", "Website": "acme.com", "NumberOfEmployees": employees}
    answer = read_record(mapping, Entity.ACCOUNT, record(payload), connection="main")
    assert isinstance(answer, Mapped)
    assert answer.values["segment"] == segment
    assert bool(answer.diagnostics) == (employees is None)


def test_a_parked_field_is_not_looked_at_and_all_others_are() -> None:
    broken = record({**DEAL, "stage": {"not": "a word"}})
    mapper = Mapper(parse_mapping(MAPPING, name="stub.toml"), "main")
    assert isinstance(mapper.read(Entity.DEAL, broken), Rejected)
    taken = mapper.read_without(Entity.DEAL, broken, {"stage"})
    assert isinstance(taken, Taken)
    whole = mapped(Entity.DEAL, DEAL)
    assert taken.values == {name: v for name, v in whole.values.items() if name != "stage"}
    assert (taken.extras, taken.diagnostics) == (whole.extras, whole.diagnostics)
    late = record({**DEAL, "stage": None, "closes": "never"})
    still = mapper.read_without(Entity.DEAL, late, {"stage"})
    assert isinstance(still, Rejected)
    assert [one.field for one in still.problems] == ["close_date"]
