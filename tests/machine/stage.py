"""The machine's own part: set-up, the ways a step may run, and the laws that hold after each."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from quotey.contract.errors import MappingError, RefusedError, UsageError
from quotey.sync.report import SyncReport
from quotey.testing.crash import SimulatedCrash
from tests.machine import oracles
from tests.machine.converge import Verdict
from tests.machine.theatre import Theatre, copied, write_dataset
from tests.machine.told import Told
from tests.machine.witness import QUOTE_TABLES, Row, Witness

T = TypeVar("T")

_ALIASES = "SELECT id, crm_ref FROM alias WHERE entity = ?1 ORDER BY seq"
_REFS = (
    "SELECT id, crm_ref FROM record WHERE entity = ?1 "
    "UNION SELECT id, crm_ref FROM alias WHERE entity = ?1"
)

MOST_ROUNDS = 60
"""Syncs after which everything must have come to rest."""


class _Templates:
    """Prepared homes: one that was never synced, one that was; made once, copied for each play."""

    def __init__(self) -> None:
        self.folder: Path | None = None

    def give(self) -> Path:
        if self.folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
            write_dataset(self.folder / "data")
            for name in ("new", "synced"):
                theatre = Theatre(home=self.folder / name, dataset=self.folder / "data")
                if name == "synced":
                    assert theatre.sync().exit_code == 0
                theatre.close()
        return self.folder


TEMPLATES = _Templates()


class Stage(RuleBasedStateMachine):
    """One play: a home folder, its processes, the ledger and the witness."""

    def __init__(self) -> None:
        super().__init__()
        structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
        self.folder = Path(tempfile.mkdtemp(prefix="play-"))

    @initialize(synced=st.booleans(), tier=st.sampled_from([1, 1, 2, 3]))
    def begin(self, *, synced: bool, tier: int) -> None:
        """Start from prepared files."""
        templates = TEMPLATES.give()
        home = copied(templates / ("synced" if synced else "new"), self.folder / "home")
        self.witness = Witness(home / "quotey.db")
        self.theatre = Theatre(
            home=home, dataset=templates / "data", tier=tier, watch=self.witness.attend
        )
        self.told = Told(self.theatre.store.instance_id)
        self.told.hear(self.theatre.crm.log())
        self.quote_rows = self.witness.dump(*QUOTE_TABLES)

    # --- the ways a step may run ------------------------------------------------------------------

    def command(self, act: Callable[[], T], *, crash: tuple[int, bool] | None = None) -> T | None:
        """Run a user's command; a refusal changes nothing, a crash is a new process after it."""
        before, plan = self.witness.version(), self.theatre.desk_plan
        if crash is not None:
            plan.arm(crash[0], after=crash[1])
        try:
            return act()
        except SimulatedCrash:
            self.restart()
            return None
        except (UsageError, RefusedError, MappingError):
            assert self.witness.version() == before, "it was refused, and something was changed"
            return None
        finally:
            plan.arm(None)
            self.quote_rows = self.witness.dump(*QUOTE_TABLES)

    def sync(self, *, accept: bool = False) -> SyncReport | None:
        """Sync as the plan is armed; a crash is a new process after it."""
        try:
            report = self.theatre.sync(accept_mass_change=accept)
        except SimulatedCrash:
            self.restart()
            return None
        finally:
            self.theatre.sync_plan.arm(None)
            self.no_quote_changed()
        self._report_is_honest(report)
        return report

    def _report_is_honest(self, report: SyncReport) -> None:
        """No success while something waits; every failure explains itself (G2c, G20)."""
        for failure in report.failures:
            assert failure.warning, failure
            assert failure.correlation_id, failure
            assert failure.next, failure
            assert failure.exit_code, failure
        if report.exit_code == 0:
            waiting = [row for row in self.witness.items(waiting=True) if row["state"] == "open"]
            assert not waiting, "exit 0, and an item waits"

    def restart(self, *, mapping: str | None = None) -> None:
        """Be a new process on the same files."""
        self.witness.leave()
        self.theatre.restart(mapping=mapping)

    def no_quote_changed(self) -> None:
        """Sync never changes a quote (G1)."""
        assert self.witness.dump(*QUOTE_TABLES) == self.quote_rows, "a sync changed quotes"

    def last_seq(self) -> int:
        """Give the number of the newest audit event."""
        audit = self.witness.audit()
        return audit[-1][0] if audit else 0

    # --- choosing ---------------------------------------------------------------------------------

    @staticmethod
    def one(rows: list[T], number: int) -> T | None:
        """Choose one of these, if there is any."""
        return rows[number % len(rows)] if rows else None

    def mirrored(self, entity: str) -> list[Row]:
        """Give the mirrored records of an entity."""
        return [row for row in self.witness.records() if row["entity"] == entity]

    def refs_left(self, entity: str) -> set[str]:
        """Give the refs of records that a person has rebound to another ref since."""
        newest = {row["id"]: row["crm_ref"] for row in self.witness.rows(_ALIASES, entity)}
        known = self.witness.rows(_REFS, entity)
        return {
            row["crm_ref"]
            for row in known
            if newest.get(row["id"], row["crm_ref"]) != row["crm_ref"]
        }

    # --- the laws ---------------------------------------------------------------------------------

    @invariant()
    def laws_hold(self) -> None:
        """Hold every oracle after every step."""
        if not hasattr(self, "theatre"):
            return
        self.told.hear(effect for effect in self.theatre.crm.log() if effect.seq > self.told.read)
        oracles.only_legal_moves(self.witness)
        oracles.one_at_a_time(self.witness)
        oracles.quotes_are_as_acknowledged(self.witness, self.told)
        oracles.no_value_is_lost(self.witness, self.told)
        oracles.every_conflict_is_visible(self.witness)
        oracles.every_reject_is_listed(self.witness)
        oracles.nothing_is_delivered_that_is_not_there(self.witness, self.told)
        assert self.theatre.store.audit.verify().ok, "the audit chain is broken"

    def teardown(self) -> None:
        """Let faults stop and time pass; then everything must come to rest and agree.

        And once more after the mapping was mended anew: only then goes what the CRM had refused for
        its mapping; and only before that shows what a full reading would cover up.
        """
        failed = sys.exc_info()[0] is not None
        try:
            if hasattr(self, "theatre") and not failed:
                self._agree("own")
                self._agree("turned", "own")
        finally:
            if hasattr(self, "theatre"):
                self.theatre.close()
                self.witness.close()
            shutil.rmtree(self.folder)

    def _agree(self, *mappings: str) -> None:
        for name in mappings:
            self._come_to_rest(name)
        self.laws_hold()
        Verdict(self.theatre, self.witness, self.told).hold()

    def _still_due(self) -> bool:
        """Whether time alone would move something: what is behind a held operation waits on."""
        return bool(
            self.witness.rows(
                "SELECT 1 FROM outbox WHERE head = 1 AND state IN ('queued', 'unknown', 'leased')"
            )
        )

    def _come_to_rest(self, mapping: str) -> None:
        self.theatre.crm.heal()
        if self.theatre.mapping_name != mapping:
            self.restart(mapping=mapping)
        self.theatre.reconnect()
        self.theatre.turn(hours=2)
        self._sync_until_quiet()

    def _sync_until_quiet(self) -> None:
        report = None
        for round_ in range(MOST_ROUNDS):
            before = self.last_seq()
            report = self.sync(accept=True)
            assert report is not None
            if not report.failures and self.last_seq() == before and not self._still_due():
                return
            self.theatre.turn(minutes=15 if round_ < MOST_ROUNDS // 2 else 360)
        raise AssertionError(f"it does not come to rest: {report}")
