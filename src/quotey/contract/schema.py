"""The published JSON Schema of the contract: the DTOs, and the field dictionary as data.

Generated from the Structs and from `FIELDS`; nothing is said twice by hand.
"""

from __future__ import annotations

from enum import Enum
from functools import reduce
from operator import or_
from types import UnionType
from typing import get_args

import msgspec
from msgspec import UnsetType

from quotey.contract.dto import (
    CrmAccountDto,
    CrmContactDto,
    CrmDealDto,
    CrmQuoteWriteDto,
    CrmSyncResultDto,
    QuoteMarker,
)
from quotey.contract.fields import FIELDS, OWNERSHIP

_DTOS = (
    CrmAccountDto,
    CrmContactDto,
    CrmDealDto,
    CrmQuoteWriteDto,
    CrmSyncResultDto,
    QuoteMarker,
)

_OWN_FIELDS: dict[str, object] = {
    "type": "object",
    "description": "Own fields of the mapping (x_…): text, whole number, money and date as texts.",
    "additionalProperties": {"type": ["string", "integer", "null"]},
}
"""`dict[str, Value]` has no schema of its own: dates and Decimals are texts on the wire."""


def contract_schema() -> dict[str, object]:
    """Give the JSON Schema (2020-12) of the DTOs, with the dictionary beside it.

    `$defs` holds one schema a DTO; `x-fields` is the field dictionary (seed 3.2), `x-ownership` the
    ownership matrix (seed 4.2).
    """
    definitions: dict[str, object] = {}
    for dto in _DTOS:
        definitions[dto.__name__] = _struct_schema(dto, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Quotey CRM contract",
        "$defs": dict(sorted(definitions.items())),
        "x-fields": [msgspec.to_builtins(row) for row in FIELDS],
        "x-ownership": [msgspec.to_builtins(row) for row in OWNERSHIP],
    }


def _struct_schema(dto: type[msgspec.Struct], definitions: dict[str, object]) -> dict[str, object]:
    """Describe one Struct; what it refers to is added to `definitions`."""
    properties: dict[str, object] = {}
    required: list[str] = []
    for field in msgspec.structs.fields(dto):
        properties[field.encode_name] = _field_schema(field, definitions)
        if field.required:
            required.append(field.encode_name)
    return {
        "title": dto.__name__,
        "description": (dto.__doc__ or "").strip(),
        "type": "object",
        "properties": properties,
        "required": required,
    }


def _without_unset(type_: object) -> object:
    """Drop UNSET from a union: on the wire an absent value is an absent key."""
    if not isinstance(type_, UnionType):
        return type_
    kinds = [kind for kind in get_args(type_) if kind is not UnsetType]
    return reduce(or_, kinds)


def _field_schema(
    field: msgspec.structs.FieldInfo, definitions: dict[str, object]
) -> dict[str, object]:
    if field.name == "custom":
        return {**_OWN_FIELDS, "default": {}}
    (schema,), parts = msgspec.json.schema_components(
        [_without_unset(field.type)],
        ref_template="#/$defs/{name}",
        schema_hook=lambda _: {"description": "Any JSON value."},
    )
    for name, part in parts.items():
        definitions.setdefault(name, part)
    if field.default is not msgspec.NODEFAULT and field.default is not msgspec.UNSET:
        default = field.default.value if isinstance(field.default, Enum) else field.default
        return {**schema, "default": msgspec.to_builtins(default)}
    return schema
