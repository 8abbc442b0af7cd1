"""What people were told and what the CRM saw: the outside history that the oracles judge by.

Laws that can be broken at one moment are held here, at that moment; the others in `oracles`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from quotey.contract.dto import QuoteMarker
from quotey.sync.report import SyncReport
from tests.sim.crm import COPY, Effect, Mark
from tests.sim.scheduler import Process, Scheduler
from tests.sim.words import marker_of

LEASE = 40.0
"""Seconds for which a look may be acted upon: the lease of the operation that took it."""
REPLY = 15.0
"""Seconds that a sender waits for a reply; what lands after that is late."""
GRACE = 1.5
"""Seconds after a penalty was stored in which a request may be on its way already (G10)."""


class Broken(AssertionError):  # noqa: N818 - a verdict, not an error of ours
    """A promise was broken; `law` is its number, the message says what was seen."""

    def __init__(self, law: str, seen: str) -> None:
        super().__init__(f"{law}: {seen}")
        self.law = law


@dataclass(frozen=True)
class Said:
    """An acknowledged version of a quote, in the order of acknowledgement."""

    quote: str
    version: int
    deal: str
    operation: str | None
    at: float


@dataclass(frozen=True)
class Edit:
    """A local value that its command acknowledged; `seq` was the last audit event by then."""

    entity: str
    entity_id: str
    field: str
    value: str
    seq: int


@dataclass
class Ledger:
    """The history, and the laws of the moment."""

    scheduler: Scheduler
    tier: int
    instance: str = ""
    said: list[Said] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    overwritten: list[tuple[str, str, str]] = field(default_factory=list)
    written: dict[tuple[str, int], list[Effect]] = field(default_factory=dict)
    first_sent: dict[str, list[int]] = field(default_factory=dict)
    by_people: dict[tuple[str, str, str], tuple[str, float]] = field(default_factory=dict)
    probes: dict[str, int] = field(default_factory=dict)
    trace: list[str] = field(default_factory=list)
    words: Iterator[int] = field(default_factory=lambda: itertools.count(10_000))
    known_until: float = -1.0
    known_since: float = -1.0
    sends: int = 0
    tries: dict[str, int] = field(default_factory=dict)
    settled: set[tuple[str, int]] = field(default_factory=set)
    created: set[str] = field(default_factory=set)
    replaced: list[QuoteMarker] = field(default_factory=list)
    late_updates: list[Effect] = field(default_factory=list)
    _met: dict[tuple[str, str], tuple[QuoteMarker, float]] = field(default_factory=dict)
    _told: dict[tuple[int, str], int] = field(default_factory=dict)
    _reads: dict[tuple[int, str, str], float] = field(default_factory=dict)
    _flying: dict[str, Process] = field(default_factory=dict)
    _disturbed: set[str] = field(default_factory=set)

    # --- small things -----------------------------------------------------------------------------

    def word(self) -> str:
        """Give a text that was never used before."""
        return f"w{next(self.words)}w"

    def amount(self) -> str:
        """Give an amount that was never used before."""
        return f"7{next(self.words)}.5"

    def probe(self, name: str) -> None:
        """Note that a rare path was reached."""
        self.probes[name] = self.probes.get(name, 0) + 1

    def note(self, who: str, what: str) -> None:
        """Write a line of the trace."""
        self.trace.append(f"{self.scheduler.now:10.3f} {who:<10} {what}")

    # --- what processes do ------------------------------------------------------------------------

    def nobody_asks_within_a_penalty(self, process: Process, name: str) -> None:
        """No request leaves while a penalty runs that somebody has stored (G10)."""
        now = self.scheduler.now
        self.note(process.name, name)
        if self.known_since >= 0 and self.known_since + GRACE < now < self.known_until - GRACE:
            raise Broken("G10", f"{process.name} sent {name} within a known penalty")

    def penalty_stored(self, until: float) -> None:
        """Somebody has stored that the CRM asked to wait."""
        if until > self.known_until:
            if self.known_until < self.scheduler.now:
                self.known_since = self.scheduler.now
            self.known_until = until
            self.probe("penalty stored")

    def was_told(self, process: Process, ref: str, marker: QuoteMarker) -> None:
        """A process has been told what stands in the slot of a deal."""
        self._met[process.name, ref] = (marker, self.scheduler.now)
        if marker.instance_id == self.instance:
            key = (id(process), marker.quote_id)
            self._told[key] = max(marker.version, self._told.get(key, 0))
        else:
            self.probe("told of a foreign marker")

    def leaves(self, what: str) -> None:
        """A write leaves for the CRM; `what` is its key, or a quote and its version."""
        self.tries[what] = self.tries.get(what, 0) + 1

    def items_are_settled_once(self, who: str, item: str, rev: int) -> None:
        """Of two operators who decide on the same sight of an item, one is refused (G9)."""
        if (item, rev) in self.settled:
            raise Broken("G9", f"{who} settled {item}, revision {rev}, after somebody else had")
        self.settled.add((item, rev))

    def quote_sent(
        self, process: Process, ref: str, mark: Mark, *, looked_at: float | None
    ) -> None:
        """A quote leaves for the CRM."""
        self.note(process.name, f"send {mark.quote} v{mark.version} to {ref}")
        self.sends += 1
        self._nobody_sends_against_better_knowledge(process, mark)
        self._a_look_comes_before_every_send(mark, ref, looked_at)
        self._versions_are_first_sent_in_order(mark)

    def _nobody_sends_against_better_knowledge(self, process: Process, mark: Mark) -> None:
        """A version is not sent by who was told of a newer one in its slot (G5)."""
        known = self._told.get((id(process), mark.quote), 0)
        if known > mark.version:
            raise Broken("G5", f"{mark} was sent by {process.name}, which was told v{known}")

    def _a_look_comes_before_every_send(
        self, mark: Mark, ref: str, looked_at: float | None
    ) -> None:
        """A slot is looked at before it is filled, no longer before than a lease lasts (G5, G9)."""
        if looked_at is None:
            raise Broken("G5", f"{mark} was sent without a look at {ref}")
        if self.scheduler.now - looked_at > LEASE:
            since = self.scheduler.now - looked_at
            raise Broken("G9", f"{mark} was sent {since:.0f} s after it looked")

    def _versions_are_first_sent_in_order(self, mark: Mark) -> None:
        """The versions of a quote are first sent in the order of their numbers (G6)."""
        sent = self.first_sent.setdefault(mark.quote, [])
        if mark.version in sent:
            self.probe("sent again")
            return
        if sent and sent[-1] > mark.version:
            raise Broken("G6", f"{mark} was first sent after v{sent[-1]}")
        sent.append(mark.version)

    @contextmanager
    def in_flight(self, process: Process, lane: str) -> Iterator[None]:
        """A request is on its way on a lane."""
        self._one_is_in_flight_on_a_lane(process, lane)
        self._flying[lane] = process
        try:
            yield
        finally:
            if self._flying.get(lane) is process:
                del self._flying[lane]

    def _one_is_in_flight_on_a_lane(self, process: Process, lane: str) -> None:
        """Never are two writes of one deal on their way; a process that died has none (G6)."""
        other = self._flying.get(lane)
        if other is None or other.crashed:
            return
        if other.awake_at <= self.scheduler.now:
            raise Broken("G6", f"{process.name} and {other.name} both have {lane} in flight")
        self.probe("a paused process was overtaken")

    def has_read(self, process: Process, entity: str, ref: str) -> None:
        """A process reads a record as it is."""
        self._reads[id(process), entity, ref] = self.scheduler.now

    def read_at(self, process: Process, entity: str, ref: str) -> float:
        """Say when a process read a record last."""
        return self._reads.get((id(process), entity, ref), -1.0)

    # --- what the CRM saw -------------------------------------------------------------------------

    def saw(self, effect: Effect) -> None:
        """Take in an effect."""
        self.note("crm", f"{effect.what} {effect.ref} by {effect.by} {effect.mark or effect.after}")
        if effect.what == "quote.write":
            self._quote_written(effect)
        elif effect.what.endswith(".set"):
            self._set(effect)
        elif effect.what.endswith(".create"):
            self._what_is_made_is_made_once(effect)

    def _what_is_made_is_made_once(self, effect: Effect) -> None:
        """One command makes one deal, known by a word that only it used (G2b)."""
        if (word := effect.after["stage"]) in self.created:
            raise Broken("G2b", f"{effect.ref} is made of {word} like another before it")
        self.created.add(word)

    def _quote_written(self, effect: Effect) -> None:
        mark = effect.mark
        assert mark is not None
        if effect.by == "people":
            self._disturbed.add(effect.ref)
            self.probe("foreign marker")
            return
        self._another_goes(effect)
        late = effect.at - effect.sent_at > REPLY
        older = self._nothing_older_replaces_newer(effect, mark, late=late)
        if late:
            self.probe("late landing")
        self._a_version_has_one_effect(effect, mark, late=late)
        if older or (late and effect.was is not None):
            self._disturbed.add(effect.ref)

    def _another_goes(self, effect: Effect) -> None:
        """Note what a look showed and a write replaced; what was known of its quote ends (G4)."""
        was, mark = effect.was, effect.mark
        if was is None or mark is None:
            return
        met, at = self._met.get((effect.by, effect.ref), (None, 0.0))
        theirs = was.instance != self.instance or was.digest == COPY
        if met == marker_of(was) and theirs and at <= effect.sent_at:
            self.replaced.append(met)
            self.probe("a met marker was replaced")
        if was.quote != mark.quote:
            self._told = {key: known for key, known in self._told.items() if key[1] != was.quote}

    def _a_version_has_one_effect(self, effect: Effect, mark: Mark, *, late: bool) -> None:
        """A version fills its slot once, unless the slot was disturbed since (G2b)."""
        known = self.written.setdefault((mark.quote, mark.version), [])
        excused = (late and self.tier > 1) or effect.ref in self._disturbed
        if known and not excused:
            raise Broken("G2b", f"{mark} has a second effect on {effect.ref}")
        if known:
            self._disturbed.discard(effect.ref)
            self.probe("repaired")
        known.append(effect)

    def _nothing_older_replaces_newer(self, effect: Effect, mark: Mark, *, late: bool) -> bool:
        """No older version lands over a newer one; only a late one may, on tiers 2 and 3 (G5)."""
        was = effect.was
        if was is None or was.quote != mark.quote or was.version <= mark.version:
            return False
        if self.tier > 1 and was.digest == COPY:
            self.probe("a copy's mark was overwritten unseen (N2)")
            return True
        if self.tier == 1 or not late:
            raise Broken("G5", f"{mark} replaced {was} on tier {self.tier}, late: {late}")
        self.probe("late landing over a newer version")
        return True

    def _set(self, effect: Effect) -> None:
        """Remember what people wrote, and what of it was written over by us (G4)."""
        entity = effect.what.partition(".")[0]
        who, _, seen_at = effect.by.partition("@")
        if who != "people" and effect.at - effect.sent_at > REPLY:
            self.late_updates.append(effect)
        for name, value in effect.after.items():
            place = (entity, effect.ref, name)
            lost = self.by_people.pop(place, None)
            if who == "people":
                self.by_people[place] = (str(value), effect.at)
            elif lost is not None and lost[0] != str(value):
                if float(seen_at) >= lost[1]:
                    self.overwritten.append((entity, effect.ref, lost[0]))
                    self.probe("a person's value was overwritten")
                else:
                    self.probe("a person's value was overwritten unseen (N2)")


def failures_explain_themselves(report: SyncReport) -> None:
    """Every failure that a run tells has its sentence, its correlation id and a next step (G20)."""
    for failure in report.failures:
        if not (failure.warning and failure.correlation_id and failure.next):
            raise Broken("G20", f"a failure does not explain itself: {failure}")
