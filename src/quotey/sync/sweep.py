"""The slow lane: list what is there, compare with the mirror, bring what reading had missed.

It runs behind the reading of its entity, under the same lease and epoch: first the list, page by
page, then what became of records that it did not show. What it finds goes through the same judging
as every page, and is counted by cause. A sweep that was cut off goes on at its place.
Source: reliability R7; crm-semantics 2H "Reconcile lanes"; law 11.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import structlog

from quotey.contract.adapter import Call, Sweepable
from quotey.contract.dto import CrmSyncResultDto, Ends, IdPage, ItemFailure, RemoteRecord
from quotey.contract.sweep import Sweep, SweepCounts
from quotey.decide import sweep as deciding
from quotey.decide.inbound import MassCounts, mass_change
from quotey.decide.sweep import Cause
from quotey.sync import changes, door
from quotey.sync.carry import carry_out, keep_unread
from quotey.sync.door import note
from quotey.sync.finds import Finds, compare, counted
from quotey.sync.ports import Run
from quotey.sync.pull import MassChangeError, Reading, blank_trail, guard_mass, renew, whole

log = structlog.get_logger()

LIST_LIMIT = 2_000
"""Ids of one page of the list, where the adapter has no smaller cap."""

ENDS_AT_ONCE = 20
"""Records whose end is looked for in one go: each may cost a request, all within one lease."""


def sweep(run: Run, reading: Reading, *, asked: bool = False) -> Sweep | None:
    """Sweep the entity when that is due or `asked` for; None when it was not.

    A first load has just read everything, so the time counts from there. Raises `RemoteFailure`,
    `MassChangeError` and `LeaseLostError` as reading does; what was applied before stays applied.
    """
    adapter = run.ports.adapter
    if not isinstance(adapter, Sweepable):
        return None
    entity = reading.state.entity
    known = run.store.sweeps.get(run.connection, entity)
    if known is None and reading.full and not (asked or reading.cursor_lost):
        _take_as_swept(run, reading)
        return None
    before = known or Sweep(connection=run.connection, entity=entity)
    every = run.limits.sweep_every
    if not asked and not deciding.is_due(before, run.now(), every, cursor_lost=reading.cursor_lost):
        return None
    return _Sweeping(run, reading, adapter, before).carry_through()


def _take_as_swept(run: Run, reading: Reading) -> None:
    loaded = Sweep(
        connection=run.connection,
        entity=reading.state.entity,
        finished_at=run.now(),
        correlation_id=run.correlation_id,
    )
    with run.store.transaction("first load"):
        run.store.sync_state.put(reading.state)
        run.store.sweeps.put(loaded)


class _Sweeping:
    """One sweep under way; `state` is what is stored, and moves with every page."""

    def __init__(self, run: Run, reading: Reading, adapter: Sweepable, before: Sweep) -> None:
        self.run = run
        self.reading = reading
        self.adapter = adapter
        self.entity = before.entity
        self.state = before

    def carry_through(self) -> Sweep:
        """List everything, look for the ends of what was not listed, and tell."""
        if not self.state.under_way:
            self._begin()
        trail = blank_trail(self.run, self.entity)
        while not self.state.listed_all:
            place = self.state.place
            page = self._ask_list(place)
            trail.follow(place, page.next_place, brought=len(page.listed), more=page.has_more)
            self._take_list(page)
            self._breathe("sweep", self.state.counts.listed)
        while waiting := self._unseen():
            self._take_ends(waiting)
            self._breathe("sweep ends", self.state.counts.gone)
        self._end()
        return self.state

    def _begin(self) -> None:
        run = self.run
        self.state = msgspec.structs.replace(
            self.state,
            place="",
            listed_all=False,
            started_at=run.now(),
            counts=SweepCounts(),
            examples=(),
            correlation_id=run.correlation_id,
        )
        with run.store.transaction("sweep begins"):
            run.store.sync_state.put(self.reading.state)
            run.store.sweeps.forget(run.connection, self.entity)
            run.store.sweeps.put(self.state)

    # --- the list ---------------------------------------------------------------------------------

    def _ask_list(self, place: str) -> IdPage:
        read_to = self.reading.state.cursor

        def request(call: Call) -> IdPage:
            return self.adapter.list_ids(
                self.entity, place, read_to=read_to, limit=LIST_LIMIT, call=call
            )

        return door.read(self.run, request, renew=self._renew)

    def _take_list(self, page: IdPage) -> None:
        """Compare one page of the list, read what differs by its id, and apply it."""
        finds = compare(self.run, self.entity, page.listed)
        records, failures = self._read(tuple(finds.causes))
        alive = finds.alive(records)
        seen, _ = changes.gather(self.run, self.entity, alive, force=True)
        after = msgspec.structs.replace(
            self.state,
            place="" if not page.has_more else page.next_place,
            listed_all=not page.has_more,
            counts=self.state.counts.plus(SweepCounts(listed=len(page.listed))),
        )
        self._guard_empty(after)
        refs = [one.crm_ref for one in page.listed]
        self._apply(seen, finds, after, failures=failures, refs=refs)

    def _read(self, refs: tuple[str, ...]) -> tuple[list[RemoteRecord], list[ItemFailure]]:
        """Read records by id: a list says that they are there, never what they hold."""
        size = self.run.ports.adapter.capabilities.page_size
        answers = [self._read_part(refs[at : at + size]) for at in range(0, len(refs), size)]
        records = [one for answer in answers for one in answer.records]
        return records, [one for answer in answers for one in answer.failures]

    def _read_part(self, refs: tuple[str, ...]) -> CrmSyncResultDto:
        def request(call: Call) -> CrmSyncResultDto:
            answer = self.run.ports.adapter.read_records(self.entity, refs, call=call)
            return whole(answer, self.entity)

        self._renew()
        return door.read(self.run, request, renew=self._renew)

    def _guard_empty(self, after: Sweep) -> None:
        """Stop when nothing at all is listed where much is mirrored (law 11)."""
        if self.reading.accept_mass_change or not after.listed_all:
            return
        counts = MassCounts(mirrored=self.reading.mirrored, touched=after.counts.listed, full=True)
        why = mass_change(counts, self.run.limits.mass)
        if why is not None:
            raise MassChangeError(why)

    # --- the ends ---------------------------------------------------------------------------------

    def _unseen(self) -> tuple[tuple[str, str], ...]:
        return self.run.store.sweeps.unseen(
            self.run.connection, self.entity, after=self.state.place, limit=ENDS_AT_ONCE
        )

    def _take_ends(self, waiting: Sequence[tuple[str, str]]) -> None:
        """Find out what became of records that were not listed, and apply what is proved."""
        refs = tuple(ref for _, ref in waiting)
        ends = self._ask_ends(refs)
        records = [one for one in ends.records if one.crm_ref in refs]
        proved = frozenset(one.crm_ref for one in records)
        unproven = len(set(refs) - proved - ends.living)
        seen, _ = changes.gather(self.run, self.entity, records, force=True)
        after = msgspec.structs.replace(
            self.state,
            place=waiting[-1][0],
            counts=self.state.counts.plus(SweepCounts(unproven=unproven)),
        )
        finds = Finds(causes=dict.fromkeys(proved, Cause.GONE), due=ends.due)
        self._apply(seen, finds, after)

    def _ask_ends(self, refs: tuple[str, ...]) -> Ends:
        read_to = self.reading.state.cursor

        def request(call: Call) -> Ends:
            return self.adapter.find_ends(self.entity, refs, read_to=read_to, call=call)

        return door.read(self.run, request, renew=self._renew)

    # --- applying ---------------------------------------------------------------------------------

    def _apply(
        self,
        seen: Sequence[changes.Seen],
        finds: Finds,
        after: Sweep,
        *,
        failures: Sequence[ItemFailure] = (),
        refs: Sequence[str] = (),
    ) -> None:
        """Apply one page whole, or not at all: records, what was met, the place and the lease."""
        run, entity, reading = self.run, self.entity, self.reading
        with run.store.transaction("sweep page"):
            judged = changes.judge(run, entity, seen)
            counts = changes.tally(judged, 0)
            counts.rejected += len(failures)
            counts.add(reading.state.counts)
            guard_mass(run, reading, counts, ended=False)
            counts.conflicts += carry_out(run, entity, judged)
            keep_unread(run, entity, failures)
            run.store.sweeps.see(run.connection, entity, refs)
            swept = counted(after, judged, finds)
            run.store.sweeps.put(swept)
            state = msgspec.structs.replace(
                reading.state, counts=counts, lease_until=run.lease_until()
            )
            run.store.sync_state.put(state)
        reading.state, self.state = state, swept

    def _end(self) -> None:
        run, counts = self.run, self.state.counts
        ended = msgspec.structs.replace(
            self.state,
            place="",
            listed_all=False,
            started_at=None,
            finished_at=run.now(),
            missed_total=self.state.missed_total + counts.missed,
        )
        with run.store.transaction("sweep ends"):
            run.store.sync_state.put(self.reading.state)
            run.store.sweeps.forget(run.connection, self.entity)
            run.store.sweeps.put(ended)
            note(
                run,
                "sync.swept",
                entity=self.entity,
                examples=list(self.state.examples),
                **msgspec.structs.asdict(counts),
            )
        self.state = ended
        tell = log.warning if counts.missed else log.info
        tell("swept", cid=run.correlation_id, entity=str(self.entity), missed=counts.missed)

    def _renew(self) -> None:
        renew(self.run, self.reading)

    def _breathe(self, step: str, done: int) -> None:
        self.run.show(step, str(self.entity), done)
        self.run.breathe()
