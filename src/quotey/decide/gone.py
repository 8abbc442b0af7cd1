"""The end of records: older revisions, deletions, merges, and when too many go at once.

Living records are planned in `inbound`. Source: law 11; reliability G13, G15.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from quotey.contract.dto import RemoteRecord
from quotey.contract.journal import MirrorRecord, RecordState
from quotey.contract.reconciliation import ConflictType
from quotey.decide.items import WHOLE_RECORD, conflict_key
from quotey.decide.order import ahead
from quotey.decide.plan import ItemDraft, RecordPlan


def is_stale(mirror: MirrorRecord, record: RemoteRecord) -> bool:
    """Whether the record is an older revision than the mirror's, or a late page about the dead.

    What is gone comes back only by a newer revision (reliability G13); one that was kept out on its
    way back (emptied hash) is that newer revision when it is looked at again.
    """
    by = ahead(mirror, record)
    dead = mirror.state is RecordState.GONE and mirror.content_hash != ""
    return by < 0 or (by == 0 and dead and not _is_end(record))


def _is_end(record: RemoteRecord) -> bool:
    return record.deleted or record.merged_into is not None


def plan_gone(
    mirror: MirrorRecord, record: RemoteRecord, *, content_hash: str, in_use: bool
) -> RecordPlan:
    """Plan a record that the CRM says is deleted or merged away: a tombstone, never a removal.

    `in_use` says that quotes, waiting operations or a lock hang on it; then a person has to look,
    and nothing is written to the survivor before that (reliability G15).
    """
    if is_stale(mirror, record):
        return RecordPlan(kind="stale")
    tombstone = replace(
        mirror,
        state=RecordState.GONE,
        content_hash=content_hash,
        source_ts=record.source_ts,
        source_version=record.source_version,
    )
    items = (_gone_item(mirror, record),) if in_use else ()
    if tombstone == mirror:
        return RecordPlan(kind="unchanged", items=items)
    body: dict[str, object] = {"crm_ref": record.crm_ref, "merged_into": record.merged_into}
    return RecordPlan(kind="gone", record=tombstone, items=items, audit=(("record.gone", body),))


def plan_old_ref(mirror: MirrorRecord, record: RemoteRecord, current: str) -> RecordPlan:
    """Plan what the CRM says of a ref that a person has rebound to `current` (reliability G15).

    That it is gone was the reason for it. That it lives again is for a person: nothing is taken.
    """
    if _is_end(record):
        return RecordPlan(kind="unchanged")
    item = ItemDraft(
        entity_type=mirror.entity,
        entity_id=mirror.id,
        field_name=WHOLE_RECORD,
        conflict_type=ConflictType.IDENTITY_MISMATCH,
        local_value=current,
        remote_value=record.crm_ref,
        base_value=mirror.crm_ref,
        key=conflict_key(mirror.id, WHOLE_RECORD, mirror.local_version, record),
        detail=f"{mirror.entity} lives under its old ref too",
    )
    return RecordPlan(kind="conflict", items=(item,))


def _gone_item(mirror: MirrorRecord, record: RemoteRecord) -> ItemDraft:
    merged = record.merged_into is not None
    return ItemDraft(
        entity_type=mirror.entity,
        entity_id=mirror.id,
        field_name=WHOLE_RECORD,
        conflict_type=ConflictType.IDENTITY_MISMATCH if merged else ConflictType.REMOTE_GONE,
        local_value=mirror.crm_ref,
        remote_value=record.merged_into,
        base_value=mirror.crm_ref,
        key=conflict_key(mirror.id, WHOLE_RECORD, mirror.local_version, record),
        detail=f"{mirror.entity} merged into another" if merged else f"{mirror.entity} deleted",
    )


class MassLimits(msgspec.Struct, frozen=True, kw_only=True):
    """When a run stops and asks (law 11), as shares of what is mirrored of one entity.

    Nothing is judged below `min_mirrored` records. `max_changed_share` of 1 never stops a run.
    """

    min_mirrored: int = 20
    max_gone_share: float = 0.2
    max_changed_share: float = 1.0


class MassCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has met so far: records mirrored here, touched by it, changed and gone.

    `full` says that it was to read everything and has ended, so that nothing touched is a sign.
    """

    mirrored: int
    touched: int
    gone: int = 0
    changed: int = 0
    full: bool = False


def mass_change(counts: MassCounts, limits: MassLimits = MassLimits()) -> str | None:  # noqa: B008
    """Say in a sentence why the run must stop and ask, None when it may go on.

    >>> mass_change(MassCounts(mirrored=100, touched=30, gone=21))
    '21 of 100 mirrored records would go, more than the 20 % that pass without a person.'
    >>> mass_change(MassCounts(mirrored=19, touched=19, gone=19)) is None
    True
    """
    many = counts.mirrored
    if many < limits.min_mirrored:
        return None
    if counts.full and not counts.touched:
        return f"The CRM answered no record at all where {many} are mirrored."
    if counts.gone > many * limits.max_gone_share:
        return _too_many(counts.gone, many, "go", limits.max_gone_share)
    if limits.max_changed_share < 1 and counts.changed > many * limits.max_changed_share:
        return _too_many(counts.changed, many, "change", limits.max_changed_share)
    return None


def _too_many(count: int, many: int, what: str, share: float) -> str:
    return (
        f"{count} of {many} mirrored records would {what}, "
        f"more than the {share:.0%} that pass without a person."
    ).replace("%", " %")
