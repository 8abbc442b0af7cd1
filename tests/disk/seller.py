"""`python -m tests.disk.seller SECONDS SEED`: somebody who quotes and syncs until the process ends.

Each quote version is printed once its command has answered; whoever reads the pipe was told.
"""

from __future__ import annotations

import json
import os
import random
import sys
from itertools import count
from pathlib import Path

from quotey.app.facade import Quotey, open_quotey
from quotey.desk.quote_checks import QuoteTerms
from tests.machine.later import LaterClock


def tell(what: object) -> None:
    """Say it to whoever reads the pipe, at once."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def sell(quotey: Quotey, chance: random.Random, name: str) -> None:
    """Make a deal of that name; quote two deals, or revise their quotes; then sync."""
    account = chance.choice(quotey.account_list(limit=100).records).id
    quotey.deal_create(account, {"name": name, "stage": "open", "currency": "EUR"})
    tell({"deal": name})
    for _ in range(2):
        deal = chance.choice(quotey.deal_list(limit=100).records).id
        known = [one for one in quotey.quote_list(deal).items if one.published]
        total = f"{chance.randrange(1000, 999_000)}.25"
        terms = QuoteTerms(total=total)
        made = (
            quotey.quote_revise(known[0].id, terms) if known else quotey.quote_create(deal, terms)
        ).quote
        tell([made.id, made.current.version, total])
    quotey.sync()
    tell("synced")


def main(seconds: float, seed: int) -> None:
    """Go on for ever."""
    chance = random.Random(seed)  # noqa: S311 - chance, not secrecy
    clock = LaterClock(seconds)
    with open_quotey(cwd=Path.cwd(), environ=dict(os.environ), clock=clock) as quotey:
        quotey.sync()
        tell("synced")
        for turn in count():
            sell(quotey, chance, f"Deal {turn} of seller {seed}")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
