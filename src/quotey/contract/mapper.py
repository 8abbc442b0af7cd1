"""Use of a mapping: a raw payload to a DTO with canonical values, or a rejection with all reasons.

Bad data never raises here (G19): it becomes a `Rejected`. The way out, `write_fields`, is made in
`mapper_out` and given out here too.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
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
)
from quotey.contract.errors import Diagnostic, MappingError
from quotey.contract.extras import Extras
from quotey.contract.fields import Direction, Entity, FieldType
from quotey.contract.identity import local_id
from quotey.contract.mapper_field import FieldReader, compiled, problem, read_field
from quotey.contract.mapper_out import wire_value, write_fields
from quotey.contract.mapping import EntityMapping, Mapping
from quotey.contract.paths import Payload, known_paths
from quotey.contract.repeated import repeated_key
from quotey.contract.values import (
    READERS,
    as_text,
    shown,
)

__all__ = [
    "Mapped",
    "Mapper",
    "Rejected",
    "Taken",
    "cause",
    "read_record",
    "wire_value",
    "write_fields",
]

MAX_PAYLOAD = 1_048_576
"""Bytes of one record that are decoded at most."""

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

    @property
    def extras(self) -> dict[str, object]:
        """What the record holds besides the mapped fields."""
        return self.dto.extras


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A record that keeps the contract as far as it was read: some fields are parked.

    It is no DTO, which is whole or is not. `values` and the rest are as in `Mapped`.
    """

    values: Canonical
    extras: dict[str, object]
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
        return self._reader(entity).read(record)

    def read_without(
        self, entity: Entity, record: RemoteRecord, parked: Container[str]
    ) -> Taken | Rejected:
        """Map one record but for the parked fields, which are as good as absent. Raises as `read`.

        What a parked field holds is not looked at, so it rejects nothing.
        """
        return self._reader(entity).take(record, parked)

    def _reader(self, entity: Entity) -> _EntityReader:
        if entity not in self._readers:
            raise MappingError(f"The mapping has no [{entity}] to read. Nothing was changed.")
        return self._readers[entity]


class _EntityReader:
    def __init__(self, mapping: Mapping, entity: EntityMapping, connection: str) -> None:
        self._entity = entity.entity
        self._connection = connection
        self._provider = mapping.provider
        self._dto = _DTO[entity.entity]
        self._fields = tuple(
            compiled(mapping, entity.entity, field)
            for field in entity.fields
            if field.name != "id" and field.direction in (Direction.INBOUND, Direction.BOTH)
        )
        self._own = frozenset(field.name for field in self._fields if field.custom)
        self._extras = Extras(known_paths(entity))

    def read(self, record: RemoteRecord) -> Mapped | Rejected:
        """Decode, read every field, and answer with the DTO or with all problems."""
        found = self._found(record, self._fields)
        if isinstance(found, Rejected):
            return found
        payload, typed, remarks = found
        custom = {name: typed[name] for name in self._own if name in typed}
        plain = {name: typed[name] for name in typed if name not in custom} if custom else typed
        dto = self._dto(
            id=local_id(self._connection, self._entity, record.crm_ref),
            source_provider=self._provider,
            source_ts=record.source_ts,
            crm_ref=record.crm_ref,
            source_version=record.source_version,
            custom=custom,
            extras=self._extras.of(payload, len(record.payload)),
            diagnostics=tuple(remarks),
            **plain,
        )
        return Mapped(dto=dto, values=_canonical(typed), diagnostics=dto.diagnostics)

    def take(self, record: RemoteRecord, parked: Container[str]) -> Taken | Rejected:
        """Decode, and read every field that is not parked."""
        found = self._found(record, [one for one in self._fields if one.name not in parked])
        if isinstance(found, Rejected):
            return found
        payload, typed, remarks = found
        extras = self._extras.of(payload, len(record.payload))
        return Taken(values=_canonical(typed), extras=extras, diagnostics=tuple(remarks))

    def _found(
        self, record: RemoteRecord, fields: Iterable[FieldReader]
    ) -> tuple[Payload, dict[str, Any], list[Diagnostic]] | Rejected:
        """Give the payload, the typed values by field, and the remarks; or all problems."""
        problems = self._id_problems(record.crm_ref)
        payload = self._decoded(record, problems)
        if payload is None:
            return Rejected(crm_ref=record.crm_ref, problems=tuple(problems))
        typed: dict[str, Any] = {}
        remarks: list[Diagnostic] = []
        for field in fields:
            value = read_field(field, payload, problems, remarks)
            if value is not UNSET:
                typed[field.name] = value
        if problems:
            return Rejected(crm_ref=record.crm_ref, problems=tuple(problems))
        return payload, typed, remarks

    def _id_problems(self, crm_ref: str) -> list[Diagnostic]:
        try:
            if READERS[FieldType.REF](crm_ref) == crm_ref:
                return []
            why = "has blanks around it"
        except ValueError as error:
            why = f"is malformed: {error}"
        code = "malformed" if crm_ref.strip() else "missing"
        return [problem(self._entity, "id", code, f"{self._entity}.id (`crm_ref`) {why}.")]

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
        problems.append(problem(self._entity, "", "unreadable", f"{why}."))
        return None


def _canonical(typed: dict[str, Any]) -> Canonical:
    return {
        name: value if value is None or value.__class__ is str else as_text(value)
        for name, value in typed.items()
    }
