"""Use of a mapping: a raw payload to a DTO with canonical values, or a rejection with all reasons.

Bad data never raises here (G19): it becomes a `Rejected`. The way out, `write_fields`, is made in
`mapper_out` and given out here too.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from msgspec import UNSET

from quotey.contract.dto import (
    Canonical,
    CrmAccountDto,
    CrmContactDto,
    CrmDealDto,
    RemoteRecord,
    Value,
)
from quotey.contract.errors import Diagnostic, MappingError, Severity
from quotey.contract.extras import Extras
from quotey.contract.fields import Direction, Entity, FieldType, Need
from quotey.contract.identity import local_id
from quotey.contract.mapper_out import wire_value, write_fields
from quotey.contract.mapping import EntityMapping, FieldMapping, Mapping, OnBlank
from quotey.contract.paths import Payload, finder_of, known_paths
from quotey.contract.repeated import repeated_key
from quotey.contract.transforms import Reader, UnknownWordError, reader_of
from quotey.contract.values import (
    FREE_TEXT_BYTES,
    NAME_BYTES,
    READERS,
    as_text,
    parse,
    shown,
)

__all__ = ["Mapped", "Mapper", "Rejected", "cause", "read_record", "wire_value", "write_fields"]

MAX_PAYLOAD = 1_048_576
"""Bytes of one record that are decoded at most."""

LENIENT = (FieldType.TEXT, FieldType.DOMAIN, FieldType.EMAIL)
"""Types whose malformed value is left out with a warning when the field is only recommended.

Amounts, dates, currencies and references decide things: malformed ones reject the record, so that
an old value never passes for the present one.
"""

CrmDto = CrmAccountDto | CrmContactDto | CrmDealDto

_DTO: dict[Entity, type[CrmDto]] = {
    Entity.ACCOUNT: CrmAccountDto,
    Entity.CONTACT: CrmContactDto,
    Entity.DEAL: CrmDealDto,
}

_DECODER = msgspec.json.Decoder(Payload, float_hook=Decimal)


class Mapped(msgspec.Struct, frozen=True, kw_only=True):
    """A record that keeps the contract.

    `values` holds canonical text by field, own (`x_`) fields too, without `id`; an absent key is an
    absent value; `account_id` is still the parent's `crm_ref`.
    """

    dto: CrmDto
    values: Canonical
    diagnostics: tuple[Diagnostic, ...] = ()


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A record that breaks the contract, with every problem found (category `mapping`)."""

    crm_ref: str
    problems: tuple[Diagnostic, ...]


def cause(problem: Diagnostic) -> str:
    """Name a problem so that records with the same one can be counted together.

    >>> at = Diagnostic(code="missing", severity="error", message="", entity="deal", field="stage")
    >>> cause(at)
    'deal.stage missing'
    """
    where = f"{problem.entity}.{problem.field}" if problem.field else problem.entity
    return f"{where} {problem.code}"


def read_record(
    mapping: Mapping, entity: Entity, record: RemoteRecord, *, connection: str
) -> Mapped | Rejected:
    """Map one record; make a `Mapper` for more. Raises only as `Mapper.read` does."""
    return Mapper(mapping, connection).read(entity, record)


class Mapper:
    """A mapping, compiled for one connection. Has no memory; may be shared."""

    def __init__(self, mapping: Mapping, connection: str) -> None:
        self._readers = {
            entity: _EntityReader(mapping, one, connection)
            for entity, one in mapping.entities.items()
            if entity in _DTO
        }

    def read(self, entity: Entity, record: RemoteRecord) -> Mapped | Rejected:
        """Map one record.

        Raises `MappingError` when the mapping has no such entity, and never for bad data.
        """
        if entity not in self._readers:
            raise MappingError(f"The mapping has no [{entity}] to read. Nothing was changed.")
        return self._readers[entity].read(record)


class _FieldReader(msgspec.Struct, frozen=True):
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


class _EntityReader:
    def __init__(self, mapping: Mapping, entity: EntityMapping, connection: str) -> None:
        self._entity = entity.entity
        self._connection = connection
        self._provider = mapping.provider
        self._dto = _DTO[entity.entity]
        self._fields = tuple(
            _compiled(mapping, entity.entity, field)
            for field in entity.fields
            if field.name != "id" and field.direction in (Direction.INBOUND, Direction.BOTH)
        )
        self._extras = Extras(known_paths(entity))

    def read(self, record: RemoteRecord) -> Mapped | Rejected:
        """Decode, read every field, and answer with the DTO or with all problems."""
        problems = self._id_problems(record.crm_ref)
        payload = self._decoded(record, problems)
        if payload is None:
            return Rejected(crm_ref=record.crm_ref, problems=tuple(problems))
        typed: dict[str, Any] = {}
        custom: dict[str, Value] = {}
        values: Canonical = {}
        remarks: list[Diagnostic] = []
        for field in self._fields:
            value = _read_field(field, payload, problems, remarks)
            if value is UNSET:
                continue
            (custom if field.custom else typed)[field.name] = value
            values[field.name] = None if value is None else as_text(value)
        if problems:
            return Rejected(crm_ref=record.crm_ref, problems=tuple(problems))
        dto = self._dto(
            id=local_id(self._connection, self._entity, record.crm_ref),
            source_provider=self._provider,
            source_ts=record.source_ts,
            crm_ref=record.crm_ref,
            source_version=record.source_version,
            custom=custom,
            extras=self._extras.of(payload, len(record.payload)),
            diagnostics=tuple(remarks),
            **typed,
        )
        return Mapped(dto=dto, values=values, diagnostics=dto.diagnostics)

    def _id_problems(self, crm_ref: str) -> list[Diagnostic]:
        try:
            if READERS[FieldType.REF](crm_ref) == crm_ref:
                return []
            why = "has blanks around it"
        except ValueError as error:
            why = f"is malformed: {error}"
        code = "malformed" if crm_ref.strip() else "missing"
        return [_problem(self._entity, "id", code, f"{self._entity}.id (`crm_ref`) {why}.")]

    def _decoded(self, record: RemoteRecord, problems: list[Diagnostic]) -> Payload | None:
        """Decode the payload with exact numbers; what is not a JSON object is a problem."""
        size = len(record.payload)
        if size > MAX_PAYLOAD:
            why = f"the record is {size:,} bytes long; at most {MAX_PAYLOAD:,} are read"
        else:
            try:
                payload = _DECODER.decode(record.payload)
                twice = repeated_key(record.payload, payload)
                if twice is None:
                    return payload
                why = f"the record names {shown(twice)} twice"
            except RecursionError:
                why = "the record is nested too deeply"
            except InvalidOperation:
                why = "the record holds a number that is too large"
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                why = f"the record is not a JSON object: {error}"
        problems.append(_problem(self._entity, "", "unreadable", f"{why}."))
        return None


def _read_field(
    field: _FieldReader, payload: Payload, problems: list[Diagnostic], remarks: list[Diagnostic]
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


def _keeps(field: _FieldReader, raw: object) -> bool:
    """Say whether a blank leaves the value alone. `prefer_nonblank` is for the merge to judge."""
    return field.on_blank is OnBlank.KEEP and raw is not None


def _note_malformed(
    field: _FieldReader, error: ValueError, problems: list[Diagnostic], remarks: list[Diagnostic]
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


def _compiled(mapping: Mapping, entity: Entity, field: FieldMapping) -> _FieldReader:
    max_bytes = FREE_TEXT_BYTES if field.custom else NAME_BYTES
    default, origin = field.default, "the field's default"
    if default is None and entity is Entity.DEAL and field.name == "currency":
        default, origin = mapping.default_currency, "the default currency"
    name = f"{entity}.{field.name}"
    where = f"{name} (from {field.path!r})"
    remark = _problem(
        entity,
        field.name,
        "default_used",
        f"{where} is absent or empty; {origin} {shown(default)} was used.",
        Severity.WARNING,
    )
    return _FieldReader(
        name=field.name,
        find=finder_of(field),
        convert=reader_of(field.transform, field.type, max_bytes),
        required=field.need is Need.REQUIRED,
        lenient=field.need is not Need.REQUIRED and field.type in LENIENT,
        on_blank=field.on_blank,
        custom=field.custom,
        default_value=None if default is None else parse(default, field.type, max_bytes=max_bytes),
        remark=None if default is None else remark,
        missing=_problem(
            entity, field.name, "missing", f"{where} is required and absent, null or blank."
        ),
        malformed=_problem(entity, field.name, "malformed", f"{where} is malformed:"),
        # Source: seed 2.2, "mapping diagnostics for partial field coverage".
        absent=_problem(
            entity,
            field.name,
            "absent",
            f"{where} is recommended and not in the record; what is here stays.",
            Severity.NOTE,
        ),
    )


def _problem(
    entity: Entity, field: str, code: str, message: str, severity: Severity = Severity.ERROR
) -> Diagnostic:
    return Diagnostic(code=code, severity=severity, message=message, entity=entity, field=field)
