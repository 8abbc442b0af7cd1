"""Served simulators for the vendors' own clients, on a clock that the tests move."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.composio import ComposioCore, Upstream
from quotey.testing.simulators.hubspot import HubSpotCore, Property
from quotey.testing.simulators.salesforce import Field, SalesforceCore, SalesforceSettings
from quotey.testing.simulators.server import serve


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def portal(clock: VirtualClock) -> HubSpotCore:
    core = HubSpotCore(clock, seed=11)
    core.private_token()
    core.define("deals", Property("quotey_key", "string", unique=True, hubspot_defined=False))
    return core


@pytest.fixture
def org(clock: VirtualClock) -> SalesforceCore:
    core = SalesforceCore(clock, seed=11, settings=SalesforceSettings(currencies=("USD", "EUR")))
    key = Field("Quotey_Key__c", external_id=True, unique=True, case_sensitive=True)
    core.define("Opportunity", key)
    return core


@pytest.fixture
def gateway(clock: VirtualClock, portal: HubSpotCore, org: SalesforceCore) -> ComposioCore:
    core = ComposioCore(
        clock,
        {
            "hubspot": Upstream(portal, "https://api.hubapi.com", portal.issue_token),
            "salesforce": Upstream(org, "https://acme.my.salesforce.com", org.issue_token),
        },
    )
    core.add_key()
    return core


@pytest.fixture
def base(portal: HubSpotCore, org: SalesforceCore, gateway: ComposioCore) -> Iterator[str]:
    with serve((portal, org, gateway)) as url:
        yield url
