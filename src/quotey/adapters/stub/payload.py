"""The vendor's JSON of the stub: text to objects and back, without ever making a float."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET

_DECODER = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")

Payload = dict[str, Any]


def decode(text: str) -> Payload:
    """Read a payload; numbers with a point become Decimals."""
    return _DECODER.decode(text)


def encode(payload: Payload) -> str:
    """Write a payload; keys keep their order, Decimals are written as numbers."""
    return _ENCODER.encode(payload).decode()


def at_path(payload: Payload, path: str) -> object:
    """Read what stands at a dotted path; UNSET when nothing does.

    >>> at_path({"owner": {"name": "Kim"}}, "owner.name"), at_path({}, "owner.name")
    ('Kim', UNSET)
    """
    if path in payload:
        return payload[path]
    inner: Any = payload
    for part in path.split("."):
        if not isinstance(inner, dict) or part not in inner:
            return UNSET
        inner = inner[part]
    return inner


def put_path(payload: Payload, path: str, value: object) -> None:
    """Set (UNSET: take away) what stands at a dotted path; tables on the way are made.

    >>> payload = {}
    >>> put_path(payload, "owner.name", "Kim")
    >>> payload
    {'owner': {'name': 'Kim'}}
    """
    inner, last = payload, path
    if path not in payload:
        *way, last = path.split(".")
        for part in way:
            step = inner.get(part)
            inner[part] = step if isinstance(step, dict) else {}
            inner = inner[part]
    if value is UNSET:
        inner.pop(last, None)
    else:
        inner[last] = value
