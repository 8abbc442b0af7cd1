"""What the boundary remembers about its own work: mirror, locks, runs, outbox, quarantine, audit.

Rows as values, with the meaning of every column; how they are stored is the store's affair.
Times are aware datetimes in UTC.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from quotey.contract.dto import Canonical
from quotey.contract.errors import Diagnostic, ErrorClass
from quotey.contract.fields import Entity


class RecordState(StrEnum):
    """Whether a mirrored record still stands on the other side."""

    LIVE = "live"
    GONE = "gone"


class MirrorRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The local copy of one CRM record.

    `local` are the values that commands see; `base` is what both sides last agreed on; `remote`
    holds only values last seen in the CRM that were *not* taken (locked, undecided).
    `local_version` grows with every change made here; `local_ts` is when a person last changed a
    field, by field; `content_hash` covers entity fingerprint and raw payload; "" forces a re-read.
    """

    connection: str
    entity: Entity
    id: str
    crm_ref: str | None
    local: Canonical
    base: Canonical
    remote: Canonical = msgspec.field(default_factory=dict)
    local_version: int = 1
    local_ts: dict[str, datetime] = msgspec.field(default_factory=dict)
    source_ts: datetime | None = None
    source_version: str = ""
    content_hash: str = ""
    extras: dict[str, object] = msgspec.field(default_factory=dict)
    state: RecordState = RecordState.LIVE


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """A time-boxed freeze of one field by a person. It ends at `until`, or when it is lifted."""

    entity: Entity
    entity_id: str
    field: str
    actor: str
    reason: str
    since: datetime
    until: datetime


class SyncDirection(StrEnum):
    """Which half of a sync a state row speaks of."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class SyncPhase(StrEnum):
    """`crm_sync_state` (seed 6.2)."""

    IDLE = "idle"
    SYNCING = "syncing"
    ERROR = "error"


class Counts(msgspec.Struct, kw_only=True):
    """What a run did; mutable while it runs. `unchanged` cost one look-up each."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    rejected: int = 0
    conflicts: int = 0
    gone: int = 0
    delivered: int = 0
    retried: int = 0
    held: int = 0
    superseded: int = 0

    def add(self, other: Counts) -> None:
        """Add another run's figures to these."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class SyncState(msgspec.Struct, frozen=True, kw_only=True):
    """One row per connection, entity and direction (outbound has one row, entity "quote").

    `epoch` only grows and fences every page; `lease_until` is set while syncing. `cursor` moves
    with its page. `correlation_id` is that of the last run; `error*` describe the last failure.
    """

    connection: str
    entity: Entity
    direction: SyncDirection
    phase: SyncPhase = SyncPhase.IDLE
    cursor: str = ""
    fingerprint: str = ""
    epoch: int = 0
    lease_until: datetime | None = None
    counts: Counts = msgspec.field(default_factory=Counts)
    error_class: ErrorClass | None = None
    error: str = ""
    correlation_id: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    succeeded_at: datetime | None = None
    diagnostics: tuple[Diagnostic, ...] = ()


class OpKind(StrEnum):
    """What an operation does to the CRM."""

    CREATE_DEAL = "create_deal"
    UPDATE_DEAL = "update_deal"
    UPDATE_ACCOUNT = "update_account"
    WRITE_QUOTE = "write_quote"


class OpState(StrEnum):
    """Outbox states (design section 9). A retry is `queued` with a later `due_at`."""

    QUEUED = "queued"
    LEASED = "leased"
    UNKNOWN = "unknown"
    HELD = "held"
    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    CONFLICT = "conflict"
    DEAD = "dead"
    DISCARDED = "discarded"


PENDING = (OpState.QUEUED, OpState.LEASED, OpState.UNKNOWN, OpState.HELD)
"""States in which an operation still waits for its end."""


class Hold(StrEnum):
    """Why an operation is held, and so what releases it."""

    AUTH = "auth"
    MAPPING = "mapping"
    PARENT = "parent"
    OPERATOR = "operator"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the outbox, committed with the local change that it carries out.

    `seq` is its place in the lane's order; `lane` is "<root entity>/<root id>". `key` is the
    idempotency key, chosen before the first send and kept. `payload` is canonical: field values
    for creates and updates, the quote summary for quotes. `version` is the quote version, or the
    record's local version. `digest` is the payload's sha256. `attempts` counts requests that were
    sent. `replaces` is the id of a quote of ours (or "<instance>/<quote>" of another's) that a
    person allowed this one to replace. `sent_at` is set when a request may have left;
    `lease_token` only grows.
    """

    seq: int = 0
    id: str
    connection: str
    lane: str
    kind: OpKind
    entity: Entity
    entity_id: str
    version: int
    key: str
    payload: Canonical
    digest: str
    state: OpState = OpState.QUEUED
    hold: Hold | None = None
    fingerprint: str = ""
    attempts: int = 0
    created_at: datetime
    due_at: datetime
    first_sent_at: datetime | None = None
    sent_at: datetime | None = None
    lease_token: int = 0
    lease_until: datetime | None = None
    error_class: ErrorClass | None = None
    error: str = ""
    replaces: str | None = None
    actor: str = ""
    correlation_id: str = ""
    finished_at: datetime | None = None


class LateLook(msgspec.Struct, frozen=True, kw_only=True):
    """A look at a quote's slot that is due because a request to it was never answered.

    `slot` is the lane, or "<lane>/<quote>" where every quote has a record of its own.
    `operation_id` is what was delivered there last. `tries` counts looks that did not find it.
    Source: reliability 1.0, G5.
    """

    seq: int
    connection: str
    slot: str
    lane: str
    operation_id: str
    due_at: datetime
    tries: int
    lease_token: int
    lease_until: datetime


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """An inbound record that breaks the contract, kept whole until mapping or record is mended.

    `payload` is None when the source itself could not give the record (`unread`); it is then asked
    for again at the next run. `parent_ref` is the `crm_ref` of the parent that the record waits
    for, "" when it waits for none.
    """

    connection: str
    entity: Entity
    crm_ref: str
    payload: bytes | None
    source_ts: datetime
    source_version: str
    fingerprint: str
    reasons: tuple[Diagnostic, ...]
    first_seen: datetime
    correlation_id: str
    parent_ref: str = ""


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One link of the append-only chain.

    `kind` is a dotted past-tense name (`record.updated`, `operation.delivered`); `body` is a JSON
    object: per field {rule, winner, loser, base, local, remote} for decisions, {before, after} for
    commands. `seq` is assigned by the store, without gaps.
    """

    kind: str
    at: datetime
    actor: str
    correlation_id: str
    connection: str = ""
    entity: str = ""
    entity_id: str = ""
    mode: str = "stub"
    body: dict[str, object] = msgspec.field(default_factory=dict)
    seq: int = 0


class ConnectionState(StrEnum):
    """Whether a connection may be used. `auth_stopped` is left by re-authentication only."""

    ACTIVE = "active"
    AUTH_STOPPED = "auth_stopped"


class ConnectionRow(msgspec.Struct, frozen=True, kw_only=True):
    """What all processes must know of a connection: auth stop, rate gate, fingerprint.

    `identity` is the account (portal, organisation, data set) that it first talked to.
    """

    name: str
    provider: str
    state: ConnectionState = ConnectionState.ACTIVE
    rate_limited_until: datetime | None = None
    fingerprint: str = ""
    identity: str = ""
    default_currency: str | None = None


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """How long a worker may hold an operation or a run, and what it must leave at the end."""

    duration: timedelta = timedelta(seconds=40)
    margin: timedelta = timedelta(seconds=5)
