"""Mirrored records, their bindings and aliases. Knows no rule about which value wins."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from quotey.contract.dto import Canonical
from quotey.contract.errors import StoreError
from quotey.contract.fields import Entity
from quotey.contract.journal import MirrorRecord, RecordState
from quotey.store.database import Database
from quotey.store.faults import NOTHING_CHANGED, damaged_row
from quotey.store.shapes import Cell, Row, from_json, texts, to_json, to_text_or_none, to_time


class Known(NamedTuple):
    """What the cheap look-up tells of a record, enough to see that nothing changed."""

    id: str
    content_hash: str
    source_version: str
    state: RecordState


class Records:
    """The mirror. Aliases win over bindings wherever a `crm_ref` is looked up."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def by_refs(
        self, connection: str, entity: Entity, crm_refs: Sequence[str]
    ) -> dict[str, MirrorRecord]:
        """Give the records behind these refs, in one statement; unknown refs are left out."""
        rows = self._db.rows("records_by_refs", (connection, entity, texts(crm_refs)))
        return {ref: read_record(row[2:]) for ref, row in _aliases_last(rows)}

    def hashes(self, connection: str, entity: Entity, crm_refs: Sequence[str]) -> dict[str, Known]:
        """Give what says whether a record changed, in one statement."""
        rows = self._db.rows("records_hashes", (connection, entity, texts(crm_refs)))
        return {
            ref: Known(id_, hash_, version, _STATES[state])
            for ref, (_, _, id_, hash_, version, state) in _aliases_last(rows)
        }

    def ids_of(self, connection: str, entity: Entity, crm_refs: Sequence[str]) -> dict[str, str]:
        """Turn refs into our ids; unknown refs are left out."""
        rows = self._db.rows("records_ids", (connection, entity, texts(crm_refs)))
        return {ref: row[2] for ref, row in _aliases_last(rows)}

    def ref_of(self, entity: Entity, id_: str) -> str | None:
        """Give the ref to write to: the newest alias, else the binding, else None."""
        row = self._db.row("records_ref_of", {"entity": entity, "id": id_})
        return None if row is None or row[0] is None else str(row[0])

    def aliased(self, entity: Entity, ids: Sequence[str]) -> dict[str, str]:
        """Give the newest alias of each of these records; those without one are left out."""
        params = {"entity": entity, "ids": texts(ids)}
        return dict(self._db.rows("records_aliased", params))

    def children(self, connection: str, ids: Sequence[str]) -> tuple[tuple[Entity, str], ...]:
        """Name the living records that hang on these accounts in the CRM: entity and ref."""
        params: dict[str, Cell] = {"connection": connection, "ids": texts(ids)}
        rows = self._db.rows("records_children", params)
        return tuple((_ENTITIES[entity], ref) for entity, ref in rows)

    def get(self, entity: Entity, id_: str) -> MirrorRecord | None:
        """Give one record."""
        return self.get_many(entity, (id_,)).get(id_)

    def get_many(self, entity: Entity, ids: Sequence[str]) -> dict[str, MirrorRecord]:
        """Give several records by our id, in one statement."""
        rows = self._db.rows("records_get", (entity, texts(ids)))
        return {record.id: record for record in map(read_record, rows)}

    def put_many(self, records: Sequence[MirrorRecord]) -> None:
        """Insert or replace; binds where `crm_ref` is set.

        StoreError when a binding would change, or a ref is bound to another record.
        """
        cells = list(map(_cells, records))
        if self._db.write_many("records_put", cells) < len(cells):
            self._db.write_many("records_bind_many", [row[:4] for row in cells])
            self._db.write_many("records_put", cells)

    def bind(self, connection: str, entity: Entity, id_: str, crm_ref: str) -> None:
        """Bind once and for all; repeating it is harmless.

        StoreError when either of the two is bound elsewhere, or the record is not there.
        """
        params = {"connection": connection, "entity": entity, "id": id_, "crm_ref": crm_ref}
        if self._db.write("records_bind", params) == 0:
            raise StoreError(
                f"{entity} {id_} is not mirrored by {connection}, so that it cannot be bound to "
                f"{crm_ref}. {NOTHING_CHANGED}"
            )

    def alias(self, connection: str, entity: Entity, crm_ref: str, id_: str) -> None:
        """Let a further ref lead to this record (merge, `--rebind`); the newest answer stands."""
        params = {"connection": connection, "entity": entity, "id": id_, "crm_ref": crm_ref}
        self._db.write("records_alias", params)

    def search(
        self, connection: str, entity: Entity, text: str, limit: int
    ) -> tuple[MirrorRecord, ...]:
        """Find live records by part of name, domain or e-mail, whatever the case.

        Those whose name begins with the text come first.
        """
        params: dict[str, Cell] = {
            "connection": connection,
            "entity": entity,
            "text": _folded(text),
            "limit": limit,
        }
        return tuple(map(read_record, self._db.rows("records_search", params)))

    def list(
        self, connection: str, entity: Entity, limit: int, after: str = ""
    ) -> tuple[MirrorRecord, ...]:
        """Page through all, by id; `after` is the last id of the page before."""
        params: dict[str, Cell] = {
            "connection": connection,
            "entity": entity,
            "limit": limit,
            "after": after,
        }
        return tuple(map(read_record, self._db.rows("records_list", params)))

    def count(self, connection: str, entity: Entity) -> int:
        """Count records, gone ones included."""
        return self._number("records_count", connection, entity)

    def count_by_state(self, connection: str, entity: Entity) -> dict[RecordState, int]:
        """Count records per state; every state is a key."""
        gone = self._number("records_count_gone", connection, entity)
        return {RecordState.LIVE: self.count(connection, entity) - gone, RecordState.GONE: gone}

    def _number(self, name: str, connection: str, entity: Entity) -> int:
        [[number]] = self._db.rows(name, {"connection": connection, "entity": entity})
        return int(number)


_STATES = {str(state): state for state in RecordState}
_ENTITIES = {str(entity): entity for entity in Entity}
_SEARCHED = ("name", "domain", "email")
_canonical = msgspec.json.Decoder(Canonical).decode
_times = msgspec.json.Decoder(dict[str, datetime]).decode


def read_record(row: Row) -> MirrorRecord:
    """Read a row of the mirror's columns, in the order of the Struct. StoreError when damaged.

    Written out because a page holds a thousand of them.
    """
    try:
        return _read(row)
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        raise damaged_row(error) from error


def _read(row: Row) -> MirrorRecord:
    local = _canonical(row[4])
    return MirrorRecord(
        connection=row[0],
        entity=_ENTITIES[row[1]],
        id=row[2],
        crm_ref=row[3],
        local=local,
        base=dict(local) if row[5] is None else _canonical(row[5]),
        remote={} if row[6] == "{}" else _canonical(row[6]),
        local_version=row[7],
        local_ts={} if row[8] == "{}" else _times(row[8]),
        source_ts=None if row[9] is None else to_time(row[9]),
        source_version=row[10],
        content_hash=row[11],
        extras={} if row[12] == "{}" else from_json(row[12]),
        state=_STATES[row[13]],
    )


def _cells(record: MirrorRecord) -> tuple[Cell, ...]:
    return (
        record.connection,
        record.entity,
        record.id,
        record.crm_ref,
        to_json(record.local),
        None if record.base == record.local else to_json(record.base),
        to_json(record.remote) if record.remote else "{}",
        record.local_version,
        to_json(record.local_ts) if record.local_ts else "{}",
        to_text_or_none(record.source_ts),
        record.source_version,
        record.content_hash,
        to_json(record.extras) if record.extras else "{}",
        record.state,
        _search_key(record.local),
    )


def _search_key(local: Canonical) -> str:
    return _folded("\n".join(local.get(name) or "" for name in _SEARCHED))


def _folded(text: str) -> str:
    """Write text so that what looks alike is found alike; `instr` then needs no escaping."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _aliases_last(rows: Iterable[Row]) -> list[tuple[str, Row]]:
    """Order rows (ref, by_alias, …) so that a dict made of them keeps the alias's answer."""
    return [(row[0], row) for row in sorted(rows, key=lambda row: int(row[1]))]
