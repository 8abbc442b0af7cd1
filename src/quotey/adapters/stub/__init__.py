"""The CRM that is not there: offline, deterministic, and says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from quotey.adapters import Provider, RemoteAccount, Visit
from quotey.adapters.stub.adapter import StubCrmAdapter
from quotey.adapters.stub.crm import StubCrm
from quotey.adapters.stub.drawer import Drawer
from quotey.adapters.stub.files import mapping_text, read_spec
from quotey.adapters.stub.load import fill_if_new
from quotey.adapters.stub.settings import StubSettings
from quotey.adapters.stub.tools import StubTools
from quotey.contract.mapping import Mapping

__all__ = ["PROVIDER", "StubCrmAdapter", "StubSettings", "StubTools"]


def file_of(connection: str, home: Path) -> Path:
    """Say where the stub of a connection keeps its state."""
    return home / f"stub-{connection}.db"


def open_adapter(
    settings: StubSettings,
    mapping: Mapping,
    connection: str,
    *,
    home: Path,
    sleep: Callable[[float], None] = time.sleep,
) -> StubCrmAdapter:
    """Open the stub of a connection; a new file is filled from the data set.

    Raises StoreError, DataSetError, or ConfigError (filled from another data set).
    """
    drawer = Drawer(file_of(connection, home))
    try:
        fill_if_new(drawer, settings.dataset)
    except BaseException:
        drawer.close()
        raise
    return StubCrmAdapter(StubCrm(drawer, mapping, connection), settings, sleep=sleep)


def open_tools(
    settings: StubSettings, mapping: Mapping, connection: str, *, home: Path
) -> StubTools:
    """Open the stub's own commands; they also work on a file of another data set, to reset it."""
    drawer = Drawer(file_of(connection, home))
    try:
        if not drawer.setting("identity"):
            fill_if_new(drawer, settings.dataset)
    except BaseException:
        drawer.close()
        raise
    return StubTools(StubCrm(drawer, mapping, connection), settings.dataset)


def connect(
    settings: StubSettings,
    mapping: Mapping,
    connection: str,
    *,
    home: Path,
    visit: Visit,  # noqa: ARG001 - nobody has to be asked
) -> RemoteAccount:
    """Authorise the stub again: it is always allowed."""
    tools = open_tools(settings, mapping, connection, home=home)
    try:
        tools.reauthorise()
    finally:
        tools.close()
    return RemoteAccount(account_id="stub", state="active", usable=True)


def shipped_mapping(settings: StubSettings | None = None) -> str:
    """Give the mapping that goes with the data set, or the one of the bundled demo."""
    chosen = settings or StubSettings()
    return mapping_text(chosen.dataset, chosen.mapping)


def default_currency(settings: StubSettings) -> str | None:
    """Give the currency of deals that name none: the one set, or the data set's."""
    return settings.default_currency or read_spec(settings.dataset).default_currency


PROVIDER = Provider(
    name="stub",
    settings=StubSettings,
    open=open_adapter,
    shipped_mapping=shipped_mapping,
    default_currency=default_currency,
    is_stub=True,
    tools=open_tools,
    connect=connect,
)
