"""Reads the tables of a mapping file into `EntityMapping`s: words and types, not yet sense.

Whether what is read makes sense together is `mapping_rules`'s affair.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from quotey.contract.fields import (
    BY_PATH,
    Direction,
    Entity,
    FieldType,
    Need,
    Policy,
    Strategy,
    fields_of,
)
from quotey.contract.mapping import (
    Bucket,
    DateIn,
    DomainOf,
    EntityMapping,
    FieldMapping,
    Join,
    MoneyIn,
    OnBlank,
    Transform,
    ValueMap,
)
from quotey.contract.problems import did_you_mean
from quotey.contract.tables import Table

FIELD_KEYS = (
    "path", "type", "required", "direction", "policy", "strategy", "sent_on_create", "on_blank",
    "default", "transform", "note",
)  # fmt: skip
OTHERWISE = ("reject", "keep", "null")
_OWN_KEYS = (("object", "fields"), ("object", "fields", "target"))

_LARGEST_BOUND = 10**15

CUSTOM_NAME = re.compile(r"x_[a-z0-9_]{1,40}")


def read_entity(table: Table, entity: Entity) -> EntityMapping:
    """Read `[account]` and its likes; keys that we do not know are the provider's settings."""
    fields = table.table("fields")
    read = (read_field(inner, entity, name) for name, inner in fields.tables())
    return EntityMapping(
        entity=entity,
        object=table.needed_text("object", "Write the CRM's own name for it."),
        fields=tuple(field for field in read if field is not None),
        settings=_settings(table, _OWN_KEYS[entity is Entity.QUOTE]),
    )


def _settings(table: Table, own: tuple[str, ...]) -> dict[str, str]:
    """Read the provider's own words: texts, whole numbers and truth values, kept as text."""
    found: dict[str, str] = {}
    for key, value in table.content.items():
        if key in own:
            continue
        if isinstance(value, bool):
            found[key] = "true" if value else "false"
        elif isinstance(value, str | int):
            found[key] = table.plain(key)
        else:
            fix = did_you_mean(key, own)
            table.problem("unknown_key", key, "is not a text, number or truth value.", fix=fix)
    return found


def read_field(table: Table, entity: Entity, name: str) -> FieldMapping | None:
    """Read one `[account.fields.<name>]`; None when there is no such field at all."""
    table.only(FIELD_KEYS)
    row = BY_PATH.get(f"{entity}.{name}")
    custom = row is None
    if row is None and not CUSTOM_NAME.fullmatch(name):
        fix = f"{did_you_mean(name, [one.name for one in fields_of(entity)])} Own fields: x_…"
        table.problem("unknown_field", "", "is no contract field.", fix=fix)
        return None
    direction = table.choice("direction", Direction, row.direction if row else Direction.INBOUND)
    if custom and direction is Direction.BOTH and "policy" not in table:
        table.problem("missing_key", "", "flows both ways and needs a policy.")
    policy = table.choice("policy", Policy, row.policy if row else _policy_for(direction))
    strategy = table.choice_or_none("strategy", Strategy)
    if strategy is None and row and policy is row.policy:
        strategy = row.strategy
    transform = _transform(table)
    return FieldMapping(
        name=name,
        path=_path(table, transform),
        type=_type(table, row.type if row else None),
        need=_need(table, row.need if row else Need.RECOMMENDED),
        direction=direction,
        policy=policy,
        strategy=strategy,
        sent_on_create=table.flag("sent_on_create", default=bool(row and row.sent_on_create)),
        on_blank=table.choice("on_blank", OnBlank, OnBlank.NULL),
        default=table.plain("default") or None,
        transform=transform,
        custom=custom,
        note=table.text("note"),
    )


def _policy_for(direction: Direction) -> Policy:
    """Give the policy of an own field that names none: whoever alone writes it wins."""
    alone = {Direction.INBOUND: Policy.CRM_WINS, Direction.OUTBOUND: Policy.LOCAL_WINS}
    return alone.get(direction, Policy.MERGE_WITH_AUDIT)


def _path(table: Table, transform: Transform | None) -> str:
    """Read where the value stands; a join stands where its first path does."""
    if isinstance(transform, Join) and "path" not in table:
        return transform.paths[0] if transform.paths else ""
    path = table.needed_text("path", "Write the CRM's own name for it.")
    if path and not all(part.strip() for part in path.split(".")):
        table.problem("bad_path", "path", "has an empty part between its dots.")
    return path


def _type(table: Table, given: FieldType | None) -> FieldType:
    found = table.choice_or_none("type", FieldType)
    if given is None:
        if "type" not in table:
            known = ", ".join(FieldType)
            table.problem("missing_key", "", "needs a type.", fix=f"One of: {known}.")
        return found or FieldType.TEXT
    if found not in (None, given):
        table.problem("impossible_type", "type", f"must be {given!s}: the contract says so.")
    return given


def _need(table: Table, given: Need) -> Need:
    required = table.flag("required", default=given is Need.REQUIRED)
    if given is Need.REQUIRED and not required:
        table.problem("impossible_need", "required", "must stay true: the contract says so.")
    return Need.REQUIRED if required else given


def _transform(table: Table) -> Transform | None:
    inner = table.table("transform")
    if not isinstance(table.content.get("transform"), dict):
        return None
    kind = inner.needed_text("kind", f"One of: {', '.join(TRANSFORMS)}.")
    if kind not in TRANSFORMS:
        if kind:
            fix = did_you_mean(kind, TRANSFORMS)
            inner.problem("unknown_word", "kind", f"cannot be {kind!r}.", fix=fix)
        return None
    keys, read = TRANSFORMS[kind]
    inner.only(("kind", *keys))
    return read(inner)


def _value_map(table: Table) -> Transform:
    return ValueMap(values=table.table("values").words(), otherwise=_otherwise(table))


def _bucket(table: Table) -> Transform:
    above = table.needed_text("above", "It names what is above all bounds.")
    return Bucket(below=_bounds(table), above=above)


def _date(table: Table) -> Transform:
    return DateIn(
        format=table.text("format", "%Y-%m-%d"),
        timezone=table.text("timezone", "UTC"),
        out=table.text("out"),
    )


def _join(table: Table) -> Transform:
    return Join(paths=table.texts("paths"), separator=table.text("separator", " "))


TRANSFORMS: dict[str, tuple[tuple[str, ...], Callable[[Table], Transform | None]]] = {
    "value_map": (("values", "otherwise"), _value_map),
    "bucket": (("below", "above"), _bucket),
    "domain": ((), lambda _: DomainOf()),
    "date": (("format", "timezone", "out"), _date),
    "money": (("scale",), lambda table: MoneyIn(scale=table.whole("scale", 0))),
    "join": (("paths", "separator"), _join),
    "none": ((), lambda _: None),
}
"""Each transform's keys beside `kind`, and its reader; `none` takes an inherited one away."""


def _otherwise(table: Table) -> str:
    word = table.text("otherwise", "reject")
    if word in OTHERWISE:
        return word
    fix = did_you_mean(word, OTHERWISE)
    table.problem("unknown_word", "otherwise", f"cannot be {word!r}.", fix=fix)
    return "reject"


def _bounds(table: Table) -> tuple[tuple[str, str], ...]:
    """Read `[[50, "small"], [500, "mid"]]`."""
    found: list[tuple[str, str]] = []
    for pair in table.items("below"):
        match pair:
            case [int() as bound, str() as name] if abs(bound) < _LARGEST_BOUND:
                found.append((str(int(bound)), name))
            case [str() as bound, str() as name]:
                found.append((bound, name))
            case _:
                table.problem("bad_transform", "below", 'must be pairs like [50, "small"].')
                break
    return tuple(found)
