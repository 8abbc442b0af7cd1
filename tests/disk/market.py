"""A simulated HubSpot in this process, and sellers in processes of their own that talk to it.

What the CRM saw is read from its own log of requests, what people were told from the pipe.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, cast

import apsw
from msgspec.structs import replace

from quotey.app.facade import Quotey, open_quotey
from quotey.app.simulator import data_source, quotey_toml, vendor_mapping
from quotey.store import open_store
from quotey.testing.simulators.clock import RunningClock
from quotey.testing.simulators.core import Core
from quotey.testing.simulators.hubspot import HubSpotCore
from quotey.testing.simulators.rig import Rig, build_rig
from quotey.testing.simulators.server import serve
from tests.disk.day import Told
from tests.disk.gate import Gate
from tests.machine.later import LaterClock
from tests.machine.shop import PATHS, furnish


class Write(NamedTuple):
    """One quote version that the CRM took."""

    deal: str
    quote: str
    version: int


@dataclass
class Market:
    """One home, one CRM; `seconds` is how far ahead everybody's clock is."""

    folder: Path
    rig: Rig
    gates: tuple[Gate, ...]
    seconds: float = 0.0
    told: set[Told] = field(default_factory=set)
    made: set[str] = field(default_factory=set)
    """The names of the deals that sellers were told they have made."""
    sellers: list[subprocess.Popen[str]] = field(default_factory=list)
    synced: int = 0

    @property
    def database(self) -> Path:
        """The database file."""
        return self.folder / ".quotey" / "quotey.db"

    @property
    def environ(self) -> dict[str, str]:
        """What a seller finds in the environment."""
        key = {"QUOTEY_CONNECTIONS__MAIN__API_KEY": self.rig.api_key}
        return {**os.environ, **key, "PYTHONPATH": PATHS}

    def start(self, seed: int) -> subprocess.Popen[str]:
        """Let a seller begin."""
        seller = subprocess.Popen(
            [sys.executable, "-m", "tests.disk.seller", str(self.seconds), str(seed)],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.sellers.append(seller)
        return seller

    def hear(self, process: subprocess.Popen[str], *, died_of: int, heard: str = "") -> int:
        """Read to the end what a seller has told beyond what was heard; gives how many lines."""
        if process.stdout is not None and heard:
            heard += process.stdout.read()
        out, err = process.communicate(timeout=60)
        assert process.returncode == -died_of, (process.returncode, err)
        told = (heard + out).splitlines(keepends=True)
        lines = [json.loads(line) for line in told if line.endswith("\n")]
        for line in lines:
            match line:
                case [quote, version, total]:
                    self.told.add((quote, version, total))
                case {"deal": name}:
                    self.made.add(name)
                case _:
                    self.synced += 1
        return len(lines)

    @contextmanager
    def here(self) -> Iterator[Quotey]:
        """Work in this process."""
        clock = LaterClock(self.seconds)
        with open_quotey(cwd=self.folder, environ=self.environ, clock=clock) as quotey:
            yield quotey

    def writes(self) -> list[Write]:
        """Give the quote versions that the CRM took, in the order in which it took them."""
        found = []
        for one in tuple(self.rig.vendor.log):
            if one.method != "PATCH" or not one.effects or b"quotey_version" not in one.body:
                continue
            values = json.loads(one.body)["properties"]
            deal = one.target.partition("?")[0].rpartition("/")[2]
            found.append(Write(deal, values["quotey_quote_id"], int(values["quotey_version"])))
        return found

    def check(self, *, twice: int = 0) -> None:
        """Hold what is true after any death: whole file, all acks, nothing twice, none older."""
        with open_store(self.database, role="desk") as store:
            assert store.admin.check() == ()
        assert not self.lost(), f"acknowledged and lost: {self.lost()}"
        assert not self.unfounded(), f"delivered, and never taken by the CRM: {self.unfounded()}"
        assert self.written_twice() <= twice, Counter(self.writes()).most_common(3)
        if not twice:
            newest: dict[str, int] = {}
            for write in self.writes():
                assert write.version > newest.get(write.quote, 0), f"{write} came after a newer one"
                newest[write.quote] = write.version

    def lost(self) -> set[Told]:
        """Give what was acknowledged and is not there."""
        rows = self.rows("SELECT quote_id, version, total FROM quote_version")
        return self.told - {(str(one), int(str(number)), str(total)) for one, number, total in rows}

    def unfounded(self) -> set[tuple[str, int]]:
        """Give the versions that are called delivered and that the CRM has never taken (G2c)."""
        rows = self.rows(
            "SELECT entity_id, version FROM outbox "
            "WHERE kind = 'write_quote' AND state = 'delivered'"
        )
        taken = {(write.quote, write.version) for write in self.writes()}
        return {(str(quote), int(str(version))) for quote, version in rows} - taken

    def written_twice(self) -> int:
        """Count the writes that the CRM took again."""
        return sum(count - 1 for count in Counter(self.writes()).values())

    def fenced_off(self) -> int:
        """Count what was refused because its lease was another's by then."""
        [[found]] = self.rows(
            "SELECT count(*) FROM audit_event WHERE kind = 'operation.late_result'"
        )
        assert isinstance(found, int)
        return found

    def rows(self, sql: str) -> list[tuple[apsw.SQLiteValue, ...]]:
        """Read the database as another program does."""
        connection = apsw.Connection(str(self.database), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return list(connection.execute(sql))
        finally:
            connection.close()

    def come_to_rest(self) -> None:
        """Sync until nothing waits; then the CRM shows every published quote as it is now."""
        assert any(self._rests() for _ in range(10)), "it does not come to rest"
        newest = self.rows(
            "SELECT q.id, max(v.version) FROM quote AS q JOIN quote_version AS v "
            "ON v.quote_id = q.id WHERE q.published = 1 GROUP BY q.id"
        )
        shown = {write.quote: write.version for write in self.writes()}
        assert shown == {str(quote): int(str(number)) for quote, number in newest}, (
            "the CRM shows another version than the newest"
        )

    def nobody_is_asked(self) -> None:
        """Hold that no death of ours is left to a person, who would have to settle it (G16)."""
        items = self.rows("SELECT conflict_type, detail FROM item WHERE state <> 'resolved'")
        assert not items, f"a person is asked about {items}"

    def deals_stand_once(self) -> None:
        """Hold that what was told to be made was made, and that no command made two (G2b)."""
        assert not self.made_twice(), f"made more than once: {self.names().most_common(3)}"
        missing = self.made - self.names().keys()
        assert not missing, f"told and never made: {missing}"

    def made_twice(self) -> int:
        """Count the deals that the CRM has once more under a name that only one command used."""
        return sum(count - 1 for count in self.names().values())

    def names(self) -> Counter[str]:
        """Count the CRM's deals by their names."""
        vendor = self.rig.vendor
        assert isinstance(vendor, HubSpotCore)
        deals = vendor.portal.records["deals"].values()
        return Counter(deal.properties["dealname"] for deal in deals)

    def _rests(self) -> bool:
        self.seconds += 200
        with self.here() as quotey:
            report = quotey.sync()
            waits = quotey.status().outbox.late_looks
        return not report.waiting and not report.failures and not waits

    def wait_for(self, what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
        """Wait until something is to be seen, at most a minute."""
        end = time.monotonic() + 60
        while not what():
            self.lives(process)
            assert time.monotonic() < end, "it never happens"
            time.sleep(0.0005)

    def lives(self, process: subprocess.Popen[str]) -> None:
        """Hold that a seller has not ended by itself."""
        assert process.poll() is None, process.communicate()


FREELY = {
    "requests_per_minute": 1_000_000,
    "requests_per_ten_seconds": 1_000_000,
    "searches_per_second": 1_000_000,
}


@contextmanager
def opened(folder: Path, *, freely: bool = False) -> Iterator[Market]:
    """Open a CRM with 24 deals, and an empty home that is connected to it.

    `freely` is for those whose work is killed: nobody keeps to a budget of requests, in whose
    pauses most of them would die, nine tenths of the time.
    """
    furnish(folder, latency=0)
    ahead = [0.0]
    clock = RunningClock(lambda: LaterClock(ahead[0]).now())
    mapping, source = vendor_mapping("hubspot"), data_source(folder / "data")
    rig = build_rig("hubspot", mapping, clock, source=source)
    if freely:
        _without_budgets(rig)
    gates = tuple(Gate(core) for core in rig.cores)
    with serve(cast("Sequence[Core]", gates), 0) as url:
        ours = "".join(f"{key} = {most}\n" for key, most in FREELY.items()) if freely else ""
        text = f"{quotey_toml(rig, url)}{ours}\n[limits]\nlease_seconds = 40\n"
        (folder / "quotey.toml").write_text(text, encoding="utf-8")
        market = _AheadMarket(folder, rig, gates, ahead)
        try:
            yield market
        finally:
            for seller in market.sellers:
                seller.kill()  # whom a red test has left behind, stopped perhaps


def _without_budgets(rig: Rig) -> None:
    assert isinstance(rig.vendor, HubSpotCore)
    rig.vendor.gate.enforced = False
    most = FREELY["requests_per_minute"]
    rig.gateway.settings = replace(rig.gateway.settings, requests_per_minute=most)


class _AheadMarket(Market):
    """A market whose CRM has the sellers' clock."""

    def __init__(self, folder: Path, rig: Rig, gates: tuple[Gate, ...], ahead: list[float]) -> None:
        self._ahead = ahead
        super().__init__(folder, rig, gates)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "seconds":
            self._ahead[0] = float(str(value))
        super().__setattr__(name, value)
