"""Explaining a record by its fields, a quote by its versions, and what was kept out by its reasons.

Everything comes from mirror, quarantine and audit; nothing is asked of the CRM. Source: seed 5.3,
7; issue "explain deal/<id> stage".
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from quotey.contract.errors import Diagnostic, NotFoundError, UsageError
from quotey.contract.fields import Entity
from quotey.contract.identity import local_id
from quotey.contract.journal import MirrorRecord, Quarantined, RecordState
from quotey.contract.mapping import EntityMapping, FieldMapping
from quotey.contract.problems import did_you_mean
from quotey.contract.reconciliation import Reconciliation
from quotey.desk.explain_field import FieldStory, Loser, story_of
from quotey.desk.explain_quote import QuoteExplanation, VersionTrace, explain_quote
from quotey.desk.ports import DeskPorts, readable_mapping
from quotey.desk.provenance import events_of
from quotey.desk.reconcile_views import quarantined_as
from quotey.desk.references import find, split

__all__ = [
    "Explanation",
    "FieldStory",
    "KeptOut",
    "Loser",
    "QuoteExplanation",
    "VersionTrace",
    "explain",
]


class KeptOut(msgspec.Struct, frozen=True, kw_only=True):
    """Why a record, or its newest revision, is in quarantine: all reasons, and since when.

    `parent_ref` is the parent that it waits for, "" when it waits for none.
    """

    crm_ref: str
    since: datetime
    source_ts: datetime
    reasons: tuple[Diagnostic, ...]
    correlation_id: str
    parent_ref: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A record and the story of its fields, or a quote and the story of its versions.

    `state` is None for a quote, and for a record that never came in; then `kept_out` says why and
    `id` is the one that it would get. `items` are what waits for a person about it. `extras` are
    adapter-local and decide nothing. `currency` is that of the record's money.
    """

    entity: Entity
    id: str
    crm_ref: str | None
    connection: str
    state: RecordState | None = None
    conflict: bool = False
    local_version: int = 0
    source_ts: datetime | None = None
    source_version: str = ""
    fields: tuple[FieldStory, ...] = ()
    items: tuple[Reconciliation, ...] = ()
    currency: str | None = None
    extras: dict[str, object] = msgspec.field(default_factory=dict)
    kept_out: KeptOut | None = None
    quote: QuoteExplanation | None = None
    next: tuple[str, ...] = ()


def explain(desk: DeskPorts, reference: str, field: str | None = None) -> Explanation:
    """Explain `deal/<id>`, `account/<id>` or `contact/<id>`, one field or all; or `quote/<id>`.

    Without a field every mapped one is told that has a value on any side. Raises `NotFoundError`
    with near matches, `UsageError` for a field that is not mapped, and for a quote's.
    """
    entity, key = split(reference)
    if entity == Entity.QUOTE:
        return _of_quote(desk, reference, field)
    with desk.store.snapshot():
        try:
            record = find(desk, entity, key)
        except NotFoundError:
            if kept := _never_in(desk, entity, key):
                return kept
            raise
        return _of_record(desk, record, field)


def _of_record(desk: DeskPorts, record: MirrorRecord, field: str | None) -> Explanation:
    items = desk.store.items.open_for(record.entity, [record.id]).get(record.id, ())
    fields = _chosen(desk, record, field)
    events = tuple(events_of(desk, record.entity, record.id))
    stories = tuple(story_of(desk, record, one, items=items, events=events) for one in fields)
    kept = quarantined_as(desk, record.connection, record.entity, record.id)
    steps = [step for story in stories for step in story.next]
    steps += [f"quotey crm reconcile show {item.id}" for item in items]
    return Explanation(
        entity=record.entity,
        id=record.id,
        crm_ref=record.crm_ref,
        connection=record.connection,
        state=record.state,
        conflict=bool(items),
        local_version=record.local_version,
        source_ts=record.source_ts,
        source_version=record.source_version,
        fields=stories,
        items=items,
        currency=record.local.get("currency"),
        extras=record.extras,
        kept_out=_kept_out(kept) if kept else None,
        next=tuple(dict.fromkeys(steps)),
    )


def _of_quote(desk: DeskPorts, reference: str, field: str | None) -> Explanation:
    if field is not None:
        raise UsageError(
            "A quote is explained whole, without a field. Nothing was changed.",
            next=(f"quotey crm explain {reference}",),
        )
    told = explain_quote(desk, reference)
    return Explanation(
        entity=Entity.QUOTE,
        id=told.quote.id,
        crm_ref=None,
        connection=told.quote.connection,
        conflict=bool(told.items),
        items=told.items,
        quote=told,
        next=tuple(f"quotey crm reconcile show {item.id}" for item in told.items),
    )


def _never_in(desk: DeskPorts, entity: Entity, key: str) -> Explanation | None:
    """Explain a record that has always been kept out, by its ref or the id that it would get."""
    for name in desk.connections:
        for id_ in (key, local_id(name, entity, key)):
            if row := quarantined_as(desk, name, entity, id_):
                items = desk.store.items.open_for(entity, [id_]).get(id_, ())
                return Explanation(
                    entity=entity,
                    id=id_,
                    crm_ref=row.crm_ref,
                    connection=name,
                    conflict=bool(items),
                    items=items,
                    kept_out=_kept_out(row),
                    next=tuple(f"quotey crm reconcile show {item.id}" for item in items),
                )
    return None


def _kept_out(row: Quarantined) -> KeptOut:
    return KeptOut(
        crm_ref=row.crm_ref,
        since=row.first_seen,
        source_ts=row.source_ts,
        reasons=row.reasons,
        correlation_id=row.correlation_id,
        parent_ref=row.parent_ref,
    )


def _chosen(desk: DeskPorts, record: MirrorRecord, field: str | None) -> tuple[FieldMapping, ...]:
    """Give the field that was named, or all that have a value on any side."""
    mapping = readable_mapping(desk, record.connection).entities[record.entity]
    if field is not None:
        return (_mapped(mapping, field),)
    sides = record.local.keys() | record.base.keys() | record.remote.keys()
    return tuple(one for one in mapping.fields if one.name in sides)


def _mapped(mapping: EntityMapping, field: str) -> FieldMapping:
    found = mapping.field(field)
    if found is None:
        near = did_you_mean(field, [one.name for one in mapping.fields])
        raise UsageError(
            f"{mapping.entity}.{field[:80]} is not mapped. {near} Nothing was changed.",
            next=("quotey crm mapping show",),
        )
    return found
