"""The stub's own tools for the façade (`quotey crm stub …`): their names; they are the stub's."""

from __future__ import annotations

from quotey.adapters.stub.definitions import DefinedProperty, Edited
from quotey.adapters.stub.drawer import Effect
from quotey.adapters.stub.faults import FaultSpec
from quotey.adapters.stub.load import Reloaded
from quotey.adapters.stub.play import Played
from quotey.adapters.stub.tools import RemoteState, StubTools
from quotey.app.wiring import House
from quotey.contract.errors import UsageError

__all__ = [
    "DefinedProperty",
    "Edited",
    "Effect",
    "FaultSpec",
    "Played",
    "Reloaded",
    "RemoteState",
    "StubTools",
    "stub_tools",
]


def stub_tools(house: House) -> StubTools:
    """Give the tools of a stub connection. Raises UsageError for any other provider."""
    tools = house.tools if house.provider.is_stub else None
    if not isinstance(tools, StubTools):
        raise UsageError(
            f"Connection {house.connection} is {house.provider.name}, not a stub. "
            "Nothing was changed.",
            next=("quotey crm status",),
        )
    return tools
