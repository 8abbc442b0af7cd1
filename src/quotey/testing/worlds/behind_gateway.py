"""What the worlds of both vendors share: the gateway over real HTTP, its faults, passing time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, cast

from msgspec.structs import replace

from quotey.contract.adapter import Call, CrmAdapter
from quotey.contract.dto import RemoteWrite, Value
from quotey.contract.fields import Entity
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.contract.secret import Secret
from quotey.testing.names import Simulated
from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.core import Core
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.simulators.rig import Rig, Source, build_rig
from quotey.testing.simulators.server import serve
from quotey.testing.world import Fault

HOUR = 3600.0
AMPLE = 1_000_000
SEED = 7
STAGES = ("proposal", "won")
CURRENCIES = ("USD", "EUR")
"""What the suite's deals are in."""

SHOWN = frozenset(
    {
        *(Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER, Fault.SERVER_ERROR),
        *(Fault.RATE_LIMITED, Fault.AUTH, Fault.MAPPING_ERROR),
    }
)

COMPLAINTS = {
    "update_account": (Entity.ACCOUNT, "segment"),
    "write_quote": (Entity.QUOTE, "total"),
}
"""Which field a mapping error is about, by operation; else the deal's amount."""

OpenOnGateway = Callable[[Mapping[str, object]], CrmAdapter]
"""Opens an adapter with these settings of its connection."""


class GatewayWorld:
    """A vendor behind a gateway that is served on loopback, and an adapter that talks to it.

    After each change an hour goes by, so that search indexes have caught up and nothing stands in
    the overlap of the next window.
    """

    connection = "main"
    provider: Simulated
    described: str
    own_mapping: str
    """What is laid over the shipped mapping in this world, as TOML."""
    faults = SHOWN

    def __init__(
        self,
        mapping: CrmMapping,
        open_adapter: OpenOnGateway,
        *,
        source: Source | None = None,
        **settings: object,
    ) -> None:
        """Serve a CRM, empty or filled from `source`; `settings` are laid over the connection's."""
        self.mapping = mapping
        self.clock = VirtualClock()
        self.rig: Rig = build_rig(
            self.provider,
            mapping,
            self.clock,
            seed=SEED,
            source=source,
            stages=STAGES,
            currencies=CURRENCIES,
        )
        self.gateway = self.rig.gateway
        self.gateway.settings = replace(self.gateway.settings, requests_per_minute=10**9)
        self._open_adapter = open_adapter
        self._open = ExitStack()
        self.settings = {
            **self._connection(self._open.enter_context(serve(self.rig.cores))),
            **self.rig.settings,
            **settings,
        }
        self.adapter: CrmAdapter = self.reopen()

    def _connection(self, url: str) -> dict[str, object]:
        """Give the settings of a connection to this gateway, with budgets that never bind."""
        return {
            "api_key": Secret(self.rig.api_key),
            "connected_account_id": self.rig.connected_account_id,
            "user_id": self.rig.user_id,
            "base_url": url,
            "loopback": True,
            "requests_per_minute": AMPLE,
            "requests_per_ten_seconds": AMPLE,
            "full_every_hours": 0,
        }

    def reopen(self) -> CrmAdapter:
        """Give another adapter on the same account."""
        adapter = self._open_adapter(self.settings)
        self._open.callback(adapter.close)
        return cast("CrmAdapter", _LaterAdapter(adapter, self.clock))

    def complained_of(self, operation: str) -> str:
        """Give the property that the vendor complains of when it shows a mapping error."""
        entity, name = COMPLAINTS.get(operation, (Entity.DEAL, "amount"))
        field = self.mapping.entities[entity].field(name)
        assert field is not None, f"{entity}.{name} is mapped"
        return field.path.removeprefix("properties.")

    def strike(self, core: Core, where: str, switch: Switch, times: int, after: int) -> None:
        """Switch a fault on."""
        core.faults.add(replace(switch, operation=where, times=times, after=after))

    def reauthorise(self) -> None:
        """Give every connected account back its authorisation."""
        for account in self.gateway.accounts.accounts.values():
            account.status = "ACTIVE"

    def close(self) -> None:
        """Give everything back."""
        self._open.close()

    def passing(self, *, time: bool = True) -> None:
        """Let an hour go by after a change, unless its moment was chosen."""
        if time:
            self.clock.advance(HOUR)


class _LaterAdapter:
    """An adapter after whose creates an hour goes by, as after everything else in a world."""

    def __init__(self, inner: CrmAdapter, clock: VirtualClock) -> None:
        self._inner = inner
        self._clock = clock

    def create_deal(
        self, account_id: str, deal_data: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        """Create a deal, then let an hour go by."""
        written = self._inner.create_deal(account_id, deal_data, key=key, call=call)
        self._clock.advance(HOUR)
        return written

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the adapter has
        return getattr(self._inner, name)
