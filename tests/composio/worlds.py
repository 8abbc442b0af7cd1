"""What both providers' worlds share: the gateway over real HTTP, its faults, time that passes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import msgspec

from quotey.contract.adapter import Call, CrmAdapter
from quotey.contract.dto import RemoteWrite, Value
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.contract.secret import Secret
from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.composio import Upstream
from quotey.testing.simulators.composio.core import ComposioCore
from quotey.testing.simulators.composio.settings import ComposioSettings as GatewaySettings
from quotey.testing.simulators.core import Core
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.simulators.server import serve
from quotey.testing.world import Fault

KEY = "ak_canary_key"
USER = "user-1"
HOUR = 3600.0

SHOWN = frozenset(
    {
        *(Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER, Fault.SERVER_ERROR),
        *(Fault.RATE_LIMITED, Fault.AUTH, Fault.MAPPING_ERROR),
    }
)


class LaterAdapter:
    """An adapter after whose creates an hour goes by, as after everything else in a world."""

    def __init__(self, inner: CrmAdapter, clock: VirtualClock) -> None:
        self._inner = inner
        self._clock = clock

    def create_deal(
        self, account_id: str, deal_data: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        written = self._inner.create_deal(account_id, deal_data, key=key, call=call)
        self._clock.advance(HOUR)
        return written

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the adapter has
        return getattr(self._inner, name)


class GatewayWorld:
    """A provider behind a gateway that is served on loopback."""

    connection = "main"
    mapping: CrmMapping

    def __init__(
        self,
        core: Core,
        clock: VirtualClock,
        upstream: Upstream,
        gateway: GatewaySettings | None = None,
    ) -> None:
        self.clock = clock
        self.provider = core
        self.gateway = ComposioCore(
            clock,
            {core.name: upstream},
            settings=gateway or GatewaySettings(requests_per_minute=10**9),
        )
        self.gateway.add_key(KEY)
        self.account = self.gateway.accounts.connect(core.name, USER)
        self._open = ExitStack()
        self.base = self._open.enter_context(serve(self.gateway))

    def common(self) -> dict[str, object]:
        """Give the settings of a connection to this gateway, with budgets that never bind."""
        return {
            "api_key": Secret(KEY),
            "connected_account_id": self.account,
            "user_id": USER,
            "base_url": self.base,
            "loopback": True,
            "requests_per_minute": 1_000_000,
            "requests_per_ten_seconds": 1_000_000,
            "full_every_hours": 0,
        }

    def strike(self, core: Core, where: str, switch: Switch, times: int, after: int) -> None:
        """Switch a fault on."""
        core.faults.add(msgspec.structs.replace(switch, operation=where, times=times, after=after))

    def reauthorise(self) -> None:
        for account in self.gateway.accounts.accounts.values():
            account.status = "ACTIVE"

    def close(self) -> None:
        self._open.close()

    def sent(self) -> list[tuple[str, str]]:
        """Give what reached the provider: method and path."""
        return [(one.method, one.target.partition("?")[0]) for one in self.provider.log]
