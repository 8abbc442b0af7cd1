"""Reading one mapped field of a payload: compiled once, then absent, null, blank or a value.

Bad data never raises here (G19): it becomes a problem or a remark.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from quotey.contract.dto import Value
from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Entity, FieldType, Need
from quotey.contract.mapping import FieldMapping, Mapping, OnBlank
from quotey.contract.paths import Payload, finder_of
from quotey.contract.transforms import Reader, UnknownWordError, reader_of
from quotey.contract.values import FREE_TEXT_BYTES, NAME_BYTES, parse, shown

LENIENT = (FieldType.TEXT, FieldType.DOMAIN, FieldType.EMAIL)
"""Types whose malformed value is left out with a warning when the field is only recommended.

Amounts, dates, currencies and references decide things: malformed ones reject the record, so that
an old value never passes for the present one.
"""


class FieldReader(msgspec.Struct, frozen=True):
    """One field, compiled. `default_value` is what stands in for nothing, with its remark."""

    name: str
    find: Callable[[Payload], Any]
    convert: Reader
    required: bool
    lenient: bool
    on_blank: OnBlank
    custom: bool
    default_value: Value
    remark: Diagnostic | None
    missing: Diagnostic
    malformed: Diagnostic
    absent: Diagnostic


def read_field(
    field: FieldReader, payload: Payload, problems: list[Diagnostic], remarks: list[Diagnostic]
) -> Any:  # noqa: ANN401 - a Value, or UNSET for an absent one
    """Read one field: absent, null, blank and value are four things."""
    raw = field.find(payload)
    if raw is not UNSET and raw is not None and not (raw.__class__ is str and not raw.strip()):
        try:
            value = field.convert(raw)
        except ValueError as error:
            _note_malformed(field, error, problems, remarks)
            return UNSET
        if value is not None:
            return value
        raw = None
    if field.remark is not None:
        remarks.append(field.remark)
        return field.default_value
    if field.required:
        problems.append(field.missing)
    elif raw is UNSET and not field.custom:
        remarks.append(field.absent)
    return UNSET if raw is UNSET or _keeps(field, raw) else None


def _keeps(field: FieldReader, raw: object) -> bool:
    """Say whether a blank leaves the value alone. `prefer_nonblank` is for the merge to judge."""
    return field.on_blank is OnBlank.KEEP and raw is not None


def _note_malformed(
    field: FieldReader, error: ValueError, problems: list[Diagnostic], remarks: list[Diagnostic]
) -> None:
    unknown = isinstance(error, UnknownWordError)
    lenient = field.lenient and not unknown
    found = msgspec.structs.replace(
        field.malformed,
        code="unknown_value" if unknown else "malformed",
        severity=Severity.WARNING if lenient else Severity.ERROR,
        message=f"{field.malformed.message} {error}.",
    )
    (remarks if lenient else problems).append(found)


def compiled(mapping: Mapping, entity: Entity, field: FieldMapping) -> FieldReader:
    """Prepare the reading of one field, with all that may have to be said of it."""
    max_bytes = FREE_TEXT_BYTES if field.custom else NAME_BYTES
    default, origin = field.default, "the field's default"
    if default is None and entity is Entity.DEAL and field.name == "currency":
        default, origin = mapping.default_currency, "the default currency"
    name = f"{entity}.{field.name}"
    where = f"{name} (from {field.path!r})"
    remark = problem(
        entity,
        field.name,
        "default_used",
        f"{where} is absent or empty; {origin} {shown(default)} was used.",
        Severity.WARNING,
    )
    return FieldReader(
        name=field.name,
        find=finder_of(field),
        convert=reader_of(field.transform, field.type, max_bytes),
        required=field.need is Need.REQUIRED,
        lenient=field.need is not Need.REQUIRED and field.type in LENIENT,
        on_blank=field.on_blank,
        custom=field.custom,
        default_value=None if default is None else parse(default, field.type, max_bytes=max_bytes),
        remark=None if default is None else remark,
        missing=problem(
            entity, field.name, "missing", f"{where} is required and absent, null or blank."
        ),
        malformed=problem(entity, field.name, "malformed", f"{where} is malformed:"),
        # Source: seed 2.2, "mapping diagnostics for partial field coverage".
        absent=problem(
            entity,
            field.name,
            "absent",
            f"{where} is recommended and not in the record; what is here stays.",
            Severity.NOTE,
        ),
    )


def problem(
    entity: Entity, field: str, code: str, message: str, severity: Severity = Severity.ERROR
) -> Diagnostic:
    """Say what is wrong with a field; an error unless told otherwise."""
    return Diagnostic(code=code, severity=severity, message=message, entity=entity, field=field)
