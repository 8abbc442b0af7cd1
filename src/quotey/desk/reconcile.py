"""Reconciliation: a person settles what no policy could, previewed, in bulk, undone while unsent.

What may be settled is decided in `quotey.decide.settle`; carrying it out is in `settling`. One item
is one transaction, so that one refusal never undoes another's decision.
"""

from __future__ import annotations

from collections.abc import Iterable

from quotey.contract.errors import MappingError, RefusedError, StoreBusyError, UsageError
from quotey.contract.reconciliation import Reconciliation
from quotey.desk.applying import (
    Applied,
    ApplyReport,
    Decision,
    apply_one,
    note_item,
    refused_row,
    settled,
)
from quotey.desk.durations import parse_moment
from quotey.desk.ports import DeskPorts
from quotey.desk.reconcile_views import (
    ItemFilter,
    ItemList,
    ItemView,
    find_item,
    list_items,
    matching,
    show,
)
from quotey.desk.undoing import UndoAnswer, undo

__all__ = [
    "Applied",
    "ApplyReport",
    "Decision",
    "ItemFilter",
    "ItemList",
    "ItemView",
    "UndoAnswer",
    "apply",
    "apply_all",
    "defer",
    "list_items",
    "show",
    "undo",
]


def apply(
    desk: DeskPorts, item_id: str, decision: Decision, *, dry_run: bool = False
) -> ApplyReport:
    """Settle one item. With `dry_run` the same row comes back and nothing is written.

    Raises `RefusedError` when the table of design section 9 forbids it or the item moved on,
    `UsageError` for a bad value, `NotFoundError`.
    """
    row = apply_one(desk, item_id, decision, dry_run=dry_run)
    return ApplyReport(dry_run=dry_run, rows=(row,))


def apply_all(
    desk: DeskPorts, wanted: ItemFilter, decision: Decision, *, dry_run: bool = False
) -> ApplyReport:
    """Settle every item that the filter means; refusals become rows and stop nothing.

    A database that is busy ends it: the row that says so is the last, and what follows stays open.
    Raises `UsageError` when nothing narrows the filter down: all at once is never meant.
    """
    if wanted.is_empty:
        raise UsageError(
            "Name what is to be settled: an id, or a filter such as --type or --field. "
            "Nothing was changed.",
            next=("quotey crm reconcile list",),
        )
    with desk.store.snapshot():
        ids = [item.id for item in matching(desk, wanted)]
    return ApplyReport(dry_run=dry_run, rows=tuple(_rows(desk, ids, decision, dry_run=dry_run)))


def defer(desk: DeskPorts, item_id: str, until: str) -> Reconciliation:
    """Put an item off for a span (`2d`) or until a moment; it opens again by itself.

    Raises `UsageError` for a time that is not ahead, `RefusedError` when it is settled.
    """
    try:
        at = parse_moment(until, desk.now())
    except ValueError as error:
        raise UsageError(f"{error} Nothing was changed.") from None
    with desk.store.transaction("reconcile.defer"):
        item = find_item(desk, item_id)
        if not desk.store.items.defer(item.id, item.rev, at):
            raise settled(item)
        note_item(desk, "reconciliation.deferred", item, {"until": at.isoformat()})
        return find_item(desk, item.id)


def _rows(
    desk: DeskPorts, ids: Iterable[str], decision: Decision, *, dry_run: bool
) -> Iterable[Applied]:
    for id_ in ids:
        try:
            yield apply_one(desk, id_, decision, dry_run=dry_run)
        except (RefusedError, UsageError, MappingError) as refused:
            yield refused_row(desk, id_, refused)
        except StoreBusyError as busy:
            yield refused_row(desk, id_, busy)
            return
