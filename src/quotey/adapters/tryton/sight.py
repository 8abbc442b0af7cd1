"""Reading without the fields that are not there, or that our user may not see (see `definitions`).

Tryton refuses a whole page for one such field. Everything is asked for first, so that a field comes
back by itself; what was found out then holds for the rest of a run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from quotey.adapters.tryton.definitions import Definitions
from quotey.adapters.tryton.rpc import RefusedCallError, Rpc
from quotey.adapters.tryton.shape import MODIFIED, Shape
from quotey.contract.adapter import Call
from quotey.contract.errors import Diagnostic, ErrorClass, Severity
from quotey.contract.fields import Entity

Found = TypeVar("Found")
OF_A_FIELD = (ErrorClass.PERMANENT, ErrorClass.TRANSIENT)
"""A hidden field is refused for good; one that is not there lets the server fail."""


class Sight:
    """Knows of each entity what was visible when it was last looked at."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._seen: dict[Entity, Shape] = {}

    def begin(self, entity: Entity) -> None:
        """Ask for everything again: a run begins."""
        self._seen.pop(entity, None)

    def seeing(self, shape: Shape, call: Call, read: Callable[[Shape], Found]) -> Found:
        """Read with all fields, or with those that can be seen. Raises RemoteFailure."""
        known = self._seen.get(shape.entity, shape)
        try:
            return read(known)
        except RefusedCallError as failure:
            if failure.error_class not in OF_A_FIELD:
                raise
            visible = Definitions(self._rpc, call).shown(shape.model, shape.fields)
            if visible.issuperset(known.fields) or not visible.issuperset(("id", MODIFIED)):
                raise
        seen = self._seen[shape.entity] = shape.seen_as(visible)
        return read(seen)

    def hidden(self, shape: Shape) -> tuple[Diagnostic, ...]:
        """Tell which mapped paths are not seen."""
        seen = self._seen.get(shape.entity, shape)
        return tuple(
            Diagnostic(
                code="field_not_shown",
                severity=Severity.WARNING,
                message=f"{shape.model}.{path} is not there, or this user may not see it.",
                entity=shape.entity,
            )
            for path in shape.paths
            if path not in seen.paths
        )
