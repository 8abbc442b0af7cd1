"""The set-up check of a portal: what is missing, read-only or not unique is named (1H)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from quotey.adapters.composio.hubspot import HubSpotAdapter
from quotey.contract.errors import Diagnostic
from quotey.testing.simulators.hubspot import Property
from quotey.testing.world import CALL
from tests.composio.hubspot_world import HubSpotWorld

ZONE = "America/New_York"
"""That of the simulated portal."""


@pytest.fixture(params=["proxy", "tools"])
def world(request: pytest.FixtureRequest) -> Iterator[HubSpotWorld]:
    with closing(HubSpotWorld(transport=request.param, time_zone=ZONE)) as made:
        yield made


def found(world: HubSpotWorld) -> list[Diagnostic]:
    adapter = getattr(world.adapter, "_inner", None)
    assert isinstance(adapter, HubSpotAdapter)
    return list(adapter.survey(call=CALL).findings)


def test_a_portal_that_is_set_up_has_nothing_to_mend(world: HubSpotWorld) -> None:
    assert found(world) == []


def test_a_property_that_is_not_there_is_named_with_its_field(world: HubSpotWorld) -> None:
    del world.core.portal.properties["deals"]["quotey_total"]
    del world.core.portal.properties["companies"]["quotey_segment"]
    told = [(one.code, one.entity, one.field) for one in found(world)]
    assert told == [
        ("property_missing", "account", "segment"),
        ("property_missing", "deal", "quote.total"),
    ]


def test_an_archived_property_is_as_good_as_none(world: HubSpotWorld) -> None:
    world.core.define("deals", Property("quotey_status", "string", archived=True))
    assert [one.code for one in found(world)] == ["property_missing"]


def test_a_key_that_is_not_unique_is_told_before_it_makes_two_deals(world: HubSpotWorld) -> None:
    for name in ("quotey_deal_key", "quotey_quote_id"):
        world.core.define("deals", Property(name, "string"))
    told = [(one.code, one.message) for one in found(world)]
    assert [code for code, _message in told] == ["property_not_unique", "property_not_unique"]
    assert "quotey_deal_key" in told[0][1]


def test_a_calculated_property_cannot_be_written(world: HubSpotWorld) -> None:
    world.core.define("deals", Property("amount", "number", calculated=True))
    told = found(world)
    assert [(one.code, one.field) for one in told] == [("property_read_only", "amount")]
    assert told[0].fix
