"""`python -m tests.disk.clerk SAVES SEED`: somebody who saves so many quotes a second, no more.

Each version is printed with the milliseconds that its command took and the bytes that SQLite holds,
once it has answered; whoever reads the pipe was told. A save that found the database held by
somebody who was stopped within a change is told too, and given up: that is what a command answers,
and nothing was changed.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

import apsw

from quotey.app.facade import Quotey, open_quotey
from quotey.contract.errors import StoreBusyError
from quotey.desk.quote_checks import QuoteTerms
from tests.disk.seller import tell

BUSY = "busy"
"""Said in place of a version."""


def main(saves: float, seed: int) -> None:
    """Go on for ever, at that pace where the machine can."""
    chance = random.Random(seed)  # noqa: S311 - chance, not secrecy
    with open_quotey(cwd=Path.cwd(), environ=dict(os.environ)) as quotey:
        deals = [one.id for one in quotey.deal_list(limit=100).records]
        mine = {one.deal_id: one.id for one in quotey.quote_list(limit=1000).items}
        due = time.monotonic()
        while True:
            try:
                _save(quotey, chance, chance.choice(deals), mine)
            except StoreBusyError:
                tell(BUSY)
            due = max(due + 1 / saves, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))


def _save(quotey: Quotey, chance: random.Random, deal: str, mine: dict[str, str]) -> None:
    """Quote the deal, or revise the quote that it has; tell what was answered, and how soon."""
    terms = QuoteTerms(total=f"{chance.randrange(1000, 999_000_000)}.25")
    began = time.monotonic()
    known = mine.get(deal)
    made = quotey.quote_revise(known, terms) if known else quotey.quote_create(deal, terms)
    spent = (time.monotonic() - began) * 1000
    mine[deal] = made.quote.id
    version = made.quote.current.version
    tell([made.quote.id, version, terms.total, round(spent, 2), apsw.memory_used()])


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
