"""The search index: a copy of the records that lags behind them.

Source: crm-semantics.md 2H "Index lag" and "Index vs store skew"; section 8.
"""

from bisect import bisect_left, bisect_right, insort
from datetime import datetime
from heapq import heappop, heappush

from msgspec import Struct


class Indexed(Struct):
    """One record as the index sees it; `properties` is shared with the record and never changed."""

    record_id: int
    modified_ms: int
    properties: dict[str, str]
    version: int


class SearchIndex:
    """What search can see, by type; changes wait until they are due."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[int, Indexed]] = {}
        self._order: dict[str, list[int]] = {}
        self._by_time: dict[str, list[tuple[int, int]]] = {}
        self.shown = 0
        """How many changes have become visible; a result is as good as new while it stands."""
        self.remembered: tuple[object, list[Indexed]] = (None, [])
        """The last result and what it answered: a keyset reader asks for it page after page."""
        self._waiting: list[tuple[datetime, int, str, Indexed]] = []
        self._version = 0

    def submit(
        self, kind: str, record_id: int, modified_ms: int, properties: dict[str, str], due: datetime
    ) -> None:
        """Let a record's state become visible at `due`, unless a later one is by then."""
        self._version += 1
        entry = Indexed(record_id, modified_ms, properties, self._version)
        heappush(self._waiting, (due, self._version, kind, entry))

    def advance(self, now: datetime) -> None:
        """Make visible what is due."""
        while self._waiting and self._waiting[0][0] <= now:
            _, _, kind, entry = heappop(self._waiting)
            self._show(kind, entry)

    def entries(self, kind: str) -> list[Indexed]:
        """What is visible, by id."""
        entries = self._entries.get(kind, {})
        return [entries[record_id] for record_id in self._order.get(kind, [])]

    def modified_between(self, kind: str, low: int, high: int) -> list[Indexed]:
        """What is visible and was modified between two milliseconds, both included, by id."""
        by_time, entries = self._by_time.get(kind, []), self._entries.get(kind, {})
        start, end = bisect_left(by_time, (low, 0)), bisect_right(by_time, (high + 1, 0))
        return [entries[record_id] for record_id in sorted(i for _, i in by_time[start:end])]

    def _show(self, kind: str, entry: Indexed) -> None:
        self.shown += 1
        entries = self._entries.setdefault(kind, {})
        seen = entries.get(entry.record_id)
        if seen is None:
            insort(self._order.setdefault(kind, []), entry.record_id)
        elif seen.version > entry.version:
            return
        self._move(kind, seen, entry)
        entries[entry.record_id] = entry

    def _move(self, kind: str, seen: Indexed | None, entry: Indexed) -> None:
        by_time = self._by_time.setdefault(kind, [])
        if seen is not None:
            del by_time[bisect_left(by_time, (seen.modified_ms, seen.record_id))]
        insort(by_time, (entry.modified_ms, entry.record_id))
