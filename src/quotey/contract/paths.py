"""Where a value stands in a payload: dotted paths and joins, compiled to functions.

A finder answers with the raw value, None for null, and UNSET for what is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import UNSET

from quotey.contract.mapping import EntityMapping, FieldMapping, Join
from quotey.contract.values import read_text

Payload = dict[str, Any]
Finder = Callable[[Payload], Any]


def known_paths(entity: EntityMapping) -> tuple[str, ...]:
    """Give every path that the mapping knows; what stands elsewhere is an extra."""
    paths = [field.path for field in entity.fields]
    joins = [field.transform for field in entity.fields if isinstance(field.transform, Join)]
    return (*paths, *(path for join in joins for path in join.paths))


def finder_of(field: FieldMapping) -> Finder:
    """Compile where one field stands."""
    if isinstance(field.transform, Join):
        finders = [_path_finder(path) for path in field.transform.paths]
        return _join_finder(finders, field.transform.separator)
    return _path_finder(field.path)


def _path_finder(path: str) -> Finder:
    """Compile a dotted path. A key that holds the dots itself is found too."""
    *parents, key = path.split(".")
    if not parents:
        return lambda payload: payload.get(key, UNSET)

    def find(payload: Payload) -> Any:  # noqa: ANN401 - JSON
        here: Any = payload
        for part in parents:
            here = here.get(part) if isinstance(here, dict) else None
        if isinstance(here, dict):
            return here.get(key, UNSET)
        return payload.get(path, UNSET)

    return find


def _join_finder(finders: Sequence[Finder], separator: str) -> Finder:
    """Join what is there; all absent is absent, all absent or null is null.

    A part that is no text makes the whole malformed: it is handed on as it is.
    """

    def find(payload: Payload) -> Any:  # noqa: ANN401 - JSON
        found = [raw for finder in finders if (raw := finder(payload)) is not UNSET]
        parts = [raw for raw in found if raw is not None]
        if not parts:
            return None if found else UNSET
        odd = [raw for raw in parts if isinstance(raw, list | dict)]
        if odd:
            return odd[0]
        try:
            return separator.join(text for raw in parts if (text := read_text(raw)))
        except ValueError:
            return parts

    return find
