"""Data sets: dataset.toml, and the files that it speaks of."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.contract.dataset import (
    DataSetSpec,
    FileFormat,
    FileSpec,
    Reference,
    ReferenceStyle,
    Row,
    Rows,
    parse_dataset_toml,
)
from quotey.contract.errors import DataSetError, ExitCode
from quotey.contract.fields import Entity
from quotey.contract.rows import payload_of, read_data_set, read_rows, value_at

SPEC = """\
as_of = 2026-01-31T12:00:00+02:00
default_currency = "EUR"

[account]
file = "accounts.csv"
key = "name"

[deal]
file = "deals.json"
key = "no"
modified = "at"

[deal.references.account]
entity = "account"
style = "name"
"""


def spec_of(*pairs: tuple[str, str]) -> DataSetSpec:
    text = SPEC
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return parse_dataset_toml(text, name="dataset.toml")


def test_a_data_set_is_described_by_its_files() -> None:
    spec = spec_of()
    assert spec.as_of == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert (spec.default_currency, spec.root, spec.mapping) == ("EUR", ".", "mapping.toml")
    assert list(spec.files) == [Entity.ACCOUNT, Entity.DEAL]
    assert spec.files[Entity.DEAL] == FileSpec(
        entity=Entity.DEAL, file="deals.json", format=FileFormat.JSON, key="no", modified="at",
        references=(
            Reference(path="account", entity=Entity.ACCOUNT, style=ReferenceStyle.NAME),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "moment"),
    [("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
     ("2026-01-31T12:00:00", datetime(2026, 1, 31, 12, tzinfo=UTC))],
)  # fmt: skip
def test_a_day_or_a_moment_without_zone_is_utc(written: str, moment: datetime) -> None:
    assert spec_of(("2026-01-31T12:00:00+02:00", written)).as_of == moment


def test_a_file_without_key_is_numbered_and_a_tree_has_its_own() -> None:
    assert spec_of(('key = "name"\n', "")).files[Entity.ACCOUNT].key == "row"
    tree = spec_of(('key = "no"', 'format = "tree"'))
    assert tree.files[Entity.DEAL].key == "attributes.referenceId"


@pytest.mark.parametrize(
    ("old", "new", "code", "message", "line"),
    [
        ("as_of = 2026-01-31T12:00:00+02:00", "", "missing_key", "as_of must be a moment", 1),
        ("2026-01-31T12:00:00+02:00", '"today"', "missing_key", "as_of must be a moment", 1),
        ("2026-01-31T12:00:00+02:00", "0001-01-01T00:00:00+14:00", "missing_key", "after 1970", 1),
        ('"EUR"', '"EURO"', "unknown_currency", "'EURO' is not an ISO 4217 code", 2),
        ("default_currency", "currency", "unknown_key", "currency is not a key", 2),
        ('file = "accounts.csv"', "", "missing_key", "account needs 'file'", 4),
        ("accounts.csv", "/etc/passwd", "outside", "must stay below", 5),
        ("accounts.csv", "../accounts.csv", "outside", "must stay below", 5),
        ("accounts.csv", "..\\\\\\\\accounts.csv", "outside", "must stay below", 5),
        ('key = "name"', 'kee = "name"', "unknown_key", "account.kee", 6),
        ('key = "name"', "key = 3", "wrong_type", "must be a text in quotes, not 3", 6),
        ('key = "no"', 'format = "xml"', "unknown_word", "cannot be 'xml'", 10),
        ('entity = "account"', 'entity = "acount"', "unknown_word", "cannot be 'acount'", 14),
        ('entity = "account"', "", "missing_key", "needs 'entity'", 13),
        ('entity = "account"', 'entity = "contact"', "missing_key", "there is no file", 13),
        ('style = "name"', 'style = "fuzzy"', "unknown_word", "cannot be 'fuzzy'", 15),
        ("[deal]", "[deal", "not_toml", "this is not TOML", 8),
    ],
)  # fmt: skip
def test_one_mistake_is_one_problem_with_its_line(
    old: str, new: str, code: str, message: str, line: int
) -> None:
    with pytest.raises(DataSetError) as caught:
        spec_of((old, new))
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.line) == (code, line)
    assert message in problem.message
    assert caught.value.message.startswith("Data set dataset.toml: 1 problem.")
    assert caught.value.exit_code is ExitCode.MAPPING


def test_a_data_set_without_files_is_none() -> None:
    with pytest.raises(DataSetError, match="names no file"):
        parse_dataset_toml("as_of = 2026-01-31T00:00:00Z", name="x")


@given(st.text(max_size=200))
def test_no_text_raises_anything_but_a_data_set_error(text: str) -> None:
    with pytest.raises(DataSetError):
        parse_dataset_toml(text, name="x")


# --- rows ----------------------------------------------------------------------------------------


def csv_rows(content: str | bytes, key: str = "id", **more: object) -> Rows:
    spec = FileSpec(entity=Entity.DEAL, file="d.csv", format=FileFormat.CSV, key=key)
    spec = msgspec.structs.replace(spec, **more)
    return read_rows(spec, content if isinstance(content, bytes) else content.encode())


def json_rows(content: object, key: str = "id", **more: object) -> Rows:
    spec = FileSpec(entity=Entity.DEAL, file="d.json", format=FileFormat.JSON, key=key)
    spec = msgspec.structs.replace(spec, **more)
    raw = content if isinstance(content, bytes) else msgspec.json.encode(content)
    return read_rows(spec, raw)


def told(rows: Rows) -> list[str]:
    return [str(one) for one in rows.broken]


def test_csv_rows_have_key_columns_and_line() -> None:
    rows = csv_rows('id, name\n1,"Acme,\nBonn"\n\n2,Betatech\n').rows
    assert [(row.crm_ref, row.values, row.line) for row in rows] == [
        ("1", {"id": "1", "name": "Acme,\nBonn"}, 2),
        ("2", {"id": "2", "name": "Betatech"}, 5),
    ]


def test_a_byte_order_mark_and_any_line_end_are_read() -> None:
    rows = csv_rows(b"\xef\xbb\xbfid,name\r\n1,a\r\n2,b")
    assert [row.values for row in rows.rows] == [{"id": "1", "name": "a"}, {"id": "2", "name": "b"}]


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("x", "line 3: it has 1 cells where the heading has 2"),
        ("2,b,c", "line 3: it has 3 cells where the heading has 2"),
        ('2,"b"c', "line 3: this is not CSV: ',' expected after '\"'"),
        ('2,"b', "line 3: this is not CSV: unexpected end of data"),
        (",b", "line 3: the key column 'id' is empty"),
        (" ,b", "line 3: ' ' is not an id"),
        ("1,again", "line 3: the key '1' was already used in line 2"),
        ("a\x07,b", "line 3: it holds a control character (U+0007)"),
        (f"2,{'x' * 140_000}", "line 3: this is not CSV: field larger than field limit (131072)"),
    ],
)
def test_a_broken_row_is_told_and_its_neighbours_are_kept(broken: str, problem: str) -> None:
    rows = csv_rows(f"id,name\n1,a\n{broken}\n9,z\n")
    assert [row.crm_ref for row in rows.rows] == ["1", "9"]
    assert told(rows) == [f"d.csv {problem}"]


def test_a_quote_that_is_never_closed_costs_one_row() -> None:
    lines = "\n".join(f"{number},n" for number in range(3, 300))
    rows = csv_rows(f'id,name\n1,a\n2,"b\n{lines}\n')
    assert len(rows.rows) == 298
    assert told(rows) == ["d.csv line 3: this is not CSV: unexpected end of data"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "d.csv line 1 cannot be read: it has no heading line."),
        (b'"', "d.csv line 1 cannot be read: it has no heading line."),
        (b"\nid\n1", "d.csv line 1 cannot be read: it has no heading line."),
        (b"id,a,a\n", "d.csv line 1 cannot be read: the column 'a' is there twice."),
        (b"idd,name\n", "it has no column 'id' (Did you mean 'idd'?)."),
        (b"id,name\n1,\xff\n", "d.csv line 2 cannot be read: it is not UTF-8: invalid start byte."),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole_is_one_error(content: bytes, problem: str) -> None:
    with pytest.raises(DataSetError) as caught:
        csv_rows(content)
    assert problem in caught.value.message
    assert caught.value.diagnostics[0].code == "dataset"


def test_a_column_that_the_data_set_names_must_be_there() -> None:
    with pytest.raises(DataSetError, match="no column 'at'"):
        csv_rows("id\n1", modified="at")
    with pytest.raises(DataSetError, match="no column 'account'"):
        csv_rows("id\n1", references=(Reference(path="account", entity=Entity.ACCOUNT),))


def test_rows_without_key_are_numbered() -> None:
    rows = csv_rows("name\na\n,\nb\n", key="row")
    assert [(row.crm_ref, row.line) for row in rows.rows] == [("deal-1", 2), ("deal-3", 4)]


@pytest.mark.parametrize("wrap", [lambda many: many, lambda many: {"records": many, "done": True}])
def test_json_is_a_list_or_holds_records(wrap: object) -> None:
    assert callable(wrap)
    rows = json_rows(wrap([{"id": 1, "n": {"x": 1.5}}, 7, {"id": "2"}, {"n": 1}]))
    assert [(row.crm_ref, row.line) for row in rows.rows] == [("1", 1), ("2", 3)]
    assert told(rows) == [
        "d.json line 2: it is not an object",
        "d.json line 4: the key column 'id' is empty",
    ]


def test_json_numbers_stay_exact() -> None:
    rows = json_rows(b'[{"id":1,"amount":0.10}]')
    assert rows.rows[0].values["amount"] == Decimal("0.10")
    assert payload_of(rows.rows[0]) == b'{"id":1,"amount":0.10}'


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[{]", "it is not JSON"),
        (b'[{"a": NaN}]', "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b'[{"a": 1e99999999999999999999}]', "it is not JSON"),
        (b'{"rows": []}', "it must be a list of objects"),
        (b"3", "it must be a list of objects"),
        (b'[{"id": 1}, {"id": 2, "id": 3}]', "it names 'id' twice in one object"),
        (b"\xff", "it is not UTF-8"),
    ],
)
def test_json_that_cannot_be_read_is_one_error(content: bytes, problem: str) -> None:
    with pytest.raises(DataSetError, match=problem):
        json_rows(content)


def test_a_record_that_is_nested_too_deeply_is_broken() -> None:
    rows = json_rows(b'[{"id":1,"a":' + b"[" * 100 + b"]" * 100 + b'},{"id":2}]')
    assert told(rows) == ["d.json line 1: it is nested too deeply"]
    assert [row.crm_ref for row in rows.rows] == ["2"]


@pytest.mark.parametrize(
    ("raw", "moment"),
    [
        ("2026-03-10T12:00:00Z", datetime(2026, 3, 10, 12, tzinfo=UTC)),
        ("2026-03-10T12:00:00+02:00", datetime(2026, 3, 10, 10, tzinfo=UTC)),
        ("2026-03-10", datetime(2026, 3, 10, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_a_row_may_say_when_it_changed(raw: object, moment: datetime | None) -> None:
    (row,) = json_rows([{"id": 1, "at": raw}], modified="at").rows
    assert row.modified == moment


@pytest.mark.parametrize("raw", ["yesterday", 7, "0001-01-01T00:00:00+14:00"])
def test_a_row_that_changed_at_no_moment_is_broken(raw: object) -> None:
    rows = json_rows([{"id": 1, "at": raw}], modified="at")
    assert "is not an ISO 8601 moment" in told(rows)[0]


@pytest.mark.parametrize("raw", ["0001-02-01", "1969-12-31", "9999-12-31", "2101-01-01T00:00:00Z"])
def test_a_row_that_changed_outside_of_all_time_is_broken(raw: str) -> None:
    rows = json_rows([{"id": 1, "at": raw}], modified="at")
    assert "the year is outside 1970 to 2100" in told(rows)[0]


# --- references ----------------------------------------------------------------------------------


def references(accounts: str, deals: list[object], style: str, column: str = "") -> list[object]:
    spec = spec_of(
        ('key = "name"', 'key = "id"'),
        ('style = "name"', f'style = "{style}"\ncolumn = "{column}"'),
        ('modified = "at"\n', ""),
    )
    contents = {"accounts.csv": accounts.encode(), "deals.json": msgspec.json.encode(deals)}
    rows = read_data_set(spec, contents).entities[Entity.DEAL].rows
    return [row.values["account"] for row in rows]


ACCOUNTS = "id,name\na1,Acme Corp\na2,Twin\na3,twin\na4,\na5, \n"


@pytest.mark.parametrize(
    ("style", "column", "written", "found"),
    [
        ("name", "name", "acme  CORP ", "a1"),
        ("name", "", "A1", "a1"),
        ("name", "name", "Nobody", "Nobody"),
        ("name", "name", "Twin", "Twin"),
        ("name", "name", "", ""),
        ("name", "name", None, None),
        ("name", "city", "Bonn", "Bonn"),
        ("key", "", "a2", "a2"),
        ("key", "", 7, 7),
        ("tree_ref", "", "@a3", "a3"),
        ("tree_ref", "", "a3", "a3"),
    ],
)
def test_what_names_a_record_becomes_its_key(
    style: str, column: str, written: object, found: object
) -> None:
    assert references(ACCOUNTS, [{"no": 1, "account": written}], style, column) == [found]


def test_a_reference_may_stand_in_an_inner_object() -> None:
    spec = spec_of(
        ("[deal.references.account]", '[deal.references."to.account"]'),
        ('key = "name"', 'key = "id"'),
        ('style = "name"', 'style = "name"\ncolumn = "name"'),
        ('modified = "at"\n', ""),
    )
    deals = b'[{"no":1,"to":{"account":"acme corp","x":1}},{"no":2,"to":3},{"no":3}]'
    data = read_data_set(spec, {"accounts.csv": ACCOUNTS.encode(), "deals.json": deals})
    assert [row.values for row in data.entities[Entity.DEAL].rows] == [
        {"no": 1, "to": {"account": "a1", "x": 1}},
        {"no": 2, "to": 3},
        {"no": 3},
    ]
    assert data.broken == ()


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(DataSetError, match=r"deals.json cannot be read: it is not there"):
        read_data_set(spec_of(), {"accounts.csv": b"name\nAcme"})


def test_broken_rows_of_all_files_stand_together() -> None:
    contents = {"accounts.csv": b"name\nAcme\nAcme\n", "deals.json": b"[7]"}
    broken = read_data_set(spec_of(), contents).broken
    assert [(one.file, one.line) for one in broken] == [("accounts.csv", 3), ("deals.json", 1)]


def test_a_path_may_be_a_column_with_dots() -> None:
    assert value_at({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert value_at({"a": 1}, "a.b") is None


@given(st.binary(max_size=200), st.sampled_from(list(FileFormat)))
def test_no_bytes_raise_anything_but_a_data_set_error(content: bytes, kind: FileFormat) -> None:
    spec = FileSpec(entity=Entity.DEAL, file="f", format=kind, key="row")
    try:
        rows = read_rows(spec, content)
    except DataSetError:
        return
    assert all(payload_of(row) for row in rows.rows)


CELLS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=6))
def test_what_csv_writes_is_read_back(cells: list[tuple[str, str]]) -> None:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    body = "".join(f"{quoted(one)},{quoted(two)}\n" for one, two in cells)
    rows = csv_rows(f"a,b\n{body}", key="row")
    assert [tuple(row.values.values()) for row in rows.rows] == cells


def test_a_row_without_moment_has_none() -> None:
    assert Row(crm_ref="1", values={}, line=1).modified is None


# --- the two real sets ---------------------------------------------------------------------------

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", ["maven", "minlopro"])
def test_an_example_describes_its_data_set(name: str) -> None:
    text = (EXAMPLES / name / "dataset.toml").read_text()
    assert parse_dataset_toml(text, name="dataset.toml").default_currency == "USD"
