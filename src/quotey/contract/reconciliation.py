"""What only a person can settle: conflict types, one occurrence's key, and the item itself.

Times are aware datetimes in UTC.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from quotey.contract.fields import Entity, Policy


class ConflictType(StrEnum):
    """The closed list of conflict types: the seed's three, then those of design section 9."""

    STALE_OUTBOUND_WRITE = "stale_outbound_write"
    LOCKED_FIELD_OVERWRITE = "locked_field_overwrite"
    SCHEMA_MAPPING_MISMATCH = "schema_mapping_mismatch"
    UNDECIDED_MERGE = "undecided_merge"
    IDENTITY_MISMATCH = "identity_mismatch"
    MISSING_PARENT = "missing_parent"
    REMOTE_GONE = "remote_gone"
    PARTIAL_SUCCESS = "partial_success"
    UNKNOWN_OUTCOME = "unknown_outcome"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    MASS_CHANGE = "mass_change"


ABOUT_SENDING = (
    ConflictType.ATTEMPTS_EXHAUSTED,
    ConflictType.UNKNOWN_OUTCOME,
    ConflictType.SCHEMA_MAPPING_MISMATCH,
)
"""What is asked about one operation and is moot once that one has arrived or is never sent."""

OVERWROTE_OTHER = "overwrote_other"
"""The detail of a stale write that replaced another writer's unseen: ours stands there now."""


class ItemState(StrEnum):
    """Whether a reconciliation still waits for a person."""

    OPEN = "open"
    DEFERRED = "deferred"
    RESOLVED = "resolved"


class ConflictKey(msgspec.Struct, frozen=True, kw_only=True):
    """The deterministic key of one occurrence (seed 5.2); an occurrence counts once."""

    entity_id: str
    field_name: str
    local_version: str
    remote_version_or_timestamp: str

    def __str__(self) -> str:
        return "|".join(getattr(self, name) for name in self.__struct_fields__)


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that only a person can settle: the nine fields of seed 7.1, and how it stands.

    Unique on (connection, entity_type, entity_id, field_name, conflict_type) while open or
    deferred. `detail` names the cause, and is what lists group by. `rev` is the compare-and-set of
    decisions. `operation_id` is set when the item speaks of an outbox operation.
    """

    id: str
    connection: str
    entity_type: Entity
    entity_id: str
    field_name: str
    conflict_type: ConflictType
    local_value: str | None
    remote_value: str | None
    field_policy_mode: Policy | None
    first_seen_ts: datetime
    last_attempt_ts: datetime
    correlation_id: str
    key: ConflictKey
    base_value: str | None = None
    detail: str = ""
    state: ItemState = ItemState.OPEN
    occurrences: int = 1
    operation_id: str | None = None
    deferred_until: datetime | None = None
    resolution: str = ""
    resolved_at: datetime | None = None
    resolved_by: str = ""
    rev: int = 1
