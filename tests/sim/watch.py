"""What must be true after every commit; one function a law. What holds at last is in `oracles`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.sim.crm import Crm
from tests.sim.ledger import Broken, Ledger
from tests.sim.sight import Sight

TRIES = 12
"""Requests that are sent before an operation is given up (seed 6.1)."""
PATIENCE = 72 * 3600.0
"""Seconds after which an operation may be given up, however often it was tried."""


@dataclass
class Watch:
    """The laws that hold after every commit."""

    ledger: Ledger
    sight: Sight
    crm: Crm
    _quotes: list[list[tuple[Any, ...]]] = field(default_factory=list)
    _revisions: dict[str, int] = field(default_factory=dict)
    _dead: set[str] = field(default_factory=set)
    _gone: set[str] = field(default_factory=set)

    def committed(self, role: str, label: str) -> None:
        """Look at what has just been committed."""
        if role == "desk":
            self._quotes = self.sight.quotes()
            self.sight.remember_dropped()
            return
        self.no_quote_changed(label)
        self.nothing_is_delivered_that_is_not_there()
        self.the_mirror_never_goes_back()
        self.nothing_is_given_up_early()
        self.nothing_is_called_gone_that_lives()

    def no_quote_changed(self, label: str) -> None:
        """Sync never changes a quote (G1)."""
        quotes = self.sight.quotes()
        if self._quotes and quotes != self._quotes:
            raise Broken("G1", f"a sync changed quotes in {label!r}")
        self._quotes = quotes

    def nothing_is_delivered_that_is_not_there(self) -> None:
        """What is shown as delivered has had its effect in the CRM (G2c)."""
        for quote, version, digest in self.sight.delivered():
            effects = self.ledger.written.get((quote, version), [])
            if not any(one.mark is not None and one.mark.digest == digest for one in effects):
                raise Broken("G2c", f"{quote} v{version} is called delivered")

    def nothing_is_given_up_early(self) -> None:
        """Only what was tried often enough, or for long enough, is given up (G2a)."""
        for id_, kind, whose, version, key in self.sight.dead():
            if id_ in self._dead:
                continue
            self._dead.add(id_)
            tries = self.ledger.tries.get(f"{whose}/{version}" if kind == "write_quote" else key, 0)
            if tries < TRIES and self.ledger.scheduler.now < PATIENCE:
                raise Broken("G2a", f"{id_} of {whose} was given up after {tries} tries")

    def nothing_is_called_gone_that_lives(self) -> None:
        """That a record is not listed or not shown is no evidence that it ended (G15, law 11)."""
        for id_, entity, ref in self.sight.gone():
            there = None if id_ in self._gone else self.crm.now(entity, ref)
            if there is not None and not there.gone:
                raise Broken("G15", f"{entity} {ref} is called gone")
            self._gone.add(id_)

    def the_mirror_never_goes_back(self) -> None:
        """An older revision never replaces a newer one (G5, G13)."""
        now = self.sight.revisions()
        for id_, number in now.items():
            if number < self._revisions.get(id_, 0):
                raise Broken("G5", f"{id_} went back to revision {number}")
        self._revisions = now
