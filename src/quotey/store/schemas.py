"""What was last seen of the CRM's definitions, and what is parked for them. Decided elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quotey.contract.drift import KeptSchema, Parked
from quotey.contract.fields import Entity
from quotey.store.database import Database
from quotey.store.shapes import Cell, Shape, texts

SCHEMA = Shape(KeptSchema, "properties")
PARKED = Shape(Parked, "words")


class Schemas:
    """One schema per connection and entity, one row per parked field, one per value left out."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def kept(self, connection: str) -> dict[Entity, KeptSchema]:
        """Give what was last seen, by entity; empty before the first look."""
        rows = self._db.rows("schema_all", {"connection": connection})
        return {one.entity: one for one in SCHEMA.read_all(rows)}

    def keep(self, schema: KeptSchema) -> None:
        """Keep what was seen now, in place of what was seen before."""
        self._db.write("schema_put", SCHEMA.write(schema))

    def parked(self, connection: str) -> tuple[Parked, ...]:
        """Give the parked fields, by entity and field."""
        return PARKED.read_all(self._db.rows("parked_fields", {"connection": connection}))

    def park(self, connection: str, fields: Iterable[Parked]) -> None:
        """Park these fields of a connection, and no others."""
        self._db.write("parked_fields_clear", {"connection": connection})
        for one in fields:
            self._db.write("parked_fields_add", PARKED.write(one))

    def leave_out(
        self, connection: str, entity: Entity, entity_id: str, fields: Iterable[str]
    ) -> None:
        """Note that these fields of a record were not sent; noted twice it is one note."""
        for field in fields:
            row: dict[str, Cell] = {
                "connection": connection,
                "entity": entity,
                "entity_id": entity_id,
                "field": field,
            }
            self._db.write("parked_values_add", row)

    def left_out(
        self, connection: str, entity: Entity, field: str, *, limit: int = 500, after: str = ""
    ) -> tuple[str, ...]:
        """Give the ids of the records of which this field was not sent, by pages."""
        params: dict[str, Cell] = {
            "connection": connection,
            "entity": entity,
            "field": field,
            "limit": limit,
            "after": after,
        }
        return tuple(str(row[0]) for row in self._db.rows("parked_values_of", params))

    def waiting(self, connection: str) -> int:
        """Count the values that were not sent."""
        row = self._db.row("parked_values_count", {"connection": connection})
        assert row is not None, "a count has one row"
        return int(row[0])

    def forget(self, connection: str, entity: Entity, field: str, ids: Sequence[str]) -> None:
        """Forget that this field of these records was not sent."""
        params: dict[str, Cell] = {
            "connection": connection,
            "entity": entity,
            "field": field,
            "ids": texts(ids),
        }
        self._db.write("parked_values_remove", params)
