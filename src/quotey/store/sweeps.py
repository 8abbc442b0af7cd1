"""Sweeps: how far one came, which refs it has met, and which live records it has not."""

from __future__ import annotations

from collections.abc import Iterable

from quotey.contract.fields import Entity
from quotey.contract.sweep import Sweep
from quotey.store.database import Database
from quotey.store.shapes import Cell, Shape

SWEEP = Shape(Sweep, "counts", "examples")


class Sweeps:
    """One row per connection and entity, and the refs that the sweep under way has met."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, connection: str, entity: Entity) -> Sweep | None:
        """Give the row; None before the first sweep."""
        params = {"connection": connection, "entity": entity}
        row = self._db.row("sweeps_get", params)
        return None if row is None else SWEEP.read(row)

    def put(self, sweep: Sweep) -> None:
        """Store the row."""
        self._db.write("sweeps_put", SWEEP.write(sweep))

    def see(self, connection: str, entity: Entity, crm_refs: Iterable[str]) -> None:
        """Note that these refs were listed; twice is once."""
        self._db.write_many("sweeps_see", [(connection, entity, ref) for ref in crm_refs])

    def forget(self, connection: str, entity: Entity) -> None:
        """Forget what was met: the sweep has ended, or begins."""
        self._db.write("sweeps_forget", {"connection": connection, "entity": entity})

    def unseen(
        self, connection: str, entity: Entity, *, after: str, limit: int
    ) -> tuple[tuple[str, str], ...]:
        """Give live records that were not met, as (binding, ref to ask about), by binding."""
        params: dict[str, Cell] = {
            "connection": connection,
            "entity": entity,
            "after": after,
            "limit": limit,
        }
        return tuple((row[0], row[1]) for row in self._db.rows("sweeps_unseen", params))
