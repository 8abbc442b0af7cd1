"""The org's rows: what is committed, what a long transaction still hides, and how to undo.

Whether a write is allowed is decided in `saves`.
Source: crm-semantics.md 2S "Late-commit race"; 1S "System fields", "Deleted/merged".
"""

from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from heapq import heappop, heappush

from msgspec import Struct
from msgspec.structs import replace

from quotey.testing.simulators.clock import Clock, Dice
from quotey.testing.simulators.core import Effect
from quotey.testing.simulators.salesforce.ids import IdMaker, order
from quotey.testing.simulators.salesforce.schema import (
    PREFIXES,
    Field,
    Value,
    Values,
    stock_objects,
)
from quotey.testing.simulators.salesforce.settings import SalesforceSettings
from quotey.testing.simulators.salesforce.values import moment_text

USER, ROBOT = "0055g00000SIMUAA3", "0055g00000SIMRAA3"


class Row(Struct, frozen=True):
    """One version of one record; a write puts another in its place."""

    row_id: str
    sobject: str
    values: Values
    created: datetime
    modified: datetime
    """LastModifiedDate: by a user. Whole seconds, as `modstamp` is."""
    modstamp: datetime
    """SystemModstamp: by a user or by automation."""
    modified_by: str = USER
    deleted_at: datetime | None = None
    master: str | None = None


class Undone(Exception):  # noqa: N818 - a signal, not an error
    """Raised inside `attempt` to take everything back."""


class Org:
    """Everything that one org holds."""

    def __init__(
        self, clock: Clock, dice: Dice, settings: SalesforceSettings, effects: list[Effect]
    ) -> None:
        self.clock = clock
        self.settings = settings
        self.objects: dict[str, dict[str, Field]] = stock_objects(settings)
        self.rows: dict[str, dict[str, Row]] = {name: {} for name in self.objects}
        self.order: dict[str, list[str]] = {name: [] for name in self.objects}
        self.locks: dict[str, datetime] = {}
        self.prefixes = dict(PREFIXES)
        self.purged: dict[str, dict[str, datetime]] = {name: {} for name in self.objects}
        """When rows were deleted that nothing but getDeleted tells of any more (1S)."""
        self._effects = effects
        self._ids = IdMaker(dice)
        self._keys: dict[tuple[str, str], dict[str, set[str]]] = {}
        self._open: list[tuple[datetime, int, Row]] = []
        self._opened = 0
        self._undo: list[tuple[str, str, Row | None]] | None = None

    # -- reading

    def find(self, sobject: str, row_id: str) -> Row | None:
        """The committed version of a row, deleted ones too."""
        return self.rows[sobject].get(row_id)

    def living(self, sobject: str, row_id: str) -> Row | None:
        """The committed version of a row that is not deleted."""
        row = self.find(sobject, row_id)
        return row if row is not None and row.deleted_at is None else None

    def holders(self, sobject: str, field: Field, value: Value) -> list[Row]:
        """The living rows with this value in an external-id or unique field."""
        ids = self._keys.get((sobject, field.name), {}).get(key_text(field, value), set())
        found = (self.living(sobject, row_id) for row_id in sorted(ids))
        return [row for row in found if row is not None]

    def value(self, row: Row, field: Field) -> Value:
        """A field of a row, stored, system or computed."""
        system = _SYSTEM.get(field.name)
        if system is not None:
            return system(row)
        if field.formula is not None:
            return field.formula(row.values)
        return row.values.get(field.name, field.default if field.type == "boolean" else None)

    def covered_until(self) -> datetime:
        """Up to when all changes are visible: held back by open transactions (2S getUpdated)."""
        return min([row.modstamp for _, _, row in self._open], default=self.clock.now())

    # -- writing

    def fresh_id(self, sobject: str) -> str:
        """An id for a new row."""
        return self._ids.fresh(self.prefixes[sobject])

    def put(self, row: Row) -> None:
        """Commit a version of a row, and tell the oracle."""
        before = self.find(row.sobject, row.row_id)
        self._replace(row.sobject, row.row_id, row)
        kind = "delete" if row.deleted_at else "create" if before is None else "update"
        old = {} if before is None else before.values
        changed = sorted(n for n in {*row.values, *old} if row.values.get(n) != old.get(n))
        at = self.clock.now()
        self._effects.append(Effect(at, kind, row.sobject, row.row_id, tuple(changed)))

    def purge(self, row: Row) -> None:
        """Remove for ever: not even queryAll sees it, only getDeleted (1S "Hard-deleted")."""
        self.purged[row.sobject][row.row_id] = row.deleted_at or self.clock.now()
        self._replace(row.sobject, row.row_id, None)

    def open_late(self, row: Row, commit_at: datetime) -> None:
        """Write a row inside a long transaction: stamped now, visible at `commit_at` (2S)."""
        self._opened += 1
        self.locks[row.row_id] = commit_at
        heappush(self._open, (commit_at, self._opened, row))

    def settle(self) -> None:
        """Commit the transactions that end by now, and let go of their locks."""
        now = self.clock.now()
        while self._open and self._open[0][0] <= now:
            self.put(heappop(self._open)[2])
        for row_id in [held for held, until in self.locks.items() if until <= now]:
            del self.locks[row_id]

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Take every write of the block back when `Undone` is raised in it."""
        outer, self._undo = self._undo, []
        try:
            yield
        except Undone:
            taken_back, self._undo = self._undo, None
            for sobject, row_id, row in reversed(taken_back):
                self._replace(sobject, row_id, row)
            self._undo = []
        finally:
            if outer is not None:
                outer.extend(self._undo or [])
            self._undo = outer

    def _replace(self, sobject: str, row_id: str, row: Row | None) -> None:
        table = self.rows[sobject]
        before = table.get(row_id)
        if self._undo is not None:
            self._undo.append((sobject, row_id, before))
        self._index(before, add=False)
        if row is None:
            table.pop(row_id, None)
            self.order[sobject].remove(row_id)
            return
        table[row_id] = row
        if before is None:
            insort(self.order[sobject], row_id, key=order)
        self._index(row, add=True)

    def _index(self, row: Row | None, *, add: bool) -> None:
        if row is None:
            return
        for field in self.objects[row.sobject].values():
            value = row.values.get(field.name)
            if (field.external_id or field.unique) and value is not None:
                keys = self._keys.setdefault((row.sobject, field.name), {})
                ids = keys.setdefault(key_text(field, value), set())
                if add:
                    ids.add(row.row_id)
                else:
                    ids.discard(row.row_id)


def key_text(field: Field, value: Value) -> str:
    """The text under which a key is compared; case counts only where the field says so."""
    text = str(value)
    return text if field.case_sensitive else text.lower()


_SYSTEM: dict[str, Callable[[Row], Value]] = {
    "Id": lambda row: row.row_id,
    "IsDeleted": lambda row: row.deleted_at is not None,
    "CreatedDate": lambda row: moment_text(row.created),
    "LastModifiedDate": lambda row: moment_text(row.modified),
    "SystemModstamp": lambda row: moment_text(row.modstamp),
    "CreatedById": lambda _row: USER,
    "LastModifiedById": lambda row: row.modified_by,
    "MasterRecordId": lambda row: row.master,
}


def stamped(row: Row, now: datetime, *, by: str = USER, robot: bool = False) -> Row:
    """The same row, changed now. Automation moves SystemModstamp only (1S)."""
    second = now.replace(microsecond=0)
    if robot:
        return replace(row, modstamp=second)
    return replace(row, modified=second, modstamp=second, modified_by=by)
