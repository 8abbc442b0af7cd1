"""HubSpot: companies, contacts and deals of one portal, through Composio."""

from __future__ import annotations

from quotey.adapters.composio.budget import CONNECTION, Rate
from quotey.adapters.composio.call import ComposioCaller
from quotey.adapters.composio.docs import as_doc, as_text
from quotey.adapters.composio.hubspot.adapter import HubSpotAdapter
from quotey.adapters.composio.hubspot.errors import HubSpotJudge
from quotey.adapters.composio.hubspot.ops import SEARCH, Ops
from quotey.adapters.composio.opening import World, open_caller, open_door
from quotey.adapters.composio.ops import Failed, Op
from quotey.adapters.composio.settings import HubSpotSettings
from quotey.contract.mapping import Mapping
from quotey.wire import Door

__all__ = ["HubSpotAdapter", "HubSpotJudge", "identify", "open_adapter"]

PATIENCE = 15.0


def open_adapter(
    settings: HubSpotSettings, mapping: Mapping, connection: str, world: World | None = None
) -> HubSpotAdapter:
    """Open the adapter of one portal. Raises ConfigError when the mapping lacks a word."""
    given = world or World()
    door = open_door(settings, given.listener)
    caller = _caller(settings, door, given)
    return HubSpotAdapter(caller, settings, mapping, connection, on_close=door.close)


def _caller(settings: HubSpotSettings, door: Door, world: World) -> ComposioCaller:
    rates = {
        CONNECTION: Rate(settings.requests_per_ten_seconds, 10.0),
        SEARCH: Rate(settings.searches_per_second, 1.0),
    }
    judge, url = HubSpotJudge(settings.time_zone), settings.provider_url
    return open_caller(settings, url, judge, rates, door=door, world=world, closed=judge.closed)


def identify(settings: HubSpotSettings, door: Door, world: World) -> str | tuple[Failed, Op]:
    """Ask which portal an account opens; what failed, when it does not answer."""
    op = Ops(settings).portal()
    outcome = _caller(settings, door, world).call(op, PATIENCE)
    if isinstance(outcome, Failed):
        return outcome, op
    portal = as_text(as_doc(outcome.doc).get("portalId"))
    return f"HubSpot portal {portal}" if portal else ""
