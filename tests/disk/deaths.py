"""The ways in which a seller is killed: at any moment, or at one at which much is at stake.

Each gives how many lines the seller had told. Source: reliability 2.C.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from quotey.testing.simulators.exchange import Request
from tests.disk.market import Market
from tests.disk.turnstile import Turnstile

Seller = subprocess.Popen[str]
Death = Callable[[Market, int, random.Random], int]


@dataclass(frozen=True)
class Sign:
    """By what a request is known, as the gateway hears it."""

    words: bytes
    method: str

    def wanted(self, request: Request) -> bool:
        """Tell the request."""
        said = request.target.encode() + request.body
        return self.words in said and b'"' + self.method.encode() + b'"' in said


LOOK, WRITE = Sign(b"quotey_payload_digest", "GET"), Sign(b"quotey_version", "PATCH")
CREATE = Sign(b"deals/batch/upsert", "POST")


def at_any_moment(market: Market, turn: int, chance: random.Random) -> int:
    """Kill so many seconds after so many of its requests."""
    process = market.start(turn)
    enough = len(market.rig.vendor.log) + chance.randrange(1, 40)
    market.wait_for(lambda: len(market.rig.vendor.log) >= enough, process)
    time.sleep(chance.uniform(0, 0.05))
    _end(process)
    return market.hear(process, died_of=signal.SIGKILL)


def at_its_word(market: Market, turn: int, chance: random.Random) -> int:
    """Kill as soon as it has told something: what people have read is true."""
    process = market.start(turn)
    assert process.stdout is not None
    heard = [process.stdout.readline() for _ in range(chance.randrange(2, 7))]
    _end(process)
    return market.hear(process, died_of=signal.SIGKILL, heard="".join(heard))


def on_its_way(
    market: Market, turn: int, _chance: random.Random, *, sign: Sign, carried: bool
) -> int:
    """Kill while it waits for the answer to such a request, which was carried out or lost."""
    for gate in market.gates:
        gate.arm(sign.wanted, carried_first=carried, dropped=not carried)
    process = market.start(turn)
    market.wait_for(lambda: any(gate.caught.is_set() for gate in market.gates), process)
    _end(process)
    for gate in market.gates:
        gate.release()
    return market.hear(process, died_of=signal.SIGKILL)


def between_two_commits(market: Market, turn: int, chance: random.Random) -> int:
    """Kill after any of its commits and before the next: at once, or a while later."""
    process = market.start(turn)
    with closing(Turnstile(market.database, partial(market.lives, process))) as stile:
        for _ in range(chance.randrange(1, 40)):
            stile.await_commit()
        if chance.random() < HELD:
            stile.hold()
            time.sleep(chance.uniform(0, 0.05))
        _end(process)
    return market.hear(process, died_of=signal.SIGKILL)


def after_a_save(market: Market, turn: int, _chance: random.Random) -> int:
    """Kill as soon as others see a version that it has saved."""
    process = market.start(turn)
    with closing(Turnstile(market.database, partial(market.lives, process))) as stile:
        stile.await_more("quote_version")
        _end(process)
    return market.hear(process, died_of=signal.SIGKILL)


def _end(process: Seller) -> None:
    """Kill it, and wait until it has let go of everything."""
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)


HELD = 0.7
"""How often somebody stands in its way, so that it asks the CRM, and cannot note the answer."""

DEATHS: tuple[Death, ...] = (
    at_any_moment,
    at_its_word,
    partial(on_its_way, sign=WRITE, carried=True),
    between_two_commits,
    after_a_save,
    partial(on_its_way, sign=CREATE, carried=True),
    between_two_commits,
    at_its_word,
    partial(on_its_way, sign=WRITE, carried=False),
    after_a_save,
)
"""In this order, over and over."""
