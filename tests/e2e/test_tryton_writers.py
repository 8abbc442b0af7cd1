"""Eight writers at once: what the server keeps of compare-and-set, what ours makes of the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from decimal import Decimal

import pytest

from quotey.adapters.tryton.adapter import TrytonAdapter, open_adapter
from quotey.contract.dto import MarkerState
from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.testing.world import CALL, a_summary, marker_of
from tests.e2e.hands import Hands, TrytonError, decimal
from tests.e2e.server import Tryton
from tests.e2e.world import MAPPING, TrytonWorld, settings_of

pytestmark = pytest.mark.e2e

WRITERS, TURNS = 8, 10
Told = Callable[[str, object], None]


def a_deal_on(hands: Hands) -> str:
    party = hands("party.party.create", [{"name": "Eight", "addresses": [["create", [{}]]]}])[0]
    euro = hands("currency.currency.search", [["code", "=", "EUR"]], 0, 1, None)[0]
    values = {"party": party, "description": "Raced", "amount": decimal(0), "currency": euro}
    return str(hands("sale.opportunity.create", [values])[0])


@pytest.fixture
def cleaned(tryton: Tryton) -> Iterator[Tryton]:
    with closing(TrytonWorld(tryton)):
        yield tryton


def together(act: Callable[[int], None]) -> None:
    """Let all writers act at once; what one of them raises is raised here."""
    failures: list[BaseException] = []
    ready = threading.Barrier(WRITERS)

    def run(number: int) -> None:
        try:
            ready.wait()
            act(number)
        except BaseException as failure:  # noqa: BLE001 - a thread would swallow it
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def counted(tryton: Tryton) -> int:
    """Add one, `WRITERS * TURNS` times, each under the server's own lock; give what is there."""
    mine = tryton.hands()
    deal = int(a_deal_on(mine))
    every = [tryton.hands() for _ in range(WRITERS)]

    def add(number: int) -> None:
        done = 0
        while done < TURNS:
            held = every[number]("sale.opportunity.read", [deal], ["amount", "_timestamp"])[0]
            amount = decimal(str(Decimal(held["amount"]["decimal"]) + 1))
            stamp = {f"sale.opportunity,{deal}": held["_timestamp"]}
            try:
                every[number](
                    "sale.opportunity.write", [deal], {"amount": amount}, _timestamp=stamp
                )
            except TrytonError as error:
                if error.kind != "ConcurrencyException" and "lock" not in str(error).lower():
                    raise
            else:
                done += 1

    together(add)
    held = mine("sale.opportunity.read", [deal], ["amount"])[0]
    return int(Decimal(held["amount"]["decimal"]))


def raced(tryton: Tryton) -> tuple[TrytonAdapter, str, list[int]]:
    """Let eight desks write their own version of one quote, all having seen the same slot."""
    deal = a_deal_on(tryton.hands())
    first = open_adapter(settings_of(tryton), MAPPING, "main")
    summary = a_summary(version=1)
    first.write_quote(deal, summary, None, marker=marker_of(summary), token=None, call=CALL)
    token = first.get_quote_marker(deal, summary.id, call=CALL).token
    won: list[int] = []
    with ExitStack() as open_until:
        desks = [open_adapter(settings_of(tryton), MAPPING, "main") for _ in range(WRITERS)]
        for desk in desks:
            open_until.callback(desk.close)

        def write(number: int) -> None:
            mine = a_summary(version=number + 2, total=f"{number + 2}.5")
            try:
                desks[number].write_quote(
                    deal, mine, None, marker=marker_of(mine), token=token, call=CALL
                )
            except RemoteFailure as failure:
                lost = (ErrorClass.CONFLICT, ErrorClass.TRANSIENT)
                if failure.outcome is not Outcome.NOT_APPLIED or failure.error_class not in lost:
                    raise
            else:
                won.append(number + 2)

        together(write)
    return first, deal, won


def whole(adapter: TrytonAdapter, deal: str) -> int:
    """Read the slot, which holds one writer's version and nothing of another's."""
    found = adapter.get_quote_marker(deal, "q_conformance", call=CALL)
    assert found.state is MarkerState.OURS
    assert found.marker is not None
    version = found.marker.version
    assert found.marker == marker_of(a_summary(version=version, total=f"{version}.5"))
    return version


def test_on_sqlite_the_servers_lock_leaks_so_the_least_tier_is_claimed(
    cleaned: Tryton, record_property: Told
) -> None:
    total = counted(cleaned)
    told = f"{total} of {WRITERS * TURNS} acknowledged increments are there"
    record_property("SQLite", told)
    assert 0 < total <= WRITERS * TURNS
    adapter = open_adapter(settings_of(cleaned), MAPPING, "main")
    assert adapter.capabilities.tier == 3, "nothing above search may be promised"
    adapter.close()


def test_on_sqlite_eight_writers_leave_one_whole_quote_that_a_look_tells(
    cleaned: Tryton, record_property: Told
) -> None:
    adapter, deal, won = raced(cleaned)
    with closing(adapter):
        record_property("SQLite", f"{len(won)} of {WRITERS} writers were told that they had won")
        assert won
        assert whole(adapter, deal) in won


def test_on_postgresql_no_increment_is_lost(tryton_on_postgres: Tryton) -> None:
    assert counted(tryton_on_postgres) == WRITERS * TURNS


def test_on_postgresql_one_of_eight_writers_wins(tryton_on_postgres: Tryton) -> None:
    adapter, deal, won = raced(tryton_on_postgres)
    with closing(adapter):
        assert len(won) == 1
        assert whole(adapter, deal) == won[0]
