"""How a world turns canonical text into what its CRM keeps, by the mapping that is tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quotey.contract.fields import Entity
from quotey.contract.mapper import wire_value
from quotey.contract.mapping import DomainOf, FieldMapping, Join
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.contract.values import typed


def wired(
    mapping: CrmMapping, entity: Entity, values: Mapping[str, str | None]
) -> Iterator[tuple[FieldMapping, object]]:
    """Give each field with its value on the wire; null is None and blank stays "".

    What a transform cannot write back (a host name, a joined name) is written plainly.
    """
    for name, text in values.items():
        field = mapping.entities[entity].field(name)
        assert field is not None, f"{entity}.{name} is mapped"
        plain = not text or isinstance(field.transform, Join | DomainOf)
        yield field, text if plain else wire_value(field, typed(text, field.type))
