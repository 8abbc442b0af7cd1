"""How records of an org and contract records stand for each other: fields, moments, numbers.

Source: crm-semantics 1S.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
from msgspec import UNSET

from quotey.adapters.composio.cursor import milliseconds
from quotey.adapters.composio.docs import UNDATED, Doc, as_text
from quotey.adapters.composio.ops import Problem
from quotey.adapters.composio.salesforce.ids import canonical_id
from quotey.contract.dto import ItemFailure, RemoteRecord
from quotey.contract.errors import ConfigError
from quotey.contract.fields import Entity, FieldType
from quotey.contract.identity import canonical_json
from quotey.contract.mapping import EntityMapping, Mapping
from quotey.contract.paths import known_paths
from quotey.contract.values import as_text as plain_text

ID = "Id"
DELETED = "IsDeleted"
MASTER = "MasterRecordId"
MODIFIED = "LastModifiedDate"
"""What If-Unmodified-Since is compared with; not SystemModstamp (3S)."""
MERGEABLE = ("Account", "Contact", "Lead")
"""Objects whose merged records name their survivor; others are never merged (1S)."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """One entity in this org: its object, and the fields that are read of it.

    `modified` is the field by which changes are found. `operations` holds marks of our last
    updates, `key` the key under which a record was made. `refs` are fields that hold ids.
    """

    entity: Entity
    sobject: str
    modified: str
    fields: tuple[str, ...]
    refs: frozenset[str]
    operations: str = ""
    key: str = ""

    @property
    def system(self) -> tuple[str, ...]:
        """What is read of every record, mapped or not."""
        master = (MASTER,) if self.sobject in MERGEABLE else ()
        return tuple(dict.fromkeys((ID, self.modified, DELETED, *master)))


def shape_of(mapping: Mapping, entity: Entity) -> Shape:
    """Give the shape that a mapping says. Raises ConfigError where it lacks a word."""
    one = mapping.entities[entity]
    return Shape(
        entity=entity,
        sobject=one.object,
        modified=_word(one, "modified", needed=True),
        fields=tuple(dict.fromkeys(known_paths(one))),
        refs=frozenset(field.path for field in one.fields if field.type is FieldType.REF),
        operations=_word(one, "operations", needed=any(f.flows_out for f in one.fields)),
        key=_word(one, "create_key", needed=entity is Entity.DEAL),
    )


def _word(entity: EntityMapping, setting: str, *, needed: bool) -> str:
    word = entity.settings.get(setting, "")
    if needed and not word:
        raise ConfigError(f"[{entity.entity}] of the mapping needs {setting}: the field's name.")
    return word


def moment_of(text: object) -> datetime | None:
    """Read a moment in UTC; its offset may be without a colon (1S). None for what is no moment.

    >>> moment_of("2026-03-10T21:10:08.000+0000").isoformat(), moment_of("2026-03-10")
    ('2026-03-10T21:10:08+00:00', None)
    """
    try:
        at = datetime.fromisoformat(as_text(text))
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None


def ref_of(doc: Doc) -> str:
    """Give a record's id in its canonical form; "" where it has none."""
    return canonical_id(as_text(doc.get(ID))) or ""


def changed_at(doc: Doc, shape: Shape) -> datetime | None:
    """Give when a record was last modified, by a user or by automation."""
    return moment_of(doc.get(shape.modified))


def record_of(doc: Doc, shape: Shape) -> RemoteRecord | None:
    """Make the record that the mapping reads, or its tombstone; None for a document that is none.

    Ids are brought to 18 characters. A field that the org does not show is absent, not null.
    """
    ref, at = ref_of(doc), changed_at(doc, shape)
    if not ref or at is None:
        return None
    if doc.get(DELETED) is True:
        return tombstone(ref, at, merged_into=survivor_of(doc))
    return RemoteRecord(
        crm_ref=ref,
        source_ts=at,
        source_version=str(milliseconds(at)),
        payload=canonical_json(_payload(doc, shape)),
    )


def records_of(docs: Iterable[Doc], shape: Shape) -> tuple[list[RemoteRecord], list[ItemFailure]]:
    """Make records of documents, and tell which are none for want of a moment."""
    records: list[RemoteRecord] = []
    failures: list[ItemFailure] = []
    for doc in docs:
        record, ref = record_of(doc, shape), ref_of(doc)
        if record is not None:
            records.append(record)
        elif ref:
            failures.append(ItemFailure(crm_ref=ref, message=UNDATED))
    return records, failures


def survivor_of(doc: Doc) -> str | None:
    """Give the id of the record that a deleted one was merged into (1S "Deleted/merged")."""
    return canonical_id(as_text(doc.get(MASTER)))


def tombstone(ref: str, at: datetime, *, merged_into: str | None = None) -> RemoteRecord:
    """Make the record of one that is gone: deleted, or merged into another."""
    return RemoteRecord(
        crm_ref=ref,
        source_ts=at,
        source_version=str(milliseconds(at)),
        payload=canonical_json({ID: ref, DELETED: True}),
        deleted=merged_into is None,
        merged_into=merged_into,
    )


def _payload(doc: Doc, shape: Shape) -> Doc:
    """Take over what is mapped and there, parents as objects."""
    payload: Doc = {}
    for path in shape.fields:
        raw = _standing(doc, path)
        if raw is not UNSET:
            _put(payload, path, _value(path, raw, shape))
    return payload


def _standing(doc: Doc, path: str) -> object:
    """Give what stands at a path; UNSET for what is absent. Of a parent that is null, all is."""
    here: object = doc
    for part in path.split("."):
        if here is None:
            return None
        if not isinstance(here, dict) or part not in here:
            return UNSET
        here = here[part]
    return here


def _put(payload: Doc, path: str, value: object) -> None:
    *parents, name = path.split(".")
    here = payload
    for parent in parents:
        here = here.setdefault(parent, {})
    here[name] = value


def _value(path: str, raw: object, shape: Shape) -> object:
    if path in shape.refs and isinstance(raw, str):
        return canonical_id(raw) or raw
    return plain(raw)


def plain(raw: object) -> object:
    """Write a number in one way only; whole ones may come as 3, 3.0 or 1.0E7 (1S "Numbers").

    >>> plain(Decimal("1.0E7")), plain(Decimal("1500.50")), plain(None)
    (10000000, '1500.5', None)
    """
    if not isinstance(raw, Decimal):
        return raw
    text = plain_text(raw)
    return text if "." in text else int(text)


def plain_doc(doc: Doc) -> Doc:
    """Give a record with all numbers written in one way."""
    return {name: plain(value) for name, value in doc.items()}


def field_of(mapping: Mapping, problem: Problem, entities: tuple[Entity, ...]) -> tuple[str, str]:
    """Name the contract field of a field that was refused; "" where it is none."""
    for entity in entities:
        one = mapping.entities.get(entity)
        for field in one.fields if one else ():
            if field.path == problem.property:
                return entity, field.name
    return "", ""
