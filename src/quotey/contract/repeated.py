"""JSON objects that name a key twice: the decoder keeps the last value and says nothing of it.

Which of the two is meant is not for us to guess, so whoever reads a payload asks here first.
Source: reliability 2.B, 2.F.
"""

from __future__ import annotations

import json
from typing import Any


class _TwiceError(ValueError):
    """Carries the key out of the decoder."""


def repeated_key(payload: bytes, decoded: object) -> str | None:
    r"""Name a key that stands twice in one object of this JSON, None when none does.

    `decoded` is what the payload was read as. Where it holds as many keys as the payload has `":`,
    every key was kept; only where the figures differ (a text holds such a sign, too) is the payload
    read again, slowly, and judged.

    >>> repeated_key(b'{"a":1,"b":{"a":2}}', {"a": 1, "b": {"a": 2}}) is None
    True
    >>> repeated_key(b'{"a":1,"a":2}', {"a": 2})
    'a'
    """
    if payload.count(b'":') == _keys(decoded) and b'" :' not in payload:
        return None
    try:
        json.loads(payload, object_pairs_hook=_once, parse_int=str, parse_float=str)
    except _TwiceError as twice:
        return str(twice)
    return None


def _keys(whole: object) -> int:
    """Count the keys of all objects in a JSON value."""
    count, waiting = 0, [whole]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            count += len(one)
            waiting += [inner for inner in one.values() if inner.__class__ in (dict, list)]
        elif isinstance(one, list):
            waiting += [inner for inner in one if inner.__class__ in (dict, list)]
    return count


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _TwiceError(next(key for key in found if keys.count(key) > 1))
    return found
