"""Reconciliations: things that only a person can settle (seed 7.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import msgspec

from quotey.contract.fields import Entity
from quotey.contract.reconciliation import ConflictType, ItemState, Reconciliation
from quotey.store.database import Database
from quotey.store.shapes import Cell, Shape, texts, to_text

ITEM = Shape(Reconciliation, "key")


class ItemGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Open and deferred items with one cause; `oldest` is the first of their `first_seen_ts`."""

    entity_type: Entity
    field_name: str
    conflict_type: ConflictType
    detail: str
    count: int
    oldest: datetime


GROUP = Shape(ItemGroup)


class Items:
    """Items and their occurrences; an occurrence counts once, for ever (design section 9)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def record(self, draft: Reconciliation) -> tuple[Reconciliation, bool]:
        """Note an occurrence (`draft.key`); give its item and whether that is news.

        New: opens an item with the draft's id, or updates values, key, detail and
        `last_attempt_ts` of the open one (occurrences + 1, rev + 1). Seen before: only
        `last_attempt_ts` of its open item moves; if that was resolved, the trouble has come back,
        so it is opened again (rev + 1, no further occurrence) and its undo note is dropped.
        """
        cells = ITEM.write(draft)
        place = {**msgspec.structs.asdict(draft.key), **cells}
        seen = self._db.row("items_of_occurrence", place)
        open_ = self._first("items_open_same", cells)
        if seen is not None:
            if open_ is None:
                return self._back(str(seen[0]), cells), True
            return self._attempted(open_.id, cells), False
        item = self._opened(cells) if open_ is None else self._again(open_, cells)
        self._db.write("items_seen", {**place, "item_id": item.id})
        return item, True

    def get(self, id_: str) -> Reconciliation | None:
        """Give one item."""
        return self._first("items_get", {"id": id_})

    def list(  # noqa: PLR0913 - one filter each
        self,
        *,
        connection: str | None = None,
        states: Sequence[ItemState] = (ItemState.OPEN,),
        conflict_type: ConflictType | None = None,
        entity_type: Entity | None = None,
        entity_id: str | None = None,
        field_name: str | None = None,
        detail: str | None = None,
        limit: int = 100,
        after: int = 0,
    ) -> tuple[Reconciliation, ...]:
        """Give items, oldest first; `after` is how many to skip."""
        params: dict[str, Cell] = {
            "connection": connection,
            "states": texts(states),
            "conflict_type": conflict_type,
            "entity_type": entity_type,
            "entity_id": entity_id,
            "field_name": field_name,
            "detail": detail,
            "limit": limit,
            "after": after,
        }
        return ITEM.read_all(self._db.rows("items_list", params))

    def groups(self, connection: str | None = None) -> tuple[ItemGroup, ...]:
        """Count what is open or deferred by cause, most first."""
        return GROUP.read_all(self._db.rows("items_groups", {"connection": connection}))

    def open_for(self, entity: Entity, ids: Sequence[str]) -> dict[str, tuple[Reconciliation, ...]]:
        """Give open and deferred items by entity id; ids without one are left out."""
        rows = self._db.rows("items_open_for", {"entity_type": entity, "ids": texts(ids)})
        found: dict[str, tuple[Reconciliation, ...]] = defaultdict(tuple)
        for item in map(ITEM.read, rows):
            found[item.entity_id] += (item,)
        return dict(found)

    def resolve(self, id_: str, rev: int, *, resolution: str, at: datetime, actor: str) -> bool:
        """Close an item; False when it moved on since `rev` or is closed (someone was first)."""
        return self._changed(
            "items_resolve", id=id_, rev=rev, resolution=resolution, at=to_text(at), actor=actor
        )

    def defer(self, id_: str, rev: int, until: datetime) -> bool:
        """Put an item off; False when it moved on since `rev` or is closed."""
        return self._changed("items_defer", id=id_, rev=rev, until=to_text(until))

    def reopen(self, id_: str, rev: int) -> bool:
        """Open a closed or deferred item again; False when it moved on, or its place is taken."""
        return self._changed("items_reopen", id=id_, rev=rev)

    def forget(self, entity: str, id_: str, *, dry_run: bool = False) -> int:
        """Take the values out of all items of a record; give how many held some."""
        params: dict[str, Cell] = {"entity_type": entity, "entity_id": id_}
        if dry_run:
            [[number]] = self._db.rows("items_holding", params)
            return int(number)
        return self._db.write("items_forget", params)

    def wake(self, now: datetime) -> int:
        """Open deferred items whose time has come; give how many."""
        return self._db.write("items_wake", {"now": to_text(now)})

    def counts(self, connection: str | None = None) -> dict[ItemState, int]:
        """Count by state; every state is a key."""
        rows = self._db.rows("items_counts", {"connection": connection})
        return dict.fromkeys(ItemState, 0) | {ItemState(state): number for state, number in rows}

    def _attempted(self, id_: str, cells: dict[str, Cell]) -> Reconciliation:
        self._db.write("items_attempted", {**cells, "id": id_})
        item = self.get(id_)
        assert item is not None, "an occurrence names its item"
        return item

    def _opened(self, cells: dict[str, Cell]) -> Reconciliation:
        self._db.write("items_add", cells)
        item = self._first("items_get", cells)
        assert item is not None
        return item

    def _again(self, item: Reconciliation, cells: dict[str, Cell]) -> Reconciliation:
        [row] = self._db.write_rows("items_again", {**cells, "id": item.id})
        return ITEM.read(row)

    def _back(self, id_: str, cells: dict[str, Cell]) -> Reconciliation:
        """Open the item of an occurrence again: it was thought settled and is not."""
        self._db.write("requests_remove", {"item_id": id_})
        [row] = self._db.write_rows("items_back", {**cells, "id": id_})
        return ITEM.read(row)

    def _first(self, name: str, params: dict[str, Cell]) -> Reconciliation | None:
        row = self._db.row(name, params)
        return None if row is None else ITEM.read(row)

    def _changed(self, name: str, **params: Cell) -> bool:
        return self._db.write(name, params) == 1
