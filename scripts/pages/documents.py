"""The page of JSON documents: what each command answers, and the types that answers are made of.

What is said of a type is its docstring; nothing is said twice by hand.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from quotey.app.envelope import Envelope, schema_name
from scripts.answers import ANSWERS, choices
from scripts.pages.markdown import MADE, table

INTRO = """\
`--json` makes a command print one document: the [envelope](cli.md#the-json-document) with the
command's answer in `data`. A library user gets the same values as typed Structs. As JSON Schema:
[commands.schema.json](commands.schema.json).

Money is a text (`"12000.00"`), a time is a text in UTC (`"2026-03-02T09:00:00Z"`), a day is
`"2026-03-02"`. New keys may come; none is taken away or changes its meaning within a schema's
number.
"""
WORDS: dict[object, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    bytes: "base64 text",
    Decimal: "decimal text",
    datetime: "time",
    date: "day",
    type(None): "null",
    object: "anything",
    Any: "anything",
    msgspec.UnsetType: "absent",
}


def documents_page() -> str:
    """Write the whole page."""
    rows = [
        (f"`quotey {command}`", f"`{schema_name(tuple(command.split()))}`", _either(answer))
        for command, answer in ANSWERS.items()
    ]
    parts = [
        "# JSON documents\n",
        MADE,
        INTRO,
        "## Commands\n",
        table(("command", "schema", "data"), rows),
        "## Types\n",
    ]
    for kind in sorted(reachable(), key=lambda one: one.__name__.lower()):
        parts += _described(kind)
    return "\n".join(parts)


def _either(answer: Any) -> str:  # noqa: ANN401 - types as values
    return " or ".join(spelled(one) for one in choices(answer))


Ours = type[msgspec.Struct] | type[Enum]


def _described(kind: Ours) -> list[str]:
    text = " ".join((inspect.getdoc(kind) or "").split())
    heading = f"### {kind.__name__}\n"
    if issubclass(kind, Enum):
        words = ", ".join(f"`{one.value}`" for one in kind)
        return [heading, f"{text}\n", f"One of {words}.\n"]
    rows = [(f"`{one.encode_name}`", spelled(one.type)) for one in msgspec.structs.fields(kind)]
    return [heading, f"{text}\n", table(("key", "value"), rows)]


def spelled(kind: Any) -> str:  # noqa: ANN401 - types as values
    """Write a type as words, with a link where it is one of ours."""
    if kind in WORDS:
        return WORDS[kind]
    origin = get_origin(kind)
    if origin is not None:
        return _composed(origin, get_args(kind))
    if isinstance(kind, TypeVar):
        return "what it lists"
    assert isinstance(kind, type), f"{kind} has no words yet"
    return _link(kind)


def _composed(origin: Any, inner: tuple[Any, ...]) -> str:  # noqa: ANN401 - types as values
    if origin is Literal:
        return " or ".join(f"`{word}`" for word in inner)
    words = [spelled(one) for one in inner if one is not Ellipsis]
    if origin in (types.UnionType, Union):
        return " or ".join(words)
    holder = {tuple: "list", dict: "object"}.get(origin) or _link(origin)
    return f"{holder} of {words[-1]}"


def _link(kind: type) -> str:
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


def reachable() -> set[Ours]:
    """Give every Struct and Enum that an answer may hold."""
    found: set[Ours] = set()
    waiting: list[Any] = [
        Envelope,
        *(one for answer in ANSWERS.values() for one in choices(answer)),
    ]
    while waiting:
        kind = waiting.pop()
        for one in _ours(kind):
            if one not in found:
                found.add(one)
                fields = () if issubclass(one, Enum) else msgspec.structs.fields(one)
                waiting += [field.type for field in fields]
    return found


def _ours(kind: Any) -> Iterator[Ours]:  # noqa: ANN401 - types as values
    """Give the Structs and Enums that a type is made of."""
    for one in (get_origin(kind), *get_args(kind)):
        if one is not None:
            yield from _ours(one)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct | Enum):
        yield kind
