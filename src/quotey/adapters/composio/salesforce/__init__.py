"""Salesforce: accounts, contacts and opportunities of one org, through Composio."""

from __future__ import annotations

from quotey.adapters.composio.budget import CONNECTION, Rate
from quotey.adapters.composio.call import ComposioCaller
from quotey.adapters.composio.opening import World, open_caller, open_door
from quotey.adapters.composio.ops import Failed, Op
from quotey.adapters.composio.salesforce.adapter import SalesforceAdapter, identity_of
from quotey.adapters.composio.salesforce.errors import judge
from quotey.adapters.composio.salesforce.ops import Ops
from quotey.adapters.composio.settings import SalesforceSettings
from quotey.contract.mapping import Mapping
from quotey.wire import Door

__all__ = ["SalesforceAdapter", "identify", "judge", "open_adapter"]

PATIENCE = 15.0


def open_adapter(
    settings: SalesforceSettings, mapping: Mapping, connection: str, world: World | None = None
) -> SalesforceAdapter:
    """Open the adapter of one org. Raises ConfigError when the mapping lacks a word."""
    given = world or World()
    door = open_door(settings, given.listener)
    caller = _caller(settings, door, given)
    return SalesforceAdapter(caller, settings, mapping, connection, on_close=door.close)


def _caller(settings: SalesforceSettings, door: Door, world: World) -> ComposioCaller:
    rates = {CONNECTION: Rate(settings.requests_per_ten_seconds, 10.0)}
    return open_caller(settings, settings.instance_url, judge, rates, door=door, world=world)


def identify(settings: SalesforceSettings, door: Door, world: World) -> str | tuple[Failed, Op]:
    """Ask the org through an account; it is known by its own address, to which the request went."""
    op = Ops(settings).limits()
    outcome = _caller(settings, door, world).call(op, PATIENCE)
    if isinstance(outcome, Failed):
        return outcome, op
    return identity_of(settings)
