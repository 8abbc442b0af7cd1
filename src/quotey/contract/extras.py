"""Extras: what a payload holds beyond the mapping, kept as adapter-local metadata (seed 2.3).

They are shown, never decided on; so they are bounded in number, size and depth.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

MAX_KEYS = 32
MAX_BYTES = 4_096
MAX_DEPTH = 8
"""Levels of a nested extra; a deeper one could not be written again where it is stored."""

_NESTED = (dict, list)

Tree = dict[str, "Tree"]


class Extras:
    """Knows the mapped paths and finds what stands beside them."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self._mapped: Tree = {}
        for path in paths:
            here = self._mapped
            for part in path.split("."):
                here = here.setdefault(part, {})

    def of(self, payload: dict[str, Any], size: int) -> dict[str, object]:
        """Give the unmapped values by dotted path; `size` is the payload's, in bytes.

        Stops at `MAX_KEYS`; leaves out what is deeper than `MAX_DEPTH` or no longer fits.
        """
        found: dict[str, object] = {}
        room = MAX_BYTES
        for path, value in _beside(self._mapped, payload, ""):
            if len(found) == MAX_KEYS:
                break
            if isinstance(value, _NESTED) and not is_shallow(value, MAX_DEPTH):
                continue
            if size > MAX_BYTES:
                needed = len(path) + len(msgspec.json.encode(value))
                if needed > room:
                    continue
                room -= needed
            found[path] = value
        return found


def _beside(mapped: Tree, here: dict[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
    for key, value in here.items():
        inner = mapped.get(key)
        if inner is None:
            yield prefix + key, value
        elif inner and isinstance(value, dict):
            yield from _beside(inner, value, f"{prefix}{key}.")


def is_shallow(value: object, depth: int) -> bool:
    """Say whether a JSON value has at most so many levels.

    >>> is_shallow([[1]], 2), is_shallow([[1]], 1)
    (True, False)
    """
    if not isinstance(value, _NESTED):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(is_shallow(one, depth - 1) for one in inner)
