"""The worlds of the conformance suite: the stub, and each simulated CRM behind its gateway.

They take an adapter's opener from outside, because the test kit knows no adapter.
"""

from quotey.testing.names import Simulated
from quotey.testing.worlds.behind_gateway import GatewayWorld, OpenOnGateway
from quotey.testing.worlds.hubspot import HubSpotWorld
from quotey.testing.worlds.live import LiveWorld
from quotey.testing.worlds.salesforce import SalesforceWorld
from quotey.testing.worlds.stub import StubWorld, empty_data_set

BEHIND_GATEWAY: dict[Simulated, type[HubSpotWorld] | type[SalesforceWorld]] = {
    "hubspot": HubSpotWorld,
    "salesforce": SalesforceWorld,
}
"""The world of each simulated provider."""

__all__ = [
    "BEHIND_GATEWAY",
    "GatewayWorld",
    "HubSpotWorld",
    "LiveWorld",
    "OpenOnGateway",
    "SalesforceWorld",
    "StubWorld",
    "empty_data_set",
]
