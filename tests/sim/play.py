"""One play from a seed: safety under faults, then liveness without; what came of it, as a value."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from traceback import extract_tb

import structlog

from tests.sim.actors import Stage, one_more_sync, selling, syncing
from tests.sim.crm import Crm
from tests.sim.faults import Dice, Profile
from tests.sim.home import Home, copied, make_template
from tests.sim.ledger import Broken, Ledger
from tests.sim.operators import operating
from tests.sim.oracles import Verdict
from tests.sim.people import people, policy_changes, swizzles, touch_everything
from tests.sim.scheduler import Process, Scheduler
from tests.sim.sight import Sight
from tests.sim.watch import Watch
from tests.sim.words import mapping

CALM = 300.0
"""Seconds of liveness at the pace of the day; then everybody looks every ten minutes."""
LONGEST = 4 * 86_400.0
"""Virtual seconds without faults after which all must have come to rest (72 h of retries)."""

TOLD = ("claim", "compare", "mark sent", "settle", "claim look", "end look")
"""Commits that the trace tells of: those of an operation on its way."""

_OPERATIONS = (
    "SELECT id, kind, state, attempts, due_at, error FROM outbox "
    "WHERE state IN ('queued', 'leased', 'unknown')"
)
_LOOKS = "SELECT slot, operation_id, due_at, tries FROM late_look WHERE due_at IS NOT NULL"
_RUNS = "SELECT entity, direction, phase, error FROM sync_state WHERE phase <> 'idle'"


@dataclass
class Outcome:
    """What came of one play. `law` is "" when all held; `digest` names everything that happened.

    `oracle` is the function that saw the law broken, "" where the engine itself fell over.
    """

    seed: int
    law: str = ""
    oracle: str = ""
    seen: str = ""
    digest: str = ""
    events: int = 0
    seconds: float = 0.0
    crashes: int = 0
    acknowledged: int = 0
    edits: int = 0
    revisions: int = 0
    sends: int = 0
    probes: dict[str, int] = field(default_factory=dict)
    trace: list[str] = field(default_factory=list)


def play(profile: Profile) -> Outcome:
    """Play one profile through, on a file of its own."""
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    with _folder() as folder:
        return _Play(profile, copied(_template(), folder / "home")).through()


class _Play:
    def __init__(self, profile: Profile, path: Path) -> None:
        self.profile = profile
        scheduler, dice = Scheduler(), Dice(profile)
        ledger = Ledger(scheduler, profile.tier)
        crm = Crm(scheduler, dice, profile.tier, profile.lag, told=ledger.saw)
        self.sight = Sight(path)
        home = Home(path, dice)
        self.watch = Watch(ledger, self.sight, crm)
        home.committed = self._committed
        self.stage = Stage(scheduler, dice, crm, ledger, home, self.sight, mapping(), {})
        ledger.instance = str(
            self.sight.column("SELECT value FROM meta WHERE name='instance_id'")[0]
        )

    def through(self) -> Outcome:
        """Play both phases and judge."""
        outcome = Outcome(self.profile.seed)
        try:
            self._fill()
            self._safety()
            self._liveness()
            Verdict(self.stage.ledger, self.sight, self.stage.crm).hold()
            self._one_more_sync()
            Verdict(self.stage.ledger, self.sight, self.stage.crm).one_good_sync_is_enough()
        except AssertionError as broken:
            outcome.law, outcome.seen = "engine", str(broken)
            if isinstance(broken, Broken):
                outcome.law = broken.law
                outcome.oracle = extract_tb(broken.__traceback__)[-1].name.strip("_")
                self.stage.ledger.note("oracle", f"{outcome.oracle}: {broken}")
        finally:
            self._figures(outcome)
            self._end()
        return outcome

    def _committed(self, process: Process, role: str, label: str) -> None:
        line = self.stage.lines.get(id(process))
        if line is not None and line.penalty_heard and not label:
            self.stage.ledger.penalty_stored(line.penalty_heard)
            line.penalty_heard = 0.0
        if label in TOLD:
            self.stage.ledger.note(process.name, f"commits {label!r}")
        self.stage.seqs[process.name] = self.sight.last_seq()
        self.watch.committed(role, label)

    def _fill(self) -> None:
        """Put records into the CRM, and begin with them mirrored."""
        crm, ledger = self.stage.crm, self.stage.ledger
        for number in range(1, 4):
            fields = {"name": ledger.word(), "segment": "SMB", "tag": ledger.word()}
            crm.put("account", f"A-{number}", {**fields, "website": f"a{number}.example"})
        for number in range(1, self.profile.deals + 1):
            fields = {
                "name": ledger.word(),
                "account_id": f"A-{number % 3 + 1}",
                "stage": ledger.word(),
                "amount": ledger.amount(),
                "currency": "EUR",
                "close_date": "2026-05-01",
                "region": ledger.word(),
            }
            crm.put("deal", f"D-{number}", fields)
        for number in range(1, self.profile.contacts + 1):
            name = {"first_name": "Ada", "last_name": ledger.word(), "email": "ada@a.example"}
            crm.put("contact", f"C-{number}", {**name, "account_id": f"A-{number % 3 + 1}"})

    def _safety(self) -> None:
        """Everybody at work, and every fault of the profile."""
        stage, profile = self.stage, self.profile
        for number in range(profile.workers):
            stage.start(f"worker{number}", syncing(stage))
        for number in range(profile.pullers):
            stage.start(f"puller{number}", syncing(stage, writes=False))
        stage.start("writer", syncing(stage, reads=False))
        for name in ("ann", "bob"):
            stage.start(name, selling(stage, name, profile.commands))
        for name in ("oda", "olaf"):
            stage.start(name, operating(stage, name))
        people(stage, profile.seconds)
        swizzles(stage, profile.seconds)
        policy_changes(stage, profile.seconds)
        stage.scheduler.run(profile.seconds)

    def _liveness(self) -> None:
        """No fault any more: everything must come to rest."""
        stage = self.stage
        stage.dice.calm, calm_since = True, stage.scheduler.now
        stage.scheduler.run(calm_since + CALM)
        quiet_since = None
        while quiet_since is None or stage.scheduler.now < quiet_since + CALM:
            stage.slow = stage.scheduler.now > calm_since + 2 * CALM
            self._all_comes_to_rest(calm_since)
            stage.scheduler.run(stage.scheduler.now + (700.0 if stage.slow else 20.0))
            quiet_since = (quiet_since or stage.scheduler.now) if self._rests() else None

    def _all_comes_to_rest(self, calm_since: float) -> None:
        """Without faults nothing stays on its way for ever (liveness)."""
        if self.stage.scheduler.now > calm_since + LONGEST:
            raise Broken("liveness", f"it does not come to rest: {self._moving()}")

    def _one_more_sync(self) -> None:
        """Everything changes in the CRM once more, and one process syncs, once."""
        stage = self.stage
        stage.still = True
        touch_everything(stage)
        stage.scheduler.run(stage.scheduler.now + stage.crm.lag + 1)
        stage.start("last", one_more_sync(stage))
        stage.scheduler.run(stage.scheduler.now + CALM)

    def _rests(self) -> bool:
        return self.sight.at_rest()

    def _moving(self) -> list[tuple[object, ...]]:
        """Name what has not come to rest."""
        return [
            *(tuple(row.values()) for row in self.sight.rows(_OPERATIONS)),
            *(tuple(row.values()) for row in self.sight.rows(_LOOKS)),
            *(tuple(row.values()) for row in self.sight.rows(_RUNS)),
        ]

    def _figures(self, outcome: Outcome) -> None:
        stage = self.stage
        for name, hits in stage.dice.hits.items():
            stage.ledger.probes[f"fault {name}"] = hits
        told = hashlib.sha256()
        for part in (*stage.ledger.trace, *map(repr, self.sight.story())):
            told.update(part.encode())
        outcome.digest = told.hexdigest()
        outcome.events, outcome.seconds = stage.scheduler.events, stage.scheduler.now
        outcome.crashes, outcome.sends = stage.crashes, stage.ledger.sends
        outcome.acknowledged, outcome.edits = len(stage.ledger.said), len(stage.ledger.edits)
        outcome.revisions = sum(
            len(states) for one in stage.crm.history.values() for states in one.values()
        )
        outcome.probes, outcome.trace = dict(stage.ledger.probes), stage.ledger.trace

    def _end(self) -> None:
        """Unwind every process, so that its store is closed."""
        self.stage.over = True
        for process in self.stage.processes:
            process.end()
        self.sight.close()


@cache
def _template() -> Path:
    return make_template(Path(tempfile.mkdtemp(prefix="sim-", dir=_memory())))


def _memory() -> str | None:
    """Give a folder in memory where there is one: a disk adds nothing to what is proved here."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sim-", dir=_memory()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
