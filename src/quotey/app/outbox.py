"""The outbox list for the façade: states and record as typed."""

from __future__ import annotations

from collections.abc import Sequence

from quotey.app.listing import Listing
from quotey.app.wiring import House
from quotey.contract.errors import UsageError
from quotey.contract.fields import Entity
from quotey.contract.journal import PENDING, Operation, OpState
from quotey.desk.outbox import list_operations
from quotey.desk.references import find, find_quote, split


def listing(
    house: House, states: Sequence[OpState], record: str | None, limit: int, *, settled: bool
) -> Listing[Operation]:
    """List operations of the connection; without `states` those that wait, or all if `settled`."""
    if limit < 1:
        raise UsageError("The limit is at least 1.")
    chosen = tuple(states) or (tuple(OpState) if settled else PENDING)
    reference = _named(house, record) if record else None
    found = list_operations(
        house.desk_ports, house.connection, states=chosen, reference=reference, limit=limit
    )
    return Listing(items=found)


def _named(house: House, record: str) -> tuple[Entity, str]:
    entity, key = split(record)
    if entity == Entity.QUOTE:
        return entity, find_quote(house.desk_ports, key).id
    return entity, find(house.desk_ports, entity, key).id
