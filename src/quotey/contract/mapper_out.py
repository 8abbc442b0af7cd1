"""The way out of a mapping: contract values to vendor properties, or all reasons why not."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf

from quotey.contract.dto import Value
from quotey.contract.errors import Diagnostic, MappingError, Severity
from quotey.contract.fields import Entity, Need
from quotey.contract.mapping import FieldMapping, Mapping
from quotey.contract.problems import did_you_mean
from quotey.contract.transforms import writer_of
from quotey.contract.values import FREE_TEXT_BYTES, parse


def write_fields(
    mapping: Mapping, entity: Entity, values: MappingOf[str, Value], *, creating: bool
) -> dict[str, object]:
    """Turn contract values into vendor properties: the field's path to its value on the wire.

    Money is Decimal, whole numbers are int, dates are texts in the mapping's format, None clears.
    `creating` also lets through what is sent on create, and demands every required field; a quote
    summary is always created. Raises `MappingError` with every problem: unknown field, one that is
    never written, required but null, no word in the value map, malformed.
    """
    entity_mapping = mapping.entities.get(entity)
    if entity_mapping is None:
        raise MappingError(f"The mapping has no [{entity}] to write. Nothing was sent.")
    fields = {field.name: field for field in entity_mapping.fields}
    problems = [_unknown(entity, name, fields) for name in values if name not in fields]
    written: dict[str, object] = {}
    for name, field in fields.items():
        if name in values:
            _write(entity, field, values[name], written, problems, creating=creating)
        elif creating and _is_needed(entity, field):
            problems.append(_problem(entity, field, "missing", "is required and was not given"))
    if problems:
        told = "; ".join(problem.message.rstrip(".") for problem in problems)
        raise MappingError(f"Nothing was sent: {told}.", diagnostics=tuple(problems))
    return written


def _is_needed(entity: Entity, field: FieldMapping) -> bool:
    return field.need is Need.REQUIRED and _may_write(field, creating=True) and (
        entity is Entity.QUOTE or field.name != "id"
    )  # fmt: skip


def _may_write(field: FieldMapping, *, creating: bool) -> bool:
    return field.flows_out or (creating and field.sent_on_create)


def _write(
    entity: Entity,
    field: FieldMapping,
    value: Value,
    written: dict[str, object],
    problems: list[Diagnostic],
    *,
    creating: bool,
) -> None:
    """Write one value, or note why it cannot be."""
    if not _may_write(field, creating=creating):
        why = "is only sent when the record is created" if field.sent_on_create else "is read only"
        problems.append(_problem(entity, field, "not_writable", why))
    elif value is None and field.need is Need.REQUIRED:
        problems.append(_problem(entity, field, "missing", "is required and cannot be cleared"))
    else:
        try:
            written[field.path] = wire_value(field, value)
        except ValueError as error:
            problems.append(_problem(entity, field, "malformed", f"cannot be written: {error}"))


def wire_value(field: FieldMapping, value: Value) -> object:
    """Write one value as the CRM wants it. Raises `ValueError` with a sentence."""
    if value is None:
        return None
    checked = parse(value, field.type, max_bytes=FREE_TEXT_BYTES)
    if field.need is Need.REQUIRED and checked == "":
        raise ValueError("it is blank")
    return writer_of(field.transform)(checked)


def _unknown(entity: Entity, name: str, fields: MappingOf[str, FieldMapping]) -> Diagnostic:
    return Diagnostic(
        code="unknown_field",
        severity=Severity.ERROR,
        message=f"{entity}.{name} is not in the mapping.",
        entity=entity,
        field=name,
        fix=did_you_mean(name, fields),
    )


def _problem(entity: Entity, field: FieldMapping, code: str, why: str) -> Diagnostic:
    return Diagnostic(
        code=code,
        severity=Severity.ERROR,
        message=f"{entity}.{field.name} (to {field.path!r}) {why}.",
        entity=entity,
        field=field.name,
    )
