"""Every fault of the gateway on every request of every write: nothing lost, nothing doubled.

A fault strikes the first, second, ... request of an operation; then the operation is repeated as
the engine would repeat it, and the portal is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal

import pytest
from msgspec.structs import replace

from quotey.contract.dto import RemoteWrite
from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.errors import Outcome as Effect
from quotey.contract.fields import Entity
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.world import CALL, a_deal, a_summary, an_account, deal_data, marker_of, refusal
from tests.composio.hubspot_world import HubSpotWorld

FAULTS = {
    "silent": Switch("timeout"),
    "silent, carried out": Switch("timeout", effect=True),
    "carried out later": Switch("late", delay=5.0),
    "cut off": Switch("truncated"),
    "a page with 200": Switch("html", status=200, effect=True),
    "a page with 502": Switch("html", status=502),
    "500": Switch("server_error", status=500),
    "503, carried out": Switch("server_error", status=503, effect=True),
    "429": Switch("rate_limited", retry_after="4"),
    "429 of the edge": Switch("rate_limited"),
    "key refused": Switch("token_expired"),
    "no account yet": Switch("no_connection"),
    "account expired": Switch("account_expired"),
    "not successful, and no word": Switch("unsuccessful"),
    "successful, with a page": Switch("html_data"),
    "delivered twice": Switch("duplicate"),
}
MOST_REQUESTS = 8

OPERATIONS = ("create_deal", "update_deal", "update_account", "write_quote")

Write = Callable[[], RemoteWrite]


@pytest.fixture(scope="module", params=["proxy", "tools"])
def world(request: pytest.FixtureRequest) -> Iterator[HubSpotWorld]:
    """One portal for all; each trial has records and keys of its own."""
    with closing(HubSpotWorld(transport=request.param)) as made:
        yield made


def writing(world: HubSpotWorld, operation: str, trial: str) -> Write:
    """Give one writing operation on records of its own, as one that may be repeated."""
    account, deal = an_account(world), a_deal(world)
    adapter, summary = world.adapter, a_summary(quote_id=f"q_{trial}")
    money, segment = {"amount": Decimal("7.10")}, {"segment": "enterprise"}
    if operation == "create_deal":
        return lambda: adapter.create_deal(account, deal_data(), key=trial, call=CALL)
    if operation == "update_deal":
        return lambda: adapter.update_deal(deal, money, key=trial, call=CALL)
    if operation == "update_account":
        return lambda: adapter.update_account(account, segment, key=trial, call=CALL)
    token = adapter.get_quote_marker(deal, summary.id, call=CALL).token
    return lambda: adapter.write_quote(
        deal, summary, None, marker=marker_of(summary), token=token, call=CALL
    )


def strike(world: HubSpotWorld, name: str, operation: str, place: int) -> bool:
    """Let one request fail, repeat, and judge; False when there is no such request."""
    act = writing(world, operation, f"{name} {operation} {place}")
    world.core.effects.clear()
    world.gateway.faults.add(replace(FAULTS[name], after=place))
    failure = _try(act)
    if world.gateway.faults.waiting:
        world.gateway.faults.clear()
        return False
    _judge(name, failure, world)
    world.reauthorise()
    world.clock.advance(6.0)
    written = act()
    kind = "companies" if operation == "update_account" else "deals"
    effects = [(one.record_type, one.record_id) for one in world.core.effects]
    assert effects == [(kind, written.crm_ref)], (name, operation, place)
    return True


def _try(act: Write) -> RemoteFailure | None:
    try:
        act()
    except RemoteFailure as failure:
        return failure
    return None


def _judge(name: str, failure: RemoteFailure | None, world: HubSpotWorld) -> None:
    """A failure that says "not applied" must be right, whatever came before it."""
    if failure is None:
        assert name == "delivered twice"
        return
    if failure.outcome is Effect.NOT_APPLIED:
        assert world.core.effects == [], (name, failure)
    if failure.error_class is ErrorClass.UNKNOWN:
        assert failure.outcome is Effect.UNKNOWN


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_write_that_is_repeated_after_a_fault_has_one_effect(
    world: HubSpotWorld, name: str, operation: str
) -> None:
    struck = [strike(world, name, operation, place) for place in range(MOST_REQUESTS)]
    assert 2 < sum(struck) < MOST_REQUESTS


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - {"delivered twice"}))
def test_a_read_that_fails_says_that_nothing_was_changed_and_may_be_repeated(name: str) -> None:
    with closing(HubSpotWorld()) as world:
        deal = a_deal(world)
        reads: list[Callable[[], object]] = [
            lambda: world.adapter.get_deal(deal, call=CALL),
            lambda: world.adapter.get_quote_marker(deal, "q", call=CALL),
            lambda: world.adapter.read_records(Entity.DEAL, (deal,), call=CALL),
            lambda: world.adapter.sync_incremental(Entity.DEAL, "", limit=5, call=CALL),
            lambda: world.adapter.lookup_account("x", call=CALL),
            lambda: world.adapter.search_contacts("x", call=CALL),
        ]
        for read in reads:
            world.gateway.faults.add(FAULTS[name])
            failure = refusal(read)
            assert failure.outcome is Effect.NOT_APPLIED
            expected = {"key refused", "no account yet", "account expired"}
            assert (failure.error_class is ErrorClass.AUTH) == (name in expected)
            assert (failure.error_class is ErrorClass.RATE_LIMIT) == name.startswith("429")
            world.reauthorise()
            read()
