"""What the store knows about the records of one page, before anything is decided about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from quotey.contract.fields import Entity
from quotey.contract.identity import local_id
from quotey.contract.journal import PENDING, Lock, MirrorRecord, OpKind, Quarantined
from quotey.sync import doubt, parking
from quotey.sync.ports import Run

PARENT = "account_id"
"""The only field by which a record hangs on another."""

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""A stamp may be any moment that there is; nothing of ours was sent before this one."""

Values = dict[str, dict[str, tuple[str | None, ...]]]
"""By record and field."""


class PageFacts(msgspec.Struct, frozen=True):
    """What the store knows about the records of one page, each kind fetched in one statement."""

    mirrors: dict[str, MirrorRecord]
    aliases: dict[str, str]
    kept_out: dict[str, Quarantined]
    parents: Mapping[str, str]
    locks: dict[str, dict[str, Lock]]
    in_flight: Values
    with_items: frozenset[str]
    creating_for: frozenset[str]
    parked: frozenset[str]
    now: datetime
    ids: dict[str, str]  # of those that are not mirrored yet, by ref


def page_facts(
    run: Run,
    entity: Entity,
    stamps: Mapping[str, datetime],
    parent_refs: Sequence[str],
    more_parents: Mapping[str, str],
) -> PageFacts:
    """Fetch what is held of these records and their parents.

    `stamps` are the moments of the records as they were read, `more_parents` are ids, both by ref.
    """
    store, refs = run.store, list(stamps)
    mirrors = store.records.by_refs(run.connection, entity, refs)
    ids = [mirror.id for mirror in mirrors.values()]
    new = {ref: local_id(run.connection, entity, ref) for ref in refs if ref not in mirrors}
    now = run.now()
    parents = store.records.ids_of(run.connection, Entity.ACCOUNT, parent_refs)
    return PageFacts(
        mirrors=mirrors,
        aliases=store.records.aliased(entity, ids) if ids else {},
        kept_out=store.quarantine.by_refs(run.connection, entity, refs),
        parents={**more_parents, **parents},
        locks=store.locks.active(entity, ids, now) if ids else {},
        in_flight=_sent_by_us(run, entity, mirrors, stamps) if ids else {},
        with_items=frozenset(store.items.open_for(entity, [*ids, *new.values()])),
        creating_for=_creating_for(run) if entity is Entity.DEAL and new else frozenset(),
        parked=parking.not_taken(run, entity),
        now=now,
        ids=new,
    )


def _sent_by_us(
    run: Run, entity: Entity, mirrors: Mapping[str, MirrorRecord], stamps: Mapping[str, datetime]
) -> Values:
    """Give what a record may hold because we sent it, by updates under way or ended of late.

    One that has ended counts for as long as it may still land, by the record's own moment.
    """
    outbox, wait = run.store.outbox, doubt.wait(run)
    found = outbox.in_flight_values(run.connection, entity, [one.id for one in mirrors.values()])
    since = {mirror.id: max(stamps[ref], _EARLIEST) - wait for ref, mirror in mirrors.items()}
    for id_, fields in outbox.may_land_values(run.connection, entity, since).items():
        known = found.setdefault(id_, {})
        known.update({name: known.get(name, ()) + values for name, values in fields.items()})
    return found


def _creating_for(run: Run) -> frozenset[str]:
    """Name the accounts for which a deal of ours may just have come into being over there."""
    after, found = 0, set[str]()
    while batch := run.store.outbox.list(
        run.connection, states=PENDING, entity=Entity.DEAL, limit=500, after=after
    ):
        after = batch[-1].seq
        found |= {
            op.payload.get(PARENT) or ""
            for op in batch
            if op.kind is OpKind.CREATE_DEAL and op.sent_at is not None
        }
    return frozenset(found)
