"""Eight writers at once: what the server keeps of compare-and-set, what ours makes of the rest."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from decimal import Decimal

import pytest

from quotey.adapters.tryton.adapter import TrytonAdapter, open_adapter
from quotey.contract.dto import CrmQuoteWriteDto, MarkerReading, MarkerState, Value
from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.decide.outbound import Send, guard_writeback
from quotey.testing.world import CALL, a_summary, marker_of, refusal
from tests.e2e.hands import Hands, TrytonError, decimal
from tests.e2e.server import Tryton
from tests.e2e.world import MAPPING, TrytonWorld, settings_of
from tests.proof import keep

pytestmark = pytest.mark.e2e

WRITERS, TURNS = 8, 10
COMMAND = "KEEP_PROOF=1 make e2e"
CONTROL = "negative control: the CRM's own lock alone, which leaks on SQLite"
Told = Callable[[str, object], None]


def an_account_on(hands: Hands) -> str:
    party = {"name": "Eight", "addresses": [["create", [{}]]]}
    return str(hands("party.party.create", [party])[0])


def a_deal_on(hands: Hands) -> str:
    party = int(an_account_on(hands))
    euro = hands("currency.currency.search", [["code", "=", "EUR"]], 0, 1, None)[0]
    values = {"party": party, "description": "Raced", "amount": decimal(0), "currency": euro}
    return str(hands("sale.opportunity.create", [values])[0])


@pytest.fixture
def cleaned(tryton_on_sqlite: Tryton) -> Iterator[Tryton]:
    with closing(TrytonWorld(tryton_on_sqlite)):
        yield tryton_on_sqlite


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


class Race:
    """Eight desks write their own version of one quote, all having seen the same slot."""

    def __init__(self, tryton: Tryton) -> None:
        self.deal = a_deal_on(tryton.hands())
        self.adapter = open_adapter(settings_of(tryton), MAPPING, "main")
        self._put(self.adapter, 1, None)
        token = self.look().token
        self.won: list[int] = []
        with ExitStack() as open_until:
            desks = [open_adapter(settings_of(tryton), MAPPING, "main") for _ in range(WRITERS)]
            for desk in desks:
                open_until.callback(desk.close)

            def write(number: int) -> None:
                try:
                    self._put(desks[number], number + 2, token)
                except RemoteFailure as failure:
                    lost = (ErrorClass.CONFLICT, ErrorClass.TRANSIENT)
                    if failure.outcome is not Outcome.NOT_APPLIED:
                        raise
                    if failure.error_class not in lost:
                        raise
                else:
                    self.won.append(number + 2)

            together(write)

    def look(self) -> MarkerReading:
        return self.adapter.get_quote_marker(self.deal, "q_conformance", call=CALL)

    def stands(self) -> int:
        """Give the version in the slot, which holds one writer's and nothing of another's."""
        found = self.look()
        assert found.state is MarkerState.OURS
        assert found.marker is not None
        assert found.marker == marker_of(quote(found.marker.version))
        return found.marker.version

    def look_again(self) -> int:
        """Do as every desk does behind its write: look, and send again where the guard says so."""
        again = 0
        for version in sorted(self.won):
            reading = self.look()
            if isinstance(guard_writeback(marker_of(quote(version)), reading, None), Send):
                self._put(self.adapter, version, reading.token)
                again += 1
        return again

    def _put(self, desk: TrytonAdapter, version: int, token: str | None) -> None:
        mine = quote(version)
        desk.write_quote(self.deal, mine, None, marker=marker_of(mine), token=token, call=CALL)


def quote(version: int) -> CrmQuoteWriteDto:
    return a_summary(version=version, total=f"{version}.5")


def keep_race(race: Race, database: str) -> int:
    """Let the desks look again, and keep what it came to; gives the version that stands then."""
    first, again, last = race.stands(), race.look_again(), race.stands()
    keep(
        f"real-crm-quote-race-{database.casefold()}",
        COMMAND,
        crm=f"Tryton on {database}",
        writers=WRITERS,
        told_that_they_had_won=len(race.won),
        found_by_a_look_to_be_gone=sum(version != first for version in race.won),
        sent_again=again,
        lost=int(last != max(race.won)),
    )
    return last


def keep_count(total: int, database: str, mode: str) -> None:
    acknowledged = WRITERS * TURNS
    keep(
        f"real-crm-increments-{database.casefold()}",
        COMMAND,
        crm=f"Tryton on {database}",
        writers=WRITERS,
        acknowledged=acknowledged,
        kept=total,
        mode=mode,
        lost=acknowledged - total,
    )


def test_on_sqlite_the_servers_lock_leaks_so_the_least_tier_is_claimed(
    cleaned: Tryton, record_property: Told
) -> None:
    total = counted(cleaned)
    told = f"{total} of {WRITERS * TURNS} acknowledged increments are there"
    record_property("SQLite", told)
    keep_count(total, "SQLite", CONTROL)
    assert 0 < total <= WRITERS * TURNS
    adapter = open_adapter(settings_of(cleaned), MAPPING, "main")
    assert adapter.capabilities.tier == 3, "nothing above search may be promised"
    adapter.close()


def test_on_sqlite_eight_writers_leave_one_whole_quote_and_a_look_brings_the_newest(
    cleaned: Tryton, record_property: Told
) -> None:
    race = Race(cleaned)
    with closing(race.adapter):
        told = f"{len(race.won)} of {WRITERS} writers were told that they had won"
        record_property("SQLite", told)
        assert race.stands() in race.won
        assert keep_race(race, "SQLite") == max(race.won)


def test_on_sqlite_two_deals_of_one_key_are_told_to_a_person(
    cleaned: Tryton, record_property: Told
) -> None:
    account = an_account_on(cleaned.hands())
    desks = [open_adapter(settings_of(cleaned), MAPPING, "main") for _ in range(WRITERS)]
    values: dict[str, Value] = {
        "name": "Raced",
        "amount": Decimal(1),
        "currency": "EUR",
        "stage": "lead",
    }

    def make(number: int) -> None:
        with closing(desks[number]), contextlib.suppress(RemoteFailure):
            desks[number].create_deal(account, values, key="one key", call=CALL)

    together(make)
    where = [["description", "=", "Raced"]]
    made = cleaned.hands()("sale.opportunity.search_count", where, 0, None)
    record_property("SQLite", f"{WRITERS} creates of one key in one moment made {made} deals")
    adapter = open_adapter(settings_of(cleaned), MAPPING, "main")
    with closing(adapter):
        if made == 1:
            again = adapter.create_deal(account, values, key="one key", call=CALL)
            assert not again.created
            return
        failure = refusal(lambda: adapter.create_deal(account, values, key="one key", call=CALL))
        assert failure.error_class is ErrorClass.CONFLICT
        assert failure.outcome is Outcome.NOT_APPLIED


def test_on_postgresql_no_increment_is_lost(
    tryton_on_postgres: Tryton, record_property: Told
) -> None:
    total = counted(tryton_on_postgres)
    told = f"{total} of {WRITERS * TURNS} acknowledged increments are there"
    record_property("PostgreSQL", told)
    keep_count(total, "PostgreSQL", "the CRM's own lock")
    assert total == WRITERS * TURNS


def test_on_postgresql_one_of_eight_writers_wins(tryton_on_postgres: Tryton) -> None:
    race = Race(tryton_on_postgres)
    with closing(race.adapter):
        assert len(race.won) == 1
        assert keep_race(race, "PostgreSQL") == race.won[0]
