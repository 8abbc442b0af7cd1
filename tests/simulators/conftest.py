"""Served simulators on a virtual clock."""

from collections.abc import Iterator

import pytest

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.composio import ComposioCore, Upstream
from quotey.testing.simulators.hubspot import HubSpotCore, HubSpotSettings
from quotey.testing.simulators.salesforce import SalesforceCore
from quotey.testing.simulators.server import serve
from tests.simulators.wire_client import Client


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def hubspot(clock: VirtualClock) -> HubSpotCore:
    core = HubSpotCore(clock, seed=7, settings=HubSpotSettings(index_lag=(2.0, 5.0)))
    core.private_token()
    return core


@pytest.fixture
def salesforce(clock: VirtualClock) -> SalesforceCore:
    return SalesforceCore(clock, seed=7)


@pytest.fixture
def composio(clock: VirtualClock, hubspot: HubSpotCore, salesforce: SalesforceCore) -> ComposioCore:
    core = ComposioCore(
        clock,
        {
            "hubspot": Upstream(hubspot, "https://api.hubapi.com", hubspot.issue_token),
            "salesforce": Upstream(
                salesforce, "https://acme.my.salesforce.com", salesforce.issue_token
            ),
        },
    )
    core.add_key()
    return core


@pytest.fixture
def base(hubspot: HubSpotCore, salesforce: SalesforceCore, composio: ComposioCore) -> Iterator[str]:
    with serve((hubspot, salesforce, composio)) as url:
        yield url


@pytest.fixture
def hs(base: str) -> Client:
    return Client(base, {"authorization": "Bearer sim-hs-private"})


@pytest.fixture
def sf(base: str, salesforce: SalesforceCore) -> Client:
    token = salesforce.issue_token(seconds=None)
    return Client(base, {"authorization": f"Bearer {token}"})


@pytest.fixture
def gateway(base: str) -> Client:
    return Client(base, {"x-api-key": "ak_sim"})


@pytest.fixture
def ca(composio: ComposioCore) -> str:
    """The id of a connected portal."""
    return composio.accounts.connect("hubspot")


@pytest.fixture
def sf_ca(composio: ComposioCore) -> str:
    """The id of a connected org."""
    return composio.accounts.connect("salesforce")
