"""A process that goes on for days holds at the end what it held at the beginning (G18)."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from quotey.app.facade import Quotey, open_quotey
from quotey.desk.quote_checks import QuoteTerms

TURNS = 250
LEFT_BEHIND = 200
"""Of Python's blocks: who leaves one behind in each turn leaves more than that."""

Work = Callable[[Quotey, str, int], object]


def save(quotey: Quotey, quote: str, turn: int) -> object:
    return quotey.quote_revise(quote, QuoteTerms(total=f"{100 + turn % 7}.25"))


def sync(quotey: Quotey, _quote: str, _turn: int) -> object:
    return quotey.sync()


def left_behind(folder: Path, work: Work) -> int:
    """Do it until all caches hold what they will hold, then again, and count what is new."""
    with (folder / "log").open("w") as log, open_quotey(cwd=folder, log_to=log) as quotey:
        quotey.sync()
        deal = next(one for one in quotey.deal_list().records if one.values["currency"] == "EUR")
        quote = quotey.quote_create(deal.id, QuoteTerms(total="99.25")).quote.id
        for turn in range(2 * TURNS):
            work(quotey, quote, turn)
        before = _blocks()
        for turn in range(3 * TURNS, 4 * TURNS):
            work(quotey, quote, turn)
        return _blocks() - before


def _blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()


@pytest.mark.parametrize("work", [save, sync])
def test_no_turn_leaves_anything_in_memory(tmp_path: Path, work: Work) -> None:
    assert left_behind(tmp_path, work) < LEFT_BEHIND


def test_who_keeps_an_answer_of_each_turn_is_seen(tmp_path: Path) -> None:
    kept: list[object] = []
    assert left_behind(tmp_path, lambda *turn: kept.append(save(*turn))) > LEFT_BEHIND
