"""HubSpot passes the suite that every adapter has to pass, over real HTTP, by both transports."""

from __future__ import annotations

from pathlib import Path

from quotey.testing.conformance import AdapterConformance
from quotey.testing.world import World
from tests.composio.hubspot_world import HubSpotWorld


class TestHubSpotThroughTheProxy(AdapterConformance):
    def make_world(self, folder: Path) -> World:
        return HubSpotWorld()


class TestHubSpotThroughTools(AdapterConformance):
    def make_world(self, folder: Path) -> World:
        return HubSpotWorld(transport="tools")
