"""What a run says of itself: figures, failures in the words of seed 7.3, and the exit code.

Values only; nothing here reads the store or the CRM.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from quotey.contract.drift import Parked
from quotey.contract.errors import EXIT_OF_CLASS, ErrorClass, ExitCode
from quotey.contract.fields import Entity
from quotey.contract.journal import Counts, OpKind, OpState, SyncPhase
from quotey.contract.reconciliation import ConflictType
from quotey.contract.sweep import SweepCounts


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that did not work, told for the person in front of the screen (seed 7.3).

    `safe` says what was left intact, `warning` what happened in one sentence, `next` holds
    commands that can be copied. `entities` are those that it happened to, `records` some of the
    records that were to be written. `exit_code` is what this failure alone would end the command
    with.
    """

    error_class: ErrorClass | None
    safe: str
    warning: str
    correlation_id: str
    next: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    exit_code: int = int(ExitCode.FAILED)
    retry_at: datetime | None = None


class EntityReport(msgspec.Struct, frozen=True, kw_only=True):
    """How reading one entity ended. `phase` is its `crm_sync_state` afterwards.

    `sweep` is what a sweep met that ended in this run; None where none did.
    """

    entity: Entity
    phase: SyncPhase
    counts: Counts
    cursor_moved: bool = False
    full: bool = False
    sweep: SweepCounts | None = None


class SyncReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `crm sync` did.

    `cut_short` says that it ended before all was read and sent, because the CRM could not be
    reached, has closed itself to us, or another run is at work; the next one had better wait.
    `recovered` counts runs and operations found dead; `open_items` is what waits for a person on
    this connection afterwards, `held` and `waiting` what waits in the outbox, `parked` the fields
    that do not flow because of how the CRM defines them.
    """

    correlation_id: str
    connection: str
    provider: str
    mode: str
    started_at: datetime
    finished_at: datetime
    entities: tuple[EntityReport, ...] = ()
    outbound: Counts = msgspec.field(default_factory=Counts)
    failures: tuple[Failure, ...] = ()
    cut_short: bool = False
    recovered: int = 0
    released: int = 0
    open_items: int = 0
    waiting: int = 0
    held: int = 0
    parked: tuple[Parked, ...] = ()
    exit_code: int = 0


class PlannedField(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync would do to one field, and the rule as a sentence."""

    field: str
    rule: str
    sentence: str
    base: str | None = None
    local: str | None = None
    remote: str | None = None
    result: str | None = None


class PlannedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync would do to one record: create, update, gone, conflict or would_fail.

    `entity_id` is ours; "" when the record would be rejected and never got one. `problems` are
    the sentences of a would-fail. `name` is what it is called here, "" while nobody knows.
    """

    entity: Entity
    crm_ref: str
    entity_id: str
    action: str
    name: str = ""
    fields: tuple[PlannedField, ...] = ()
    conflicts: tuple[ConflictType, ...] = ()
    problems: tuple[str, ...] = ()


class PlannedOperation(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync would do with one operation of the outbox: send, verify, wait or hold."""

    id: str
    kind: OpKind
    entity: Entity
    entity_id: str
    state: OpState
    action: str
    sentence: str
    fields: tuple[str, ...] = ()
    due_at: datetime | None = None
    calls: int = 0


class SyncPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What `crm sync` would do now. Nothing was written.

    `calls` is what the sync would cost in requests: the pages of this plan, and those of the
    operations that are due. `counts` covers unchanged records too, which `records` leaves out.
    """

    correlation_id: str
    connection: str
    provider: str
    mode: str
    records: tuple[PlannedRecord, ...] = ()
    operations: tuple[PlannedOperation, ...] = ()
    counts: dict[str, Counts] = msgspec.field(default_factory=dict)
    mass_change: tuple[str, ...] = ()
    parked: tuple[Parked, ...] = ()
    failures: tuple[Failure, ...] = ()
    calls: int = 0
    exit_code: int = 0


_GRAVITY = (
    ExitCode.REAUTH,
    ExitCode.MAPPING,
    ExitCode.UNREACHABLE,
    ExitCode.FAILED,
    ExitCode.NEEDS_PERSON,
)


def exit_code(failures: tuple[Failure, ...], open_items: int) -> int:
    """Pick the gravest exit code: what must be mended first comes first (design section 7).

    >>> exit_code((), 0), exit_code((), 2)
    (0, 3)
    """
    codes = {failure.exit_code for failure in failures}
    if open_items:
        codes.add(ExitCode.NEEDS_PERSON)
    return next((int(code) for code in _GRAVITY if code in codes), int(ExitCode.DONE))


SAFE_INBOUND = "Quotes are untouched, and every record that was read before is kept."
SAFE_OUTBOUND = "Quotes are untouched, and what was to be sent is kept in the outbox."
SAFE_STOPPED = (
    "Quotes are untouched, every record that was read before is kept, and nothing was sent: "
    "what waits in the outbox stays due."
)
SAFE_ELSEWHERE = "Quotes are untouched, what this run had read is kept, and it sent nothing."


def next_steps(error_class: ErrorClass | None, provider: str) -> tuple[str, ...]:
    """Name the commands that help against a failure of this class."""
    return {
        ErrorClass.AUTH: (f"quotey crm connect {provider}",),
        ErrorClass.MAPPING: ("quotey crm mapping check", "quotey crm reconcile list"),
        ErrorClass.CONFLICT: ("quotey crm reconcile list",),
        ErrorClass.PERMANENT: ("quotey crm doctor", "quotey crm status"),
    }.get(error_class or ErrorClass.UNKNOWN, ("quotey crm sync",))


def failure(
    error_class: ErrorClass,
    message: str,
    *,
    provider: str,
    correlation_id: str,
    entities: tuple[str, ...] = (),
    safe: str = SAFE_INBOUND,
    retry_at: datetime | None = None,
) -> Failure:
    """Tell a failure of the CRM in the words of seed 7.3."""
    return Failure(
        error_class=error_class,
        safe=safe,
        warning=message,
        correlation_id=correlation_id,
        next=next_steps(error_class, provider),
        entities=entities,
        exit_code=int(EXIT_OF_CLASS[error_class]),
        retry_at=retry_at,
    )


def grouped(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    """Tell what failed alike once, with all the entities that it happened to."""
    told: dict[tuple[ErrorClass | None, str], Failure] = {}
    for one in failures:
        first = told.setdefault((one.error_class, one.warning), one)
        entities = tuple(dict.fromkeys((*first.entities, *one.entities)))
        told[one.error_class, one.warning] = msgspec.structs.replace(first, entities=entities)
    return tuple(told.values())
