"""Puts a data set into a vendor's words: read by the data set's mapping, written by the vendor's.

So the vendor ends up holding what the stub holds, as that vendor would spell it. What a vendor's
field cannot say is kept in a property of its own, and what cannot be read is told, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from msgspec import UNSET, Struct
from msgspec.structs import replace

from quotey.contract.dataset import DataSet, Row
from quotey.contract.dto import Value
from quotey.contract.fields import Entity
from quotey.contract.mapper import wire_value
from quotey.contract.mapping import Bucket, DomainOf, FieldMapping, Join, Mapping
from quotey.contract.paths import Finder, finder_of
from quotey.contract.rows import value_at
from quotey.contract.transforms import Reader, reader_of
from quotey.contract.values import FREE_TEXT_BYTES
from quotey.testing.simulators.loading import Shape

_INSIDE = "properties."

OwnName = Callable[[str], str]
"""Makes a vendor's name for a contract field that the vendor has no field for."""


class Reworded(Struct):
    """A data set in a vendor's words, how it is loaded, and what could not be put so.

    `stages` and `currencies` are those that the deals are in, in the vendor's words.
    """

    data: DataSet
    shapes: dict[Entity, Shape]
    left_out: list[str]
    stages: list[str]
    currencies: list[str]


class _Column(Struct, frozen=True):
    """One contract field on its way: where it is found, how it is read, where it goes."""

    ours: FieldMapping
    theirs: FieldMapping
    find: Finder
    read: Reader
    own_property: str


def reword(data: DataSet, ours: Mapping, theirs: Mapping, own_property: OwnName) -> Reworded:
    """Put every row into the words of `theirs`.

    `own_property` makes a property's name of what the vendor has no field for.
    """
    found = Reworded(data, {}, [], [], [])
    entities = dict(data.entities)
    for entity, rows in data.entities.items():
        columns = list(_columns(entity, ours, theirs, own_property))
        reworded = [_row(entity, row, columns, data, found) for row in rows.rows]
        entities[entity] = replace(rows, rows=tuple(reworded))
        names = {name for row in reworded for name in row.values}
        references = {one.path for one in data.spec.files[entity].references}
        kept = {name: name for name in sorted(names - references)}
        found.shapes[entity] = Shape(theirs.entities[entity].object, kept)
    found.data = DataSet(spec=data.spec, entities=entities)
    found.stages = _distinct(found, theirs, "stage")
    found.currencies = _distinct(found, theirs, "currency")
    return found


def _columns(
    entity: Entity, ours: Mapping, theirs: Mapping, own_property: OwnName
) -> Iterator[_Column]:
    target = theirs.entities[entity]
    for field in ours.entities[entity].fields if entity in ours.entities else ():
        there = target.field(field.name)
        if there is None or field.name in {"id", "account_id"}:
            continue
        read = reader_of(field.transform, field.type, FREE_TEXT_BYTES)
        own = own_property(field.name)
        yield _Column(field, there, finder_of(field), read, own)


def _row(
    entity: Entity, row: Row, columns: Iterable[_Column], data: DataSet, found: Reworded
) -> Row:
    values: dict[str, object] = {}
    for column in columns:
        raw = column.find(dict(row.values))
        if raw is UNSET or raw is None or raw == "":
            continue
        try:
            values |= _carried(column, row, raw)
        except ValueError as error:
            found.left_out.append(f"{entity} {row.crm_ref}: {column.ours.name} {error}")
    for reference in data.spec.files[entity].references:
        values[reference.path] = value_at(row.values, reference.path)
    return replace(row, values=values)


def _carried(column: _Column, row: Row, raw: object) -> dict[str, object]:
    """Carry one value over. Raises ValueError with the end of a sentence."""
    theirs = column.theirs
    if isinstance(theirs.transform, Bucket):
        return _number_or_name(column, raw)
    value = column.read(raw)
    if value is None:
        return {}
    if isinstance(theirs.transform, Join):
        return _parts(column, row, value)
    # A host name is a web address too; a transform without a way back is written plainly.
    plain = isinstance(theirs.transform, DomainOf)
    wire = value if plain else wire_value(theirs, value)
    return {_name(theirs.path): wire}


def _number_or_name(column: _Column, raw: object) -> dict[str, object]:
    """Carry what the vendor derives from a number: the number itself, or else the class's name.

    The name is kept in a property of its own, for a mapping that reads it there; where the vendor
    has a class of that name, a number from the class is there too.
    """
    theirs, ours = column.theirs.transform, column.ours.transform
    assert isinstance(theirs, Bucket)
    path = _name(column.theirs.path)
    name = column.read(raw)
    if isinstance(ours, Bucket):
        return {path: raw}
    members = {bound_name: Decimal(bound) - 1 for bound, bound_name in theirs.below}
    members |= {theirs.above: Decimal(theirs.below[-1][0])}
    number = {path: members[str(name)]} if str(name) in members else {}
    return {column.own_property: name, **number}


def _parts(column: _Column, row: Row, value: Value) -> dict[str, object]:
    """Carry a joined text: part by part where both sides have as many, else as a whole."""
    assert isinstance(column.theirs.transform, Join)
    ours, theirs = column.ours.transform, column.theirs.transform
    if isinstance(ours, Join) and len(ours.paths) == len(theirs.paths):
        pairs = zip(ours.paths, theirs.paths, strict=True)
        parts = {_name(to): value_at(row.values, path) for path, to in pairs}
        return {name: part for name, part in parts.items() if part not in {None, ""}}
    return {_name(theirs.paths[-1]): value}


def _name(path: str) -> str:
    return path.removeprefix(_INSIDE)


def _distinct(found: Reworded, theirs: Mapping, field: str) -> list[str]:
    rows = found.data.entities.get(Entity.DEAL)
    there = theirs.entities[Entity.DEAL].field(field)
    if rows is None or there is None:
        return []
    values = (row.values.get(_name(there.path)) for row in rows.rows)
    return list(dict.fromkeys(str(value) for value in values if value))
