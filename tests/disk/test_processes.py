"""Real processes, killed or stopped at any moment, while the CRM lives on in another process.

Source: reliability 3.6, sentences 2 and 4.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.disk.market import Market, opened
from tests.proof import keep, size

KILLS = size("KILLS", every_run=30, soak=1000)
STOPS = size("STOPS", every_run=3, soak=60)


def test_sellers_that_are_killed_lose_nothing_and_write_nothing_twice(ram: Path) -> None:
    chance = random.Random(23)  # noqa: S311 - chance, not secrecy
    told = 0
    with opened(ram) as market:
        for turn in range(KILLS):
            requests, after = chance.randrange(1, 40), chance.uniform(0, 0.05)
            told += market.kill_one(turn, requests=requests, after=after) > 0
            market.seconds += 60
            if market.database.exists():
                market.check()
        market.come_to_rest()
        market.check()
        assert market.told, "no quote was acknowledged"
        keep(
            "kills",
            f"KILLS={KILLS} KEEP_PROOF=1 pytest tests/disk/test_processes.py -k killed",
            runs=KILLS,
            kills=KILLS,
            kills_in_work=told,
            acknowledged=len(market.told),
            written=len(market.writes()),
            written_twice=market.written_twice(),
            lost=len(market.lost()),
        )


Point = Callable[[Market], int]


def _wrote(market: Market) -> int:
    return len(market.writes())


def _looked(market: Market) -> int:
    return sum("quotey_payload_digest" in one.target for one in tuple(market.rig.vendor.log))


@pytest.mark.parametrize("point", [_wrote, _looked], ids=["after the write", "after the look"])
def test_a_seller_that_is_stopped_beyond_its_lease_changes_nothing_when_it_wakes(
    ram: Path, point: Point
) -> None:
    """Stopped right after the CRM took the write, or after it showed what stands in the slot.

    The second one may still send what it was about to, beyond its lease: no client of this CRM can
    prevent that (tier 2). It is seen, and the newest version stands in the end.
    """
    late = point is _looked
    with opened(ram) as market:
        for turn in range(STOPS):
            _stop_and_wake(market, turn, point)
            market.check(twice=2 * (turn + 1) if late else 0)
        market.come_to_rest()
        market.check(twice=2 * STOPS if late else 0)
        keep(
            f"stops-{'look' if late else 'write'}",
            f"STOPS={STOPS} KEEP_PROOF=1 pytest tests/disk/test_processes.py -k stopped",
            runs=STOPS,
            stops=STOPS,
            acknowledged=len(market.told),
            written_twice=market.written_twice(),
            lost=len(market.lost()),
        )


def _stop_and_wake(market: Market, turn: int, point: Point) -> None:
    sleeper = market.start(turn)
    before = point(market)
    market.wait_for(lambda: point(market) > before, sleeper)
    sleeper.send_signal(signal.SIGSTOP)
    market.seconds += 90
    with market.here() as quotey:
        quotey.sync()
        for quote in quotey.quote_list().items:
            if quote.published:
                quotey.quote_publish(quote.id)
    market.seconds += 90
    with market.here() as quotey:
        quotey.sync()
    sleeper.send_signal(signal.SIGCONT)
    asked = len(market.rig.vendor.log)
    market.wait_for(lambda: len(market.rig.vendor.log) > asked + AWAKE, sleeper)
    sleeper.send_signal(signal.SIGKILL)
    market.hear(sleeper, died_of=signal.SIGKILL)


AWAKE = 12
"""Requests after which one who woke has surely done what it was about to do."""
