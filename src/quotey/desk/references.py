"""How a person names a record: `deal/<id>`, by our id or by the CRM's, when that is unambiguous.

Looking things up in the CRM itself is not done here.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from quotey.contract.errors import Diagnostic, NotFoundError, Severity, UsageError
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.journal import MirrorRecord
from quotey.contract.problems import did_you_mean
from quotey.contract.quote import Quote
from quotey.contract.values import shown
from quotey.desk.ports import DeskPorts

_NEAR = 3
_TYPED = 40
"""So much of an id is told within a command; a lookup goes by the beginning anyway."""


def split(reference: str) -> tuple[Entity, str]:
    """Take `deal/<id>` apart; raises `UsageError` when it has another shape.

    >>> split("deal/D-1")
    (<Entity.DEAL: 'deal'>, 'D-1')
    """
    word, slash, key = reference.strip().partition("/")
    if not slash or not key or word not in list(Entity):
        near = did_you_mean(word, [str(entity) for entity in Entity])
        raise UsageError(
            f"{shown(reference)} does not name a record: write <entity>/<id>, as in deal/D-1042. "
            f"{near} Nothing was changed."
        )
    return Entity(word), key


def bare(entity: Entity, reference: str) -> str:
    """Take the id from `deal/<id>` or a plain `<id>`; raises `UsageError` for another entity."""
    prefix = f"{entity}/"
    text = reference.strip()
    if text.startswith(prefix):
        return text[len(prefix) :]
    others = tuple(f"{other}/" for other in Entity)
    if text.startswith(others):
        raise UsageError(
            f"{shown(reference)} is not {_a(entity)}: {prefix}<id> was expected. "
            "Nothing was changed."
        )
    return text


def find(desk: DeskPorts, entity: Entity, reference: str) -> MirrorRecord:
    """Give the mirrored record that is meant: by our id, else by the CRM's id.

    Raises `NotFoundError` with near matches, `UsageError` when the CRM's id stands in more than
    one connection.
    """
    key = bare(entity, reference)
    record = desk.store.records.get(entity, key)
    if record is not None:
        return record
    found = _by_ref(desk, entity, key)
    if len(found) > 1:
        raise UsageError(
            f"{entity} {shown(key)} stands in more than one connection: "
            f"{', '.join(f'{one.id} ({one.connection})' for one in found)}. Use our id. "
            "Nothing was changed.",
            next=tuple(f"quotey crm {entity} show {one.id}" for one in found),
        )
    if not found:
        raise not_found(desk, entity, key)
    return found[0]


def _by_ref(desk: DeskPorts, entity: Entity, key: str) -> list[MirrorRecord]:
    found = (desk.store.records.by_refs(name, entity, [key]) for name in desk.connections)
    return [record for one in found for record in one.values()]


def not_found(desk: DeskPorts, entity: Entity, key: str) -> NotFoundError:
    """Say that there is no such record, and what was probably meant: by a blank, nothing."""
    if not key.strip():
        return NotFoundError(entity, shown(key))
    near = [
        record
        for name in desk.connections
        for record in desk.store.records.search(name, entity, key, _NEAR)
    ][:_NEAR]
    return _missing(entity, key, [(one.id, one.local.get("name") or "") for one in near])


def find_quote(desk: DeskPorts, reference: str) -> Quote:
    """Give the quote that is meant; raises `NotFoundError` with near matches."""
    key = bare(Entity.QUOTE, reference)
    quote = desk.store.quotes.get(key)
    if quote is not None:
        return quote
    stem = key.removeprefix("q_")[:6]
    near = [one for one in desk.store.quotes.list(limit=1000) if stem and stem in one.id]
    raise _missing(Entity.QUOTE, key, [(one.id, one.deal_id) for one in near[:_NEAR]])


def mirrored(entity: Entity) -> Entity:
    """Pass an entity that is mirrored; raises `UsageError` for a quote, which is only ours."""
    if entity not in MIRRORED:
        raise UsageError(
            "A quote is not mirrored: it has no fields of the CRM. Nothing was changed."
        )
    return entity


def _missing(entity: Entity, key: str, near: Sequence[tuple[str, str]]) -> NotFoundError:
    listed = {Entity.QUOTE: "quotey quote list"}.get(
        entity, f"quotey crm lookup {entity} {shlex.quote(key[:_TYPED])}"
    )
    show = "quotey quote show" if entity == Entity.QUOTE else f"quotey crm {entity} show"
    error = NotFoundError(
        entity, shown(key), next=tuple(f"{show} {id_}" for id_, _ in near) or (listed,)
    )
    error.diagnostics = tuple(
        Diagnostic(
            code="near_match",
            severity=Severity.NOTE,
            entity=entity,
            message=f"{id_} ({name}) is near." if name else f"{id_} is near.",
        )
        for id_, name in near
    )
    return error


def _a(entity: Entity) -> str:
    return f"an {entity}" if entity == Entity.ACCOUNT else f"a {entity}"
