"""Writes to a portal when somebody else writes too, or the answer is lost (crm-semantics 3H)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial

import msgspec
import pytest

from quotey.adapters.composio.hubspot import HubSpotAdapter
from quotey.adapters.composio.ops import Failed, Kind, Op, Outcome, Reply
from quotey.contract.dto import MarkerState, QuoteMarker
from quotey.contract.errors import ConfigError, ErrorClass, RemoteFailure
from quotey.contract.errors import Outcome as Effect
from quotey.contract.fields import Entity
from quotey.testing.conformance.quotes import reading, write
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.world import (
    CALL,
    World,
    a_deal,
    a_summary,
    an_account,
    deal_data,
    marker_of,
    refusal,
)
from tests.composio.hubspot_world import HubSpotWorld, shipped
from tests.composio.meddling import answering, meddle, once
from tests.composio.worlds import KEY

CREATE = "hubspot POST */objects/deals*"
LINK = "hubspot PUT */associations/companies/*"
UPDATE = "hubspot PATCH */objects/deals/*"


@pytest.fixture(params=["proxy", "tools"])
def world(request: pytest.FixtureRequest) -> Iterator[HubSpotWorld]:
    with closing(HubSpotWorld(transport=request.param)) as made:
        yield made


def deals(world: HubSpotWorld) -> list[str]:
    return [str(ref) for ref in world.core.portal.records["deals"]]


def create(world: World, account: str, key: str = "key_1") -> str:
    return world.adapter.create_deal(account, deal_data(), key=key, call=CALL).crm_ref


# --- create ---------------------------------------------------------------------------------------


def test_two_processes_that_create_under_one_key_at_once_make_one_deal(
    world: HubSpotWorld,
) -> None:
    account = an_account(world)
    other = world.reopen()
    first: list[str] = []

    def overtake() -> None:
        made = other.create_deal(account, deal_data(), key="key_1", call=CALL)
        first.append(made.crm_ref)

    adapter = meddle(world.adapter, once("Creating deals", overtake))
    written = adapter.create_deal(account, deal_data(), key="key_1", call=CALL)
    assert deals(world) == first == [written.crm_ref]
    assert not written.created


@pytest.mark.parametrize("where", [CREATE, LINK])
@pytest.mark.parametrize("effect", [True, False])
def test_a_create_that_broke_anywhere_is_finished_by_the_same_key(
    world: HubSpotWorld, where: str, effect: bool
) -> None:
    account = an_account(world)
    world.core.faults.add(Switch("timeout", operation=where, effect=effect))
    failure = refusal(partial(create, world, account))
    assert (failure.error_class, failure.outcome) == (ErrorClass.UNKNOWN, Effect.UNKNOWN)
    ref = create(world, account)
    deal = world.adapter.get_deal(ref, call=CALL)
    assert deals(world) == [ref]
    assert deal is not None
    assert deal.account_id == account


def test_a_create_that_is_repeated_late_does_not_write_over_what_came_after(
    world: HubSpotWorld,
) -> None:
    account = an_account(world)
    ref = create(world, account)
    world.edit(Entity.DEAL, ref, {"name": "Renamed by a person"})
    assert create(world, account) == ref
    assert world.record(Entity.DEAL, ref).properties["dealname"] == "Renamed by a person"


def test_a_create_that_lands_after_we_gave_up_is_found_by_its_key(world: HubSpotWorld) -> None:
    account = an_account(world)
    world.core.faults.add(Switch("late", operation=CREATE, delay=120.0))
    refusal(partial(create, world, account))
    assert deals(world) == []
    world.clock.advance(121.0)
    assert [create(world, account)] == deals(world)


def test_a_batch_of_one_that_holds_one_error_is_no_success() -> None:
    error = {
        "category": "VALIDATION_ERROR",
        "message": "Property values were not valid",
        "errors": [{"code": "INVALID_OPTION", "context": {"propertyName": ["dealstage"]}}],
    }
    doc = {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [error]}
    with closing(HubSpotWorld()) as world:
        account = an_account(world)
        adapter = meddle(world.adapter, answering("Creating deals", Reply(status=207, doc=doc)))
        failure = refusal(lambda: adapter.create_deal(account, deal_data(), key="key_1", call=CALL))
        assert (failure.error_class, failure.outcome) == (ErrorClass.MAPPING, Effect.NOT_APPLIED)
        assert [one.field for one in failure.diagnostics] == ["stage"]


def test_an_answer_without_a_record_is_read_back() -> None:
    """204 where a record was due: what stands there is asked for, and a repeat changes nothing."""
    with closing(HubSpotWorld()) as world:
        account, ref = an_account(world), a_deal(world)
        adapter = silenced(world)
        failure = refusal(lambda: adapter.create_deal(account, deal_data(), key="key_1", call=CALL))
        assert failure.outcome is Effect.UNKNOWN
        made = adapter.create_deal(account, deal_data(), key="key_1", call=CALL)
        assert deals(world) == [ref, made.crm_ref]
        before = world.effects(Entity.DEAL, ref)
        written = adapter.update_deal(ref, {"amount": Decimal("7.50")}, key="k", call=CALL)
        assert written.values == {"amount": "7.5"}
        _write(adapter, ref)
        assert reading(world, ref).marker == marker_of(a_summary())
        assert world.effects(Entity.DEAL, ref) == before + 2


def silenced(world: HubSpotWorld) -> HubSpotAdapter:
    """Give the adapter whose writes are carried out and answered by 204 and nothing else."""
    adapter = meddle(world.adapter, lambda _op: None)
    caller = adapter._portal._caller

    def act(op: Op) -> Outcome | None:
        if not op.writes:
            return None
        answered = caller.call(op, 5.0)
        assert isinstance(answered, Reply)
        return msgspec.structs.replace(answered, status=204, doc="")

    return meddle(adapter, act)


def test_the_owner_of_a_key_is_only_adopted_when_it_holds_the_key() -> None:
    with closing(HubSpotWorld()) as world:
        account, other = an_account(world), a_deal(world)
        text = f"Cannot set x, value=key_1}} on 1. {other} already has that value."
        clash = Failed(kind=Kind.CONFLICT, message="taken", doc={"message": text})
        adapter = meddle(world.adapter, answering("Creating deals", clash))
        failure = refusal(lambda: adapter.create_deal(account, deal_data(), key="key_1", call=CALL))
        assert (failure.error_class, failure.outcome) == (ErrorClass.CONFLICT, Effect.NOT_APPLIED)


# --- update ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", [True, False])
def test_an_update_whose_answer_was_lost_has_one_effect(world: HubSpotWorld, effect: bool) -> None:
    ref = a_deal(world)
    before = world.effects(Entity.DEAL, ref)
    world.core.faults.add(Switch("timeout", operation=UPDATE, effect=effect))
    update = partial(
        world.adapter.update_deal, ref, {"amount": Decimal("7.50")}, key="k", call=CALL
    )
    assert refusal(update).outcome is Effect.UNKNOWN
    assert update().values == {"amount": "7.5"}
    assert world.effects(Entity.DEAL, ref) == before + 1


def test_an_older_update_is_still_known_after_newer_ones(world: HubSpotWorld) -> None:
    ref = a_deal(world)
    for key, amount in (("k1", 1), ("k2", 2), ("k3", 3), ("k1", 1)):
        world.adapter.update_deal(ref, {"amount": Decimal(amount)}, key=key, call=CALL)
    assert world.record(Entity.DEAL, ref).properties["amount"] == "3"


def test_a_write_tells_by_which_ids_it_is_found_again(world: HubSpotWorld) -> None:
    ref = a_deal(world)
    written = world.adapter.update_deal(ref, {"amount": Decimal(1)}, key="k", call=CALL)
    entry = world.gateway.logbook.entries[1]
    assert written.trace == {"request_id": entry.request_id, "log_id": entry.log_id}
    assert entry.tool_slug in ("proxy", "HUBSPOT_PARTIALLY_UPDATE_CRM_OBJECT_BY_ID")


# --- quotes ---------------------------------------------------------------------------------------


def test_a_quote_that_was_written_over_another_ones_is_told() -> None:
    with closing(HubSpotWorld()) as world:
        deal = a_deal(world)
        theirs = marker_of(a_summary(version=9), instance_id="inst_theirs")
        adapter = meddle(
            world.adapter, once("Updating deals", partial(world.write_marker, deal, theirs))
        )
        failure = refusal(lambda: _write(adapter, deal))
        assert (failure.error_class, failure.outcome) == (ErrorClass.CONFLICT, Effect.APPLIED)
        assert "quotey_version 9" in failure.message
        assert msgspec.json.decode(failure.loser, type=QuoteMarker) == theirs


def test_of_several_quotes_written_over_the_newest_is_told_also_when_a_third_came_after() -> None:
    with closing(HubSpotWorld()) as world:
        deal = a_deal(world)
        newest, older, after = (marker_of(a_summary(version=one)) for one in (9, 4, 6))
        written = False

        def meddling(op: Op) -> Outcome | None:
            nonlocal written
            if op.name.startswith("Updating deals"):
                world.write_marker(deal, newest)
                world.write_marker(deal, older)
                written = True
            elif written:
                world.write_marker(deal, after)
                written = False
            return None

        failure = refusal(lambda: _write(meddle(world.adapter, meddling), deal))
        assert (failure.error_class, failure.outcome) == (ErrorClass.CONFLICT, Effect.APPLIED)
        assert msgspec.json.decode(failure.loser, type=QuoteMarker) == newest
        assert reading(world, deal).marker == after


def test_a_quote_over_which_another_wrote_shows_the_others_marker() -> None:
    with closing(HubSpotWorld()) as world:
        deal = a_deal(world)
        theirs = marker_of(a_summary(version=9), instance_id="inst_theirs")

        def overwrite(op: Op) -> Outcome | None:
            if op.name.startswith("Reading deals") and not deal_is_ours(world, deal):
                return None
            if op.name.startswith("Reading deals"):
                world.write_marker(deal, theirs)
            return None

        _write(meddle(world.adapter, overwrite), deal)
        found = reading(world, deal)
        assert found.marker == theirs


def deal_is_ours(world: HubSpotWorld, deal: str) -> bool:
    return world.record(Entity.DEAL, deal).properties.get("quotey_version") == "1"


def _write(adapter: HubSpotAdapter, deal: str) -> object:
    summary = a_summary()
    token = adapter.get_quote_marker(deal, summary.id, call=CALL).token
    return adapter.write_quote(
        deal, summary, None, marker=marker_of(summary), token=token, call=CALL
    )


def test_a_slot_that_changed_since_it_was_looked_at_is_left_alone(world: HubSpotWorld) -> None:
    deal = a_deal(world)
    token = reading(world, deal).token
    theirs = marker_of(a_summary(version=9), instance_id="inst_theirs")
    world.write_marker(deal, theirs)
    failure = refusal(lambda: write(world, deal, a_summary(), token))
    assert (failure.error_class, failure.outcome) == (ErrorClass.CONFLICT, Effect.NOT_APPLIED)
    assert reading(world, deal).marker == theirs


def test_a_quote_that_lands_late_is_seen_by_its_marker(world: HubSpotWorld) -> None:
    deal, summary = a_deal(world), a_summary()
    world.core.faults.add(Switch("late", operation=UPDATE, delay=90.0))
    assert refusal(lambda: write(world, deal, summary)).outcome is Effect.UNKNOWN
    assert reading(world, deal).state is MarkerState.NONE
    world.clock.advance(91.0)
    assert reading(world, deal).marker == marker_of(summary)
    before = world.effects(Entity.DEAL, deal)
    write(world, deal, summary)
    assert world.effects(Entity.DEAL, deal) == before


def test_a_quote_on_a_merged_deal_is_refused(world: HubSpotWorld) -> None:
    loser, winner = a_deal(world), a_deal(world)
    world.merge(Entity.DEAL, loser, winner)
    failure = refusal(lambda: write(world, loser, a_summary(), "t"))
    assert (failure.error_class, failure.outcome) == (ErrorClass.CONFLICT, Effect.NOT_APPLIED)
    assert winner in failure.message


def test_a_quote_is_one_request_and_its_total_is_exact(world: HubSpotWorld) -> None:
    deal = a_deal(world)
    world.core.log.clear()
    write(world, deal, a_summary(total="0.10"))
    assert [method for method, _path in world.sent()].count("PATCH") == 1
    assert Decimal(world.record(Entity.DEAL, deal).properties["quotey_total"]) == Decimal("0.1")


# --- set-up and secrets ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "word"),
    [
        ('[deal]\ncreate_key = "Id"', "create_key"),
        ('[deal]\noperation = ""', "operation"),
        ('[quote]\ntarget = "quote_record"', "deal_properties"),
    ],
)
def test_a_mapping_that_lacks_a_word_is_refused_before_anything_is_asked(
    own: str, word: str
) -> None:
    with closing(HubSpotWorld()) as world:
        world.mapping = shipped(f'provider = "hubspot"\n{own}\n')
        with pytest.raises(ConfigError, match=word):
            world.reopen()


def test_the_key_is_in_no_failure_and_no_representation(world: HubSpotWorld) -> None:
    deal = a_deal(world)
    assert KEY not in repr(world.settings)
    told: list[RemoteFailure] = []
    for switch in (
        Switch("token_expired"),
        Switch("server_error", status=502),
        Switch("html", status=200),
        Switch("truncated"),
        Switch("timeout"),
        Switch("rate_limited", retry_after="3"),
        Switch("no_connection"),
    ):
        world.gateway.faults.add(switch)
        told.append(refusal(partial(world.adapter.get_deal, deal, call=CALL)))
    assert len(told) == 7
    assert not any(KEY in repr(one.__dict__) + str(one) for one in told)
