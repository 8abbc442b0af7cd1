"""Data sets: a directory of CSV or JSON files that a stub CRM is filled from, as values.

`dataset.toml` says how the files hang together. Everything here takes text and bytes; opening files
is the caller's affair. What the columns mean is said by a mapping, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from enum import StrEnum

import msgspec

from quotey.contract.errors import DataSetError
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.problems import KeyPath, Problems, did_you_mean, load_toml
from quotey.contract.tables import Table
from quotey.contract.values import FIRST_YEAR, LAST_YEAR, minor_unit

ROW_KEY = "row"
"""As `key`: records are numbered by their place in the file (`deal-1`, `deal-2`, …)."""


TREE_KEY = "attributes.referenceId"
"""Where a record of an sObject tree has its key."""


class FileFormat(StrEnum):
    """How a file holds its records.

    `csv` has a heading line; `json` is an array of objects, or an object whose `records` is one;
    `tree` is the sObject tree: `records` with `attributes.referenceId` and `@` references.
    """

    CSV = "csv"
    JSON = "json"
    TREE = "tree"


class ReferenceStyle(StrEnum):
    """How a column names a record of another file.

    `key`: by its key; `name`: by what stands in `column` of the other file, upper and lower case
    alike; `tree_ref`: by "@" and its reference id.
    """

    KEY = "key"
    NAME = "name"
    TREE_REF = "tree_ref"


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A column of this file (dotted path) that names a record of `entity`.

    `column` is the column of the *other* file that is compared (style `name` only; "" = its key).
    """

    path: str
    entity: Entity
    style: ReferenceStyle = ReferenceStyle.KEY
    column: str = ""


class FileSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a data set: `key` is the column (dotted path) that becomes the `crm_ref`.

    `modified` is the column with the moment of the last change (ISO 8601); "" = none has one.
    """

    entity: Entity
    file: str
    format: FileFormat
    key: str
    references: tuple[Reference, ...] = ()
    modified: str = ""


class DataSetSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed `dataset.toml`.

    `as_of` is the source time of rows that have none; `root` is where the files are, seen from
    `dataset.toml` ("." = beside it); `mapping` is the mapping file beside `dataset.toml`.
    """

    name: str
    as_of: datetime
    files: dict[Entity, FileSpec]
    default_currency: str | None = None
    root: str = "."
    mapping: str = "mapping.toml"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One record: its key, its columns (CSV: texts), and the line or place it came from (from 1).

    `modified` is None where the file does not say; take `as_of` then.
    """

    crm_ref: str
    values: dict[str, object]
    line: int
    modified: datetime | None = None


class BrokenRow(msgspec.Struct, frozen=True, kw_only=True):
    """A record that cannot be read. Its neighbours were kept."""

    file: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.file} line {self.line}: {self.problem}"


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """What one file gave. `line` of a JSON record is its place in the array."""

    entity: Entity
    rows: tuple[Row, ...]
    broken: tuple[BrokenRow, ...] = ()


class DataSet(msgspec.Struct, frozen=True, kw_only=True):
    """A whole data set, its references resolved to the keys of the records that they name."""

    spec: DataSetSpec
    entities: dict[Entity, Rows]

    @property
    def broken(self) -> tuple[BrokenRow, ...]:
        """All rows that could not be read, in the order of reading."""
        return tuple(row for rows in self.entities.values() for row in rows.broken)


def parse_dataset_toml(text: str, *, name: str) -> DataSetSpec:
    """Parse `dataset.toml`; `name` is how the user knows it.

    Raises `DataSetError` with every problem, its line and the near match.

    >>> text = '''as_of = 2017-12-31T00:00:00Z
    ... [account]
    ... file = "accounts.csv"
    ... key = "account"'''
    >>> parse_dataset_toml(text, name="dataset.toml").files[Entity.ACCOUNT].format
    <FileFormat.CSV: 'csv'>
    """
    problems = Problems(name, text)
    top = Table(problems, (), load_toml(text, problems))
    spec = None if problems.found else _spec(top, name)
    if spec is None or problems.found:
        raise DataSetError(problems.told("Data set"), diagnostics=problems.in_order())
    return spec


def _spec(top: Table, name: str) -> DataSetSpec:
    top.only(("as_of", "default_currency", "root", "mapping", *MIRRORED))
    files = {entity: _file(top.table(entity), entity) for entity in MIRRORED if entity in top}
    if not files:
        top.problems.add(
            "missing_key", (), "names no file.", fix="Add [account], [deal], …", line=1
        )
    for file in files.values():
        _check_references(top, file, files)
    return DataSetSpec(
        name=name,
        as_of=_moment(top),
        files=files,
        default_currency=_currency(top),
        root=top.text("root", "."),
        mapping=_file_name(top, "mapping", "mapping.toml"),
    )


def _moment(top: Table) -> datetime:
    value = top.content.get("as_of")
    if isinstance(value, date) and FIRST_YEAR < value.year < LAST_YEAR:
        moment = value if isinstance(value, datetime) else datetime.combine(value, time())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    fix = "Write as_of = 2026-01-31T00:00:00Z: the time of rows that have none."
    top.problems.add(
        "missing_key", ("as_of",), "as_of must be a moment after 1970 and before 2100.", fix=fix
    )
    return datetime(1970, 1, 1, tzinfo=UTC)


def _currency(top: Table) -> str | None:
    code = top.text("default_currency")
    if code and minor_unit(code) is None:
        top.problem("unknown_currency", "default_currency", f"{code!r} is not an ISO 4217 code.")
    return code or None


def _file_name(table: Table, key: str, default: str = "") -> str:
    """Read a file name that stays in its directory."""
    name = table.text(key, default)
    if name.startswith("/") or "\\" in name or ".." in name.split("/"):
        table.problem("outside", key, "must stay below the directory of the data set.")
    return name


def _file(table: Table, entity: Entity) -> FileSpec:
    table.only(("file", "format", "key", "references", "modified"))
    table.needed_text("file", 'Write file = "….csv".')
    file = _file_name(table, "file")
    guess = FileFormat.CSV if file.endswith(".csv") else FileFormat.JSON
    kind = table.choice("format", FileFormat, guess)
    is_tree = kind is FileFormat.TREE
    return FileSpec(
        entity=entity,
        file=file,
        format=kind,
        key=table.text("key", TREE_KEY if is_tree else ROW_KEY) or ROW_KEY,
        references=tuple(
            _reference(inner, path) for path, inner in table.table("references").tables()
        ),
        modified=table.text("modified"),
    )


def _reference(table: Table, path: str) -> Reference:
    table.only(("entity", "style", "column"))
    known = [str(entity) for entity in MIRRORED]
    entity = table.needed_text("entity", f"One of: {', '.join(known)}.")
    if entity and entity not in known:
        fix = did_you_mean(entity, known)
        table.problem("unknown_word", "entity", f"cannot be {entity!r}.", fix=fix)
    return Reference(
        path=path,
        entity=Entity(entity) if entity in known else Entity.ACCOUNT,
        style=table.choice("style", ReferenceStyle, ReferenceStyle.KEY),
        column=table.text("column"),
    )


def _check_references(top: Table, file: FileSpec, files: Mapping[Entity, FileSpec]) -> None:
    """Note references to entities that the data set has no file for."""
    for reference in file.references:
        if reference.entity not in files:
            path: KeyPath = (file.entity, "references", reference.path)
            message = f"{'.'.join(path)} names {reference.entity}s, of which there is no file."
            top.problems.add("missing_key", path, message, fix=f"Add [{reference.entity}].")
