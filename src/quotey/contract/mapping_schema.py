"""The JSON Schema of mapping files, for editors that complete and check while one writes.

It says what `parse_mapping` reads; the rules that join several keys are told by the parser only.
"""

from __future__ import annotations

from enum import StrEnum

from quotey.contract.fields import (
    Direction,
    Entity,
    Field,
    FieldType,
    Need,
    Policy,
    Strategy,
    fields_of,
)
from quotey.contract.mapping import OnBlank, QuoteTarget
from quotey.contract.mapping_file import MAX_TOLERANCE, NEEDED, SOURCES
from quotey.contract.mapping_parse import CUSTOM_NAME, OTHERWISE

Schema = dict[str, object]

_TEXT: Schema = {"type": "string", "minLength": 1}
_TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}


def mapping_schema() -> Schema:
    """Give the JSON Schema (2020-12) of a whole mapping file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Quotey mapping",
        "description": "Contract fields and where they stand in one CRM.",
        "type": "object",
        "additionalProperties": False,
        "required": ["provider", *NEEDED],
        "properties": {
            "provider": _TEXT,
            "default_currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "clock_tolerance_seconds": {"type": "integer", "minimum": 0, "maximum": MAX_TOLERANCE},
            "source_priority": {"type": "array", "items": {"enum": list(SOURCES)}},
            "backlog": {"description": "Fields left out of v1, and why.", **_TEXTS},
            **{str(entity): _entity(entity) for entity in Entity},
        },
        "$defs": {"transform": _transform()},
    }


def _entity(entity: Entity) -> Schema:
    rows = fields_of(entity)
    own: Schema = {"target": _choice(QuoteTarget)} if entity is Entity.QUOTE else {}
    fields: Schema = {
        "type": "object",
        "additionalProperties": False,
        "required": [row.name for row in rows if row.need is Need.REQUIRED],
        "properties": {row.name: _contract_field(row) for row in rows},
        "patternProperties": {f"^{CUSTOM_NAME.pattern}$": _own_field()},
    }
    return {
        "type": "object",
        "description": "Other keys are the provider's own settings.",
        "required": ["object", "fields"],
        "properties": {"object": _TEXT, **own, "fields": fields},
        "additionalProperties": {"type": ["string", "integer", "boolean"]},
    }


def _contract_field(row: Field) -> Schema:
    about = f"{row.category}: {row.note} ({row.need}, {row.owner})"
    keys = _field_keys() | {"type": {"const": str(row.type)}}
    if row.need is Need.REQUIRED:
        keys |= {"required": {"const": True}}
    return {
        "type": "object",
        "description": about,
        "additionalProperties": False,
        "properties": keys,
    }


def _own_field() -> Schema:
    keys = _field_keys() | {"type": _choice(FieldType)}
    return {
        "type": "object",
        "required": ["type"],
        "additionalProperties": False,
        "properties": keys,
    }


def _field_keys() -> Schema:
    return {
        "path": {"description": "Dotted path in the CRM's payload.", **_TEXT},
        "required": {"type": "boolean"},
        "direction": _choice(Direction),
        "policy": _choice(Policy),
        "strategy": _choice(Strategy),
        "sent_on_create": {"type": "boolean"},
        "on_blank": _choice(OnBlank),
        "default": {"type": ["string", "integer"]},
        "transform": {"$ref": "#/$defs/transform"},
        "note": {"type": "string"},
    }


def _choice(kind: type[StrEnum]) -> Schema:
    return {"enum": [str(one) for one in kind]}


def _transform() -> Schema:
    pair: Schema = {
        "type": "array",
        "prefixItems": [{"type": ["number", "string"]}, _TEXT],
        "minItems": 2,
        "maxItems": 2,
    }
    kinds: dict[str, tuple[Schema, list[str]]] = {
        "value_map": ({"values": _TEXTS, "otherwise": {"enum": list(OTHERWISE)}}, ["values"]),
        "bucket": ({"below": {"type": "array", "items": pair}, "above": _TEXT}, ["below", "above"]),
        "domain": ({}, []),
        "date": ({"format": _TEXT, "timezone": _TEXT, "out": {"type": "string"}}, []),
        "money": ({"scale": {"type": "integer"}}, []),
        "join": (
            {"paths": {"type": "array", "items": _TEXT}, "separator": {"type": "string"}},
            ["paths"],
        ),
        "none": ({}, []),
    }
    return {
        "oneOf": [
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["kind", *needed],
                "properties": {"kind": {"const": kind}, **keys},
            }
            for kind, (keys, needed) in kinds.items()
        ]
    }
