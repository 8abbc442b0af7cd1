"""What a data set's files are told to be wrong for, in full, and what their limits are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from quotey.contract.dataset import FileFormat, FileSpec, ReferenceStyle, parse_dataset_toml
from quotey.contract.errors import DataSetError, Diagnostic, Severity
from quotey.contract.fields import Entity
from quotey.contract.rows import read_data_set, read_rows

SPEC = """\
as_of = 2026-01-31T12:00:00
root = "files"
mapping = "own.toml"

[account]
file = "accounts.csv"

[deal]
file = "deals.csv"

[deal.references.account]
entity = "account"
"""


def wrong(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(DataSetError) as caught:
        parse_dataset_toml(text, name="dataset.toml")
    return caught.value.diagnostics


@pytest.fixture(params=["Pacific/Auckland", "America/Los_Angeles"])
def _far_away(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_far_away")
def test_a_moment_without_a_zone_is_utc_wherever_the_machine_stands() -> None:
    spec = parse_dataset_toml(SPEC, name="dataset.toml")
    assert spec.as_of == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert spec.as_of.tzinfo is UTC
    file = FileSpec(
        entity=Entity.DEAL, file="d.csv", format=FileFormat.CSV, key="id", modified="at"
    )
    rows = read_rows(file, b"id,at\n1,2026-01-31T12:00:00\n2,2026-01-31T12:00:00+02:00\n").rows
    assert [row.modified for row in rows] == [
        datetime(2026, 1, 31, 12, tzinfo=UTC),
        datetime(2026, 1, 31, 10, tzinfo=UTC),
    ]
    assert {row.modified.tzinfo for row in rows if row.modified} == {UTC}


def test_a_data_set_is_read_with_its_name_its_folder_and_its_mapping() -> None:
    spec = parse_dataset_toml(SPEC, name="dataset.toml")
    assert (spec.name, spec.root, spec.mapping) == ("dataset.toml", "files", "own.toml")
    (reference,) = spec.files[Entity.DEAL].references
    assert (reference.style, reference.column) == (ReferenceStyle.KEY, "")
    found = read_data_set(
        spec, {"accounts.csv": b"name\nAcme\n", "deals.csv": b"account\naccount-1\n"}
    )
    assert found.spec == spec


def test_a_mapping_file_elsewhere_is_told_as_such() -> None:
    (problem,) = wrong(SPEC.replace("own.toml", "../own.toml"))
    assert (problem.code, problem.line) == ("outside", 3)
    assert problem.message == "mapping must stay below the directory of the data set."


def test_a_data_set_without_files_is_told_what_to_add() -> None:
    (problem,) = wrong("root = 'x'\nas_of = 2026-01-31T00:00:00Z\n")
    assert problem == Diagnostic(
        code="missing_key",
        severity=Severity.ERROR,
        message="names no file.",
        line=1,
        fix="Add [account], [deal], …",
    )


@pytest.mark.parametrize(
    ("year", "right"), [(1970, False), (1971, True), (2099, True), (2100, False)]
)
def test_rows_without_a_time_are_of_1971_to_2099(year: int, right: bool) -> None:
    text = SPEC.replace("2026-01", f"{year}-01")
    if right:
        assert parse_dataset_toml(text, name="x").as_of.year == year
        return
    (problem,) = wrong(text)
    assert (problem.code, problem.line) == ("missing_key", 1)
    assert problem.message == "as_of must be a moment after 1970 and before 2100."
    assert problem.fix == "Write as_of = 2026-01-31T00:00:00Z: the time of rows that have none."


def test_a_moment_that_is_none_is_told_on_its_line() -> None:
    (problem,) = wrong("root = 'x'\nas_of = 'soon'\n[account]\nfile = 'a.csv'\n")
    assert problem.line == 2


@pytest.mark.parametrize(
    ("old", "new", "message", "fix"),
    [
        ('file = "deals.csv"', "", "deal needs 'file'.", 'Write file = "….csv".'),
        (
            'entity = "account"',
            "",
            "deal.references.account needs 'entity'.",
            "One of: account, contact, deal.",
        ),
        (
            'entity = "account"',
            'entity = "acount"',
            "deal.references.account.entity cannot be 'acount'.",
            "Did you mean 'account'?",
        ),
        (
            'entity = "account"',
            'entity = "contact"',
            "deal.references.account names contacts, of which there is no file.",
            "Add [contact].",
        ),
    ],
)
def test_a_mistake_is_told_with_what_mends_it(old: str, new: str, message: str, fix: str) -> None:
    (problem,) = wrong(SPEC.replace(old, new))
    assert (problem.message, problem.fix) == (message, fix)


# --- rows ----------------------------------------------------------------------------------------

CSV = FileSpec(entity=Entity.DEAL, file="d.csv", format=FileFormat.CSV, key="id", modified="at")
JSON = FileSpec(entity=Entity.DEAL, file="d.json", format=FileFormat.JSON, key="id")


@pytest.mark.parametrize(
    ("file", "content", "line", "where", "problem"),
    [
        (CSV, b"", 1, "d.csv line 1", "it has no heading line."),
        (CSV, b"id,name\n", 1, "d.csv line 1", "it has no column 'at' (Known here: id, name.)."),
        (CSV, b"id,at,id\n", 1, "d.csv line 1", "the column 'id' is there twice."),
        (CSV, b"\xffid\n", 1, "d.csv line 1", "it is not UTF-8: invalid start byte."),
        (CSV, b"\nid\n\xff\n\n", 3, "d.csv line 3", "it is not UTF-8: invalid start byte."),
        (JSON, b"{", 0, "d.json", None),
        (JSON, b'[{"id":1,"id":2}]', 0, "d.json", "it names 'id' twice in one object."),
        (
            JSON,
            b"3",
            0,
            "d.json",
            'it must be a list of objects, or {"records": [...]}.',
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_one_problem_with_file_and_line(
    file: FileSpec, content: bytes, line: int, where: str, problem: str | None
) -> None:
    with pytest.raises(DataSetError) as caught:
        read_rows(file, content)
    (told,) = caught.value.diagnostics
    assert (told.code, told.severity, told.line) == ("dataset", Severity.ERROR, line)
    assert str(caught.value) == told.message
    assert told.message.startswith(f"{where} cannot be read: ")
    assert problem is None or told.message == f"{where} cannot be read: {problem}"


def test_line_ends_within_a_cell_stay_as_they_are() -> None:
    rows = read_rows(CSV, b'id,at,note\r\n1,,"a\r\nb\rc\nd"\r\n').rows
    assert [row.values["note"] for row in rows] == ["a\r\nb\rc\nd"]


def test_a_time_that_is_none_is_shown_by_its_beginning() -> None:
    rows = read_rows(CSV, f"id,at\n1,{'x' * 60}\n".encode())
    assert [one.problem for one in rows.broken] == [f"'{'x' * 40}' is not an ISO 8601 moment"]


def resolved(accounts: bytes, deals: bytes, path: str = "account") -> list[object]:
    text = SPEC.replace("deals.csv", "deals.json").replace(
        'entity = "account"', 'entity = "account"\nstyle = "name"\ncolumn = "name"'
    )
    text = text.replace("references.account", f'references."{path}"')
    spec = parse_dataset_toml(text, name="dataset.toml")
    found = read_data_set(spec, {"accounts.csv": accounts, "deals.json": deals})
    return [row.values for row in found.entities[Entity.DEAL].rows]


def test_a_name_finds_its_record_past_others_that_have_none() -> None:
    accounts = b"name,x\n,1\nAcme,2\n"
    assert resolved(accounts, b'[{"account":"ACME"},{"account":""},{"account":"XXXX"}]') == [
        {"account": "account-2"},
        {"account": ""},
        {"account": "XXXX"},
    ]


def test_what_is_no_text_is_no_reference() -> None:
    assert resolved(b"name,x\nAcme,1\n", b'[{"account":7},{"account":null},{"a":1}]') == [
        {"account": 7},
        {"account": None},
        {"a": 1},
    ]


def test_a_reference_deep_within_a_record_is_replaced_in_its_place() -> None:
    deals = b'[{"a":{"b":{"c":"Acme","d":1}},"e":2}]'
    assert resolved(b"name,x\nAcme,1\n", deals, path="a.b.c") == [
        {"a": {"b": {"c": "account-1", "d": 1}}, "e": 2}
    ]
