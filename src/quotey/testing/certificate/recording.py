"""Looks over an adapter's shoulder while the suite works with it: which operation failed how.

Nothing is changed on the way; the suite does not notice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec

from quotey.contract.adapter import CrmAdapter
from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.testing.world import World

OPERATIONS = (
    "lookup_account",
    "search_contacts",
    "get_deal",
    "sync_incremental",
    "read_records",
    "list_ids",
    "find_ends",
    "create_deal",
    "update_deal",
    "update_account",
    "write_quote",
    "get_quote_marker",
)
"""The operations of `CrmAdapter`, reads first."""


class Seen(msgspec.Struct, frozen=True):
    """One call that ended: the operation, how it failed, and the fields that it complained of."""

    operation: str
    error_class: ErrorClass | None = None
    fields: tuple[str, ...] = ()


class Notebook:
    """What was seen during one test, in order."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def watch(self, world: World) -> World:
        """Give the same world, with every adapter of it watched."""
        return cast("World", _WatchedWorld(world, self))


class _WatchedWorld:
    def __init__(self, world: World, notebook: Notebook) -> None:
        self._world = world
        self._notebook = notebook
        self.adapter: CrmAdapter = self._watched(world.adapter)

    def reopen(self) -> CrmAdapter:
        return self._watched(self._world.reopen())

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the world has
        return getattr(self._world, name)

    def _watched(self, adapter: CrmAdapter) -> CrmAdapter:
        return cast("CrmAdapter", _WatchedAdapter(adapter, self._notebook))


class _WatchedAdapter:
    def __init__(self, adapter: CrmAdapter, notebook: Notebook) -> None:
        self._adapter = adapter
        self._notebook = notebook

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the adapter has
        found = getattr(self._adapter, name)
        return self._noting(name, found) if name in OPERATIONS else found

    def _noting(self, name: str, act: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            try:
                answer = act(*args, **kwargs)
            except RemoteFailure as failure:
                named = [f"{one.entity}.{one.field}" for one in failure.diagnostics if one.field]
                self._notebook.seen.append(Seen(name, failure.error_class, tuple(named)))
                raise
            self._notebook.seen.append(Seen(name))
            return answer

        return call
