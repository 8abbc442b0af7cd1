"""Simulators for the façade: a vendor and the gateway in front of it, served on this machine only.

Everything of the test kit is imported here and only when it is asked for.
"""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from quotey.adapters import Provider, discover
from quotey.app.mapping_files import read_text
from quotey.app.wiring import House
from quotey.contract.errors import UsageError
from quotey.contract.mapping import Mapping
from quotey.testing.names import SIMULATED, Simulated

if TYPE_CHECKING:
    from quotey.testing.simulators.core import Core
    from quotey.testing.simulators.faults import Fault
    from quotey.testing.simulators.rig import Rig, Source

HASTE = {"safety_seconds": 15}
"""A real vendor's changes may show late by a minute; a simulator's by ten seconds at most."""

TOLD = 20
"""So many of the records that could not be loaded are named; all are counted."""


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """What is served, and what talks to it.

    `url` answers as the vendor and as the gateway, by path. `vendor_token` is for the vendor's own
    clients, `api_key` for the gateway's. `quotey_toml`, `environment` and `mapping_toml` are what a
    Quotey needs that is to use it. `prepared` names what an administrator would have to make in a
    real account; `left_out` tells of the data set what the vendor does not take.
    """

    provider: str
    url: str
    api_key: str
    connected_account_id: str
    user_id: str
    vendor_token: str
    seed: int
    records: dict[str, int]
    prepared: tuple[str, ...]
    left_out_count: int
    left_out: tuple[str, ...]
    faults: tuple[str, ...]
    quotey_toml: str
    mapping_toml: str
    environment: dict[str, str]


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What can be wished of a simulator. `mapping` is laid over the shipped one."""

    provider: Simulated = SIMULATED[0]
    port: int = 0
    dataset: Path | None = None
    mapping: Path | None = None
    seed: int = 0
    faults: tuple[str, ...] = ()


class Simulator:
    """A simulator that is being served. Use it as a context manager, or `close` it."""

    def __init__(self, told: Simulation, open_: ExitStack) -> None:
        self.told = told
        self._open = open_

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def serve(self) -> None:
        """Go on serving until an interrupt, then stop. Raises KeyboardInterrupt."""
        try:
            threading.Event().wait()
        finally:
            self.close()

    def close(self) -> None:
        """Stop serving; may be called twice."""
        self._open.close()


def start(house: House, wishes: Wishes) -> Simulator:
    """Build and serve a simulator.

    Raises UsageError (no such fault, port taken), DataSetError, MappingError; nothing is served
    then.
    """
    from quotey.testing.simulators.server import serve

    faults = [_fault(text) for text in wishes.faults]
    rig = _rig(house, wishes)
    for fault in faults:
        _core_of(rig, fault).faults.add(fault)
    with ExitStack() as open_:
        try:
            url = open_.enter_context(serve(rig.cores, wishes.port))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or "a port is 0 to 65535"
            raise UsageError(f"Port {wishes.port} cannot be served: {why}.") from error
        return Simulator(_told(rig, url, wishes), open_.pop_all())


def _rig(house: House, wishes: Wishes) -> Rig:
    from quotey.testing.simulators.clock import RunningClock
    from quotey.testing.simulators.rig import build_rig

    mapping = vendor_mapping(wishes.provider, wishes.mapping)
    clock = RunningClock(house.now)
    source = data_source(wishes.dataset)
    return build_rig(wishes.provider, mapping, clock, seed=wishes.seed, source=source)


def vendor_mapping(provider: str, own: Path | None = None) -> Mapping:
    """Give a provider's shipped mapping, with one's own laid over it. Raises MappingError."""
    from quotey.contract.mapping_file import parse_mapping

    text = _provider(provider).shipped_mapping()
    shipped = parse_mapping(text, name=f"the {provider}'s own mapping")
    return parse_mapping(read_text(own), name=own.name, over=shipped) if own else shipped


def _provider(name: str) -> Provider:
    return discover()[name]


def data_source(dataset: Path | None) -> Source:
    """Read a data set with its mapping, the bundled one when none is named.

    Raises DataSetError, MappingError.
    """
    from quotey.adapters.stub.files import mapping_text, read_data
    from quotey.contract.mapping_file import parse_mapping
    from quotey.testing.simulators.rig import Source

    data = read_data(dataset)
    text = mapping_text(dataset, None)
    return Source(data, parse_mapping(text, name=data.spec.mapping))


def _fault(text: str) -> Fault:
    from quotey.testing.simulators.faults import parse_fault

    try:
        return parse_fault(text)
    except ValueError as error:
        raise UsageError(f"{error}. Nothing is served.") from error


def _core_of(rig: Rig, fault: Fault) -> Core:
    """Give the core that a fault strikes: the vendor where it is named, else the gateway."""
    vendor, gateway = rig.cores
    return vendor if fault.operation.startswith(vendor.name) else gateway


def _told(rig: Rig, url: str, wishes: Wishes) -> Simulation:
    return Simulation(
        provider=rig.provider,
        url=url,
        api_key=rig.api_key,
        connected_account_id=rig.connected_account_id,
        user_id=rig.user_id,
        vendor_token=rig.vendor_token,
        seed=wishes.seed,
        records={entity.value: len(ids) for entity, ids in rig.ids.items()},
        prepared=rig.prepared,
        left_out_count=len(rig.left_out),
        left_out=rig.left_out[:TOLD],
        faults=wishes.faults,
        quotey_toml=quotey_toml(rig, url),
        mapping_toml=_mapping_toml(rig) if wishes.mapping is None else "",
        environment={"QUOTEY_CONNECTIONS__MAIN__API_KEY": rig.api_key},
    )


def quotey_toml(rig: Rig, url: str) -> str:
    """Write the settings of a connection to it; the key goes into the environment."""
    values: dict[str, object] = {
        "provider": rig.provider,
        "connected_account_id": rig.connected_account_id,
        "user_id": rig.user_id,
        "base_url": url,
        "loopback": True,
        **rig.settings,
        **HASTE,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(("[connections.main]", *lines)) + "\n"


def _mapping_toml(rig: Rig) -> str:
    """Write what reads the segment from where the data set's was kept, if it was."""
    field = next((name for name in rig.prepared if name.lower().find("segment") > 0), "")
    if not field:
        return ""
    path = rig.property_path(field.partition(".")[2])
    return (
        f'provider = "{rig.provider}"\n\n[account.fields.segment]\npath = "{path}"\n'
        'direction = "both"\ntransform = { kind = "none" }\n'
    )
