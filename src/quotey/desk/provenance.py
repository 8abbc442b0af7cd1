"""Reading the audit as the history of one field: who set what, by which rule, and what lost.

The events are those that sync and the commands wrote; nothing is decided or changed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from quotey.contract.fields import Entity
from quotey.contract.journal import AuditEvent
from quotey.desk.ports import DeskPorts

_PAGE = 500

Body = dict[str, object]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One event in the life of a field.

    `before` and `after` are the local value around it; `sets` says that they differ (or that it was
    the first). `loser` is the value that did not stand, when `has_loser`.
    """

    at: datetime
    actor: str
    correlation_id: str
    kind: str
    rule: str
    sentence: str
    after: str | None
    sets: bool
    before: str | None = None
    has_loser: bool = False
    loser: str | None = None
    item: str = ""

    @property
    def by_crm(self) -> bool:
        """Whether the CRM's value was taken; a union of both sides is nobody's alone."""
        return self.kind.startswith("record.") and self.rule != "merge_both"


def changes_in(events: Iterable[AuditEvent], field: str) -> tuple[Change, ...]:
    """Give what a record's events say of a field, in their order."""
    found = (_change(event, field) for event in events)
    return tuple(change for change in found if change is not None)


def events_of(desk: DeskPorts, entity: Entity, entity_id: str) -> Iterable[AuditEvent]:
    """Give every event of a record or quote, newest first."""
    before: int | None = None
    while page := desk.store.audit.list(
        entity=entity, entity_id=entity_id, limit=_PAGE, before=before
    ):
        yield from page
        before = page[-1].seq


def _change(event: AuditEvent, field: str) -> Change | None:
    read = _READERS.get(event.kind)
    return read(event, field) if read else None


def _seen_first(event: AuditEvent, field: str) -> Change | None:
    values = _part(event.body, "values")
    if field not in values:
        return None
    value = _text(values[field])
    return _of(event, rule="first_seen", sentence=f"First seen as {_quoted(value)}.", after=value)


def _decided(event: AuditEvent, field: str) -> Change | None:
    """Read a decision: {rule, winner, loser, base, local, remote} under `fields`."""
    decision = _part(_part(event.body, "fields"), field)
    if not decision:
        return None
    before, after = _text(decision.get("local")), _text(decision.get("winner"))
    told = _part(event.body, "sentences").get(field) or event.body.get("sentence") or ""
    return _of(
        event,
        rule=str(decision.get("rule", "")),
        sentence=str(told),
        before=before,
        after=after,
        sets="local" not in decision or before != after,
        has_loser="loser" in decision,
        loser=_text(decision.get("loser")),
        item=str(event.body.get("item", "")),
    )


def _edited(event: AuditEvent, field: str) -> Change | None:
    """Read an edit by a command: {before, after}; what stood before was replaced, and is kept."""
    after, before = _part(event.body, "after"), _part(event.body, "before")
    if field not in after:
        return None
    value = _text(after[field])
    return _of(
        event,
        rule="edited",
        sentence=f"{event.actor} set it here to {_quoted(value)}.",
        before=_text(before.get(field)),
        after=value,
        has_loser=field in before,
        loser=_text(before.get(field)),
    )


def _taken_back(event: AuditEvent, field: str) -> Change | None:
    if event.body.get("field") != field:
        return None
    after = _text(event.body.get("after"))
    return _of(
        event,
        rule="undone",
        sentence=f"{event.actor} took a decision back; {_quoted(after)} stands again.",
        before=_text(event.body.get("before")),
        after=after,
        has_loser=True,
        loser=_text(event.body.get("before")),
        item=str(event.body.get("item", "")),
    )


_READERS: dict[str, Callable[[AuditEvent, str], Change | None]] = {
    "record.created": _seen_first,
    "record.updated": _decided,
    "reconciliation.resolved": _decided,
    "reconciliation.undone": _taken_back,
    "deal.created": _edited,
    "deal.updated": _edited,
    "account.updated": _edited,
}
"""How each kind of event speaks of a field; other kinds say nothing of values."""


def _of(  # noqa: PLR0913 - the columns of a change
    event: AuditEvent,
    *,
    rule: str,
    sentence: str,
    after: str | None,
    before: str | None = None,
    sets: bool = True,
    has_loser: bool = False,
    loser: str | None = None,
    item: str = "",
) -> Change:
    return Change(
        at=event.at,
        actor=event.actor,
        correlation_id=event.correlation_id,
        kind=event.kind,
        rule=rule,
        sentence=sentence,
        before=before,
        after=after,
        sets=sets,
        has_loser=has_loser,
        loser=loser,
        item=item,
    )


def _part(body: Body, name: str) -> Body:
    """Give an object inside a body; an erased or older body may lack it."""
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _quoted(value: str | None) -> str:
    return "null" if value is None else f"'{value}'"


def unique(ids: Iterable[str]) -> tuple[str, ...]:
    """Give each correlation id once, in order of appearance."""
    return tuple(dict.fromkeys(id_ for id_ in ids if id_))
