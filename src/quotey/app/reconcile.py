"""Reconciliation for the façade: the desk's commands under the names that surfaces may use."""

from __future__ import annotations

from quotey.app.wiring import House
from quotey.contract.errors import UsageError
from quotey.contract.reconciliation import ItemState, Reconciliation
from quotey.decide.remedies import ways
from quotey.desk.reconcile import Applied, ApplyReport, Decision, UndoAnswer
from quotey.desk.reconcile_views import ItemFilter, ItemList, ItemView, list_items

__all__ = [
    "Applied",
    "ApplyReport",
    "Decision",
    "ItemFilter",
    "ItemList",
    "ItemView",
    "UndoAnswer",
    "listing",
    "ways_of",
]


def listing(house: House, wanted: ItemFilter | None, *, each: bool, limit: int) -> ItemList:
    """List items of all connections, by cause or one by one."""
    if limit < 1:
        raise UsageError("The limit is at least 1.")
    return list_items(house.desk_ports, wanted or ItemFilter(), each=each, limit=limit)


def ways_of(item: Reconciliation, *, undoable: bool = False) -> tuple[str, ...]:
    """Give the commands that help with an item: its ways, or the one that takes a decision back."""
    if item.state != ItemState.RESOLVED:
        return ways(item)
    return (f"quotey crm reconcile undo {item.id}",) if undoable else ()
