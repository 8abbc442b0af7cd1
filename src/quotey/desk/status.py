"""Status: where a connection stands, whether it is in step, what is stuck, and what to do now.

Read from the store alone; the CRM is not asked. Source: seed 6.2, 7.2, 7.3.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from quotey.contract.drift import Parked
from quotey.contract.errors import ConfigError, ErrorClass, ExitCode, MappingError
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.journal import (
    ConnectionRow,
    ConnectionState,
    Hold,
    OpState,
    RecordState,
    SyncDirection,
    SyncPhase,
    SyncState,
)
from quotey.contract.moments import is_ahead
from quotey.contract.reconciliation import ItemState
from quotey.contract.sweep import Sweep, SweepCounts
from quotey.decide.retry import DEFAULTS
from quotey.desk.ports import DeskPorts
from quotey.desk.stuck import Facts, Stuck, stuck
from quotey.store.items import ItemGroup

_WAITING = (OpState.QUEUED, OpState.LEASED, OpState.UNKNOWN)


class EntityStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One entity of the mirror and its inbound `crm_sync_state` (seed 6.2).

    `age_seconds` is the time since the last success, None when there was none. `live`, `gone` and
    `rejected` (in quarantine) are counted now; `error*` speak of the last run. `swept_at` is when
    the last sweep ended (or the first load), `sweep` what it met, `missed_total` what all sweeps
    found that reading had missed.
    """

    entity: Entity
    phase: SyncPhase
    live: int
    gone: int
    rejected: int
    succeeded_at: datetime | None = None
    age_seconds: int | None = None
    error_class: ErrorClass | None = None
    error: str = ""
    correlation_id: str = ""
    swept_at: datetime | None = None
    sweep: SweepCounts = SweepCounts()
    missed_total: int = 0


class OutboxStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written out, by state; `holds` tells what would release the held ones.

    `oldest_seconds` is how long the oldest operation that has not ended has been there.
    `late_looks` counts the quotes that are looked at once more because a request for them was never
    answered.
    """

    phase: SyncPhase
    counts: dict[OpState, int]
    holds: dict[Hold, int] = msgspec.field(default_factory=dict)
    next_due: datetime | None = None
    oldest_seconds: int | None = None
    late_looks: int = 0
    next_look: datetime | None = None
    error_class: ErrorClass | None = None
    error: str = ""

    @property
    def waiting(self) -> int:
        """How many operations go out by themselves."""
        return sum(self.counts.get(state, 0) for state in _WAITING)

    @property
    def held(self) -> int:
        """How many operations wait for something to be mended."""
        return self.counts.get(OpState.HELD, 0)


class AccountStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the service that keeps the account says that it stands.

    None where the service does not tell. `renews`: it renews the authorisation by itself.
    """

    account_id: str
    state: str
    usable: bool
    reason: str
    scopes: tuple[str, ...] | None
    created_at: datetime | None
    expires_at: datetime | None
    renews: bool


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a connection stands. `open` and `deferred` count reconciliations; `locks` stand now.

    `verdict` says in one line whether the connection is in step; `stuck` is all that is not, the
    gravest first, `parked` the fields that do not flow.
    `mapping_problem` is "" for a sound mapping. `exit_code` is 0 when all goes on by
    itself, 3 when a person is needed, 4 when the CRM has to be authorised, 5 for a broken mapping.
    `account` is there only when the service that keeps it was asked.
    """

    at: datetime
    verdict: str
    in_step: bool
    connection: str
    provider: str
    mode: str
    state: ConnectionState
    identity: str
    rate_limited_until: datetime | None
    home: str
    instance_id: str
    entities: tuple[EntityStatus, ...]
    outbox: OutboxStatus
    open: int
    deferred: int
    causes: tuple[ItemGroup, ...]
    locks: int
    stuck: tuple[Stuck, ...]
    parked: tuple[Parked, ...] = ()
    mapping_problem: str = ""
    account: AccountStatus | None = None
    next: tuple[str, ...] = ()
    exit_code: int = int(ExitCode.DONE)


def status(desk: DeskPorts, connection: str, provider: str) -> Status:
    """Tell where a connection stands, from one snapshot."""
    problem = _mapping_problem(desk, connection)
    with desk.store.snapshot():
        return _status(desk, connection, provider, problem)


def _status(desk: DeskPorts, name: str, provider: str, problem: str) -> Status:
    store, now = desk.store, desk.now()
    row = store.connections.get(name) or ConnectionRow(name=name, provider=provider)
    items = store.items.counts(name)
    inbound = {
        entity: store.sync_state.get(name, entity, SyncDirection.INBOUND) for entity in MIRRORED
    }
    outbound = store.sync_state.get(name, Entity.QUOTE, SyncDirection.OUTBOUND)
    outbox = _outbox(desk, name, outbound)
    found = stuck(
        Facts(
            connection=row,
            states=(*inbound.values(), outbound),
            outbox=outbox.counts,
            holds=outbox.holds,
            open_items=items[ItemState.OPEN],
            now=now,
            parked=store.schemas.parked(name),
            mapping_problem=problem,
            database=store.admin.remarks(),
        )
    )
    return Status(
        at=now,
        verdict=verdict(found),
        in_step=not found,
        connection=name,
        provider=provider,
        mode=desk.mode,
        state=row.state,
        identity=row.identity,
        rate_limited_until=_ahead(row.rate_limited_until, now),
        home=str(desk.home),
        instance_id=store.instance_id,
        entities=tuple(_entity(desk, name, state) for state in inbound.values()),
        outbox=outbox,
        open=items[ItemState.OPEN],
        deferred=items[ItemState.DEFERRED],
        causes=store.items.groups(name),
        locks=_locks(desk, name),
        parked=store.schemas.parked(name),
        stuck=found,
        mapping_problem=problem,
        next=tuple(dict.fromkeys(step for one in found for step in one.next)),
        exit_code=_exit_code(found),
    )


def verdict(found: tuple[Stuck, ...]) -> str:
    """Say in one line whether the connection is in step, and what is not.

    >>> verdict(())
    'in step'
    """
    return f"not in step: {', '.join(one.what for one in found)}" if found else "in step"


def also(status: Status, more: tuple[Stuck, ...]) -> Status:
    """Give the status with more that is not in step, the new ones first."""
    found = (*more, *status.stuck)
    return msgspec.structs.replace(
        status,
        verdict=verdict(found),
        in_step=not found,
        stuck=found,
        next=tuple(dict.fromkeys(step for one in found for step in one.next)),
        exit_code=_exit_code(found),
    )


_GRAVITY = (ExitCode.REAUTH, ExitCode.MAPPING, ExitCode.NEEDS_PERSON)


def _exit_code(found: tuple[Stuck, ...]) -> int:
    codes = {one.exit_code for one in found}
    return next((int(code) for code in _GRAVITY if code in codes), int(ExitCode.DONE))


def _mapping_problem(desk: DeskPorts, connection: str) -> str:
    """Say why the mapping cannot be read; what is broken there stops no status."""
    try:
        desk.mapping_of(connection)
    except (MappingError, ConfigError) as error:
        return error.message.partition("\n")[0]
    return ""


def _ahead(moment: datetime | None, now: datetime) -> datetime | None:
    return moment if is_ahead(moment, now, DEFAULTS.rate_cap) else None


def _entity(desk: DeskPorts, name: str, state: SyncState) -> EntityStatus:
    by_state = desk.store.records.count_by_state(name, state.entity)
    swept = desk.store.sweeps.get(name, state.entity) or Sweep(connection=name, entity=state.entity)
    return EntityStatus(
        entity=state.entity,
        phase=state.phase,
        live=by_state[RecordState.LIVE],
        gone=by_state[RecordState.GONE],
        rejected=desk.store.quarantine.count(name, state.entity),
        succeeded_at=state.succeeded_at,
        age_seconds=_age(desk, state.succeeded_at),
        error_class=state.error_class,
        error=state.error,
        correlation_id=state.correlation_id,
        swept_at=swept.finished_at,
        sweep=swept.counts,
        missed_total=swept.missed_total,
    )


def _outbox(desk: DeskPorts, name: str, state: SyncState) -> OutboxStatus:
    store = desk.store.outbox
    counts = {key: count for key, count in store.counts(name).items() if count}
    oldest = store.list(name, states=(*_WAITING, OpState.HELD), limit=1)
    return OutboxStatus(
        phase=state.phase,
        counts=counts,
        holds=_holds(desk, name) if OpState.HELD in counts else {},
        next_due=store.next_due(name),
        oldest_seconds=_age(desk, oldest[0].created_at) if oldest else None,
        late_looks=desk.store.looks.count(name),
        next_look=desk.store.looks.next_due(name),
        error_class=state.error_class,
        error=state.error,
    )


def _holds(desk: DeskPorts, name: str) -> dict[Hold, int]:
    """Count held operations by what would release them."""
    holds: dict[Hold, int] = {}
    after = 0
    while page := desk.store.outbox.list(name, states=[OpState.HELD], limit=500, after=after):
        for op in page:
            if op.hold is not None:
                holds[op.hold] = holds.get(op.hold, 0) + 1
        after = page[-1].seq
    return holds


def _locks(desk: DeskPorts, name: str) -> int:
    """Count the locks on records of this connection."""
    standing = desk.store.locks.list(desk.now())
    found = (desk.store.records.get(lock.entity, lock.entity_id) for lock in standing)
    return sum(record is not None and record.connection == name for record in found)


def _age(desk: DeskPorts, since: datetime | None) -> int | None:
    return None if since is None else int((desk.now() - since).total_seconds())
