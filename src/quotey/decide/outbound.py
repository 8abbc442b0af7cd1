"""What may be written to the CRM: the version guard, superseding, the next version.

Who sends, and when again, is told elsewhere (`retry`). Source: seed 5.4; design sections 5 and 9.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from quotey.contract.dto import Canonical, MarkerReading, MarkerState, QuoteMarker
from quotey.contract.fields import Entity
from quotey.contract.identity import payload_digest
from quotey.contract.journal import Hold, MirrorRecord, Operation, OpKind, OpState

UPDATE_OF = {Entity.DEAL: OpKind.UPDATE_DEAL, Entity.ACCOUNT: OpKind.UPDATE_ACCOUNT}
"""Entities that can be written to, and by which kind of operation."""


class Send(msgspec.Struct, frozen=True, tag=True):
    """The slot is empty, holds something older, or this one unfinished: write it."""


class AlreadyThere(msgspec.Struct, frozen=True, tag=True):
    """The CRM holds exactly this: a retry after an unknown outcome lands here."""


class Stale(msgspec.Struct, frozen=True, tag=True):
    """The CRM holds what this one may not replace; a `stale_outbound_write`, never retried.

    `found` is the marker that stands there, None when the slot holds something that is not one.
    """

    detail: Literal["newer_version", "version_reused", "other_quote", "foreign"]
    found: QuoteMarker | None = None


Guard = Send | AlreadyThere | Stale

Known = Collection[tuple[int, str]]
"""Versions of a quote that were to be sent, each with the digest of its payload."""


def guard_writeback(marker: QuoteMarker, reading: MarkerReading, replaces: str | None) -> Guard:
    """Say whether this quote version may replace what the CRM holds.

    Identity is instance, quote, version and digest: the same number from somebody else is not ours.
    The very same is sent again only where the CRM still lacks a step of it.
    `replaces` names the one other quote that a person allowed this one to replace (a quote of this
    instance by its id, another's as "<instance>/<quote>"). Source: seed 5.4, design section 9.
    """
    there = reading.marker
    if reading.state is MarkerState.NONE:
        return Send()
    if reading.state is MarkerState.FOREIGN or there is None:
        return Stale("foreign")
    if (there.instance_id, there.quote_id) != (marker.instance_id, marker.quote_id):
        return Send() if _named(there, marker) == replaces else Stale("other_quote", there)
    if there.version != marker.version:
        return Send() if there.version < marker.version else Stale("newer_version", there)
    if there.payload_digest != marker.payload_digest:
        return Stale("version_reused", there)
    return Send() if reading.unfinished else AlreadyThere()


def recognised(
    marker: QuoteMarker, reading: MarkerReading, former: Collection[str], known: Known
) -> MarkerReading:
    """Take for ours what an earlier life of this database wrote and this one remembers.

    `former` are the instances that this database was before it was restored from a backup, `known`
    the versions of this quote that it remembers sending, each with its digest. What the backup does
    not remember stays another's: it is never written over without a person. Source: reliability G5,
    CP-23.
    """
    there = reading.marker
    if there is None or there.quote_id != marker.quote_id or there.instance_id not in former:
        return reading
    if (there.version, there.payload_digest) not in known:
        return reading
    ours = msgspec.structs.replace(there, instance_id=marker.instance_id)
    return msgspec.structs.replace(reading, marker=ours)


def loser(reading: MarkerReading, instance: str, known: Known) -> QuoteMarker | None:
    """Give the marker that a write now replaces although this installation never sent it.

    It was left by another installation, or by a copy of this one, and a person or its older number
    allows that it goes; what goes is kept in the audit. `known` are the versions of its quote that
    `instance` remembers sending. Source: reliability G4, G5.
    """
    there = reading.marker
    if there is None:
        return None
    ours = there.instance_id == instance and (there.version, there.payload_digest) in known
    return None if ours else there


def _named(there: QuoteMarker, ours: QuoteMarker) -> str:
    """Name the quote that stands there as `Operation.replaces` names it."""
    if there.instance_id == ours.instance_id:
        return there.quote_id
    return f"{there.instance_id}/{there.quote_id}"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Who orders a write, when, and under which id of its own; `instance` is this installation."""

    id: str
    instance: str
    now: datetime
    actor: str
    correlation_id: str


def write_of(record: MirrorRecord, kind: OpKind, payload: Canonical, order: Order) -> Operation:
    """Build the operation that writes these values of a record, due at once, in its own lane.

    Its key is its own, because one version may be written in parts.
    """
    whole = dict(sorted(payload.items()))
    return Operation(
        id=order.id,
        connection=record.connection,
        lane=f"{record.entity}/{record.id}",
        kind=kind,
        entity=record.entity,
        entity_id=record.id,
        version=record.local_version,
        key=f"{order.instance}/{kind}/{record.id}/{record.local_version}/{order.id}",
        payload=whole,
        digest=payload_digest(whole),
        created_at=order.now,
        due_at=order.now,
        actor=order.actor,
        correlation_id=order.correlation_id,
    )


def superseded_by(op: Operation, queued: Sequence[Operation]) -> tuple[str, ...]:
    """Name the waiting operations that this new one makes needless, oldest first.

    Only what cannot have landed can be superseded: an older version of the same quote, the quote
    that this one replaces, or an update of the same record (see `absorb`). A create never is.
    """
    replaced = [old for old in queued if waits_unsent(old) and _replaces(op, old)]
    return tuple(old.id for old in sorted(replaced, key=lambda old: old.seq))


def absorb(op: Operation, queued: Sequence[Operation]) -> Operation:
    """Give `op` as it must be stored to carry out what it supersedes too.

    An update takes over the fields that it does not name itself. A quote takes over what the oldest
    of them was allowed to replace, because that is what the CRM still holds.
    """
    ids = set(superseded_by(op, queued))
    older = sorted((old for old in queued if old.id in ids), key=lambda old: old.seq)
    if op.kind is OpKind.WRITE_QUOTE:
        allowed = next((old.replaces for old in older if old.replaces), op.replaces)
        return msgspec.structs.replace(op, replaces=allowed)
    payload: Canonical = {}
    for each in (*older, op):
        payload |= each.payload
    return msgspec.structs.replace(op, payload=payload, digest=payload_digest(payload))


def takes_over(refused: Operation, waiting: Sequence[Operation]) -> Operation | None:
    """Give the write that takes the place of a refused one, as it must be stored to do so.

    It was published while the refused one was being sent, so it could not supersede that then. Only
    a quote's write that is held for a person gives way, and only where nothing of it can have
    landed: what is held for a key or a parent goes by itself. None when it has to stay.
    """
    asked = refused.hold in (Hold.MAPPING, Hold.OPERATOR)
    if refused.kind is not OpKind.WRITE_QUOTE or not asked:
        return None
    newer = (op for op in waiting if waits_unsent(op) and superseded_by(op, (refused,)))
    found = min(newer, key=lambda op: op.seq, default=None)
    return None if found is None else absorb(found, (refused,))


def next_version(local: int, marker: int | None) -> int:
    """Give the version of a revision: above ours, and above what the CRM was last seen to hold.

    >>> next_version(3, None), next_version(3, 3), next_version(3, 7)
    (4, 4, 8)
    """
    return max(local, marker or 0) + 1


def waits_unsent(op: Operation) -> bool:
    """Whether it waits and nothing of it can be in the CRM: never sent, or refused for certain.

    What is held because the CRM refused it must not stop the change that mends it (G6).
    """
    return op.state in (OpState.QUEUED, OpState.HELD) and op.sent_at is None


def says_all(newer: Operation, older: Operation) -> bool:
    """Whether the newer operation leaves nothing of the older one to be sent.

    A quote's version says all that an earlier one said; an update only what it names itself.
    """
    if newer.kind != older.kind or newer.id == older.id:
        return False
    if newer.kind == OpKind.WRITE_QUOTE:
        return older.version < newer.version
    return newer.kind != OpKind.CREATE_DEAL and older.payload.keys() <= newer.payload.keys()


def overtakes(op: Operation, old: Operation) -> bool:
    """Whether the arrival of `op` leaves nothing to send of `old`, which was given up before.

    That is a later version of the same quote, or a later update of all the same fields.
    """
    one_record = (op.entity, op.entity_id) == (old.entity, old.entity_id)
    later = op.kind is OpKind.WRITE_QUOTE or old.seq < op.seq
    return one_record and later and says_all(op, old)


def _replaces(op: Operation, old: Operation) -> bool:
    if (op.connection, op.lane, op.kind) != (old.connection, old.lane, old.kind):
        return False
    if op.id == old.id or (op.seq and old.seq >= op.seq):
        return False
    if op.kind is OpKind.CREATE_DEAL:
        return False
    if op.kind is OpKind.WRITE_QUOTE and old.entity_id == op.replaces:
        return True
    if (op.entity, op.entity_id) != (old.entity, old.entity_id):
        return False
    return op.kind is not OpKind.WRITE_QUOTE or old.version < op.version
