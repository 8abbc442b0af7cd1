"""Every fault on every request of every write: nothing lost, nothing doubled.

A fault strikes the first, second, ... request of an operation, at the gateway or in the org; then
the operation is repeated as the engine would repeat it, and the org is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial

import pytest
from msgspec.structs import replace

from quotey.contract.dto import RemoteWrite
from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.errors import Outcome as Effect
from quotey.contract.fields import Entity
from quotey.testing.simulators.core import Core
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.world import CALL, a_deal, a_summary, an_account, deal_data, marker_of, refusal
from tests.composio.salesforce_world import OBJECT, SalesforceWorld

BOTH = {
    "silent": Switch("timeout"),
    "silent, carried out": Switch("timeout", effect=True),
    "carried out later": Switch("late", delay=5.0),
    "cut off": Switch("truncated"),
    "a page with 200": Switch("html", status=200, effect=True),
    "a page with 502": Switch("html", status=502),
    "500": Switch("server_error", status=500),
    "503, carried out": Switch("server_error", status=503, effect=True),
    "delivered twice": Switch("duplicate"),
}
AT_GATEWAY = {
    **BOTH,
    "429": Switch("rate_limited", retry_after="4"),
    "429 of the edge": Switch("rate_limited"),
    "key refused": Switch("token_expired"),
    "no account yet": Switch("no_connection"),
    "account expired": Switch("account_expired"),
    "not successful, and no word": Switch("unsuccessful"),
    "successful, with a page": Switch("html_data"),
}
IN_ORG = {
    **BOTH,
    "the day's quota": Switch("rate_limited", policy="TotalRequests"),
    "too many at once": Switch("rate_limited", policy="ConcurrentPerOrgLongTxn"),
    "session over": Switch("token_expired"),
    "row locked": Switch("status", code="UNABLE_TO_LOCK_ROW"),
    "maintenance": Switch("server_error", status=503),
    "an edge that asks for patience": Switch("status", status=420, code="EDGE"),
}
TRIALS = [
    *(pytest.param("gateway", name, id=f"gateway: {name}") for name in AT_GATEWAY),
    *(pytest.param("org", name, id=f"org: {name}") for name in IN_ORG),
]
OPERATIONS = ("create_deal", "update_deal", "update_account", "write_quote")
MOST_REQUESTS = 6

Write = Callable[[], RemoteWrite]


@pytest.fixture(scope="module", params=["proxy", "tools"])
def world(request: pytest.FixtureRequest) -> Iterator[SalesforceWorld]:
    """One org for all; each trial has records and keys of its own."""
    with closing(SalesforceWorld(transport=request.param)) as made:
        yield made


def writing(world: SalesforceWorld, operation: str, trial: str) -> Write:
    """Give one writing operation on records of its own, as one that may be repeated."""
    account, deal = an_account(world), a_deal(world)
    adapter, summary = world.adapter, a_summary(quote_id=f"q {trial}")
    money, segment = {"amount": Decimal("7.10")}, {"segment": "enterprise"}
    if operation == "create_deal":
        return partial(adapter.create_deal, account, deal_data(), key=trial, call=CALL)
    if operation == "update_deal":
        return partial(adapter.update_deal, deal, money, key=trial, call=CALL)
    if operation == "update_account":
        return partial(adapter.update_account, account, segment, key=trial, call=CALL)
    token = adapter.get_quote_marker(deal, summary.id, call=CALL).token
    marker = marker_of(summary)
    return partial(adapter.write_quote, deal, summary, None, marker=marker, token=token, call=CALL)


def changes(world: SalesforceWorld) -> list[tuple[str, str]]:
    """Give every record that was really changed, once for each change."""
    effects = world.core.effects
    return [(o.record_type, o.record_id) for o in effects if o.kind == "create" or o.fields]


def strike(world: SalesforceWorld, where: str, name: str, operation: str, place: int) -> bool:
    """Let one request fail, repeat, and judge; False when there is no such request."""
    act = writing(world, operation, f"{where} {name} {operation} {place}")
    world.core.effects.clear()
    core: Core = world.gateway if where == "gateway" else world.core
    faults = AT_GATEWAY if where == "gateway" else IN_ORG
    core.faults.add(replace(faults[name], after=place))
    failure = _try(act)
    if core.faults.waiting:
        core.faults.clear()
        return False
    if failure is None:
        assert name == "delivered twice"
    elif failure.outcome is Effect.NOT_APPLIED:
        assert changes(world) == [], (name, failure)
    world.reauthorise()
    world.clock.advance(6.0)
    written = act()
    sobject = "Account" if operation == "update_account" else "Opportunity"
    assert changes(world) == [(sobject, written.crm_ref)], (name, operation, place)
    return True


def _try(act: Write) -> RemoteFailure | None:
    try:
        act()
    except RemoteFailure as failure:
        return failure
    return None


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("where", "name"), TRIALS)
def test_a_write_that_is_repeated_after_a_fault_has_one_effect(
    world: SalesforceWorld, where: str, name: str, operation: str
) -> None:
    struck = [strike(world, where, name, operation, place) for place in range(MOST_REQUESTS)]
    assert 2 < sum(struck) < MOST_REQUESTS


AUTH = {"key refused", "no account yet", "account expired", "session over"}
LIMITS = {"429", "429 of the edge", "the day's quota", "too many at once"}


@pytest.mark.parametrize(
    ("where", "name"), [one for one in TRIALS if "delivered twice" not in str(one.id)]
)
def test_a_read_that_fails_says_that_nothing_was_changed_and_may_be_repeated(
    where: str, name: str
) -> None:
    with closing(SalesforceWorld()) as world:
        deal = a_deal(world)
        adapter = world.adapter
        reads: list[Callable[[], object]] = [
            partial(adapter.get_deal, deal, call=CALL),
            partial(adapter.get_quote_marker, deal, "q", call=CALL),
            partial(adapter.read_records, Entity.DEAL, (deal,), call=CALL),
            partial(adapter.sync_incremental, Entity.DEAL, "", limit=5, call=CALL),
            partial(adapter.lookup_account, "x", call=CALL),
            partial(adapter.search_contacts, "x", call=CALL),
        ]
        for read in reads:
            core: Core = world.gateway if where == "gateway" else world.core
            core.faults.add((AT_GATEWAY if where == "gateway" else IN_ORG)[name])
            failure = refusal(read)
            assert failure.outcome is Effect.NOT_APPLIED
            assert (failure.error_class is ErrorClass.AUTH) == (name in AUTH)
            assert (failure.error_class is ErrorClass.RATE_LIMIT) == (name in LIMITS)
            if name not in AUTH | LIMITS:
                assert failure.error_class is ErrorClass.TRANSIENT
            world.reauthorise()
            read()


@pytest.mark.parametrize("operation", ["update_deal", "write_quote"])
def test_a_write_that_arrives_after_its_own_repeat_is_refused_by_the_org(operation: str) -> None:
    with closing(SalesforceWorld()) as world:
        act = writing(world, operation, "late")
        world.core.effects.clear()
        where = "salesforce PATCH */sobjects/Opportunity/*"
        world.core.faults.add(Switch("late", where, delay=60.0))
        failure = refusal(act)
        assert failure.outcome is Effect.UNKNOWN
        world.clock.advance(2.0)
        written = act()
        world.edit(Entity.DEAL, written.crm_ref, {"amount": "1"})
        world.clock.advance(120.0)
        world.core.wake()
        assert changes(world) == [(OBJECT[Entity.DEAL], written.crm_ref)] * 2
        row = world.core.org.find("Opportunity", written.crm_ref)
        assert row is not None
        assert row.values["Amount"] == Decimal(1)
