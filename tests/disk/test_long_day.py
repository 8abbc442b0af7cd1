"""A day in real time, with kills, stops, faults and edits: nothing is lost, and nothing grows.

Source: reliability 5 (soak), 2.D row D13.
"""

from __future__ import annotations

import random
from pathlib import Path

from tests.disk.longday import Day
from tests.disk.market import opened
from tests.proof import keep, size

SECONDS = size("DAY_SECONDS", every_run=15, soak=3600)
SAVES = size("DAY_SAVES", every_run=5, soak=20)
LONG = 900
"""From so many seconds on, memory has come to rest and its growth says something."""
WAL = 64 << 20
CACHE = 18 << 20
"""SQLite's cache of pages, 16 MB, and what else it holds."""
TEST = "tests/disk/test_long_day.py"


def test_a_long_day_of_kills_stops_and_faults_loses_nothing_and_grows_nothing(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as market:
        with market.here() as quotey:
            quotey.sync()
        day = Day(market, random.Random(41), SAVES)  # noqa: S311 - chance, not secrecy
        worker, clerk = day.work(SECONDS, every=min(20, SECONDS / 4))
        twice = 2 * day.stops
        market.check(twice=twice)
        market.rig.vendor.faults.clear()
        market.come_to_rest()
        market.check(twice=twice)
        assert day.kills, "nobody was killed"
        assert market.told, "no quote was acknowledged"
        assert day.largest_wal < WAL
        assert 0 < clerk.cache < CACHE
        if SECONDS >= LONG:
            assert worker.growth() < 0.05, f"the worker grew by {worker.growth():.0%}"
            assert clerk.growth() < 0.05, f"the clerk grew by {clerk.growth():.0%}"
        keep(
            "long-day",
            f"DAY_SECONDS={SECONDS} DAY_SAVES={SAVES} KEEP_PROOF=1 pytest {TEST}",
            seconds=SECONDS,
            kills=day.kills,
            stops=day.stops,
            faults=day.faults,
            saves_given_up=day.busy,
            acknowledged=len(market.told),
            edits=day.edits,
            requests=len(market.rig.vendor.log),
            written=len(market.writes()),
            written_twice=market.written_twice(),
            worker_grew=f"{worker.growth():.1%}",
            clerk_grew=f"{clerk.growth():.1%}",
            largest_wal_mb=round(day.largest_wal / (1 << 20)),
            save_p50_ms=str(day.percentile(50)),
            save_p99_ms=str(day.percentile(99)),
            lost=len(market.lost()),
        )
