"""A day's work on a real home folder, through the front door, and what must hold afterwards."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from quotey.app.facade import Quotey, open_quotey
from quotey.contract.errors import StoreBusyError, StoreError
from quotey.desk.quote_checks import QuoteTerms
from quotey.store import open_store
from quotey.testing.clock import VirtualClock
from tests.disk.powercut import Disk, Recorder
from tests.disk.vfs import watched
from tests.machine.shop import Shop, furnish

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STUB = "stub-"
"""The stub's file is the CRM: another machine, whose disk nobody cuts."""

Told = tuple[str, int, str]
Tell = Callable[[Told], None]


@dataclass
class Office:
    """A folder in which people work; every command is a process of its own."""

    folder: Path
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START))

    @property
    def home(self) -> Path:
        """Where the database is."""
        return self.folder / ".quotey"

    def open(self) -> Quotey:
        """Start a process."""
        return open_quotey(cwd=self.folder, clock=self.clock, jitter=lambda: 0.5)

    def sync(self) -> None:
        """Sync once, a little later."""
        self.clock.sleep(61)
        with self.open() as quotey:
            quotey.sync()

    def quote(self, deal: str, total: str, tell: Tell) -> str:
        """Make a quote; what the command answered is told."""
        with self.open() as quotey:
            made = quotey.quote_create(deal, QuoteTerms(total=total)).quote
        tell((made.id, made.current.version, total))
        return made.id

    def revise(self, quote: str, total: str, tell: Tell) -> None:
        """Make the next version of a quote."""
        with self.open() as quotey:
            made = quotey.quote_revise(quote, QuoteTerms(total=total)).quote
        tell((made.id, made.current.version, total))


def opened(folder: Path) -> Office:
    """Furnish an office and start it once, so that its files are there."""
    office = Office(furnish(folder, latency=0))
    with office.open() as quotey:
        quotey.status()
    return office


def work(office: Office, tell: Tell) -> None:
    """Read all, quote, revise, edit, write out; in one long process and in many short ones."""
    office.sync()
    quotes = [office.quote(f"D-{n}", f"{n}000", tell) for n in range(1, 5)]
    office.sync()
    with office.open() as quotey:
        for number, quote in enumerate(quotes):
            total = f"{5000 + number}"
            made = quotey.quote_revise(quote, QuoteTerms(total=total)).quote
            tell((made.id, made.current.version, total))
        quotey.deal_update("D-9", {"name": "Renamed"})
        office.clock.sleep(61)
        quotey.sync()
        for number in range(10, 14):
            made = quotey.quote_create(f"D-{number}", QuoteTerms(total=f"{number}")).quote
            tell((made.id, made.current.version, f"{number}"))
    office.revise(quotes[0], "7000", tell)
    office.sync()


@dataclass
class Cuts:
    """What came of many cuts."""

    cuts: int = 0
    lost: int = 0
    corrupt: int = 0
    came_to_rest: int = 0
    acknowledged: int = 0


def record(folder: Path) -> tuple[Path, Recorder]:
    """Work for a day under the recorder; gives what lay there before, and what happened."""
    office = opened(folder)
    before = shutil.copytree(office.home, folder / "before")
    recorder = Recorder()
    with watched(recorder):
        work(office, recorder.acknowledge)
    return before, recorder


def cut_often(folder: Path, number: int, *, seed: int, rests: int = 0) -> Cuts:
    """Record a day, cut the power that often and look; every `rests`th goes on to the end."""
    before, recorder = record(folder)
    chance = random.Random(seed)  # noqa: S311 - chance, not secrecy
    places = sorted(chance.randrange(1, len(recorder.steps) + 1) for _ in range(number))
    disk, done, cuts = Disk.of(before), 0, Cuts()
    for turn, place in enumerate(places):
        for step in recorder.steps[done:place]:
            disk.take(step)
        done = place
        after = folder / "after"
        disk.write(after / ".quotey", chance, spared=STUB)
        _look(folder, after, disk, cuts)
        if rests and turn % rests == 0:
            _goes_on(folder, after, cuts, disk)
        shutil.rmtree(after)
    cuts.acknowledged = len(disk.told)
    return cuts


def _look(folder: Path, after: Path, disk: Disk, cuts: Cuts) -> None:
    cuts.cuts += 1
    try:
        kept = look(after / ".quotey" / "quotey.db")
    except (StoreError, StoreBusyError):
        cuts.corrupt += 1
        return
    if kept is None:
        cuts.corrupt += 1
    elif not set(disk.told) <= kept:
        cuts.lost += 1


def look(database: Path) -> set[Told] | None:
    """Open it as the next command does; give the versions that are there, None when not sound."""
    with open_store(database, role="desk") as store:
        if store.admin.check():
            return None
        return {
            (version.quote_id, version.version, str(version.total))
            for quote in store.quotes.list()
            for version in store.quotes.versions(quote.id)
        }


def _goes_on(folder: Path, after: Path, cuts: Cuts, disk: Disk) -> None:
    """Let the next process work: it comes to rest, and nothing had two effects."""
    for name in ("quotey.toml", "data"):
        place = folder / name
        with contextlib.suppress(NotADirectoryError):
            shutil.copytree(place, after / name)
        if place.is_file():
            shutil.copy(place, after / name)
    office = Office(after)
    office.clock.sleep(7200)
    settle(office)
    told = {told for told in disk.told if isinstance(told, tuple)}
    kept = look(office.home / "quotey.db")
    assert kept is not None
    assert told <= kept
    cuts.came_to_rest += 1


def settle(office: Office) -> None:
    """Sync until nothing waits; no quote version was written twice, and the newest was written."""
    assert any(_rests(office) for _ in range(8)), "it does not come to rest"
    shop = Shop(office.folder)
    assert all(count == 1 for count in shop.written().values()), shop.written()
    assert all(count == 1 for count in shop.keyed().values()), shop.keyed()
    newest = shop.rows(
        "SELECT q.id, max(v.version) FROM quote AS q JOIN quote_version AS v ON v.quote_id = q.id "
        "WHERE q.published = 1 GROUP BY q.id"
    )
    for quote, version in newest:
        assert shop.written()[quote, version] == 1, (quote, version)


def _rests(office: Office) -> bool:
    office.clock.sleep(61)
    with office.open() as quotey:
        report = quotey.sync()
    return not report.waiting and not report.failures
