"""A quote lands once, and never over a newer one, whoever writes at the same moment (3S)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import msgspec
import pytest

from quotey.adapters.composio.ops import Op, Reply
from quotey.adapters.composio.ops import Outcome as Answer
from quotey.contract.adapter import CrmAdapter, Tier
from quotey.contract.dto import CrmQuoteWriteDto, MarkerState, RemoteWrite
from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.contract.fields import Entity
from quotey.testing.conformance.quotes import reading
from quotey.testing.simulators.composio.settings import ComposioSettings as GatewaySettings
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.world import CALL, a_deal, a_summary, an_account, marker_of, refusal
from tests.composio.meddling import once
from tests.composio.salesforce_world import SalesforceWorld, between

PATCH = "salesforce PATCH */sobjects/Opportunity/*"
ROUNDS = 12


@pytest.fixture
def world() -> Iterator[SalesforceWorld]:
    with closing(SalesforceWorld()) as made:
        yield made


def write(
    adapter: CrmAdapter, deal: str, summary: CrmQuoteWriteDto, token: str | None = None
) -> RemoteWrite:
    return adapter.write_quote(
        deal, summary, None, marker=marker_of(summary), token=token, call=CALL
    )


def patches(world: SalesforceWorld) -> list[dict[str, object]]:
    return [msgspec.json.decode(one.body) for one in world.core.log if one.method == "PATCH"]


def refused(act: partial[RemoteWrite]) -> None:
    failure = refusal(act)
    assert (failure.error_class, failure.outcome) == (ErrorClass.CONFLICT, Outcome.NOT_APPLIED)


def test_summary_and_marker_go_in_one_conditional_request(world: SalesforceWorld) -> None:
    deal = a_deal(world)
    write(world.adapter, deal, a_summary())
    (body,) = patches(world)
    marker = marker_of(a_summary())
    assert body == {
        "Quotey_Quote_Id__c": "q_conformance",
        "Quotey_Version__c": 1,
        "Quotey_Status__c": "sent",
        "Quotey_Total__c": 1500.25,
        "Quotey_Currency__c": "EUR",
        "Quotey_Valid_Until__c": None,
        "Quotey_Attachment_Ref__c": None,
        "Quotey_Instance_Id__c": marker.instance_id,
        "Quotey_Payload_Digest__c": marker.payload_digest,
    }
    headers = next(one.headers for one in world.core.log if one.method == "PATCH")
    assert headers["if-unmodified-since"] == "Tue, 10 Mar 2026 13:00:00 GMT"


def test_another_field_of_the_deal_may_change_between_look_and_write(
    world: SalesforceWorld,
) -> None:
    deal = a_deal(world)
    token = reading(world, deal).token
    world.edit(Entity.DEAL, deal, {"amount": "7"})
    assert write(world.adapter, deal, a_summary(), token).values["version"] == "1"


def test_any_change_between_our_own_look_and_write_is_refused(world: SalesforceWorld) -> None:
    deal = a_deal(world)
    adapter = between(
        world.adapter,
        once("Updating", lambda: world.edit(Entity.DEAL, deal, {"amount": "7"})),
    )
    refused(partial(write, adapter, deal, a_summary()))
    assert reading(world, deal).state is MarkerState.NONE


@pytest.mark.parametrize("conditional", [True, False])
def test_an_older_version_is_refused_inside_the_save(conditional: bool) -> None:
    # In the same second If-Unmodified-Since sees nothing: the rule does.
    with closing(SalesforceWorld(conditional=conditional)) as world:
        deal = a_deal(world)
        other = world.reopen()
        overtake = once("Updating", lambda: write(other, deal, a_summary(version=5)))
        adapter = between(world.adapter, overtake)
        write(other, deal, a_summary(version=2))
        refused(partial(write, adapter, deal, a_summary(version=4)))
        found = reading(world, deal).marker
        assert found is not None
        assert found.version == 5


@pytest.mark.parametrize("conditional", [True, False])
def test_other_content_under_the_same_version_is_refused_inside_the_save(
    conditional: bool,
) -> None:
    with closing(SalesforceWorld(conditional=conditional)) as world:
        deal = a_deal(world)
        other = world.reopen()
        write(other, deal, a_summary(version=1))
        overtake = once("Updating", lambda: write(other, deal, a_summary(version=2, total="1")))
        adapter = between(world.adapter, overtake)
        refused(partial(write, adapter, deal, a_summary(version=2, total="2")))
        assert reading(world, deal).marker == marker_of(a_summary(version=2, total="1"))


def test_another_quote_may_follow_with_a_lower_version(world: SalesforceWorld) -> None:
    deal = a_deal(world)
    write(world.adapter, deal, a_summary(version=5))
    later = write(world.adapter, deal, a_summary(version=1, quote_id="q_other"))
    assert (later.values["id"], later.values["version"]) == ("q_other", "1")


def test_two_writers_at_once_leave_the_newest_version_that_was_accepted(
    world: SalesforceWorld,
) -> None:
    for number in range(ROUNDS):
        deal, quote = a_deal(world), f"q_{number}"
        write(world.adapter, deal, a_summary(1, quote))
        done = race(world, deal, (a_summary(2, quote), a_summary(3, quote)))
        found = reading(world, deal).marker
        assert found is not None
        assert found.version == max(done)


def test_two_writers_of_one_version_have_one_winner(world: SalesforceWorld) -> None:
    for number in range(ROUNDS):
        deal, quote = a_deal(world), f"q_{number}"
        write(world.adapter, deal, a_summary(1, quote))
        mine, theirs = a_summary(2, quote, total="1"), a_summary(2, quote, total="2")
        assert race(world, deal, (mine, theirs)) == [2]
        assert reading(world, deal).marker in (marker_of(mine), marker_of(theirs))


def race(
    world: SalesforceWorld, deal: str, summaries: tuple[CrmQuoteWriteDto, CrmQuoteWriteDto]
) -> list[int]:
    """Write both at once, each from the same look; give the versions that were accepted."""
    token = reading(world, deal).token

    def attempt(adapter: CrmAdapter, summary: CrmQuoteWriteDto) -> RemoteWrite | RemoteFailure:
        try:
            return write(adapter, deal, summary, token)
        except RemoteFailure as failure:
            return failure

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(attempt, (world.adapter, world.reopen()), summaries))
    failures = [end for end in ends if isinstance(end, RemoteFailure)]
    assert all(one.error_class is ErrorClass.CONFLICT for one in failures)
    assert all(one.outcome is Outcome.NOT_APPLIED for one in failures)
    pairs = zip(summaries, ends, strict=True)
    return [summary.version for summary, end in pairs if isinstance(end, RemoteWrite)]


def test_a_slot_whose_fields_are_hidden_is_never_taken_for_an_empty_one(
    world: SalesforceWorld,
) -> None:
    deal = a_deal(world)
    write(world.adapter, deal, a_summary(version=5))
    version = world.core.org.objects["Opportunity"]["Quotey_Version__c"]
    world.core.define("Opportunity", msgspec.structs.replace(version, hidden=True))
    for act in (partial(reading, world, deal), partial(write, world.adapter, deal, a_summary())):
        failure = refusal(act)
        assert (failure.error_class, failure.outcome) == (ErrorClass.MAPPING, Outcome.NOT_APPLIED)
        assert [problem.field for problem in failure.diagnostics] == ["version"]


def test_a_quote_that_stands_on_another_deal_is_a_conflict(world: SalesforceWorld) -> None:
    first, second = a_deal(world), a_deal(world)
    write(world.adapter, first, a_summary())
    refused(partial(write, world.adapter, second, a_summary()))


def test_a_version_that_comes_with_a_fraction_is_the_same_number(world: SalesforceWorld) -> None:
    deal = a_deal(world)
    write(world.adapter, deal, a_summary(version=12_345_678))
    # The org writes it as 1.2345678E7.
    found = reading(world, deal)
    assert found.marker is not None
    assert found.marker.version == 12_345_678


@pytest.mark.parametrize("effect", [True, False])
def test_a_quote_whose_answer_was_lost_is_seen_by_its_marker(
    world: SalesforceWorld, effect: bool
) -> None:
    deal = a_deal(world)
    before = world.effects(Entity.DEAL, deal)
    world.core.faults.add(Switch("timeout", PATCH, effect=effect))
    failure = refusal(partial(write, world.adapter, deal, a_summary()))
    assert (failure.error_class, failure.outcome) == (ErrorClass.UNKNOWN, Outcome.UNKNOWN)
    found = reading(world, deal)
    assert (found.state is MarkerState.OURS) is effect
    write(world.adapter, deal, a_summary())
    assert world.effects(Entity.DEAL, deal) == before + 1


@pytest.mark.parametrize(
    ("settings", "tier"),
    [
        ({}, Tier.CONDITIONAL_WRITE),
        ({"guard_rules": False}, Tier.UNIQUE_KEY),
        ({"conditional": False}, Tier.UNIQUE_KEY),
        ({"transport": "tools"}, Tier.UNIQUE_KEY),
    ],
)
def test_a_conditional_write_is_promised_only_with_condition_and_rules(
    settings: dict[str, object], tier: Tier
) -> None:
    with closing(SalesforceWorld(**settings)) as world:  # type: ignore[arg-type]
        assert world.adapter.capabilities.tier is tier


def test_a_gateway_that_drops_the_condition_is_still_held_by_the_rules() -> None:
    gateway = GatewaySettings(requests_per_minute=10**9, request_headers=False)
    with closing(SalesforceWorld(gateway=gateway)) as world:
        deal = a_deal(world)
        other = world.reopen()
        write(other, deal, a_summary(version=2))
        overtake = once("Updating", lambda: write(other, deal, a_summary(version=5)))
        refused(partial(write, between(world.adapter, overtake), deal, a_summary(version=4)))


def test_a_quote_on_the_deal_of_a_deleted_account_is_refused(world: SalesforceWorld) -> None:
    account = an_account(world)
    deal = a_deal(world, account)
    world.delete(Entity.ACCOUNT, account)
    failure = refusal(partial(write, world.adapter, deal, a_summary()))
    assert (failure.error_class, failure.outcome) == (ErrorClass.PERMANENT, Outcome.NOT_APPLIED)


def test_a_deal_that_names_no_moment_is_not_written_unguarded(world: SalesforceWorld) -> None:
    deal = a_deal(world)

    def act(op: Op) -> Answer | None:
        if op.name != "Reading Opportunity":
            return None
        doc = {"Id": deal, "SystemModstamp": "2026-03-10T12:00:00Z", "IsDeleted": False}
        return Reply(status=200, doc={"records": [doc], "done": True})

    failure = refusal(partial(write, between(world.adapter, act), deal, a_summary()))
    assert failure.error_class is ErrorClass.PERMANENT
    assert patches(world) == []
