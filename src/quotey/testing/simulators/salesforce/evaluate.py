"""A parsed query against the org: which rows hold, in which order, and what of them is shown.

Source: crm-semantics.md 2S, 1L (LIKE), 4S (INVALID_FIELD).
"""

import operator
import re
from bisect import bisect_right
from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from typing import Any

from quotey.testing.simulators.exchange import Doc
from quotey.testing.simulators.salesforce import ids
from quotey.testing.simulators.salesforce.errors import Fault, SalesforceError
from quotey.testing.simulators.salesforce.schema import Field, Value, known_field
from quotey.testing.simulators.salesforce.soql import (
    Combined,
    Comparison,
    Condition,
    Literal,
    Moment,
    Order,
    Query,
    Text,
)
from quotey.testing.simulators.salesforce.store import Org, Row
from quotey.testing.simulators.salesforce.values import moment_of, written

Read = Callable[[Row], Value]
Holds = Callable[[Row], bool]
# Read as moments, without writing and parsing their text for every row.
_MOMENTS: dict[str, Callable[[Row], Any]] = {
    "CreatedDate": lambda row: row.created,
    "LastModifiedDate": lambda row: row.modified,
    "SystemModstamp": lambda row: row.modstamp,
}
_NUMBERS = frozenset({"currency", "double", "percent", "int"})
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def resolve(org: Org, query: Query, path: str) -> tuple[Field, Read]:
    """The field that a path names, and how to read it from a row of the queried object.

    Raises:
        SalesforceError: 400 INVALID_FIELD with the place in the query.
    """
    first, _, rest = path.partition(".")
    if not rest:
        field = known_field(org.objects[query.sobject], first)
        if field is None:
            raise _no_column(query, path, query.sobject)
        return field, lambda row: org.value(row, field)
    relation = next(
        (f for f in org.objects[query.sobject].values() if f.relation.lower() == first.lower()),
        None,
    )
    if relation is None or relation.refers_to not in org.objects:
        raise _no_column(query, path, query.sobject)
    target = known_field(org.objects[relation.refers_to], rest)
    if target is None:
        raise _no_column(query, rest, relation.refers_to)

    def read(row: Row) -> Value:
        parent = org.find(relation.refers_to, str(org.value(row, relation)))
        return None if parent is None else org.value(parent, target)

    return target, read


def _no_column(query: Query, name: str, sobject: str) -> SalesforceError:
    column = query.text.find(name) + 1
    message = (
        f"\n{query.text}\n{' ' * max(0, column - 1)}^\nERROR at Row:1:Column:{column}\n"
        f"No such column '{name}' on entity '{sobject}'. If you are attempting to use a custom "
        "field, be sure to append the '__c' after the custom field name. Please reference your "
        "WSDL or the describe call for the appropriate names."
    )
    return SalesforceError(400, Fault("INVALID_FIELD", message))


def matching(org: Org, query: Query, *, deleted: bool) -> list[str]:
    """The ids of the rows that hold, in order, after OFFSET and LIMIT."""
    holds = (lambda _row: True) if query.where is None else _holds(org, query, query.where)
    table = org.rows[query.sobject]
    last = None if query.limit is None else query.offset + query.limit
    by_id = not query.orders or query.orders == (Order("Id"),)
    found: list[Row] = []
    known = org.order[query.sobject]
    for row_id in islice(known, bisect_right(known, _after(query.where), key=ids.order), None):
        row = table[row_id]
        if (deleted or row.deleted_at is None) and holds(row):
            found.append(row)
            if by_id and len(found) == last:
                break
    for order in reversed(query.orders if not by_id else ()):
        found = _sorted(org, query, found, order)
    return [row.row_id for row in found[query.offset : last]]


def _after(condition: Condition | None) -> str:
    """Where a keyset reader's "Id > last" lets the scan begin."""
    parts = condition.parts if isinstance(condition, Combined) else (condition,)
    joined = not isinstance(condition, Combined) or condition.word == "AND"
    for part in parts if joined else ():
        if isinstance(part, Comparison) and (part.field, part.operator) == ("Id", ">"):
            last = part.values[0]
            return ids.order(last.plain) if isinstance(last, Text) else ""
    return ""


def _sorted(org: Org, query: Query, rows: list[Row], order: Order) -> list[Row]:
    field, read = resolve(org, query, order.field)
    blank = [row for row in rows if read(row) is None]
    filled = [row for row in rows if read(row) is not None]
    filled.sort(key=lambda row: _key(field, read(row)), reverse=order.down)
    return filled + blank if order.nulls_last else blank + filled


def _key(field: Field, value: Value) -> Any:  # noqa: ANN401 - one type per field
    if field.type in {"id", "reference"}:
        return ids.order(str(value))
    return value.lower() if isinstance(value, str) else value


def _holds(org: Org, query: Query, condition: Condition) -> Holds:
    if isinstance(condition, Comparison):
        return _comparison(org, query, condition)
    parts = [_holds(org, query, part) for part in condition.parts]
    return _combined(condition, parts)


def _combined(condition: Combined, parts: list[Holds]) -> Holds:
    if condition.word == "NOT":
        return lambda row: not parts[0](row)
    if condition.word == "AND":
        return lambda row: all(part(row) for part in parts)
    return lambda row: any(part(row) for part in parts)


def _comparison(org: Org, query: Query, spec: Comparison) -> Holds:
    field, plain = resolve(org, query, spec.field)
    if spec.operator == "LIKE":
        return _like(field, plain, spec)
    read = _MOMENTS.get(spec.field) or (lambda row: _folded(field, plain(row)))
    wanted = [_operand(field, value) for value in spec.values]
    if spec.operator in {"IN", "NOT IN"}:
        inside, chosen = spec.operator == "IN", set(wanted)
        return lambda row: (read(row) in chosen) is inside
    value = wanted[0]
    if spec.operator == "=":
        return lambda row: read(row) == value
    if spec.operator == "!=":
        return lambda row: read(row) != value
    compare = _ORDERED[spec.operator]

    def holds(row: Row) -> bool:
        found = read(row)
        return found is not None and value is not None and compare(found, value)

    return holds


def _like(field: Field, read: Read, spec: Comparison) -> Holds:
    literal = spec.values[0]
    if not isinstance(literal, Text):
        raise _mistyped(field)
    # 1L: case-insensitive; a backslash makes % and _ ordinary.
    pattern = re.compile(
        "".join(_like_part(part) for part in re.findall(r"\\.|.", literal.raw, re.DOTALL)),
        re.IGNORECASE | re.DOTALL,
    )
    return lambda row: pattern.fullmatch(str(read(row) or "")) is not None


def _like_part(part: str) -> str:
    if part == "%":
        return ".*"
    return "." if part == "_" else re.escape(Text(part).plain)


def _folded(field: Field, value: Value) -> Any:  # noqa: ANN401 - one type per field
    if isinstance(value, str):
        if field.type in {"id", "reference"}:
            return ids.order(value)
        if field.type == "datetime":
            return moment_of(value)
        return value if field.case_sensitive or field.type == "date" else value.lower()
    return value


def _operand(field: Field, literal: Literal) -> Any:  # noqa: ANN401 - one type per field
    match literal:
        case None:
            return None
        case Text() if field.type in _NUMBERS | {"boolean", "date", "datetime"}:
            raise _mistyped(field)
        case Text():
            text = literal.plain
            return (
                _folded(field, ids.normal(text) or text) if _is_id(field) else _folded(field, text)
            )
        case Moment() if field.type == "date" and "T" not in literal.text:
            return literal.text
        case Moment() if field.type == "datetime" and "T" in literal.text:
            return moment_of(literal.text)
        case bool() if field.type == "boolean":
            return literal
        case Decimal() if field.type in _NUMBERS:
            return literal
        case _:
            raise _mistyped(field)


def _is_id(field: Field) -> bool:
    return field.type in {"id", "reference"}


def _mistyped(field: Field) -> SalesforceError:
    quoted = field.type not in _NUMBERS | {"boolean", "date", "datetime"}
    should = "should be enclosed in quotes" if quoted else "should not be enclosed in quotes"
    message = (
        f"value of filter criterion for field '{field.name}' must be of type {field.type} "
        f"and {should}"
    )
    return SalesforceError(400, Fault("INVALID_FIELD", message))


def projection(org: Org, query: Query) -> Callable[[Row], Doc]:
    """How a row is shown: `attributes`, then the selected fields, parents as objects."""
    fields = [(path, *resolve(org, query, path)) for path in query.fields]
    exponents = org.settings.exponents

    def show(row: Row) -> Doc:
        doc: Doc = {"attributes": attributes(org, row)}
        for path, field, read in fields:
            parent, _, child = path.rpartition(".")
            value = written(field, read(row), exponents=exponents)
            if parent:
                doc.setdefault(parent, {"attributes": {"type": parent}})[child] = value
            else:
                doc[field.name] = value
        return doc

    return show


def attributes(org: Org, row: Row) -> Doc:
    """What every record carries besides its fields."""
    base = f"/services/data/v{org.settings.version}/sobjects"
    return {"type": row.sobject, "url": f"{base}/{row.sobject}/{row.row_id}"}
