"""Writes a mapping as the TOML text that it could have been read from.

Notes and backlog are left out: they are said to people, in words of their own.
"""

from __future__ import annotations

import re

import msgspec

from quotey.contract.fields import Entity
from quotey.contract.mapping import EntityMapping, Mapping
from quotey.contract.mapping_file import as_table

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def write_mapping(mapping: Mapping) -> str:
    """Give a mapping as text; reading it gives the same fingerprint, laid over another one too."""
    lines = [
        f"provider = {written(mapping.provider)}",
        f"clock_tolerance_seconds = {mapping.clock_tolerance_seconds}",
        f"source_priority = {written(list(mapping.source_priority))}",
    ]
    if mapping.default_currency is not None:
        lines.append(f"default_currency = {written(mapping.default_currency)}")
    for entity in mapping.entities.values():
        lines += _entity_lines(entity, mapping)
    return "\n".join(lines) + "\n"


def _entity_lines(entity: EntityMapping, mapping: Mapping) -> list[str]:
    head: dict[str, object] = {"object": entity.object, **entity.settings}
    if entity.entity is Entity.QUOTE:
        head["target"] = str(mapping.quote_target)
    lines = ["", f"[{entity.entity}]", *_pairs(head)]
    for field in entity.fields:
        # What is absent is said too, so that it means the same when it is laid over another.
        table: dict[str, object] = {"default": "", "transform": {"kind": "none"}}
        table |= as_table(msgspec.structs.replace(field, note=""))
        del table["note"]
        lines += ["", f"[{entity.entity}.fields.{field.name}]", *_pairs(table)]
    return lines


def _pairs(table: dict[str, object]) -> list[str]:
    return [f"{_key(key)} = {written(value)}" for key, value in table.items()]


def written(value: object) -> str:
    r"""Write a text, truth value, whole number, list or table as TOML has it.

    >>> print(written({"a b": ["x\n", True, 1]}))
    { "a b" = ["x\n", true, 1] }
    """
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(key)} = {written(one)}" for key, one in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    # JSON's texts are TOML's, but for the one control character that JSON leaves as it is.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else written(key)
