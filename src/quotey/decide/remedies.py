"""Why a settlement is refused and which commands help, by conflict type.

What may be settled is the table in `settle`. Source: design section 9; seed 7.3.
"""

from __future__ import annotations

from quotey.contract.fields import Entity
from quotey.contract.reconciliation import OVERWROTE_OTHER, ConflictType, Reconciliation
from quotey.decide.items import WHOLE_RECORD

REASONS: dict[ConflictType, str] = {
    ConflictType.STALE_OUTBOUND_WRITE: (
        "the CRM holds what this version may not replace, so only a new version can be written"
    ),
    ConflictType.LOCKED_FIELD_OVERWRITE: "one of the two values has to stand",
    ConflictType.UNDECIDED_MERGE: "one of the two values has to stand",
    ConflictType.SCHEMA_MAPPING_MISMATCH: (
        "the record breaks the contract; it comes in by itself once the record or the mapping is "
        "mended"
    ),
    ConflictType.MISSING_PARENT: "the record comes in by itself once its parent is mirrored",
    ConflictType.IDENTITY_MISMATCH: "no policy may change who a record is",
    ConflictType.REMOTE_GONE: (
        "nothing brings back a record that the CRM has deleted; accept it with --policy crm_wins, "
        "or --rebind it to another"
    ),
    ConflictType.PARTIAL_SUCCESS: "it is about what was sent, not about a value",
    ConflictType.UNKNOWN_OUTCOME: "it is about what was sent, not about a value",
    ConflictType.ATTEMPTS_EXHAUSTED: "it is about what was sent, not about a value",
    ConflictType.MASS_CHANGE: "it is settled by looking at the plan and syncing with leave",
}

_STALE_REASONS = {
    "other_quote": (
        "the CRM holds another quote there, and publishing it is the leave to replace that one"
    ),
    "foreign": (
        "the CRM holds something there that is no quote; clear it there, then revise the quote"
    ),
    OVERWROTE_OTHER: (
        "ours stands in the CRM already, over another writer's; see to what that one held, then "
        "settle it with --policy crm_wins"
    ),
}
"""What differs from `REASONS` by what was found in the CRM."""

_OF_PARKED = (
    "the CRM defines the property otherwise than the mapping needs it; the field flows by itself "
    "once the property or the mapping is mended"
)

_APPLY = "quotey crm reconcile apply {item}"
_SIDES = (f"{_APPLY} --policy crm_wins", f"{_APPLY} --policy local_wins")
_MENDED = ("quotey crm sync", "quotey crm reconcile defer {item} --for 24h")

WAYS: dict[ConflictType, tuple[str, ...]] = {
    ConflictType.STALE_OUTBOUND_WRITE: ("quotey crm sync", f"{_APPLY} --policy crm_wins"),
    ConflictType.LOCKED_FIELD_OVERWRITE: (*_SIDES, f"{_APPLY} --value VALUE"),
    ConflictType.UNDECIDED_MERGE: (*_SIDES, f"{_APPLY} --value VALUE"),
    ConflictType.SCHEMA_MAPPING_MISMATCH: ("quotey crm mapping check", *_MENDED),
    ConflictType.MISSING_PARENT: _MENDED,
    ConflictType.IDENTITY_MISMATCH: (f"{_APPLY} --rebind",),
    ConflictType.REMOTE_GONE: (
        f"{_APPLY} --policy crm_wins",
        f"{_APPLY} --rebind --value CRM_REF",
    ),
    ConflictType.PARTIAL_SUCCESS: _SIDES,
    ConflictType.UNKNOWN_OUTCOME: _SIDES,
    ConflictType.ATTEMPTS_EXHAUSTED: _SIDES,
    ConflictType.MASS_CHANGE: ("quotey crm plan", "quotey crm sync --accept-mass-change"),
}
"""Commands that help, by conflict type."""


def reason(item: Reconciliation) -> str:
    """Say why no policy settles this item."""
    if _is_parked_field(item):
        return _OF_PARKED
    if _is_stale_quote(item):
        return _STALE_REASONS.get(item.detail, REASONS[item.conflict_type])
    return REASONS[item.conflict_type]


def ways(item: Reconciliation) -> tuple[str, ...]:
    """Give the commands that help with this item, ready to be copied."""
    found = tuple(way.format(item=item.id) for way in WAYS[item.conflict_type])
    if _is_parked_field(item):
        return ("quotey crm doctor", *found[1:])
    if item.detail == OVERWROTE_OTHER:
        return found[1:]
    if _is_stale_quote(item):
        verb = "publish" if item.detail == "other_quote" else "revise"
        return (f"quotey quote {verb} {item.entity_id}", *found[1:])
    return found


def _is_parked_field(item: Reconciliation) -> bool:
    """Whether it is about a property of the CRM, and so about no single record."""
    mismatch = item.conflict_type is ConflictType.SCHEMA_MAPPING_MISMATCH
    return mismatch and item.entity_id == WHOLE_RECORD


def _is_stale_quote(item: Reconciliation) -> bool:
    stale = item.conflict_type is ConflictType.STALE_OUTBOUND_WRITE
    return stale and item.entity_type is Entity.QUOTE
