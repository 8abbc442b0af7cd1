"""How a Tryton defines its fields, and which of them our user may see.

A field goes when a module is deactivated, and is hidden or closed when an administrator takes a
right away; each of that shows elsewhere. `fields_get` knows fields, types, and what may not be
written. That a field may not be read shows only when one is read. Source: measured.
"""

from __future__ import annotations

from collections.abc import Iterable

from quotey.adapters.tryton.rpc import Rpc
from quotey.adapters.tryton.values import Doc
from quotey.contract.adapter import Call
from quotey.contract.errors import ErrorClass, RemoteFailure

ACCESS = "ir.model.access"


class Definitions:
    """Asks for definitions, of each model once for as long as it lives; made anew for each look."""

    def __init__(self, rpc: Rpc, call: Call) -> None:
        self._rpc = rpc
        self._call = call
        self._known: dict[str, Doc] = {}

    def of(self, model: str, path: str) -> Doc | None:
        """Give the definition of what a dotted path ends at; None where it leads nowhere."""
        head, _, rest = path.partition(".")
        found = self._fields(model).get(head)
        if not isinstance(found, dict) or not rest:
            return found
        relation = found.get("relation")
        return self.of(str(relation), rest) if relation else None

    def shown(self, model: str, paths: Iterable[str]) -> frozenset[str]:
        """Give those of the paths that are there and that our user may read."""
        there = [path for path in paths if self.of(model, path) is not None]
        if not there or self._may_read(model, there):
            return frozenset(there)
        return frozenset(path for path in there if self._may_read(model, [path]))

    def rights(self, models: Iterable[str]) -> dict[str, Doc]:
        """Say of each model whether our user may read, write and create its records."""
        known = self._rpc.call(ACCESS, "get_access", sorted(models), call=self._call)
        return {str(model): dict(one) for model, one in known.items()}

    def _fields(self, model: str) -> Doc:
        if model not in self._known:
            self._known[model] = dict(self._rpc.call(model, "fields_get", [], call=self._call))
        return self._known[model]

    def _may_read(self, model: str, paths: list[str]) -> bool:
        """Read one record, which is refused where a single field of it is."""
        try:
            self._rpc.call(model, "search_read", [], 0, 1, None, paths, call=self._call)
        except RemoteFailure as failure:
            if failure.error_class is not ErrorClass.PERMANENT:
                raise
            return False
        return True
