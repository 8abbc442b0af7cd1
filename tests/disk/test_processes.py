"""Real processes, killed or stopped at any moment, while the CRM lives on in another process.

Source: reliability 3.6, sentences 2 and 4.
"""

from __future__ import annotations

import random
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from quotey.app.facade import Quotey
from quotey.desk.quote_checks import QuoteTerms
from tests.disk.deaths import DEATHS, LOOK, WRITE, Sign, at_any_moment
from tests.disk.market import Market, opened
from tests.proof import keep, size

KILLS = size("KILLS", every_run=250, soak=1000)
STOPS = size("STOPS", every_run=3, soak=60)


@dataclass(frozen=True)
class Stop:
    """Where somebody is stopped: at which request, before it is carried out or after that.

    `late` says that what it was about to do may still land: no client of this CRM can prevent that
    (tier 2). Then it is seen, and the newest version stands in the end.
    """

    name: str
    sign: Sign
    carried_first: bool
    late: bool = False
    """It lands over the newer version, which is then written again."""


STOP_AT = (
    Stop("after the look", LOOK, carried_first=True),
    Stop("before the write", WRITE, carried_first=False, late=True),
    Stop("after the write", WRITE, carried_first=True),
)


def test_sellers_that_are_killed_lose_nothing_and_write_nothing_twice(ram: Path) -> None:
    chance = random.Random(23)  # noqa: S311 - chance, not secrecy
    told = 0
    with opened(ram, freely=True) as market:
        for turn in range(KILLS):
            death = DEATHS[turn % len(DEATHS)] if market.database.exists() else at_any_moment
            told += death(market, turn, chance) > 0
            market.seconds += 60
            if market.database.exists():
                market.check()
        market.come_to_rest()
        market.check()
        market.deals_stand_once()
        market.nobody_is_asked()
        assert market.told, "no quote was acknowledged"
        assert market.made, "no deal was made"
        keep(
            "kills",
            f"KILLS={KILLS} KEEP_PROOF=1 pytest tests/disk/test_processes.py -k killed",
            runs=KILLS,
            kills=KILLS,
            kills_in_work=told,
            acknowledged=len(market.told),
            written=len(market.writes()),
            deals_made=len(market.made),
            doubled=market.written_twice() + market.made_twice(),
            lost=len(market.lost()),
        )


@pytest.mark.parametrize("stop", STOP_AT, ids=lambda stop: stop.name)
def test_a_seller_that_is_stopped_beyond_its_lease_changes_nothing_when_it_wakes(
    ram: Path, stop: Stop
) -> None:
    """The CRM holds the request until the seller is stopped, and until it wakes."""
    with opened(ram) as market:
        for turn in range(STOPS):
            _stop_and_wake(market, turn, stop)
            market.check(twice=2 * (turn + 1) if stop.late else 0)
        market.come_to_rest()
        market.check(twice=2 * STOPS if stop.late else 0)
        assert (market.written_twice() > 0) is stop.late
        keep(
            f"stops-{stop.name.replace(' ', '-')}",
            f"STOPS={STOPS} KEEP_PROOF=1 pytest tests/disk/test_processes.py -k stopped",
            runs=STOPS,
            stops=STOPS,
            acknowledged=len(market.told),
            written_again=market.written_twice(),
            fenced_off=market.fenced_off(),
            lost=len(market.lost()),
        )


def _stop_and_wake(market: Market, turn: int, stop: Stop) -> None:
    for gate in market.gates:
        gate.arm(stop.sign.wanted, carried_first=stop.carried_first)
    sleeper = market.start(turn)
    market.wait_for(lambda: any(gate.caught.is_set() for gate in market.gates), sleeper)
    sleeper.send_signal(signal.SIGSTOP)
    its_own = {
        quote for (quote,) in market.rows("SELECT entity_id FROM outbox WHERE state = 'leased'")
    }
    for _ in range(2):
        market.seconds += 90
        with market.here() as quotey:
            quotey.sync()
            _revise(market, quotey, its_own, f"{10 + turn}.75")
    ended, asked = _ended(market), len(market.rig.vendor.log)
    sleeper.send_signal(signal.SIGCONT)
    for gate in market.gates:
        gate.release()
    market.wait_for(lambda: len(market.rig.vendor.log) > asked + AWAKE, sleeper)
    sleeper.send_signal(signal.SIGKILL)
    market.hear(sleeper, died_of=signal.SIGKILL)
    if not stop.late:
        changed = {id_: row for id_, row in _ended(market).items() if ended.get(id_, row) != row}
        assert not changed, f"changed after it had ended: {changed}"
    assert market.fenced_off() > turn, "who came late was not told so"


def _ended(market: Market) -> dict[object, object]:
    """Give the operations that have ended, as they stand."""
    rows = market.rows("SELECT id, * FROM outbox WHERE state IN ('delivered', 'superseded')")
    return {id_: row for id_, *row in rows}


def _revise(market: Market, quotey: Quotey, its_own: set[object], total: str) -> None:
    """Make something newer than what the sleeper is about to write, or looks at."""
    for quote in quotey.quote_list().items:
        is_meant = not its_own or quote.id in its_own
        if is_meant and quote.published and str(quote.current.total) != total:
            made = quotey.quote_revise(quote.id, QuoteTerms(total=total)).quote
            market.told.add((made.id, made.current.version, total))


AWAKE = 12
"""Requests after which one who woke has surely done what it was about to do."""
