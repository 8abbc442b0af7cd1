"""Inbound records that break the contract, kept whole until mapping or record is mended."""

from __future__ import annotations

from collections.abc import Sequence

from quotey.contract.fields import Entity
from quotey.contract.journal import Quarantined
from quotey.store.database import Database
from quotey.store.shapes import Cell, Shape, texts

QUARANTINED = Shape(Quarantined, "reasons")


class Quarantine:
    """One row per (connection, entity, crm_ref)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put_many(self, rows: Sequence[Quarantined]) -> None:
        """Insert or replace; `first_seen` of a row that is already there is kept."""
        self._db.write_many("quarantine_put", map(QUARANTINED.write, rows))

    def remove(self, connection: str, entity: Entity, crm_refs: Sequence[str]) -> int:
        """Let go of records that were mended; give how many there were."""
        params = {"connection": connection, "entity": entity, "crm_refs": texts(crm_refs)}
        return self._db.write("quarantine_remove", params)

    def list(
        self, connection: str, entity: Entity | None = None, limit: int = 100, after: str = ""
    ) -> tuple[Quarantined, ...]:
        """Give rows by entity and ref; `after` is the last ref of the page before (one entity)."""
        return self._read(
            "quarantine_list", connection=connection, entity=entity, limit=limit, after=after
        )

    def by_refs(
        self, connection: str, entity: Entity, crm_refs: Sequence[str]
    ) -> dict[str, Quarantined]:
        """Give the rows of these records, in one statement; records that have none are left out."""
        rows = self._read(
            "quarantine_by_refs", connection=connection, entity=entity, crm_refs=texts(crm_refs)
        )
        return {row.crm_ref: row for row in rows}

    def count(self, connection: str, entity: Entity | None = None) -> int:
        """Count rows."""
        params = {"connection": connection, "entity": entity}
        [[number]] = self._db.rows("quarantine_count", params)
        return int(number)

    def stale(
        self, connection: str, entity: Entity, fingerprint: str, limit: int = 1000
    ) -> tuple[Quarantined, ...]:
        """Give rows that were judged under another fingerprint than this one."""
        return self._read(
            "quarantine_stale",
            connection=connection,
            entity=entity,
            fingerprint=fingerprint,
            limit=limit,
        )

    def waiting_parents(
        self, connection: str, entity: Entity, parent_refs: Sequence[str]
    ) -> tuple[Quarantined, ...]:
        """Give rows of this entity that wait for one of these parents (`parent_ref`)."""
        return self._read(
            "quarantine_waiting",
            connection=connection,
            entity=entity,
            parent_refs=texts(parent_refs),
        )

    def unread(self, connection: str, entity: Entity) -> tuple[str, ...]:
        """Give the refs of records that the source itself could not give (`payload` is None)."""
        params = {"connection": connection, "entity": entity}
        return tuple(ref for (ref,) in self._db.rows("quarantine_unread", params))

    def _read(self, name: str, **params: Cell) -> tuple[Quarantined, ...]:
        return QUARANTINED.read_all(self._db.rows(name, params))
