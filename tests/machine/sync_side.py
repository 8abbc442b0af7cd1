"""How a sync may run: whole, cut off at any point, with something else going on meanwhile."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from quotey.sync.plan import plan
from tests.machine.crm_side import CrmSide
from tests.machine.desk_side import DeskSide

ACTS = ("edit here", "edit there", "quote here", "mark there", "sync here", "decide")
POINTS = ("sync_incremental", "read_records", "get_quote_marker", "write_quote", "create_deal")
"""Requests that anything may come before. Before an update of plain fields only local things may:
no CRM lets them be written on a condition (reliability N2)."""


class SyncSide(CrmSide, DeskSide):
    """Syncs, restarts, time."""

    @rule(accept=st.booleans())
    def run(self, *, accept: bool) -> None:
        """Sync; a person may accept a mass change."""
        self.sync(accept=accept)

    @rule(rounds=st.integers(2, 4), minutes=st.sampled_from([0, 1, 15]))
    def run_on(self, rounds: int, minutes: int) -> None:
        """Sync a few times."""
        for _ in range(rounds):
            self.sync()
            self.theatre.turn(minutes=minutes)

    @rule(at=st.integers(1, 60), after=st.booleans(), wait=st.sampled_from([0, 0, 60]))
    def crash(self, at: int, after: bool, wait: int) -> None:
        """The process ends before or after one of its port calls or commits."""
        self.theatre.sync_plan.arm(at, after=after)
        self.sync()
        self.theatre.turn(seconds=wait)

    @rule(
        at=st.integers(0, 12),
        act=st.sampled_from(ACTS),
        number=st.integers(0, 7),
        nap=st.booleans(),
    )
    def meanwhile(self, at: int, act: str, number: int, nap: bool) -> None:
        """Something else happens while a sync waits for an answer."""
        left = [at]

        def interrupt(point: str) -> None:
            if not point.startswith(POINTS):
                return
            left[0] -= 1
            if left[0] == -1:
                self._do(act, number, nap=nap, point=point)

        self.theatre.sync_plan.interrupt(interrupt)
        self.sync()

    def _do(self, act: str, number: int, *, nap: bool, point: str) -> None:
        match act:
            case "edit here":
                self.change_deal(number, "name")
            case "edit there" if not point.startswith("update"):
                self.change_deal_there(number, "name", "now", 0)
            case "quote here":
                self.change_quote(number, same=False)
            case "mark there" if self.theatre.tier == 1:
                self.mark_there(number, ours=False, ahead=1)
            case "decide":
                self.settle_item(number, "crm_wins")
            case "sync here":
                self._sync_elsewhere(nap=nap)
            case _:
                pass

    def _sync_elsewhere(self, *, nap: bool) -> None:
        """Another process syncs; after a nap this one's leases have run out (G9)."""
        if nap and self.theatre.tier == 1:
            self.theatre.turn(minutes=2)
        other = self.theatre.other_process()
        try:
            other.sync()
        finally:
            self.witness.leave_one(other.store, other.desk_store)
            other.close()

    @rule()
    def dry_run(self) -> None:
        """Plan: nothing is written, but for a penalty that the CRM gave us."""
        before = self.witness.version()
        answer = plan(self.theatre.ports())
        if not answer.failures:
            assert self.witness.version() == before, "a plan wrote something"

    @rule(minutes=st.sampled_from([1, 1, 30, 180, 1500]))
    def wait(self, minutes: int) -> None:
        """Time passes."""
        self.theatre.turn(minutes=minutes)

    @rule()
    def start_anew(self) -> None:
        """The process is restarted."""
        self.restart()

    @rule(name=st.sampled_from(["own", "narrow", "turned"]))
    def change_mapping(self, name: str) -> None:
        """Somebody changes the mapping, for better or worse."""
        self.restart(mapping=name)

    @rule()
    def connect(self) -> None:
        """Somebody authorises the connection again."""
        self.theatre.reconnect()
