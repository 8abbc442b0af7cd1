"""Mapping files: TOML text to a `Mapping`, or all its problems at once; and its fingerprint.

The tables are read in `mapping_parse`, their sense is judged in `mapping_rules`.
"""

from __future__ import annotations

import hashlib

import msgspec

from quotey.contract.errors import MappingError
from quotey.contract.fields import Entity, Policy
from quotey.contract.identity import canonical_json
from quotey.contract.mapping import (
    BacklogEntry,
    EntityMapping,
    FieldMapping,
    Mapping,
    QuoteTarget,
    ValueMap,
)
from quotey.contract.mapping_parse import read_entity
from quotey.contract.mapping_rules import Rules
from quotey.contract.problems import Problems, load_toml
from quotey.contract.tables import Table
from quotey.contract.transforms import reverse
from quotey.contract.values import minor_unit

TOP_KEYS = (
    "provider",
    "default_currency",
    "clock_tolerance_seconds",
    "source_priority",
    "backlog",
    *Entity,
)
NEEDED = (Entity.ACCOUNT, Entity.DEAL, Entity.QUOTE)
"""Entities that every mapping has; a CRM without contacts may leave those out."""

SOURCES = ("crm", "local")
MAX_TOLERANCE = 3_600

_MERGE = str(Policy.MERGE_WITH_AUDIT)


def parse_mapping(text: str, *, name: str, over: Mapping | None = None) -> Mapping:
    """Parse a mapping file; `name` is how the user knows it.

    With `over` the file need only say what differs from that (shipped) mapping: each key of each
    field is overridden for itself, and `[backlog]` is added to. Raises `MappingError` (and nothing
    else) with every problem, its line and the near match. Source: seed 3.3.
    """
    problems = Problems(name, text)
    top = Table(problems, (), load_toml(text, problems))
    mapping = None if problems.found else _read(top, over)
    if mapping is None or problems.found:
        raise MappingError(problems.told("Mapping"), diagnostics=problems.in_order())
    return fingerprinted(mapping)


def fingerprinted(mapping: Mapping) -> Mapping:
    """Give the mapping with the fingerprints of its entities and of the whole.

    They are hashes of the meaning: comments, notes, backlog and the order of tables don't count.
    """
    marked = {
        entity: msgspec.structs.replace(one, fingerprint=_entity_hash(mapping, one))
        for entity, one in mapping.entities.items()
    }
    whole = {
        "provider": mapping.provider,
        "entities": {entity: one.fingerprint for entity, one in marked.items()},
        "tolerance": mapping.clock_tolerance_seconds,
        "priority": mapping.source_priority,
    }
    return msgspec.structs.replace(mapping, entities=marked, fingerprint=_hash(whole))


def with_default_currency(mapping: Mapping, currency: str) -> Mapping:
    """Give the mapping with another default currency (the connection's), fingerprints and all."""
    return fingerprinted(msgspec.structs.replace(mapping, default_currency=currency))


def _hash(value: object) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()[:16]


def _entity_hash(mapping: Mapping, entity: EntityMapping) -> str:
    meaning: dict[str, object] = {
        "object": entity.object,
        "settings": entity.settings,
        "fields": {field.name: _meaning(field) for field in entity.fields},
    }
    if entity.entity is Entity.DEAL:
        meaning["default_currency"] = mapping.default_currency
    if entity.entity is Entity.QUOTE:
        meaning["target"] = mapping.quote_target
    return _hash(meaning)


def _meaning(field: FieldMapping) -> object:
    """Everything of a field that matters; a value map's order does where it is written back."""
    meaning = msgspec.to_builtins(msgspec.structs.replace(field, note=""))
    back = reverse(field.transform) if isinstance(field.transform, ValueMap) else {}
    return [meaning, back]


def _read(top: Table, over: Mapping | None) -> Mapping:
    top.only(TOP_KEYS)
    entities = _entities(top, over)
    target_table = top.table(Entity.QUOTE)
    mapping = Mapping(
        provider=_provider(top, over),
        entities=entities,
        quote_target=target_table.choice(
            "target", QuoteTarget, over.quote_target if over else QuoteTarget.DEAL_PROPERTIES
        ),
        default_currency=_currency(top, over),
        clock_tolerance_seconds=_tolerance(top, over),
        source_priority=_priority(top, over),
        backlog=_backlog(top, over),
    )
    _check(top.problems, mapping)
    return mapping


def _check(problems: Problems, mapping: Mapping) -> None:
    rules = Rules(problems)
    for entity in mapping.entities.values():
        rules.check(entity)
    deal, quote = (mapping.entities.get(entity) for entity in (Entity.DEAL, Entity.QUOTE))
    if deal and quote:
        rules.check_slots(deal, quote, mapping.quote_target)


def _entities(top: Table, over: Mapping | None) -> dict[Entity, EntityMapping]:
    inherited = over.entities if over else {}
    found: dict[Entity, EntityMapping] = {}
    for entity in Entity:
        base = inherited.get(entity)
        if entity in top:
            table = top.table(entity)
            found[entity] = read_entity(_merged(table, base) if base else table, entity)
        elif base:
            found[entity] = base
        elif entity in NEEDED:
            fix = f"Add [{entity}] and [{entity}.fields.…]."
            top.problems.add(
                "missing_entity", (entity,), f"[{entity}] is missing.", fix=fix, line=1
            )
    return found


def _provider(top: Table, over: Mapping | None) -> str:
    if over is None:
        return top.needed_text("provider", 'Write provider = "…".')
    provider = top.text("provider", over.provider)
    if provider != over.provider:
        top.problem("impossible_provider", "provider", f"must be {over.provider!r} here.")
    return provider


def _currency(top: Table, over: Mapping | None) -> str | None:
    code = top.text("default_currency", (over.default_currency if over else None) or "")
    if code and minor_unit(code) is None:
        message = f"{code[:40]!r} is not a current ISO 4217 code."
        top.problem("unknown_currency", "default_currency", message)
    return code or None


def _tolerance(top: Table, over: Mapping | None) -> int:
    key = "clock_tolerance_seconds"
    seconds = top.whole(key, over.clock_tolerance_seconds if over else 1)
    if not 0 <= seconds <= MAX_TOLERANCE:
        top.problem("out_of_range", key, f"must be 0 to {MAX_TOLERANCE:,} seconds.")
    return seconds


def _priority(top: Table, over: Mapping | None) -> tuple[str, ...]:
    key = "source_priority"
    order = top.texts(key) if key in top else (over.source_priority if over else SOURCES)
    if sorted(order) != sorted(SOURCES):
        top.problem("unknown_word", key, 'must be ["crm", "local"] or ["local", "crm"].')
    return order


def _backlog(top: Table, over: Mapping | None) -> tuple[BacklogEntry, ...]:
    entries = {entry.field: entry.reason for entry in over.backlog} if over else {}
    entries |= top.table("backlog").words()
    return tuple(BacklogEntry(field, reason) for field, reason in entries.items())


def _merged(table: Table, base: EntityMapping) -> Table:
    """Lay the user's table of an entity over the shipped one, key by key."""
    fields: dict[str, object] = {field.name: as_table(field) for field in base.fields}
    for name, inner in table.table("fields").tables():
        fields[name] = _overlaid(fields.get(name, {}), inner.content)
    content = {"object": base.object, **base.settings, **table.content, "fields": fields}
    return Table(table.problems, table.path, content)


def _overlaid(shipped: object, own: dict[str, object]) -> dict[str, object]:
    assert isinstance(shipped, dict)
    merged = {**shipped, **own}
    # A strategy belongs to its policy; it does not outlive it.
    if "strategy" not in own and own.get("policy", _MERGE) != _MERGE:
        merged.pop("strategy", None)
    return merged


def as_table(field: FieldMapping) -> dict[str, object]:
    """Write a field as its table in a file would be, so that a user's keys can be laid over it."""
    raw: dict[str, object] = msgspec.json.decode(canonical_json(field))
    table = {key: value for key, value in raw.items() if value is not None}
    table["required"] = table.pop("need") == "required"
    del table["name"], table["custom"]
    transform = table.get("transform")
    if isinstance(transform, dict):
        transform["kind"] = transform.pop("type")
    return table
