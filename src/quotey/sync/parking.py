"""What is parked now, as reading and sending ask for it; decided in `quotey.decide.drift`.

Nothing is asked of the CRM here and nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence

from quotey.contract.drift import Parked, parked_fingerprint
from quotey.contract.dto import Canonical
from quotey.contract.fields import Entity
from quotey.contract.journal import Operation
from quotey.contract.mapper import wire_value
from quotey.contract.values import typed
from quotey.decide.drift import Wire, held_by, left_out, not_read
from quotey.sync.ports import Run


def not_taken(run: Run, entity: Entity) -> frozenset[str]:
    """Name the fields that are not read now."""
    return not_read(run.store.schemas.parked(run.connection), entity)


def fingerprint(run: Run, entity: Entity) -> str:
    """Give the fingerprint under which the entity is read now."""
    return parked_fingerprint(run.mapped(entity).fingerprint, not_taken(run, entity))


def stopping(run: Run, op: Operation) -> tuple[Parked, ...]:
    """Name the parked fields without which an operation cannot go."""
    parked = run.store.schemas.parked(run.connection)
    wire = _wire(run, op.entity, op.payload)
    return held_by(parked, op.kind, op.entity, tuple(op.payload), wire) if parked else ()


def omitted(run: Run, op: Operation) -> tuple[Parked, ...]:
    """Name the parked fields that an update goes without."""
    parked = run.store.schemas.parked(run.connection)
    wire = _wire(run, op.entity, op.payload)
    return left_out(parked, op.entity, tuple(op.payload), wire) if parked else ()


def told(parked: Sequence[Parked]) -> str:
    """Say why something waits."""
    return " ".join(one.sentence for one in parked)


def _wire(run: Run, entity: Entity, payload: Canonical) -> Wire:
    """Give what would be sent of a field; a value that cannot be written is no word of a list."""

    def wire(name: str) -> str:
        field, value = run.mapped(entity).field(name), payload.get(name)
        if field is None or value is None:
            return ""
        try:
            return str(wire_value(field, typed(value, field.type)))
        except ValueError:
            return ""

    return wire
