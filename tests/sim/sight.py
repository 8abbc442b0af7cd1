"""What users and operators can see of a home, read past the engine on a connection of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

Row = dict[str, Any]
QUOTE_TABLES = ("quote", "quote_version")


@dataclass
class Sight:
    """A connection that can only read."""

    path: Path
    dropped: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._eye = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)

    def close(self) -> None:
        """Look away."""
        self._eye.close()

    def rows(self, sql: str, *values: apsw.SQLiteValue) -> list[Row]:
        """Read rows as dictionaries."""
        cursor = self._eye.execute(sql, values)
        found = []
        names: list[str] = []
        for row in cursor:
            names = names or [column[0] for column in cursor.get_description()]
            found.append(dict(zip(names, row, strict=True)))
        return found

    def column(self, sql: str, *values: apsw.SQLiteValue) -> list[Any]:
        """Read the first column."""
        return [row[0] for row in self._eye.execute(sql, values)]

    def ids(self, entity: str) -> list[str]:
        """Give the mirrored records of an entity that live."""
        sql = "SELECT id FROM record WHERE entity = ? AND state = 'live' ORDER BY id"
        return self.column(sql, entity)

    def quotes_of(self, deal: str) -> list[str]:
        """Give the quotes of a deal, in the order of their ids."""
        return self.column("SELECT id FROM quote WHERE deal_id = ? ORDER BY id", deal)

    def published(self) -> set[str]:
        """Give the quotes that stand for their deals."""
        return set(self.column("SELECT id FROM quote WHERE published = 1"))

    def waiting(self) -> list[Row]:
        """Give the items that wait for a person."""
        return self.rows("SELECT * FROM item WHERE state <> 'resolved' ORDER BY seq")

    def settled(self) -> list[str]:
        """Give the items that a person has settled."""
        sql = "SELECT id FROM item WHERE state = 'resolved' AND resolved_by IN ('oda', 'olaf')"
        return self.column(f"{sql} ORDER BY seq")

    def unsettled(self) -> list[str]:
        """Give the operations that were not delivered, nor replaced, nor dropped."""
        sql = "SELECT id FROM outbox WHERE state NOT IN ('delivered', 'superseded', 'discarded')"
        return self.column(f"{sql} ORDER BY seq")

    def operations(self) -> list[Row]:
        """Give the outbox in its order."""
        found = self.rows("SELECT * FROM outbox ORDER BY seq")
        for row in found:
            row["payload"] = json.loads(row["payload"])
        return found

    def stuck(self) -> list[str]:
        """Give the operations that only a person can help."""
        sql = "SELECT id FROM outbox WHERE state IN ('dead', 'conflict', 'discarded') ORDER BY seq"
        return self.column(sql)

    def dead(self) -> list[tuple[Any, ...]]:
        """Give the operations that were given up: id, kind, whose, version, key."""
        return self._eye.execute(
            "SELECT id, kind, entity_id, version, key FROM outbox WHERE state = 'dead'"
        ).fetchall()

    def gone(self) -> list[tuple[Any, ...]]:
        """Give the mirrored records that are taken for gone: id, entity, ref."""
        return self._eye.execute(
            "SELECT id, entity, crm_ref FROM record WHERE state = 'gone'"
        ).fetchall()

    def remember_dropped(self) -> None:
        """What a person's decision ended unsent is their choice, though nobody lived to be told."""
        self.dropped |= set(self.column("SELECT id FROM outbox WHERE state = 'discarded'"))

    def delivered(self) -> list[tuple[Any, ...]]:
        """Give the quote versions that are shown as delivered: quote, version, digest."""
        return self._eye.execute(
            "SELECT entity_id, version, digest FROM outbox "
            "WHERE state = 'delivered' AND kind = 'write_quote'"
        ).fetchall()

    def is_stopped(self) -> bool:
        """Whether the connection waits for being authorised again."""
        return bool(self.column("SELECT 1 FROM connection WHERE state = 'auth_stopped'"))

    def revisions(self) -> dict[str, int]:
        """Give how new each mirrored record is, by the CRM's own number."""
        sql = "SELECT id, source_version FROM record WHERE source_version <> ''"
        return {str(one): int(str(number)) for one, number in self._eye.execute(sql)}

    def at_rest(self) -> bool:
        """Whether nothing is on its way, due later or being looked at.

        What waits behind an operation that is held waits for a person.
        """
        moving = (
            "SELECT 1 FROM outbox WHERE state IN ('leased', 'unknown') "
            "OR (state = 'queued' AND head = 1) UNION ALL "
            "SELECT 1 FROM late_look AS l WHERE l.due_at IS NOT NULL AND NOT EXISTS (SELECT 1 "
            "FROM outbox AS o WHERE o.lane = l.lane AND o.head = 1 AND o.state = 'held') UNION ALL "
            "SELECT 1 FROM sync_state WHERE phase <> 'idle'"
        )
        return not self.column(moving)

    def last_seq(self) -> int:
        """Give the number of the newest audit event."""
        return int(self.column("SELECT coalesce(max(seq), 0) FROM audit_event")[0])

    def audit_after(self, seq: int) -> list[tuple[int, str]]:
        """Give the audit after an event, each as number and body."""
        sql = "SELECT seq, json FROM audit_body WHERE seq > ? ORDER BY seq"
        return [(int(one), str(body)) for one, body in self._eye.execute(sql, (seq,))]

    def story(self) -> list[tuple[Any, ...]]:
        """Give the whole audit as it is to be the same in every process (G7)."""
        return self._eye.execute(
            "SELECT e.seq, e.kind, e.at, e.actor, e.correlation_id, e.entity_id, b.json "
            "FROM audit_event AS e JOIN audit_body AS b USING (seq) ORDER BY e.seq"
        ).fetchall()

    def records(self) -> dict[str, Row]:
        """Give the mirror, values decoded."""
        found = self.rows("SELECT * FROM record ORDER BY seq")
        for row in found:
            row["local"] = json.loads(row["local"])
            row["remote"] = json.loads(row["remote"])
        return {row["id"]: row for row in found}

    def quotes(self) -> list[list[tuple[Any, ...]]]:
        """Give all of the quotes, so that they can be compared (G1)."""
        return [self._eye.execute(f'SELECT * FROM "{name}"').fetchall() for name in QUOTE_TABLES]  # noqa: S608
