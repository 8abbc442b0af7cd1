"""Finding accounts, contacts and deals: in the mirror first, in the CRM when asked."""

from __future__ import annotations

from typing import Literal

import msgspec

from quotey.app.wiring import House
from quotey.contract.dto import Canonical, CrmAccountDto, CrmContactDto
from quotey.contract.errors import UsageError
from quotey.contract.fields import Entity, fields_of
from quotey.contract.journal import MirrorRecord
from quotey.desk import records
from quotey.desk.accounts import search_records

LONGEST = 200


class FoundRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One hit; `id` is ours, and "" for a record that was never mirrored."""

    entity: Entity
    id: str
    crm_ref: str | None
    values: Canonical


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, best first, and where."""

    source: Literal["mirror", "crm"]
    query: str
    records: tuple[FoundRecord, ...]


class RecordList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what is mirrored of one entity, by our id.

    `total` counts all that is live or gone; `after` is what gives the next page, None at the end.
    """

    entity: Entity
    records: tuple[FoundRecord, ...]
    total: int
    after: str | None = None


def list_records(house: House, entity: Entity, *, limit: int, after: str) -> RecordList:
    """Page through the mirrored records of the connection. Raises UsageError for a bad limit."""
    if limit < 1:
        raise UsageError("The limit is at least 1.")
    desk, name = house.desk_ports, house.connection
    found = records.list_records(desk, entity, connection=name, limit=limit + 1, after=after)
    shown = tuple(_of_mirror(record) for record in found[:limit])
    return RecordList(
        entity=entity,
        records=shown,
        total=house.desk.records.count(name, entity),
        after=shown[-1].id if len(found) > limit else None,
    )


def look_up(house: House, entity: Entity, text: str, *, crm: bool, limit: int) -> Found:
    """Find by text. Raises UsageError for a blank one, RemoteFailure when the CRM fails."""
    query = text.strip()
    if not query or len(query) > LONGEST:
        raise UsageError(f"Say what to look for, in at most {LONGEST} characters.")
    hits = _in_crm(house, entity, query) if crm else _in_mirror(house, entity, query, limit)
    return Found(source="crm" if crm else "mirror", query=query, records=hits[:limit])


def _in_mirror(house: House, entity: Entity, query: str, limit: int) -> tuple[FoundRecord, ...]:
    found = search_records(house.desk_ports, entity, query, limit=limit)
    return tuple(_of_mirror(record) for record in found)


def _of_mirror(record: MirrorRecord) -> FoundRecord:
    names = [field.name for field in fields_of(record.entity) if field.name != "id"]
    values = {name: record.local.get(name) for name in names}
    return FoundRecord(entity=record.entity, id=record.id, crm_ref=record.crm_ref, values=values)


def _in_crm(house: House, entity: Entity, query: str) -> tuple[FoundRecord, ...]:
    from quotey.sync.door import read

    adapter = house.adapter
    hits: tuple[CrmAccountDto | CrmContactDto, ...]
    if entity == Entity.ACCOUNT:
        hits = read(house.run(), lambda call: adapter.lookup_account(query, call=call))
    else:
        hits = read(house.run(), lambda call: adapter.search_contacts(query, call=call))
    return tuple(_of_dto(entity, hit) for hit in hits)


def _of_dto(entity: Entity, dto: CrmAccountDto | CrmContactDto) -> FoundRecord:
    names = [field.name for field in fields_of(entity) if field.name != "id"]
    values = {name: getattr(dto, name) or None for name in names}
    return FoundRecord(entity=entity, id=dto.id, crm_ref=dto.crm_ref, values=values)
