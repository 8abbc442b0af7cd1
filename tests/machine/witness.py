"""What can be seen from outside: the rows of the file, read past the store, and every move in it.

Nothing of the engine is asked here; a second SQLite connection and triggers of our own look on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from quotey.store import Store

QUOTE_TABLES = ("quote", "quote_version")

_WATCH = """
CREATE TEMP TABLE moves (what TEXT, id TEXT, was TEXT, now TEXT, grew INTEGER);
CREATE TEMP TRIGGER watch_outbox AFTER UPDATE ON main.outbox
WHEN OLD.state <> NEW.state OR OLD.lease_token <> NEW.lease_token
BEGIN
    INSERT INTO moves VALUES
        ('outbox', NEW.id, OLD.state, NEW.state, NEW.lease_token - OLD.lease_token);
END;
CREATE TEMP TRIGGER watch_runs AFTER UPDATE ON main.sync_state
BEGIN
    INSERT INTO moves VALUES
        ('sync', NEW.entity, OLD.phase, NEW.phase, NEW.epoch - OLD.epoch);
END;
CREATE TEMP TRIGGER watch_items AFTER UPDATE ON main.item
BEGIN
    INSERT INTO moves VALUES ('item', NEW.id, OLD.state, NEW.state, NEW.rev - OLD.rev);
END;
"""

Row = dict[str, Any]


@dataclass
class Witness:
    """Sees the database file as another program does, and keeps what it saw."""

    path: Path
    stores: list[Store] = field(default_factory=list)
    moves: list[tuple[str, str, str, str, int]] = field(default_factory=list)
    told: list[tuple[int, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._eye: apsw.Connection | None = None

    def attend(self, store: Store) -> None:
        """Note every move that this store commits, in its own temporary table."""
        connection = store._db.connection
        rights, connection.authorizer = connection.authorizer, None
        connection.execute(_WATCH)
        connection.authorizer = rights
        self.stores.append(store)

    def leave(self) -> None:
        """Take the notes along before the stores are closed."""
        for store in self.stores:
            self._collect(store)
        self.stores.clear()

    def leave_one(self, *stores: Store) -> None:
        """Take along the notes of a second process that ends."""
        for store in stores:
            self._collect(store)
            self.stores.remove(store)

    def new_moves(self) -> list[tuple[str, str, str, str, int]]:
        """Give the moves since this was last asked."""
        for store in self.stores:
            self._collect(store)
        seen, self.moves = self.moves, []
        return seen

    def _collect(self, store: Store) -> None:
        connection = store._db.connection
        rows = connection.execute("SELECT * FROM moves ORDER BY rowid").fetchall()
        self.moves += [(str(a), str(b), str(c), str(d), int(str(e))) for a, b, c, d, e in rows]
        connection.execute("DELETE FROM moves")

    # --- rows -----------------------------------------------------------------------------------

    @property
    def eye(self) -> apsw.Connection:
        """A connection that can only read."""
        if self._eye is None:
            self._eye = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
        return self._eye

    def close(self) -> None:
        """Look away."""
        if self._eye is not None:
            self._eye.close()
            self._eye = None

    def rows(self, sql: str, *values: apsw.SQLiteValue) -> list[Row]:
        """Read rows as dictionaries."""
        cursor = self.eye.execute(sql, values)
        names: list[str] = []
        found = []
        for row in cursor:
            names = names or [column[0] for column in cursor.get_description()]
            found.append(dict(zip(names, row, strict=True)))
        return found

    def version(self) -> int:
        """Give a number that changes when anybody commits anything."""
        [[number]] = self.eye.execute("PRAGMA data_version").fetchall()
        assert isinstance(number, int)
        return number

    def dump(self, *tables: str) -> str:
        """Write out these tables whole, so that they can be compared."""
        return repr([self.rows(f'SELECT * FROM "{name}"') for name in tables])  # noqa: S608 - ours

    def operations(self) -> list[Row]:
        """Give the outbox in its order, payloads decoded."""
        found = self.rows("SELECT * FROM outbox ORDER BY seq")
        for row in found:
            row["payload"] = json.loads(row["payload"])
        return found

    def items(self, *, waiting: bool = False) -> list[Row]:
        """Give the reconciliations, or those that wait for a person."""
        found = self.rows("SELECT * FROM item ORDER BY seq")
        return [row for row in found if row["state"] != "resolved"] if waiting else found

    def records(self) -> list[Row]:
        """Give the mirror, values decoded."""
        found = self.rows("SELECT * FROM record ORDER BY seq")
        for row in found:
            row["local"] = json.loads(row["local"])
            row["base"] = row["local"] if row["base"] is None else json.loads(row["base"])
        return found

    def audit(self) -> list[tuple[int, str, str]]:
        """Give every audit event as seq, kind and body, oldest first."""
        last = self.told[-1][0] if self.told else 0
        rows = self.eye.execute(
            "SELECT e.seq, e.kind, b.json FROM audit_event AS e JOIN audit_body AS b USING (seq) "
            "WHERE e.seq > ? ORDER BY e.seq",
            (last,),
        ).fetchall()
        self.told += [(int(str(seq)), str(kind), str(body)) for seq, kind, body in rows]
        return self.told
