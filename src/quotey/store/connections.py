"""What all processes must know of a connection: auth stop, rate gate, fingerprint."""

from __future__ import annotations

from quotey.contract.journal import ConnectionRow
from quotey.store.database import Database
from quotey.store.shapes import Shape

CONNECTION = Shape(ConnectionRow)


class Connections:
    """One row per connection name."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, name: str) -> ConnectionRow | None:
        """Give the row."""
        row = self._db.row("connections_get", {"name": name})
        return None if row is None else CONNECTION.read(row)

    def put(self, row: ConnectionRow) -> None:
        """Insert or replace the row."""
        self._db.write("connections_put", CONNECTION.write(row))

    def all(self) -> tuple[ConnectionRow, ...]:
        """Give every row, by name."""
        return CONNECTION.read_all(self._db.rows("connections_all"))
