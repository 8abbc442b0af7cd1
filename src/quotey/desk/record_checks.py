"""What may be changed here of a mirrored record, and what makes such a change wrong.

A field that does not flow out is refused with its owner and policy: changing it here would only
make a difference that nobody ever sends. Source: seed 4.2; design section 9.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from decimal import Decimal

import msgspec

from quotey.contract.dto import Canonical, Value
from quotey.contract.errors import Diagnostic, UsageError
from quotey.contract.fields import BY_PATH, Entity, FieldType, Need, Owner
from quotey.contract.journal import MirrorRecord
from quotey.contract.mapper_out import write_fields
from quotey.contract.mapping import EntityMapping, FieldMapping, Mapping
from quotey.contract.problems import did_you_mean
from quotey.contract.values import (
    FREE_TEXT_BYTES,
    NAME_BYTES,
    as_text,
    is_blank,
    parse,
    total_problem,
    typed,
)
from quotey.desk.ports import problem, told

Asked = MappingOf[str, Value]
"""Field name to what was typed; null and blank clear."""

NEVER_SET = ("id", "account_id")
"""Fields that say who a record is; nobody types them."""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of one entity: the mapping, the fields as typed, and the record's currency.

    `creating` also lets through what is sent only when a record is created.
    """

    mapping: Mapping
    entity: Entity
    asked: dict[str, Value]
    currency: str | None
    creating: bool = False

    @property
    def fields(self) -> EntityMapping:
        """Give the mapping of the entity."""
        return self.mapping.entities[self.entity]


def checked(
    changes: Changes,
    what: str,
    *,
    also: tuple[Diagnostic, ...] = (),
    known: Canonical | None = None,
) -> Canonical:
    """Give the changes in canonical text.

    Raises `UsageError` with every problem (those of `also` too), or `MappingError` when the mapping
    has no way to write a value out. `what` opens the sentence: "The deal was not updated". `known`
    are values that nobody typed and that are written out with these.
    """
    values: Canonical = {}
    problems: list[Diagnostic] = list(also)
    for name, raw in changes.asked.items():
        found = _field_problem(changes, name)
        if found is not None:
            problems.append(found)
            continue
        try:
            values[name] = _read(changes, name, raw)
        except ValueError as error:
            problems.append(problem("bad_value", changes.entity, name, str(error)))
    if problems:
        raise UsageError(told(what, problems), diagnostics=tuple(problems))
    _writable(changes, values | (known or {}))
    return values


def record_currency(record: MirrorRecord) -> str | None:
    """Give the currency that the record's amounts are in."""
    return record.local.get("currency")


def _field_problem(changes: Changes, name: str) -> Diagnostic | None:
    """Say why a field may not be set here; None when it may."""
    field = changes.fields.field(name)
    if field is None:
        settable = [one.name for one in changes.fields.fields if _may_set(one, changes.creating)]
        return problem(
            "unknown_field",
            changes.entity,
            name[:80],
            "there is no such field",
            fix=did_you_mean(name, settable),
        )
    if _may_set(field, changes.creating):
        return None
    return problem("not_ours", changes.entity, name, f"it is {whose(changes.entity, field)}")


def _may_set(field: FieldMapping, creating: bool) -> bool:  # noqa: FBT001 - a fact, not a switch
    if field.name in NEVER_SET:
        return False
    return field.flows_out or (creating and field.sent_on_create)


def whose(entity: Entity, field: FieldMapping) -> str:
    """Say who owns a field, which way it flows and how a clash ends."""
    row = BY_PATH.get(f"{entity}.{field.name}")
    owner = {Owner.CRM: "the CRM's", Owner.QUOTEY: "Quotey's"}.get(
        row.owner if row else Owner.POLICY, "shared"
    )
    return f"{owner} ({field.direction}, {field.policy}) and is not set here"


def _read(changes: Changes, name: str, raw: Value) -> str | None:
    field = changes.fields.field(name)
    assert field is not None, "checked before"
    if raw is None or is_blank(raw):
        if field.need == Need.REQUIRED:
            raise ValueError("it is required and cannot be blank")
        return None
    return canonical_of(field, raw, changes.currency)


def canonical_of(field: FieldMapping, raw: Value, currency: str | None) -> str:
    """Read one typed value by its field; raises `ValueError` with a sentence."""
    value = parse(raw, field.type, max_bytes=FREE_TEXT_BYTES if field.custom else NAME_BYTES)
    if field.type == FieldType.MONEY and currency is not None:
        assert isinstance(value, Decimal), "money reads as Decimal"
        if finer := total_problem(value, currency):
            raise ValueError(finer)
    return as_text(value)


def decided(
    mapping: Mapping, entity: Entity, field: FieldMapping, raw: Value, currency: str | None
) -> str:
    """Read a value that a person decides for; it is checked as an edit of theirs would be.

    Raises `ValueError` with a sentence, or `MappingError` when it could not be written out.
    """
    if is_blank(raw):
        raise ValueError("it is blank; a side that is blank is chosen with --policy")
    text = canonical_of(field, raw, currency)
    if field.flows_out:
        changes = Changes(mapping=mapping, entity=entity, asked={}, currency=currency)
        _writable(changes, {field.name: text})
    return text


def _writable(changes: Changes, values: Canonical) -> None:
    """Make sure now that the mapping can write it out, rather than at the next sync (seed 3.3)."""
    types = {field.name: field.type for field in changes.fields.fields}
    write_fields(
        changes.mapping,
        changes.entity,
        {name: typed(text, types[name]) for name, text in values.items()},
        creating=changes.creating,
    )
