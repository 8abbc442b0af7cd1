"""Each law can be broken: what it watches for is played to it here, and it must say so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quotey.contract.dto import QuoteMarker
from tests.sim.crm import Effect, Mark
from tests.sim.ledger import Broken, Ledger
from tests.sim.scheduler import Process, Scheduler

OURS = "ins_ours"


def mark(version: int, quote: str = "q_1") -> Mark:
    return Mark(OURS, quote, version, f"d{version}")


def process(ledger: Ledger, name: str) -> Process:
    return Process(name, ledger.scheduler, lambda _one: None, lambda _one: None)


def written(ledger: Ledger, version: int, *, was: Mark | None = None, after: float = 1.0) -> None:
    now = ledger.scheduler.now
    ledger.saw(Effect(now, "quote.write", "D-1", "worker", now - after, mark(version), was=was))


def a_second_effect(ledger: Ledger) -> None:
    written(ledger, 1)
    written(ledger, 1)


def an_older_one_over_a_newer(ledger: Ledger) -> None:
    written(ledger, 2)
    written(ledger, 1, was=mark(2))


def a_late_one_where_writes_are_conditional(ledger: Ledger) -> None:
    ledger.tier = 1
    written(ledger, 2)
    written(ledger, 1, was=mark(2), after=40.0)


def a_send_against_better_knowledge(ledger: Ledger) -> None:
    worker = process(ledger, "worker")
    told = QuoteMarker(instance_id=OURS, quote_id="q_1", version=3, payload_digest="d3")
    ledger.was_told(worker, "D-1", told)
    ledger.quote_sent(worker, "D-1", mark(2), looked_at=0.0)


def a_send_without_a_look(ledger: Ledger) -> None:
    ledger.quote_sent(process(ledger, "worker"), "D-1", mark(2), looked_at=None)


def a_send_long_after_the_look(ledger: Ledger) -> None:
    ledger.scheduler.now = 90.0
    ledger.quote_sent(process(ledger, "worker"), "D-1", mark(2), looked_at=1.0)


def first_sends_out_of_order(ledger: Ledger) -> None:
    worker = process(ledger, "worker")
    for version in (2, 1):
        ledger.quote_sent(worker, "D-1", mark(version), looked_at=0.0)


def two_in_flight(ledger: Ledger) -> None:
    with (
        ledger.in_flight(process(ledger, "one"), "deal D-1"),
        ledger.in_flight(process(ledger, "two"), "deal D-1"),
    ):
        pass


def a_request_within_a_known_penalty(ledger: Ledger) -> None:
    ledger.penalty_stored(60.0)
    ledger.scheduler.now = 10.0
    ledger.nobody_asks_within_a_penalty(process(ledger, "worker"), "write_quote")


def two_who_settle_one_item(ledger: Ledger) -> None:
    for operator in ("oda", "olaf"):
        ledger.items_are_settled_once(operator, "r_1", 3)


def two_deals_of_one_command(ledger: Ledger) -> None:
    for ref in ("D-1", "D-2"):
        ledger.saw(Effect(1.0, "deal.create", ref, "worker", 0.5, after={"stage": "w1w"}))


@pytest.mark.parametrize(
    ("law", "story"),
    [
        ("G2b", a_second_effect),
        ("G5", an_older_one_over_a_newer),
        ("G5", a_late_one_where_writes_are_conditional),
        ("G5", a_send_against_better_knowledge),
        ("G5", a_send_without_a_look),
        ("G9", a_send_long_after_the_look),
        ("G6", first_sends_out_of_order),
        ("G6", two_in_flight),
        ("G9", two_who_settle_one_item),
        ("G2b", two_deals_of_one_command),
        ("G10", a_request_within_a_known_penalty),
    ],
)
def test_the_law_breaks(law: str, story: Callable[[Ledger], None]) -> None:
    ledger = Ledger(Scheduler(), tier=2, instance=OURS)
    with pytest.raises(Broken) as broken:
        story(ledger)
    assert broken.value.law == law


def test_what_may_happen_breaks_no_law() -> None:
    """A late landing where no write is conditional is repaired; the dead have nothing in flight."""
    ledger = Ledger(Scheduler(), tier=2, instance=OURS)
    written(ledger, 2)
    written(ledger, 1, was=mark(2), after=40.0)
    written(ledger, 2, was=mark(1))
    dead, alive = process(ledger, "dead"), process(ledger, "alive")
    with ledger.in_flight(dead, "deal D-1"):
        dead.crashed = True
        with ledger.in_flight(alive, "deal D-1"):
            pass
    assert ledger.probes["repaired"] == 1
