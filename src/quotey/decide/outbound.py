"""What may be written to the CRM: the version guard, superseding, the next version.

Who sends, and when again, is told elsewhere (`retry`). Source: seed 5.4; design sections 5 and 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from quotey.contract.dto import Canonical, MarkerReading, MarkerState, QuoteMarker
from quotey.contract.identity import payload_digest
from quotey.contract.journal import Operation, OpKind, OpState


class Send(msgspec.Struct, frozen=True, tag=True):
    """The slot is empty, or holds something older that this one follows: write it."""


class AlreadyThere(msgspec.Struct, frozen=True, tag=True):
    """The CRM holds exactly this: a retry after an unknown outcome lands here."""


class Stale(msgspec.Struct, frozen=True, tag=True):
    """The CRM holds what this one may not replace; a `stale_outbound_write`, never retried.

    `found` is the marker that stands there, None when the slot holds something that is not one.
    """

    detail: Literal["newer_version", "version_reused", "other_quote", "foreign"]
    found: QuoteMarker | None = None


Guard = Send | AlreadyThere | Stale


def guard_writeback(marker: QuoteMarker, reading: MarkerReading, replaces: str | None) -> Guard:
    """Say whether this quote version may replace what the CRM holds.

    Identity is instance, quote, version and digest: the same number from somebody else is not ours.
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
    same = there.payload_digest == marker.payload_digest
    return AlreadyThere() if same else Stale("version_reused", there)


def _named(there: QuoteMarker, ours: QuoteMarker) -> str:
    """Name the quote that stands there as `Operation.replaces` names it."""
    if there.instance_id == ours.instance_id:
        return there.quote_id
    return f"{there.instance_id}/{there.quote_id}"


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
