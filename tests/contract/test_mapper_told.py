"""What a record is told to be wrong or poor in, in full; where values are found in a payload."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Direction, Entity, FieldType, Need, Policy
from quotey.contract.mapper import MAX_PAYLOAD, Mapper, Rejected, Taken, write_fields
from quotey.contract.mapping import FieldMapping, Join
from quotey.contract.paths import finder_of
from quotey.contract.values import NAME_BYTES
from tests.contract.texts import MAPPING, added, changed, mapped, mapping_of, record, rejected

DEAL: dict[str, object] = {
    "id": "7", "company": "c1", "title": "Big one", "stage": "Won", "amount": "1500.00",
    "closes": "31.3.2026", "currency": "USD", "rank": 3,
}  # fmt: skip
LONG = "x" * (NAME_BYTES + 1)
NOTE = '\n[deal.fields.x_note]\npath = "note"\ntype = "text"\n'


def without(*names: str) -> dict[str, object]:
    return {name: value for name, value in DEAL.items() if name not in names}


def test_a_value_that_is_malformed_is_told_with_its_field_and_path() -> None:
    (problem,) = rejected(Entity.DEAL, {**DEAL, "amount": "much"}).problems
    assert problem == Diagnostic(
        code="malformed",
        severity=Severity.ERROR,
        message=(
            "deal.amount (from 'amount') is malformed: 'much' is not an amount: "
            "at most 15 digits, then at most 6 after a point."
        ),
        entity="deal",
        field="amount",
    )


def test_a_default_that_is_used_and_a_field_that_is_absent_are_told_whole() -> None:
    told = mapped(Entity.DEAL, without("currency", "amount")).diagnostics
    assert {one.field: one for one in told} == {
        "currency": Diagnostic(
            code="default_used",
            severity=Severity.WARNING,
            message=(
                "deal.currency (from 'currency') is absent or empty; "
                "the default currency 'EUR' was used."
            ),
            entity="deal",
            field="currency",
        ),
        "amount": Diagnostic(
            code="absent",
            severity=Severity.NOTE,
            message=(
                "deal.amount (from 'amount') is recommended and not in the record; "
                "what is here stays."
            ),
            entity="deal",
            field="amount",
        ),
    }


def test_a_required_field_that_is_missing_is_told_whole() -> None:
    (problem,) = rejected(Entity.DEAL, without("title")).problems
    assert problem == Diagnostic(
        code="missing",
        severity=Severity.ERROR,
        message="deal.name (from 'title') is required and absent, null or blank.",
        entity="deal",
        field="name",
    )


def test_a_record_that_cannot_be_decoded_is_told_with_its_id_and_no_field() -> None:
    answer = rejected(Entity.DEAL, b"[]")
    (problem,) = answer.problems
    assert (answer.crm_ref, problem.code, problem.entity, problem.field) == (
        "7",
        "unreadable",
        "deal",
        "",
    )
    broken = Mapper(mapping_of(), "main").read(Entity.DEAL, record({}, " "))
    assert isinstance(broken, Rejected)
    assert (broken.problems[0].code, broken.problems[0].field) == ("missing", "id")


@pytest.mark.parametrize(("bytes_more", "read"), [(0, True), (1, False)])
def test_a_record_of_just_the_largest_size_is_read(bytes_more: int, read: bool) -> None:
    head, tail = b'{"id":"7","props":{"name":"Acme"},"segment":"a","more":"', b'"}'
    room = MAX_PAYLOAD - len(head) - len(tail)
    payload = head + b"x" * (room + bytes_more) + tail
    answer = Mapper(mapping_of(), "main").read(Entity.ACCOUNT, record(payload))
    assert isinstance(answer, Rejected) is not read
    if isinstance(answer, Rejected):
        assert "1,048,577 bytes long; at most 1,048,576 are read" in answer.problems[0].message


def test_a_word_that_means_nothing_clears_a_value_even_where_blanks_keep_it() -> None:
    kind = """\
[account.fields.x_kind]
path = "kind"
type = "text"
on_blank = "keep"
transform = { kind = "value_map", values = { a = "b" }, otherwise = "null" }
"""
    text = changed(("[account.fields.segment]\n", f"{kind}\n[account.fields.segment]\n"))
    account = {"props": {"name": "Acme"}, "segment": "s"}
    assert mapped(Entity.ACCOUNT, {**account, "kind": "z"}, text=text).values["x_kind"] is None
    assert "x_kind" not in mapped(Entity.ACCOUNT, {**account, "kind": " "}, text=text).values


def test_an_own_text_may_be_longer_than_a_name_both_ways() -> None:
    text = f'{MAPPING}{NOTE}direction = "both"\npolicy = "crm_wins"\n'
    assert mapped(Entity.DEAL, {**DEAL, "note": LONG}, text=text).values["x_note"] == LONG
    written = write_fields(mapping_of(text), Entity.DEAL, {"x_note": LONG}, creating=False)
    assert written == {"note": LONG}
    told = rejected(Entity.DEAL, {**DEAL, "title": LONG}).problems
    assert "longer than 1,024 bytes" in told[0].message


def test_the_default_of_an_own_text_may_be_as_long() -> None:
    text = f'{MAPPING}{NOTE}default = "{LONG}"\n'
    assert mapped(Entity.DEAL, DEAL, text=text).values["x_note"] == LONG


def test_what_is_read_without_parked_fields_has_its_extras_and_its_remarks() -> None:
    mapper = Mapper(mapping_of(), "main")
    taken = mapper.read_without(
        Entity.DEAL, record({**without("amount"), "big": "x" * 5_000, "small": 1}), {"stage"}
    )
    assert isinstance(taken, Taken)
    assert taken.extras == {"small": 1}
    assert [(one.code, one.field) for one in taken.diagnostics] == [("absent", "amount")]
    assert "stage" not in taken.values


# --- where a value stands -------------------------------------------------------------------------


def field(path: str, *, join: Join | None = None) -> FieldMapping:
    return FieldMapping(
        name="x_one",
        path=path,
        type=FieldType.TEXT,
        need=Need.RECOMMENDED,
        direction=Direction.INBOUND,
        policy=Policy.CRM_WINS,
        transform=join,
    )


@pytest.mark.parametrize(
    ("path", "payload", "found"),
    [
        ("a", {"a": 1}, 1),
        ("a", {"a": None}, None),
        ("a", {}, UNSET),
        ("a.b", {"a": {"b": 1}}, 1),
        ("a.b", {"a": {"b": None}}, None),
        ("a.b", {"a": {}}, UNSET),
        ("a.b", {"a": None}, UNSET),
        ("a.b", {}, UNSET),
        ("a.b", {"a.b": 1}, 1),
        ("a.b", {"a": "x", "a.b": None}, None),
        ("a.b.c", {"a": {"b": {"c": 1}}}, 1),
        ("a.b.c", {"a": "x"}, UNSET),
        ("a.b.c", {"a": ["x"], "a.b.c": 2}, 2),
        ("a.b.c", {"a": {"b": "x"}}, UNSET),
    ],
)
def test_a_path_finds_a_value_null_or_nothing(
    path: str, payload: dict[str, object], found: object
) -> None:
    assert finder_of(field(path))(payload) == found
    assert (finder_of(field(path))(payload) is UNSET) is (found is UNSET)


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ({"a": "x", "b": {"c": "y"}}, "x-y"),
        ({"a": "x", "b": {"c": " "}}, "x"),
        ({"a": 1, "b": {"c": True}}, "1-true"),
        ({"a": None, "b": {"c": "y"}}, "y"),
        ({"a": None}, None),
        ({"a": None, "b": {"c": None}}, None),
        ({}, UNSET),
        ({"a": "x", "b": {"c": ["y"]}}, ["y"]),
        ({"a": {"z": 1}, "b": {"c": "y"}}, {"z": 1}),
        ({"a": "x\x00", "b": {"c": "y"}}, ["x\x00", "y"]),
    ],
)
def test_a_join_is_a_text_null_nothing_or_what_is_no_text(
    payload: dict[str, object], found: object
) -> None:
    find = finder_of(field("a", join=Join(paths=("a", "b.c"), separator="-")))
    assert find(payload) == found
    assert (find(payload) is UNSET) is (found is UNSET)


def test_own_fields_are_no_columns_of_the_contract() -> None:
    answer = mapped(Entity.DEAL, DEAL, text=added("deal.fields.x_rank", 'note = "mine"'))
    assert answer.dto.custom == {"x_rank": 3}
    assert not hasattr(answer.dto, "x_rank")
