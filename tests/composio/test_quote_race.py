"""Eight writers at once, each with another version of one quote, over real HTTP, round after round.

One of the older is held between its last look and its write until the newest has been delivered.
Where the CRM refuses a stale version inside the save, the newest version always stands. Where it
does not, an older one may land last; then its writer is told what it wrote over, so that an open
item says it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from threading import Barrier, Event, Thread

import msgspec

from quotey.adapters.composio.ops import Op
from quotey.contract.adapter import CrmAdapter
from quotey.contract.dto import CrmQuoteWriteDto, QuoteMarker
from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.decide.outbound import AlreadyThere, Send, guard_writeback
from quotey.testing.simulators.hubspot import HubSpotSettings as PortalSettings
from quotey.testing.world import CALL, a_deal, a_summary, marker_of
from tests.composio.hubspot_world import HubSpotWorld
from tests.composio.meddling import meddle
from tests.composio.salesforce_world import SalesforceWorld, between

WRITERS, ROUNDS, TURNS = 8, 25, 60

AnyWorld = HubSpotWorld | SalesforceWorld


class Latch:
    """Holds what writes until the newest has had its end, in a round that names an event."""

    def __init__(self) -> None:
        self.newest_ended: Event | None = None

    def __call__(self, op: Op) -> None:
        if op.writes and self.newest_ended is not None:
            assert self.newest_ended.wait(20), "the newest waits for nobody"


class Writer(Thread):
    """Looks, asks the rule, writes, proves: as a worker does, until its version has an end."""

    def __init__(
        self, adapter: CrmAdapter, deal: str, summary: CrmQuoteWriteDto, start: Barrier
    ) -> None:
        super().__init__()
        self.adapter = adapter
        self.deal = deal
        self.summary = summary
        self.marker = marker_of(summary)
        self.begin = start
        self.lost: list[QuoteMarker] = []
        self.end = ""
        self.ended = Event()

    def run(self) -> None:
        self.begin.wait()
        try:
            self._work()
        finally:
            self.ended.set()

    def _work(self) -> None:
        for _ in range(TURNS):
            reading = self.adapter.get_quote_marker(self.deal, self.summary.id, call=CALL)
            guard = guard_writeback(self.marker, reading, None)
            if not isinstance(guard, Send):
                self.end = "delivered" if isinstance(guard, AlreadyThere) else guard.detail
                return
            self._write(reading.token)

    def _write(self, token: str | None) -> None:
        try:
            self.adapter.write_quote(
                self.deal, self.summary, None, marker=self.marker, token=token, call=CALL
            )
        except RemoteFailure as failure:
            if failure.error_class is not ErrorClass.CONFLICT:
                raise
            if failure.outcome is Outcome.APPLIED:
                self.lost.append(msgspec.json.decode(failure.loser, type=QuoteMarker))


def versions_written(world: AnyWorld, since: int) -> list[int]:
    """Give the versions in the order in which the CRM took them."""
    written = []
    for one in world.core.log[since:]:
        if one.method == "PATCH" and 200 <= one.status < 300:
            doc = json.loads(one.body)
            raw = doc.get("properties", doc)
            found = raw.get("quotey_version", raw.get("Quotey_Version__c"))
            if found is not None:
                written.append(int(float(found)))
    return written


def race(world: AnyWorld, judge: Callable[[int, list[Writer]], None]) -> None:
    portal = isinstance(world, HubSpotWorld)
    latches = [Latch() for _ in range(WRITERS)]
    hold = meddle if portal else between
    adapters = [hold(world.reopen(), latch) for latch in latches]
    for number in range(ROUNDS):
        quote = f"q_{number}"
        deal, since, start = a_deal(world), len(world.core.log), Barrier(WRITERS)
        writers = [
            Writer(adapter, deal, a_summary(version, quote, str(100 + version)), start)
            for version, adapter in enumerate(adapters, start=1)
        ]
        for place, latch in enumerate(latches):
            held = place == number % (WRITERS - 1)
            latch.newest_ended = writers[-1].ended if held else None
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(timeout=60)
        ends = [writer.end for writer in writers]
        assert set(ends) <= {"delivered", "newer_version"}, ends
        found = world.adapter.get_quote_marker(deal, quote, call=CALL).marker
        assert found is not None
        written = versions_written(world, since)
        assert written[-1] == found.version
        assert all(one != after for one, after in pairwise(written))
        judge(found.version, writers)


def newest_stands(version: int, writers: list[Writer]) -> None:
    assert version == WRITERS
    assert [writer.lost for writer in writers] == [[] for _ in writers]


def newest_stands_or_is_told(version: int, writers: list[Writer]) -> None:
    told = {one.version for writer in writers for one in writer.lost}
    assert version == WRITERS or WRITERS in told
    assert writers[-1].end == "delivered"


def test_an_org_with_its_rules_ends_with_the_newest() -> None:
    world = SalesforceWorld()
    try:
        race(world, newest_stands)
    finally:
        world.close()


def test_a_portal_ends_with_the_newest_or_tells() -> None:
    world = HubSpotWorld(portal=PortalSettings(merge_makes_new_id=False))
    try:
        race(world, newest_stands_or_is_told)
    finally:
        world.close()
