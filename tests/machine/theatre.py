"""Where the whole-engine proofs play: files on disk, real desk, real sync, real stub, one clock.

Every process is played by the same hands: `restart` closes all and opens the same files again. The
three crash plans stand around every port call and commit, so that a rule can end the "process" at
any of them, or do something else meanwhile.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from quotey.adapters.stub import PROVIDER, StubCrmAdapter, StubSettings, StubTools, open_adapter
from quotey.contract.adapter import CrmAdapter
from quotey.contract.mapping import Mapping
from quotey.contract.mapping_file import parse_mapping
from quotey.decide.inbound import MassLimits
from quotey.desk.ports import DeskPorts
from quotey.store import Store, open_store
from quotey.sync import engine
from quotey.sync.door import reconnect
from quotey.sync.ports import Ports, SyncLimits
from quotey.sync.report import SyncReport
from quotey.testing.clock import VirtualClock
from quotey.testing.crash import CrashingAdapter, CrashPlan, crashing_store

START = datetime(2026, 2, 1, 8, 0, tzinfo=UTC)

ACCOUNTS = """id,name,website,segment,tag
A-1,Alder,https://alder.example/,SMB,t1
A-2,Birch,birch.example,Mid-Market,t2
A-3,Cedar,cedar.example,Enterprise,t3
"""
CONTACTS = """id,first_name,last_name,email,account_id
C-1,Ada,Ash,ada@alder.example,A-1
C-2,Ben,Beech,ben@birch.example,A-2
"""
DEALS = """id,name,account_id,stage,amount,close_date,currency,region,code
D-1,One,A-1,prospecting,100.00,2026-05-01,EUR,north,k1
D-2,Two,A-2,qualification,200.00,2026-06-01,EUR,south,k2
D-3,Three,A-3,won,300.00,2026-07-01,EUR,east,k3
"""
SPEC = """as_of = 2026-01-15T09:00:00Z
default_currency = "EUR"
[account]
file = "accounts.csv"
key = "id"
[contact]
file = "contacts.csv"
key = "id"
[contact.references]
account_id = { entity = "account" }
[deal]
file = "deals.csv"
key = "id"
[deal.references]
account_id = { entity = "account" }
"""

_OWN = """
provider = "stub"
[account.fields.x_tag]
path = "tag"
type = "text"
direction = "both"
policy = "local_wins"
[deal.fields.x_region]
path = "region"
type = "text"
direction = "both"
policy = "local_wins"
[deal.fields.x_code]
path = "code"
type = "text"
direction = "inbound"
policy = "immutable_after_bind"
"""
_NARROW = """
[account.fields.segment]
path = "segment"
direction = "both"
policy = "merge_with_audit"
strategy = "newest"
[account.fields.segment.transform]
kind = "value_map"
values = { "SMB" = "smb", "Mid-Market" = "mid_market" }
otherwise = "reject"
"""
_TURNED = """
[deal.fields.name]
path = "name"
direction = "both"
policy = "crm_wins"
[deal.fields.amount]
path = "amount"
direction = "both"
policy = "merge_with_audit"
strategy = "max"
"""
MAPPINGS = {"own": _OWN, "narrow": _OWN + _NARROW, "turned": _OWN + _TURNED}
"""Mappings to change between; each has another fingerprint."""


LIMITS = SyncLimits(mass=MassLimits(min_mirrored=4, max_gone_share=0.5))
"""So that a few deletions are a mass already."""


class StagePlan(CrashPlan):
    """A crash plan that may do something else at a point instead of ending the process."""

    def __init__(self) -> None:
        super().__init__()
        self._meanwhile: Callable[[str], None] | None = None

    def arm(self, at: int | None, *, after: bool = False) -> None:
        """Count from here on, and crash at the `at`-th point."""
        self.met.clear()
        self.at, self.after = at, after
        self._meanwhile = None

    def interrupt(self, act: Callable[[str], None]) -> None:
        """Call `act` with the name of every point, before it; `act` says when it has done."""
        self.arm(None)
        self._meanwhile = act

    @contextmanager
    def point(self, name: str) -> Iterator[None]:
        """Stand around one port call."""
        act, self._meanwhile = self._meanwhile, None
        if act is not None:
            act(name)
            self._meanwhile = act
        with super().point(name):
            yield


def write_dataset(folder: Path) -> Path:
    """Write the data set that every play starts from."""
    folder.mkdir(parents=True)
    files = {"dataset.toml": SPEC, "accounts.csv": ACCOUNTS, "contacts.csv": CONTACTS}
    for name, text in {**files, "deals.csv": DEALS}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@dataclass
class Theatre:
    """One home folder and whoever works in it."""

    home: Path
    dataset: Path
    tier: int = 1
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START))
    mapping_name: str = "own"
    limits: SyncLimits = LIMITS
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    watch: Callable[[Store], None] = lambda _store: None

    def __post_init__(self) -> None:
        self.settings = StubSettings(dataset=self.dataset, page_size=2, tier=self.tier)
        shipped = parse_mapping(PROVIDER.shipped_mapping(self.settings), name="stub.toml")
        self.mappings = {
            name: parse_mapping(text, name=f"{name}.toml", over=shipped)
            for name, text in MAPPINGS.items()
        }
        self.sync_plan, self.desk_plan = StagePlan(), StagePlan()
        self.open()

    @property
    def mapping(self) -> Mapping:
        """The mapping that stands now."""
        return self.mappings[self.mapping_name]

    @property
    def path(self) -> Path:
        """The database file."""
        return self.home / "quotey.db"

    # --- processes ------------------------------------------------------------------------------

    def open(self) -> None:
        """Start a process on the files."""
        self.store = open_store(self.path, role="sync", kind=crashing_store(self.sync_plan))
        self.desk_store = open_store(self.path, role="desk", kind=crashing_store(self.desk_plan))
        for store in (self.store, self.desk_store):
            self.watch(store)
        self.stub = self._adapter()
        self.adapter: CrmAdapter = CrashingAdapter(self.stub, self.sync_plan)
        assert PROVIDER.tools is not None
        self.crm: StubTools = PROVIDER.tools(
            self.settings, self.mappings["own"], "main", home=self.home
        )

    def _adapter(self) -> StubCrmAdapter:
        return open_adapter(
            self.settings, self.mapping, "main", home=self.home, sleep=self.clock.sleep
        )

    def close(self) -> None:
        """End the process in an orderly way."""
        self.store.close()
        self.desk_store.close()
        self.stub.close()
        self.crm.close()

    def restart(self, *, mapping: str | None = None) -> None:
        """Be a new process on the same files."""
        self.close()
        self.mapping_name = mapping or self.mapping_name
        self.sync_plan.arm(None)
        self.desk_plan.arm(None)
        self.open()

    # --- what the rooms are given ---------------------------------------------------------------

    def next_id(self, prefix: str) -> str:
        """Give ids that never repeat within one play."""
        return f"{prefix}_{next(self.numbers):06d}"

    def desk(self, actor: str = "ann") -> DeskPorts:
        """Give a local command what it needs."""
        return DeskPorts(
            store=self.desk_store,
            mapping_of=lambda _connection: self.mapping,
            now=self.clock.now,
            ids=self.next_id,
            actor=actor,
            correlation_id=self.next_id("c"),
            mode="stub",
            attachments=self.home / "attachments",
            home=self.home,
        )

    def ports(self) -> Ports:
        """Give a sync what it needs."""
        return Ports(
            store=self.store,
            adapter=self.adapter,
            mapping=self.mapping,
            clock=self.clock,
            ids=self.next_id,
            jitter=lambda: 0.5,
            limits=self.limits,
        )

    # --- what can be done -----------------------------------------------------------------------

    def sync(self, *, accept_mass_change: bool = False) -> SyncReport:
        """Sync once."""
        return engine.run(self.ports(), accept_mass_change=accept_mass_change)

    def other_process(self) -> Theatre:
        """Be a second process on the same files, with the same clock and ids."""
        return replace(self)

    def reconnect(self) -> int:
        """Authorise the connection again, as `crm connect` does."""
        self.stub.reauthorise()
        return reconnect(engine.begin(self.ports()))

    def turn(self, **span: float) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(**span))


def copied(template: Path, home: Path) -> Path:
    """Start from a copy of prepared files."""
    shutil.copytree(template, home)
    return home
