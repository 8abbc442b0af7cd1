"""Reads the files of a data set: bytes to rows. One broken row never costs its neighbours.

What a data set is made of is in `dataset`; what its columns mean is the mapping's affair.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import msgspec

from quotey.contract.dataset import (
    ROW_KEY,
    BrokenRow,
    DataSet,
    DataSetSpec,
    FileFormat,
    FileSpec,
    Reference,
    ReferenceStyle,
    Row,
    Rows,
)
from quotey.contract.errors import DataSetError, Diagnostic, Severity
from quotey.contract.extras import is_shallow
from quotey.contract.fields import MIRRORED, Entity, FieldType
from quotey.contract.problems import did_you_mean
from quotey.contract.repeated import repeated_key
from quotey.contract.values import in_range, parse, shown

MAX_DEPTH = 64
"""Levels of a JSON record; a deeper one could not be written again."""

Record = tuple[int, dict[str, object] | str]
"""Line (or place), and either the columns or what is wrong with them."""

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def read_data_set(spec: DataSetSpec, contents: Mapping[str, bytes]) -> DataSet:
    """Read all files of a data set and resolve what names a record of another one.

    `contents` are the files' bytes by their name in `dataset.toml`. A reference that finds nothing,
    or more than one record, stays as it is written: the parent is then missing, for all to see.
    Raises `DataSetError` for a file that is not there or cannot be read as a whole.
    """
    found: dict[Entity, Rows] = {}
    for entity in MIRRORED:
        file = spec.files.get(entity)
        if file is None:
            continue
        if file.file not in contents:
            raise _unreadable(file.file, "it is not there")
        found[entity] = read_rows(file, contents[file.file])
    resolved = {entity: _resolved(rows, spec, found) for entity, rows in found.items()}
    return DataSet(spec=spec, entities=resolved)


def read_rows(file: FileSpec, content: bytes) -> Rows:
    """Read one file; references stay as they are written.

    Raises `DataSetError` when the file is not UTF-8, or not JSON, or lacks a column that the data
    set names. A record that cannot be read for itself is in `broken`, and no other is lost by it.
    """
    records = _csv_records(file, content) if file.format is FileFormat.CSV else _json(file, content)
    rows: dict[str, Row] = {}
    broken: list[BrokenRow] = []
    for place, (line, values) in enumerate(records, start=1):
        try:
            row = _row(file, place, line, values, rows)
        except ValueError as error:
            broken.append(BrokenRow(file=file.file, line=line, problem=str(error)))
        else:
            rows[row.crm_ref] = row
    return Rows(entity=file.entity, rows=tuple(rows.values()), broken=tuple(broken))


def payload_of(row: Row) -> bytes:
    """Write a row as the JSON that a CRM would send; Decimals become JSON numbers, digit by digit.

    >>> payload_of(Row(crm_ref="1", values={"amount": Decimal("1.50")}, line=1))
    b'{"amount":1.50}'
    """
    return _ENCODER.encode(row.values)


def value_at(values: Mapping[str, object], path: str) -> object:
    """Give what stands at a dotted path (a column may hold dots itself), or None.

    >>> value_at({"a": {"b": 1}, "c.d": 2}, "a.b"), value_at({"c.d": 2}, "c.d")
    (1, 2)
    """
    if path in values:
        return values[path]
    here: object = values
    for part in path.split("."):
        here = here.get(part) if isinstance(here, Mapping) else None
    return here


def _row(
    file: FileSpec, place: int, line: int, values: dict[str, object] | str, seen: Mapping[str, Row]
) -> Row:
    """Name a record and date it. Raises `ValueError` with the problem of a broken one."""
    if isinstance(values, str):
        raise ValueError(values)  # noqa: TRY004 - the record is broken, not our call
    if not is_shallow(values, MAX_DEPTH):
        raise ValueError("it is nested too deeply")
    crm_ref = f"{file.entity}-{place}" if file.key == ROW_KEY else _key(file, values)
    if crm_ref in seen:
        raise ValueError(f"the key {crm_ref!r} was already used in line {seen[crm_ref].line}")
    modified = value_at(values, file.modified) if file.modified else None
    return Row(crm_ref=crm_ref, values=values, line=line, modified=_moment(modified))


def _key(file: FileSpec, values: Mapping[str, object]) -> str:
    raw = value_at(values, file.key)
    if raw is None or raw == "":
        raise ValueError(f"the key column {file.key!r} is empty")
    return str(parse(raw, FieldType.REF))


def _moment(raw: object) -> datetime | None:
    if raw is None or raw == "":
        return None
    try:
        moment = datetime.fromisoformat(str(raw))
        utc = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{str(raw)[:40]!r} is not an ISO 8601 moment") from error
    in_range(utc)
    return utc


def _csv_records(file: FileSpec, content: bytes) -> Iterator[Record]:
    lines = list(io.StringIO(_text(file, content), newline=""))
    records = _csv_cells(lines)
    heading = next(records, (1, ""))[1]
    if isinstance(heading, str) or not heading:
        raise _unreadable(file.file, "it has no heading line", line=1)
    columns = [column.strip() for column in heading]
    _check_columns(file, columns)
    for line, cells in records:
        if isinstance(cells, str):
            yield line, cells
        elif cells:  # an empty line is none
            yield line, _columns(columns, cells)


def _check_columns(file: FileSpec, columns: list[str]) -> None:
    """Raise `DataSetError` when a column is there twice, or one that the data set names is not."""
    if twice := next((column for column in columns if columns.count(column) > 1), None):
        raise _unreadable(file.file, f"the column {twice!r} is there twice", line=1)
    named = (file.key, file.modified, *(reference.path for reference in file.references))
    for column in named:
        if column and column not in (ROW_KEY, *columns):
            fix = did_you_mean(column, columns)
            raise _unreadable(file.file, f"it has no column {column!r} ({fix})", line=1)


def _csv_cells(lines: list[str]) -> Iterator[tuple[int, list[str] | str]]:
    """Give each record with the line that it begins on; what CSV forbids comes as its reason.

    After a broken record reading goes on with the line after its first, so that a quote which is
    never closed costs one record and not the rest of the file.
    """
    start = 0
    while start < len(lines):
        reader = csv.reader(lines[start:], strict=True)
        begin = start
        try:
            for cells in reader:
                yield begin + 1, cells
                begin = start + reader.line_num
        except csv.Error as error:
            yield begin + 1, f"this is not CSV: {error}"
            start = begin + 1
        else:
            return


def _columns(columns: list[str], cells: list[str]) -> dict[str, object] | str:
    if len(cells) != len(columns):
        return f"it has {len(cells)} cells where the heading has {len(columns)}"
    return dict(zip(columns, cells, strict=True))


def _json(file: FileSpec, content: bytes) -> Iterable[Record]:
    try:
        text = _text(file, content).encode()
        whole = _DECODER.decode(text)
        twice = repeated_key(text, whole)
    except (msgspec.DecodeError, RecursionError, InvalidOperation) as error:
        raise _unreadable(file.file, f"it is not JSON: {error}") from error
    if twice is not None:
        raise _unreadable(file.file, f"it names {shown(twice)} twice in one object")
    records = whole.get("records") if isinstance(whole, dict) else whole
    if not isinstance(records, list):
        raise _unreadable(file.file, 'it must be a list of objects, or {"records": [...]}')
    return [
        (place, record if isinstance(record, dict) else "it is not an object")
        for place, record in enumerate(records, start=1)
    ]


def _text(file: FileSpec, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unreadable(file.file, f"it is not UTF-8: {error.reason}", line=line) from error


def _unreadable(name: str, problem: str, *, line: int = 0) -> DataSetError:
    where = f"{name} line {line}" if line else name
    message = f"{where} cannot be read: {problem}."
    found = Diagnostic(code="dataset", severity=Severity.ERROR, message=message, line=line)
    return DataSetError(message, diagnostics=(found,))


def _resolved(rows: Rows, spec: DataSetSpec, found: Mapping[Entity, Rows]) -> Rows:
    """Put keys where references stood."""
    references = spec.files[rows.entity].references
    if not references:
        return rows
    keys = [(one, _keys_by_name(one, found)) for one in references]
    return msgspec.structs.replace(rows, rows=tuple(_with_keys(row, keys) for row in rows.rows))


def _keys_by_name(reference: Reference, found: Mapping[Entity, Rows]) -> dict[str, str]:
    """Index the other file by name; a name that two records share names neither.

    The other styles hold the key itself, so their index is empty.
    """
    if reference.style is not ReferenceStyle.NAME:
        return {}
    index: dict[str, str] = {}
    shared: set[str] = set()
    for row in found[reference.entity].rows:
        raw = value_at(row.values, reference.column) if reference.column else row.crm_ref
        name = _folded(raw or "")
        if not name:
            continue
        if index.setdefault(name, row.crm_ref) != row.crm_ref:
            shared.add(name)
    return {name: key for name, key in index.items() if name not in shared}


def _folded(raw: object) -> str:
    return " ".join(str(raw).split()).casefold()


def _with_keys(row: Row, keys: Iterable[tuple[Reference, Mapping[str, str]]]) -> Row:
    values = dict(row.values)
    for reference, index in keys:
        raw = value_at(values, reference.path)
        if isinstance(raw, str) and raw:
            _put(values, reference.path, _key_of(raw, reference, index))
    return msgspec.structs.replace(row, values=values)


def _key_of(raw: str, reference: Reference, index: Mapping[str, str]) -> str:
    if reference.style is ReferenceStyle.TREE_REF:
        return raw.removeprefix("@")
    return index.get(_folded(raw), raw)


def _put(values: dict[str, object], path: str, key: str) -> None:
    """Replace what stands at a path that is there; the tables on the way are copied."""
    if path in values:
        values[path] = key
        return
    head, _, rest = path.partition(".")
    inner = values[head]
    assert isinstance(inner, dict)
    values[head] = copy = dict(inner)
    _put(copy, rest, key)
