"""Locks that people put on fields. Ended locks are kept until the field is locked again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from quotey.contract.fields import Entity
from quotey.contract.journal import Lock, MirrorRecord
from quotey.store.database import Database
from quotey.store.records import read_record
from quotey.store.shapes import Shape, texts, to_text

LOCK = Shape(Lock)


class Locks:
    """One row per (entity, id, field)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, lock: Lock) -> None:
        """Lock a field, in place of any lock that it had."""
        self._db.write("locks_put", LOCK.write(lock))

    def active(
        self, entity: Entity, ids: Sequence[str], now: datetime
    ) -> dict[str, dict[str, Lock]]:
        """Give the locks that stand now, by id and field; ids without one are left out."""
        params = {"entity": entity, "ids": texts(ids), "now": to_text(now)}
        found: dict[str, dict[str, Lock]] = defaultdict(dict)
        for lock in LOCK.read_all(self._db.rows("locks_active", params)):
            found[lock.entity_id][lock.field] = lock
        return dict(found)

    def end(self, entity: Entity, id_: str, field: str, at: datetime, actor: str) -> Lock | None:
        """Lift a lock; None when none stood at that moment."""
        rows = self._db.write_rows(
            "locks_end",
            {
                "entity": entity,
                "entity_id": id_,
                "field": field,
                "at": to_text(at),
                "actor": actor,
            },
        )
        return LOCK.read(rows[0]) if rows else None

    def list(self, now: datetime) -> tuple[Lock, ...]:
        """Give every lock that stands now, those that end first at the top."""
        return LOCK.read_all(self._db.rows("locks_list", {"now": to_text(now)}))

    def ended_with_items(self, connection: str, now: datetime) -> tuple[MirrorRecord, ...]:
        """Give records whose lock ended while a `locked_field_overwrite` item of it is open."""
        params = {"connection": connection, "now": to_text(now)}
        return tuple(map(read_record, self._db.rows("locks_ended_with_items", params)))
