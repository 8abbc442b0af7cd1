"""What the mapping commands tell: the table of fields, the check of a file, a trial on a payload.

Nothing is written and the CRM is not asked.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from quotey.app.wiring import House
from quotey.contract.dto import RemoteRecord
from quotey.contract.errors import Diagnostic, MappingError, Severity, UsageError
from quotey.contract.fields import MIRRORED, Direction, Entity, FieldType, Need, Policy, Strategy
from quotey.contract.mapping import BacklogEntry, EntityMapping, FieldMapping, Join, Mapping

MAX_PAYLOAD_BYTES = 1_000_000
TRIAL_REF = "trial"


class MappedField(msgspec.Struct, frozen=True, kw_only=True):
    """One contract field and where it stands in the CRM."""

    entity: Entity
    field: str
    path: str
    need: Need
    type: FieldType
    direction: Direction
    policy: Policy
    strategy: Strategy | None
    default: str | None
    transform: str
    note: str


class MappingTable(msgspec.Struct, frozen=True, kw_only=True):
    """A whole mapping as rows. `own_file` is the user's file where one is laid over the shipped."""

    provider: str
    connection: str
    fingerprint: str
    quote_target: str
    default_currency: str | None
    own_file: str | None
    objects: dict[Entity, str]
    fields: tuple[MappedField, ...]
    backlog: tuple[BacklogEntry, ...]


class MappingCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found; `sound` when there is no problem."""

    file: str
    sound: bool
    fingerprint: str = ""
    problems: tuple[Diagnostic, ...] = ()


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What the mapping makes of one payload: a DTO, or problems that reject it.

    `dto` holds the DTO's fields as they would stand in JSON; what is absent is missing from it.
    """

    entity: Entity
    accepted: bool
    dto: dict[str, object] | None = None
    diagnostics: tuple[Diagnostic, ...] = ()


def show(house: House, entity: Entity | None) -> MappingTable:
    """Give the mapping that the connection uses. Raises MappingError with every problem."""
    mapping = house.mapping
    chosen = {one: of for one, of in mapping.entities.items() if entity in (None, one)}
    return MappingTable(
        provider=mapping.provider,
        connection=house.connection,
        fingerprint=mapping.fingerprint,
        quote_target=mapping.quote_target,
        default_currency=mapping.default_currency,
        own_file=str(own) if (own := house.own_file) else None,
        objects={one: of.object for one, of in chosen.items()},
        fields=tuple(_row(of, field) for of in chosen.values() for field in of.fields),
        backlog=mapping.backlog,
    )


def _row(of: EntityMapping, field: FieldMapping) -> MappedField:
    return MappedField(
        entity=of.entity,
        field=field.name,
        path=_path(field),
        need=field.need,
        type=field.type,
        direction=field.direction,
        policy=field.policy,
        strategy=field.strategy,
        default=field.default,
        transform=_transform_name(field),
        note=field.note,
    )


def _path(field: FieldMapping) -> str:
    """Say where the field stands: a join stands in several places."""
    joined = field.transform
    return " + ".join(joined.paths) if isinstance(joined, Join) else field.path


def _transform_name(field: FieldMapping) -> str:
    return "" if field.transform is None else str(field.transform.__struct_config__.tag)


def check(house: House, file: Path | None) -> MappingCheck:
    """Check a file over the shipped mapping, or the connection's mapping as it stands."""
    name = file.name if file else _own_name(house)
    try:
        mapping = _parsed(house, file)
    except MappingError as error:
        found = error.diagnostics or (_unreadable(error),)
        return MappingCheck(file=name, sound=False, problems=found)
    return MappingCheck(file=name, sound=True, fingerprint=mapping.fingerprint)


def _own_name(house: House) -> str:
    own = house.own_mapping
    return own.name if own.exists() or own.is_symlink() else house.shipped_mapping_name


def _parsed(house: House, file: Path | None) -> Mapping:
    return house.mapping if file is None else house.laid_over(file)


def _unreadable(error: MappingError) -> Diagnostic:
    return Diagnostic(code="mapping.unreadable", severity=Severity.ERROR, message=error.message)


def trial(house: House, payload: Path, entity: Entity) -> Trial:
    """Map one payload from a file. Raises UsageError when the file cannot be read as JSON."""
    from quotey.contract.mapper import Mapped, read_record

    if entity not in MIRRORED:
        raise UsageError("Only account, contact and deal are read from the CRM.")
    record = RemoteRecord(
        crm_ref=TRIAL_REF, source_ts=house.now(), source_version="", payload=_json_of(payload)
    )
    found = read_record(house.mapping, entity, record, connection=house.connection)
    if isinstance(found, Mapped):
        dto = msgspec.to_builtins(found.dto)
        return Trial(entity=entity, accepted=True, dto=dto, diagnostics=found.diagnostics)
    return Trial(entity=entity, accepted=False, diagnostics=found.problems)


def _json_of(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read: {error.strerror}.") from error
    if len(content) > MAX_PAYLOAD_BYTES:
        raise UsageError(f"{path.name} is larger than {MAX_PAYLOAD_BYTES:,} bytes.")
    try:
        msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"{path.name} is not JSON: {error}.") from error
    return content
