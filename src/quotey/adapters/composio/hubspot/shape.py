"""How a portal's records look to the mapping, and which properties are asked for.

The payload holds what the mapping reads and nothing that moves by itself, so that an unchanged
record has the same payload to the byte (1H: the modified date advances without a change).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingOf
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from quotey.adapters.composio.cursor import milliseconds
from quotey.adapters.composio.docs import Doc, as_doc, as_text
from quotey.adapters.composio.ops import Problem
from quotey.contract.dto import RemoteRecord
from quotey.contract.errors import ConfigError
from quotey.contract.fields import Entity
from quotey.contract.identity import canonical_json
from quotey.contract.mapping import EntityMapping, Mapping
from quotey.contract.paths import known_paths

PREFIX = "properties."
COMPANY = "associations.company"
MERGED = "hs_merged_object_ids"


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """One entity in this portal: its type, and the properties that are read of it.

    `modified` is the property by which changes are found; contacts have another one than all
    others. `operation` holds the key of our last update, `key` the one under which it was made.
    """

    entity: Entity
    kind: str
    modified: str
    properties: tuple[str, ...]
    has_company: bool
    operation: str = ""
    key: str = ""

    @property
    def asked(self) -> tuple[str, ...]:
        """Every property that a read asks for."""
        return tuple(dict.fromkeys((*self.properties, self.modified, MERGED)))


def shape_of(mapping: Mapping, entity: Entity) -> Shape:
    """Give the shape that a mapping says. Raises ConfigError where it lacks a word."""
    one = mapping.entities[entity]
    paths = known_paths(one)
    return Shape(
        entity=entity,
        kind=one.object,
        modified=_property(one, "modified", needed=True),
        properties=tuple(
            dict.fromkeys(path.removeprefix(PREFIX) for path in paths if path.startswith(PREFIX))
        ),
        has_company=COMPANY in paths,
        operation=_property(one, "operation", needed=any(f.flows_out for f in one.fields)),
        key=_property(one, "create_key", needed=entity is Entity.DEAL),
    )


def _property(entity: EntityMapping, setting: str, *, needed: bool) -> str:
    path = entity.settings.get(setting, "")
    if needed and not path.startswith(PREFIX):
        raise ConfigError(f'[{entity.entity}] of the mapping needs {setting} = "{PREFIX}...".')
    return path.removeprefix(PREFIX)


def moment(text: object) -> datetime | None:
    """Read a moment, with or without milliseconds (1H); None when it is none."""
    try:
        at = datetime.fromisoformat(as_text(text))
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None


def updated_at(doc: Doc, shape: Shape) -> datetime | None:
    """Give when a record was last modified, by the envelope or the property."""
    return moment(doc.get("updatedAt")) or moment(as_doc(doc.get("properties")).get(shape.modified))


def record_of(doc: Doc, shape: Shape, company: str | None) -> RemoteRecord | None:
    """Make the record that the mapping reads; None for a document that is none."""
    ref, at = as_text(doc.get("id")), updated_at(doc, shape)
    if not ref or at is None:
        return None
    held = as_doc(doc.get("properties"))
    payload: Doc = {
        "id": ref,
        "properties": {name: held[name] for name in shape.properties if name in held},
    }
    if doc.get("createdAt"):
        payload["createdAt"] = doc["createdAt"]
    if doc.get("url"):
        payload["url"] = doc["url"]
    if shape.has_company:
        payload["associations"] = {"company": company}
    return RemoteRecord(
        crm_ref=ref,
        source_ts=at,
        source_version=str(milliseconds(at)),
        payload=canonical_json(payload),
    )


def tombstone(ref: str, at: datetime, *, merged_into: str | None = None) -> RemoteRecord:
    """Make the record of one that is gone: deleted, or merged into another."""
    return RemoteRecord(
        crm_ref=ref,
        source_ts=at,
        source_version=str(milliseconds(at)),
        payload=canonical_json({"id": ref, "archived": True}),
        deleted=merged_into is None,
        merged_into=merged_into,
    )


def losers_of(doc: Doc) -> tuple[str, ...]:
    """Give the ids that were merged into this record, other than its own (1H "Merge")."""
    listed = as_text(as_doc(doc.get("properties")).get(MERGED))
    own = as_text(doc.get("id"))
    return tuple(one for one in listed.replace(" ", "").split(";") if one.isdigit() and one != own)


def merged_away(docs: Iterable[Doc], asked: Sequence[str], shape: Shape) -> Iterator[RemoteRecord]:
    """Tell of asked records that were answered by their survivor (1H "Merge")."""
    answered = list(docs)
    wanted = set(asked) - {as_text(doc.get("id")) for doc in answered}
    for doc in answered:
        at = updated_at(doc, shape)
        for ref in losers_of(doc):
            if ref in wanted and at is not None:
                yield tombstone(ref, at, merged_into=as_text(doc.get("id")))


def wire_text(value: object) -> str:
    """Write a value as the portal takes it: everything is text, "" clears (1H).

    >>> wire_text(Decimal("1E+3")), wire_text(None), wire_text(7)
    ('1000', '', '7')
    """
    if value is None:
        return ""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def properties_of(fields: MappingOf[str, object]) -> dict[str, str]:
    """Turn the mapping's paths and wire values into properties; associations are not among them."""
    return {
        path.removeprefix(PREFIX): wire_text(value)
        for path, value in fields.items()
        if path.startswith(PREFIX)
    }


def field_of(mapping: Mapping, problem: Problem, entities: tuple[Entity, ...]) -> tuple[str, str]:
    """Name the contract field of a property that was refused; "" where it is none."""
    for entity in entities:
        one = mapping.entities.get(entity)
        for field in one.fields if one else ():
            if field.path == PREFIX + problem.property:
                return entity, field.name
    return "", ""
