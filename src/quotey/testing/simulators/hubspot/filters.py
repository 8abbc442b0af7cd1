"""Search filters as predicates over what the index holds.

Source: crm-semantics.md 2H "Rules", 1L for case and tokens.
"""

import operator
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Any

from quotey.testing.simulators.exchange import Doc
from quotey.testing.simulators.hubspot.errors import HubSpotError, invalid
from quotey.testing.simulators.hubspot.index import Indexed
from quotey.testing.simulators.hubspot.schema import TYPES, Property
from quotey.testing.simulators.hubspot.values import moment_ms

Matches = Callable[[Indexed], bool]
_Comparable = int | Decimal | str
_Reader = Callable[[Indexed], _Comparable | None]

_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "LT": operator.lt,
    "LTE": operator.le,
    "GT": operator.gt,
    "GTE": operator.ge,
}
_WORDS = re.compile(r"[^\w@.+-]+")


def compiled(kind: str, known: dict[str, Property], spec: Doc) -> Matches:
    """The predicate of one filter.

    Raises:
        HubSpotError: 400 for an unknown property or operator, 500 for a date filter at epoch 0.
    """
    name, word = str(spec.get("propertyName", "")), str(spec.get("operator", ""))
    definition = known.get(name)
    if definition is None:
        raise invalid(f"There was a problem with the request: unknown property {name}")
    read = _reader(kind, definition)
    if word in {"HAS_PROPERTY", "NOT_HAS_PROPERTY"}:
        wanted = word == "HAS_PROPERTY"
        return lambda entry: (read(entry) is not None) is wanted
    if word in {"CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"}:
        return _token_filter(name, str(spec.get("value", "")), word == "CONTAINS_TOKEN")
    return _value_filter(kind, definition, spec, read)


def _value_filter(kind: str, definition: Property, spec: Doc, read: _Reader) -> Matches:
    word = str(spec.get("operator", ""))
    if word in {"IN", "NOT_IN"}:
        return _set_filter(kind, definition, spec, read)
    value = _operand(kind, definition, spec.get("value"))
    if word in _ORDERED:
        holds = _ORDERED[word]
        return lambda entry: (found := read(entry)) is not None and holds(found, value)
    if word == "BETWEEN":
        high = _operand(kind, definition, spec.get("highValue"))
        at_least, at_most = _ORDERED["GTE"], _ORDERED["LTE"]
        return lambda entry: (
            (found := read(entry)) is not None and at_least(found, value) and at_most(found, high)
        )
    if word == "EQ":
        return lambda entry: read(entry) == value
    if word == "NEQ":
        return lambda entry: (found := read(entry)) is not None and found != value
    raise invalid(f"There was a problem with the request: unknown operator {word}")


def _set_filter(kind: str, definition: Property, spec: Doc, read: _Reader) -> Matches:
    # 1L: IN compares strings in lower case only, so a value sent in capitals never matches.
    raw = spec.get("values")
    if not isinstance(raw, list) or not raw:
        raise invalid("There was a problem with the request: IN needs values")
    lower = definition.type == "string"
    values = {str(v) if lower else _operand(kind, definition, v) for v in raw}
    if spec.get("operator") == "IN":
        return lambda entry: read(entry) in values
    return lambda entry: (found := read(entry)) is not None and found not in values


def _operand(kind: str, definition: Property, raw: object) -> _Comparable:
    if raw is None or raw == "":
        raise invalid(f"There was a problem with the request: {definition.name} needs a value")
    value = _comparable(definition, str(raw))
    if value is None:
        raise invalid(f"There was a problem with the request: bad value for {definition.name}")
    if definition.type in {"date", "datetime"} and value == 0:
        # 2H: the vendor answers 500 to a filter at epoch 0.
        raise HubSpotError(500, {"message": "internal error"})
    if definition.name == "hs_object_id" or definition.name == TYPES[kind].modified:
        return int(value)
    return value


def _reader(kind: str, definition: Property) -> _Reader:
    if definition.name == "hs_object_id":
        return lambda entry: entry.record_id
    if definition.name == TYPES[kind].modified:
        return lambda entry: entry.modified_ms

    def read(entry: Indexed) -> _Comparable | None:
        text = entry.properties.get(definition.name)
        return None if text is None else _comparable(definition, text)

    return read


def _comparable(definition: Property, text: str) -> _Comparable | None:
    if definition.type in {"date", "datetime"}:
        return moment_ms(text)
    if definition.type == "number":
        try:
            return Decimal(text)
        except InvalidOperation:
            return None
    # 1L: enumerations keep their case, other text loses it.
    return text if definition.type in {"enumeration", "bool"} else text.lower()


def _token_filter(name: str, pattern: str, wanted: bool) -> Matches:  # noqa: FBT001 - which of the two operators
    glob = pattern.lower()

    def matches(entry: Indexed) -> bool:
        text = entry.properties.get(name, "").lower()
        found = any(fnmatchcase(word, glob) for word in (text, *_WORDS.split(text)))
        return found is wanted

    return matches


def mentions(query: str, names: tuple[str, ...]) -> Matches:
    """The predicate of the free-text query over a type's default text properties (1L).

    Each word must stand in one of them; that they may be several (a first and a last name) is
    inferred.
    """
    words = query.lower().split()

    def holds(entry: Indexed) -> bool:
        texts = [entry.properties.get(name, "").lower() for name in names]
        return all(any(word in text for text in texts) for word in words)

    return holds


def sort_key(kind: str, definition: Property) -> Callable[[Indexed], tuple[int, _Comparable, int]]:
    """Blank values come first; equal ones by id."""
    read = _reader(kind, definition)

    def key(entry: Indexed) -> tuple[int, _Comparable, int]:
        found = read(entry)
        return (0, 0, entry.record_id) if found is None else (1, found, entry.record_id)

    return key
