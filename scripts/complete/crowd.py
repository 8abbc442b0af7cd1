"""A simulated CRM full of deals whose people do not hold still while it is read.

Every request of the reader is a chance for an edit: some are stamped now and seen later (an index
that lags, a transaction that commits late), a few so late that no overlap covers them. All chance
is by seed. Nothing here knows the reader.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from msgspec.structs import replace

from quotey.adapters import discover
from quotey.contract.mapping import Mapping
from quotey.contract.mapping_file import parse_mapping
from quotey.testing.names import Simulated
from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.hubspot import HubSpotCore
from quotey.testing.simulators.rig import Rig, build_rig
from quotey.testing.simulators.salesforce import SalesforceCore
from scripts.complete.crm import SOON, STAGE, TOO_LATE, Org, Portal, Store

DEALS_PER_ACCOUNT = 20
TIES = 500
"""How many records share one time stamp where the store is filled."""
EDITS, CREATES = 0.7, 0.15
"""The share of what people do; the rest is deleted."""


class BusyClock(VirtualClock):
    """A clock by which each request takes a moment, in which people may do something."""

    busy: bool = False

    def __init__(self) -> None:
        super().__init__(per_request=timedelta(milliseconds=20))
        self.crowd: Crowd | None = None

    def tick(self) -> None:
        """Move on by what one request takes, and let people do something."""
        super().tick()
        if self.busy and self.crowd is not None:
            self.crowd.happen()


@dataclass
class Done:
    """How often each thing was done."""

    edits: int = 0
    creates: int = 0
    archives: int = 0
    purges: int = 0
    too_late: int = 0
    restores: int = 0


@dataclass
class Crowd:
    """People at work on one store. `done` says what they did."""

    rig: Rig
    clock: BusyClock
    store: Store
    records: int
    seed: int = 11
    done: Done = field(default_factory=Done)
    per_request: float = 1.0

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)  # noqa: S311 - a play that can be repeated
        self._accounts: list[str] = []
        self._deals: list[str] = []
        self._binned: list[str] = []
        self._held: dict[str, float] = {}
        self._seconds = 0.0
        self._serial = 0
        self._owed = 0.0
        self.clock.crowd = self

    def fill(self) -> None:
        """Make all records, hundreds of them with one time stamp."""
        accounts = max(1, self.records // DEALS_PER_ACCOUNT)
        for number in range(accounts):
            self._pause(number)
            self._accounts.append(self.store.account(f"Account {number}"))
        for number in range(self.records - accounts):
            self._pause(number)
            owner = self._accounts[number % accounts]
            self._deals.append(self.store.deal(f"Deal {number}", number, owner))
        self.pass_time(3_600)

    def _pause(self, number: int) -> None:
        if number % TIES == 0:
            self.clock.advance(1)

    def pass_time(self, seconds: float) -> None:
        """Let time pass in which nobody does anything."""
        with self.rig.vendor.guard:
            self.clock.advance(seconds)
            self.rig.vendor.wake()

    def happen(self) -> None:
        """Do what falls into the moment of one request."""
        self._owed += self.per_request
        while self._owed >= 1:
            self._owed -= 1
            self._act(self.chance.random())

    def burst(self, count: int, *, late: float = 0.0) -> None:
        """Edit many deals within one moment, as an import does: they all get one time stamp."""
        for ref in self.chance.sample(self._deals, min(count, len(self._deals))):
            self._edit(ref, late or 1.0)

    def bin(self, count: int) -> None:
        """Delete some deals, to bring them back later."""
        for _ in range(count):
            self._remove(self.store.archive, self._binned)

    def bring_back(self) -> None:
        """Take them out of the bin again."""
        for ref in self._binned:
            self.store.restore(ref)
        self._deals += self._binned
        self.done.restores += len(self._binned)
        self._binned.clear()

    def lose(self, count: int) -> None:
        """Edit, create and purge so that no window will ever show it."""
        for _ in range(count):
            free = [ref for ref in self.chance.sample(self._deals, 200) if self._free(ref)]
            self._edit(free[0], self.chance.uniform(*TOO_LATE))
            self._create(self.chance.uniform(*TOO_LATE))
            self.done.too_late += 2
        for _ in range(count):
            self._remove(self.store.purge)
            self.done.purges += 1

    def _act(self, dice: float) -> None:
        if dice < EDITS:
            self._edit(self._any(), self.chance.uniform(*SOON))
        elif dice < EDITS + CREATES:
            self._create(self.chance.uniform(*SOON))
        else:
            self._remove(self.store.archive)
            self.done.archives += 1

    def _any(self) -> str:
        return self.chance.choice(self._deals)

    def _free(self, ref: str) -> bool:
        """Whether no transaction is open on the record: it would be locked, or not be there."""
        return self._held.get(ref, 0.0) <= self.clock.now().timestamp()

    def _edit(self, ref: str, late: float) -> None:
        if not self._free(ref):
            return
        self._serial += 1
        self.store.edit(ref, f"Edit {self._serial}", self._serial, late)
        self._held[ref] = self.clock.now().timestamp() + late + 1
        self.done.edits += 1

    def _create(self, late: float) -> None:
        self._serial += 1
        owner = self.chance.choice(self._accounts)
        ref = self.store.deal(f"New {self._serial}", self._serial, owner, late)
        self._held[ref] = self.clock.now().timestamp() + late + 1
        self._deals.append(ref)
        self.done.creates += 1

    def _remove(self, how: Callable[[str], None], kept: list[str] | None = None) -> None:
        at = self.chance.randrange(len(self._deals))
        ref = self._deals[at]
        if self._free(ref):
            how(ref)
            self._deals[at] = self._deals[-1]
            self._deals.pop()
            if kept is not None:
                kept.append(ref)


def crowd_of(provider: Simulated, records: int) -> Crowd:
    """Build a filled CRM of so many records, a twentieth of them accounts."""
    clock = BusyClock()
    rig = build_rig(
        provider, mapping_of(provider), clock, stages=(STAGE,), currencies=("EUR", "USD")
    )
    rig.gateway.settings = replace(rig.gateway.settings, requests_per_minute=10**9)
    if isinstance(rig.vendor, HubSpotCore):
        store: Store = Portal(rig.vendor)
    else:
        assert isinstance(rig.vendor, SalesforceCore), provider
        store = Org(rig.vendor)
    crowd = Crowd(rig, clock, store, records)
    crowd.fill()
    return crowd


def mapping_of(provider: str) -> Mapping:
    """Give the mapping that is shipped for a vendor."""
    return parse_mapping(discover()[provider].shipped_mapping(), name=provider)
