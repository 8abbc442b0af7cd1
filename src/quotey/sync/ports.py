"""Everything through which a sync reaches the world, in one value, so that a simulator can own it.

No rule and no state lives here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

import msgspec

from quotey.contract.adapter import Call, CrmAdapter
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.journal import Lease
from quotey.contract.mapper import Mapper
from quotey.contract.mapping import EntityMapping, Mapping
from quotey.decide.inbound import MassLimits
from quotey.decide.retry import RetryLimits
from quotey.store.store import Store
from quotey.sync.clock import Clock, fresh_id, roll
from quotey.sync.trail import MOST_EMPTY


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life during long work: which step, of which entity, and how much is done."""

    step: str
    entity: str = ""
    done: int = 0


class SyncLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Every bound of a run. Seconds unless the type says otherwise; source: reliability section 6.

    `read_tries` are the tries of one read within a run. `same_cursor` is how often a page may
    answer the same cursor and still claim to have more; `empty_pages` how many in a row may claim
    so and bring nothing. `sweep_every` is the time between two
    sweeps of an entity, zero: only when asked. `breaker` is how many operations in a row
    may fail for want of a CRM before the drain stops. `yield_seconds` is the pause between two
    transactions in which commands of users get in. `late_look` is how long after a delivery a slot
    in doubt is looked at once more, unless the adapter's lag is longer. `examine_every` is how long
    what the CRM defines is taken to be as it was last seen; None never looks.
    """

    lease: Lease = Lease()
    read_timeout: float = 10.0
    write_timeout: float = 15.0
    late_look: timedelta = timedelta(seconds=90)
    examine_every: timedelta | None = timedelta(hours=1)
    read_tries: int = 4
    same_cursor: int = 3
    empty_pages: int = MOST_EMPTY
    sweep_every: timedelta = timedelta(hours=24)
    breaker: int = 5
    max_ops: int = 10_000
    yield_seconds: float = 0.001
    retry: RetryLimits = RetryLimits()
    mass: MassLimits = MassLimits()


def _ignore(_progress: Progress) -> None:
    """Show nothing."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What a sync is given. `mode` is "stub" or "live" and goes into every audit event."""

    store: Store
    adapter: CrmAdapter
    mapping: Mapping
    clock: Clock
    connection: str = "main"
    mode: str = "stub"
    actor: str = "sync"
    ids: Callable[[str], str] = fresh_id
    jitter: Callable[[], float] = roll
    progress: Callable[[Progress], None] = _ignore
    limits: SyncLimits = field(default_factory=SyncLimits)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run or command: the ports, and the correlation id that goes on all that it leaves."""

    ports: Ports
    correlation_id: str
    actor: str

    @property
    def store(self) -> Store:
        """The memory."""
        return self.ports.store

    @property
    def connection(self) -> str:
        """The name of the connection that this run is about."""
        return self.ports.connection

    @property
    def limits(self) -> SyncLimits:
        """The bounds of this run."""
        return self.ports.limits

    @cached_property
    def mapper(self) -> Mapper:
        """The mapping, compiled once for this run: it is pinned while the run lasts."""
        return Mapper(self.ports.mapping, self.connection)

    def now(self) -> datetime:
        """Give the present moment."""
        return self.ports.clock.now()

    def lease_until(self) -> datetime:
        """Say until when a lease taken now is held."""
        return self.now() + self.limits.lease.duration

    def mapped(self, entity: Entity) -> EntityMapping:
        """Give the entity's mapping; a mapping may leave contacts out, see `readable`."""
        return self.ports.mapping.entities[entity]

    def readable(self) -> tuple[Entity, ...]:
        """Give the entities that the mapping knows how to read, parents first."""
        return tuple(entity for entity in MIRRORED if entity in self.ports.mapping.entities)

    def call(self, timeout: float) -> Call:
        """Give what goes with a request of this run."""
        return Call(correlation_id=self.correlation_id, timeout=timeout)

    def breathe(self) -> None:
        """Let the commits of users in between two transactions of ours (G17)."""
        self.ports.clock.sleep(self.limits.yield_seconds)

    def show(self, step: str, entity: str = "", done: int = 0) -> None:
        """Give a sign of life."""
        self.ports.progress(Progress(step=step, entity=entity, done=done))
