"""What waits for a person: listed one by one or by cause, filtered, and shown whole.

Nothing is changed here. Source: seed 7.1, 7.2; design section 9.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

import msgspec

from quotey.contract.errors import Diagnostic, NotFoundError, UsageError
from quotey.contract.fields import Entity
from quotey.contract.identity import local_id
from quotey.contract.journal import AuditEvent, Lock, MirrorRecord, Operation, Quarantined
from quotey.contract.problems import did_you_mean
from quotey.contract.quote import Quote
from quotey.contract.reconciliation import ConflictType, ItemState, Reconciliation
from quotey.contract.values import shown
from quotey.desk.durations import parse_span
from quotey.desk.ports import DeskPorts
from quotey.desk.references import find, find_quote, split
from quotey.store.items import ItemGroup

WAITING = (ItemState.OPEN, ItemState.DEFERRED)
_PAGE = 500

Word = TypeVar("Word", bound=StrEnum)


class ItemFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which items are meant, as typed. All of these hold together; None leaves one out.

    `reference` is `deal/<id>`; `older_than` is a span (`2d`) since the item was first seen.
    """

    states: tuple[ItemState, ...] = (ItemState.OPEN,)
    connection: str | None = None
    conflict_type: str | None = None
    entity: str | None = None
    reference: str | None = None
    field: str | None = None
    detail: str | None = None
    older_than: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing narrows it down."""
        return self == ItemFilter(states=self.states)


class ItemList(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `reconcile list`: by cause, or (`each`) one by one. `total` counts them all."""

    total: int
    groups: tuple[ItemGroup, ...] = ()
    items: tuple[Reconciliation, ...] = ()


class ItemView(msgspec.Struct, frozen=True, kw_only=True):
    """One item with everything that helps to decide it.

    `reasons` are the problems of a record that was kept out (quarantine), all of them.
    """

    item: Reconciliation
    record: MirrorRecord | None = None
    quote: Quote | None = None
    operation: Operation | None = None
    lock: Lock | None = None
    quarantined: Quarantined | None = None
    reasons: tuple[Diagnostic, ...] = ()
    undoable: bool = False
    events: tuple[AuditEvent, ...] = ()


def list_items(
    desk: DeskPorts,
    wanted: ItemFilter = ItemFilter(),  # noqa: B008 - frozen
    *,
    each: bool = False,
    limit: int = 100,
    after: int = 0,
) -> ItemList:
    """List items, grouped by cause unless `each` is asked for.

    `limit` and `after` page through single items.
    """
    with desk.store.snapshot():
        if each:
            found = tuple(matching(desk, wanted))
            return ItemList(total=len(found), items=found[after : after + limit])
        groups = _groups(desk, wanted)
        return ItemList(total=sum(group.count for group in groups), groups=groups)


def matching(desk: DeskPorts, wanted: ItemFilter) -> Iterator[Reconciliation]:
    """Give every item that the filter means, oldest first. Raises `UsageError` for a bad filter."""
    reference = _reference(desk, wanted.reference)
    since = _since(wanted.older_than)
    entity, entity_id = reference or (_word(wanted.entity, Entity, "entity"), None)
    conflict_type = _word(wanted.conflict_type, ConflictType, "conflict type")
    skip, now = 0, desk.now()
    while True:
        page = desk.store.items.list(
            connection=wanted.connection,
            states=wanted.states,
            conflict_type=conflict_type,
            entity_type=entity,
            entity_id=entity_id,
            field_name=wanted.field,
            detail=wanted.detail,
            limit=_PAGE,
            after=skip,
        )
        yield from (item for item in page if since is None or now - item.first_seen_ts > since)
        if len(page) < _PAGE:
            return
        skip += _PAGE


def show(desk: DeskPorts, item_id: str) -> ItemView:
    """Show one item with record, quote, operation, lock and audit trail."""
    with desk.store.snapshot():
        item = find_item(desk, item_id)
        record = None
        if item.entity_type != Entity.QUOTE:
            record = desk.store.records.get(item.entity_type, item.entity_id)
        is_quote = item.entity_type == Entity.QUOTE
        quarantined = _quarantined(desk, item)
        events = desk.store.audit.list(
            entity=item.entity_type, entity_id=item.entity_id, limit=1000
        )
        locks = desk.store.locks.active(item.entity_type, [item.entity_id], desk.now())
        return ItemView(
            item=item,
            record=record,
            quote=desk.store.quotes.get(item.entity_id) if is_quote else None,
            operation=desk.store.outbox.get(item.operation_id) if item.operation_id else None,
            lock=locks.get(item.entity_id, {}).get(item.field_name),
            quarantined=quarantined,
            reasons=quarantined.reasons if quarantined else (),
            undoable=desk.store.requests.get(item.id) is not None,
            events=tuple(one for one in events if one.body.get("item") == item.id),
        )


def find_item(desk: DeskPorts, item_id: str) -> Reconciliation:
    """Give one item; raises `NotFoundError`."""
    item = desk.store.items.get(item_id.strip())
    if item is None:
        raise NotFoundError(
            "reconciliation", shown(item_id), next=("quotey crm reconcile list --each",)
        )
    return item


def _groups(desk: DeskPorts, wanted: ItemFilter) -> tuple[ItemGroup, ...]:
    """Count by cause; the whole list is counted by the store, a narrowed one here."""
    if wanted == ItemFilter(states=WAITING, connection=wanted.connection):
        return desk.store.items.groups(wanted.connection)
    groups: dict[tuple[str, ...], ItemGroup] = {}
    for item in matching(desk, wanted):
        cause = (item.entity_type, item.field_name, item.conflict_type, item.detail)
        groups[cause] = _grown(groups.get(cause), item)
    return tuple(sorted(groups.values(), key=lambda group: (-group.count, group.detail)))


def _grown(group: ItemGroup | None, item: Reconciliation) -> ItemGroup:
    """Count one more item of a cause; the first one comes first, so it is the oldest."""
    if group is not None:
        return msgspec.structs.replace(group, count=group.count + 1)
    return ItemGroup(
        entity_type=item.entity_type,
        field_name=item.field_name,
        conflict_type=item.conflict_type,
        detail=item.detail,
        count=1,
        oldest=item.first_seen_ts,
    )


def _quarantined(desk: DeskPorts, item: Reconciliation) -> Quarantined | None:
    """Find the payload that an item speaks of; a record that never came in has no other trace."""
    if item.conflict_type not in (
        ConflictType.SCHEMA_MAPPING_MISMATCH,
        ConflictType.MISSING_PARENT,
        ConflictType.IDENTITY_MISMATCH,
    ):
        return None
    return quarantined_as(desk, item.connection, item.entity_type, item.entity_id)


def quarantined_as(
    desk: DeskPorts, connection: str, entity: Entity, entity_id: str
) -> Quarantined | None:
    """Find the quarantined record that has, or would get, this id of ours."""
    record = desk.store.records.get(entity, entity_id)
    if record is None:
        return _never_let_in(desk, connection, entity, entity_id)
    refs = {record.crm_ref, desk.store.records.ref_of(entity, entity_id)}
    wanted = sorted(ref for ref in refs if ref is not None)
    found = desk.store.quarantine.by_refs(connection, entity, wanted)
    return next(iter(found.values()), None)


def _never_let_in(
    desk: DeskPorts, connection: str, entity: Entity, entity_id: str
) -> Quarantined | None:
    """Look for the ref that such an id would come from; an id cannot be turned back into it."""
    after = ""
    while rows := desk.store.quarantine.list(connection, entity, _PAGE, after):
        for row in rows:
            if local_id(connection, entity, row.crm_ref) == entity_id:
                return row
        after = rows[-1].crm_ref
    return None


def _reference(desk: DeskPorts, reference: str | None) -> tuple[Entity, str] | None:
    """Read `deal/<id>`; a record that never came in is named by the id that it would get."""
    if reference is None:
        return None
    entity, key = split(reference)
    if entity == Entity.QUOTE:
        return entity, find_quote(desk, key).id
    try:
        return entity, find(desk, entity, key).id
    except NotFoundError:
        return entity, key


def _since(older_than: str | None) -> timedelta | None:
    try:
        return None if older_than is None else parse_span(older_than)
    except ValueError as error:
        raise UsageError(f"{error}. Nothing was changed.") from None


def _word(typed: str | None, known: type[Word], what: str) -> Word | None:
    """Read a word of a closed list; raises `UsageError` with the near match."""
    if typed is None:
        return None
    try:
        return known(typed.strip().lower())
    except ValueError:
        near = did_you_mean(typed, [str(one) for one in known])
        raise UsageError(f"{shown(typed)} is no {what}. {near} Nothing was changed.") from None
