"""A whole Quotey in a folder, connected to a Tryton as its operator would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from quotey.app.facade import Quotey, open_quotey
from quotey.sync.clock import Clock, SystemClock
from quotey.testing.clock import VirtualClock
from quotey.testing.world import a_deal
from tests.e2e.hands import PASSWORD
from tests.e2e.prepared import OURS
from tests.e2e.world import TrytonWorld

NOW = timedelta()

CONFIG = """
[connections.main]
provider = "tryton"
base_url = "{url}"
database = "demo"
user = "{user}"
loopback = true
default_currency = "EUR"
"""


def environ() -> dict[str, str]:
    """Give where the password comes from."""
    return {"QUOTEY_CONNECTIONS__MAIN__PASSWORD": PASSWORD}


def open_on(url: str, folder: Path, clock: Clock | None = None) -> Quotey:
    """Open a Quotey whose files are in this folder."""
    (folder / "quotey.toml").write_text(CONFIG.format(url=url, user=OURS))
    return open_quotey(cwd=folder, environ=environ(), clock=clock)


def own_id(quotey: Quotey) -> str:
    """Give our id of the deal that the conformance suite's hands make."""
    found = quotey.lookup_deal("Conformance deal").records
    assert len(found) == 1
    return found[0].id


class Mirrored(NamedTuple):
    """A deal, read in: its id there and here, and the Quotey that has it, on a clock of its own."""

    deal: str
    mine: str
    quotey: Quotey
    clock: VirtualClock


@contextmanager
def mirrored(
    world: TrytonWorld, url: str, folder: Path, *, ago: timedelta = NOW
) -> Iterator[Mirrored]:
    """Make a deal there and read it in; the clock begins so long before the machine's."""
    deal = a_deal(world)
    clock = VirtualClock(SystemClock().now() - ago)
    with open_on(url, folder, clock) as quotey:
        quotey.sync()
        yield Mirrored(deal, own_id(quotey), quotey, clock)
