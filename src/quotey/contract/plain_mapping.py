"""The field dictionary as a mapping that knows no CRM: what stands in when the real one is broken.

Local commands go on with it (seed 7.3); nothing is read from a CRM or written to one by it.
"""

from __future__ import annotations

from quotey.contract.fields import Entity, Field, fields_of
from quotey.contract.mapping import EntityMapping, FieldMapping, Mapping


def plain_mapping(provider: str = "") -> Mapping:
    """Give a mapping with the dictionary's fields, policies and directions, and no path.

    >>> plain_mapping().entities[Entity.DEAL].field("stage").policy
    <Policy.CRM_WINS: 'crm_wins'>
    """
    return Mapping(provider=provider, entities={entity: _entity(entity) for entity in Entity})


def _entity(entity: Entity) -> EntityMapping:
    fields = tuple(_field(row) for row in fields_of(entity))
    return EntityMapping(entity=entity, object="", fields=fields)


def _field(row: Field) -> FieldMapping:
    return FieldMapping(
        name=row.name,
        path="",
        type=row.type,
        need=row.need,
        direction=row.direction,
        policy=row.policy,
        strategy=row.strategy,
        sent_on_create=row.sent_on_create,
    )
