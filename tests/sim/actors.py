"""Who is at work in a play: syncs and sellers and operators as processes, people as events."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

from quotey.contract.errors import QuoteyError, StoreBusyError, StoreError
from quotey.contract.fields import MIRRORED
from quotey.contract.mapping import Mapping
from quotey.decide.inbound import MassLimits
from quotey.desk import accounts, deals, locks, quotes
from quotey.desk.ports import DeskPorts
from quotey.desk.quote_writes import QuoteAnswer
from quotey.desk.quotes import QuoteTerms
from quotey.store import Store
from quotey.sync import engine
from quotey.sync.ports import Ports, SyncLimits
from tests.sim.crm import Crm
from tests.sim.faults import Dice
from tests.sim.home import Home
from tests.sim.ledger import Edit, Ledger, Said, failures_explain_themselves
from tests.sim.line import Line
from tests.sim.scheduler import Process, Scheduler, SkewedClock
from tests.sim.sight import Sight
from tests.sim.sweeping import SweepingLine

T = TypeVar("T")
LIMITS = SyncLimits(mass=MassLimits(min_mirrored=10_000), sweep_every=timedelta(seconds=60))
"""The bounds of the product, but for mass changes, which ask a person, and a day is a minute."""


@dataclass
class Stage:
    """What all actors of a play share."""

    scheduler: Scheduler
    dice: Dice
    crm: Crm
    ledger: Ledger
    home: Home
    sight: Sight
    mapping: Mapping
    lines: dict[int, Line]
    crashes: int = 0
    refused: int = 0
    slow: bool = False
    still: bool = False
    over: bool = False
    seqs: dict[str, int] = field(default_factory=dict)

    def start(self, name: str, body: Callable[[Process], None]) -> None:
        """Start a process; when it dies, one like it starts a little later."""

        def again(process: Process) -> None:
            if self.over:
                return
            self.crashes += 1
            self.ledger.note(process.name, "DIED")
            delay = self.dice.between("restart", 1.0, 20.0)
            self.scheduler.at(self.scheduler.now + delay, lambda: self.start(name, body))

        process = Process(name, self.scheduler, body, again)
        self.processes.append(process)
        process.start()

    def __post_init__(self) -> None:
        self.processes: list[Process] = []

    def interval(self) -> float:
        """Draw how long a sync waits for its next run: longer once nothing happens any more."""
        if self.slow:
            return 600.0
        return self.dice.between("interval", 1.0, 12.0) * (4.0 if self.dice.calm else 1.0)

    def clock(self, process: Process) -> SkewedClock:
        """Give a process its clock, which may be off by a little."""
        off = self.dice.between("skew", -1.0, 1.0) if self.dice.strikes("skew") else 0.0
        return SkewedClock(process, off)

    def line(self, process: Process) -> Line:
        """Give a process its line to the CRM; where the index loses changes, one that can sweep."""
        profile = self.dice.profile
        kind = SweepingLine if profile.rates["hidden"] or profile.rates["unlisted"] else Line
        return kind(process, self.crm, self.dice, self.ledger, profile.page_size)

    def desk(self, process: Process, store: Store, actor: str) -> DeskPorts:
        """Give a command what it needs."""
        return DeskPorts(
            store=store,
            mapping_of=lambda _name: self.mapping,
            now=self.scheduler.moment,
            ids=self.home.next_id,
            actor=actor,
            correlation_id=self.home.next_id("c"),
            mode="stub",
            attachments=self.home.path.parent / "attachments",
            home=self.home.path.parent,
        )

    def tried(self, act: Callable[[], T]) -> T | None:
        """Run a command; what is refused or cannot be stored is told to its user."""
        try:
            return act()
        except (QuoteyError, StoreBusyError, StoreError) as refused:
            self.refused += 1
            self.ledger.note("command", f"refused: {getattr(refused, 'code', 'busy')}")
            return None


# --- processes ------------------------------------------------------------------------------------


def syncing(stage: Stage, *, reads: bool = True, writes: bool = True) -> Callable[[Process], None]:
    """Make the body of a process that syncs again and again, as `crm watch` does."""

    def body(process: Process) -> None:
        line = stage.line(process)
        stage.lines[id(process)] = line
        with closing(stage.home.open(process, "sync")) as store:
            ports = ports_of(stage, process, store, line)
            while True:
                if not stage.still:
                    ports = replace(ports, mapping=stage.mapping)
                    _sync_once(stage, ports, reads=reads, writes=writes)
                process.wait(stage.interval())

    return body


def ports_of(stage: Stage, process: Process, store: Store, line: Line) -> Ports:
    return Ports(
        store=store,
        adapter=line,
        mapping=stage.mapping,
        clock=stage.clock(process),
        ids=stage.home.next_id,
        jitter=stage.dice.stream("jitter").random,
        limits=LIMITS,
    )


def one_more_sync(stage: Stage) -> Callable[[Process], None]:
    """Make the body of a process that syncs once; all others are `still`."""

    def body(process: Process) -> None:
        line = stage.line(process)
        with closing(stage.home.open(process, "sync")) as store:
            _sync_once(stage, ports_of(stage, process, store, line), reads=True, writes=True)

    return body


def _sync_once(stage: Stage, ports: Ports, *, reads: bool, writes: bool) -> None:
    try:
        report = engine.run(
            ports, entities=MIRRORED if reads else (), max_ops=None if writes else 0
        )
    except (StoreBusyError, StoreError):
        stage.ledger.probe("a run was cut off by its store")
        return
    stage.ledger.probe("a run ended")
    failures_explain_themselves(report)


def selling(stage: Stage, actor: str, commands: int) -> Callable[[Process], None]:
    """Make the body of a user who edits, creates, quotes and revises, some commands long."""
    left = [commands]

    def body(process: Process) -> None:
        with closing(stage.home.open(process, "desk")) as store:
            while left[0] > 0:
                process.wait(stage.dice.between("commands", 0.0, 16.0))
                if deal_ids := stage.sight.ids("deal"):
                    left[0] -= 1
                    desk = stage.desk(process, store, actor)
                    _command(stage, desk, deal_ids)
                    if stage.dice.strikes("lock"):
                        _lock(stage, desk, deal_ids)

    return body


def _command(stage: Stage, desk: DeskPorts, deal_ids: list[str]) -> None:
    dice = stage.dice.stream("commands")
    deal = dice.choice(deal_ids if dice.random() < 0.4 else deal_ids[:2])
    match dice.choice([*["quote"] * 8, "edit", "edit", "edit", "account", "create", "lock"]):
        case "quote":
            _quote(stage, desk, deal)
        case "edit":
            name = dice.choice(["name", "amount", "x_region"])
            value = stage.ledger.amount() if name == "amount" else stage.ledger.word()
            _edit(stage, desk, "deal", deal, name, value)
        case "account":
            account = dice.choice(stage.sight.ids("account"))
            _edit(stage, desk, "account", account, "x_tag", stage.ledger.word())
        case "create":
            _create(stage, desk, dice.choice(stage.sight.ids("account")))
        case _:
            stage.tried(
                lambda: locks.lock(desk, f"deal/{deal}", "name", duration="1h", reason="talks")
            )


def _lock(stage: Stage, desk: DeskPorts, deal_ids: list[str]) -> None:
    """Freeze a field of a deal, for so short that some locks run out within the play."""
    dice = stage.dice.stream("locks")
    place, name = f"deal/{dice.choice(deal_ids)}", dice.choice(["name", "amount", "stage"])
    span = dice.choice(["1m", "5m", "1h"])
    if stage.tried(lambda: locks.lock(desk, place, name, duration=span, reason="talks")):
        stage.ledger.probe("a field was locked")


def _edit(stage: Stage, desk: DeskPorts, entity: str, id_: str, name: str, value: str) -> None:
    update = deals.update if entity == "deal" else accounts.update
    answer = stage.tried(lambda: update(desk, id_, {name: value}))
    if answer is not None and answer.changed:
        stage.ledger.note(desk.actor, f"was told: {entity} {id_} {name}={value}")
        stage.ledger.edits.append(Edit(entity, id_, name, value, stage.seqs[desk.actor]))


def _create(stage: Stage, desk: DeskPorts, account: str) -> None:
    values: dict[str, Any] = {
        "name": stage.ledger.word(),
        "stage": stage.ledger.word(),
        "amount": stage.ledger.amount(),
        "currency": "EUR",
        "x_region": stage.ledger.word(),
    }
    answer = stage.tried(lambda: deals.create(desk, account, values))
    if answer is not None:
        stage.ledger.note(desk.actor, f"was told: deal {answer.record.id} created")
        _quote(stage, desk, answer.record.id)


def _quote(stage: Stage, desk: DeskPorts, deal: str) -> None:
    terms = QuoteTerms(total=Decimal(stage.ledger.amount()))
    known, dice = stage.sight.quotes_of(deal), stage.dice.stream("quotes")
    answer: QuoteAnswer | None
    if not known or (len(known) < stage.dice.profile.quotes and dice.random() < 0.3):
        answer = stage.tried(lambda: quotes.create(desk, deal, terms))
    elif len(known) > 1 and dice.random() < 0.3:
        chosen = dice.choice(known)
        answer = stage.tried(lambda: quotes.publish(desk, chosen))
        stage.ledger.probe("another quote was published")
    else:
        chosen = dice.choice(known)
        answer = stage.tried(lambda: quotes.revise(desk, chosen, terms))
    if answer is not None:
        made = answer.quote.current
        stage.ledger.note(desk.actor, f"was told: {made.quote_id} v{made.version} of {deal}")
        stage.ledger.said.append(
            Said(made.quote_id, made.version, deal, answer.operation_id, stage.scheduler.now)
        )
