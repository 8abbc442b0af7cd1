"""The world of the conformance suite over the stub, and short ways to open one in a test."""

from __future__ import annotations

from pathlib import Path

from quotey.adapters.stub import PROVIDER, StubSettings, StubTools, open_adapter, open_tools
from quotey.adapters.stub.adapter import StubCrmAdapter
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.contract.mapping_file import parse_mapping, with_default_currency
from quotey.testing import worlds
from quotey.testing.worlds import empty_data_set
from quotey.testing.worlds.stub import EMPTY

__all__ = ["EMPTY", "StubWorld", "empty_data_set", "mapping_of", "open_stub", "open_stub_tools"]


def mapping_of(settings: StubSettings, extra: str = "") -> CrmMapping:
    """Give the mapping that the front door would use."""
    mapping = parse_mapping(PROVIDER.shipped_mapping(settings), name="stub.toml")
    if extra:
        mapping = parse_mapping(extra, name="own.toml", over=mapping)
    currency = PROVIDER.default_currency(settings)
    return with_default_currency(mapping, currency) if currency else mapping


def open_stub(home: Path, settings: StubSettings | None = None) -> StubCrmAdapter:
    """Open the stub of connection main."""
    chosen = settings or StubSettings()
    return open_adapter(chosen, mapping_of(chosen), "main", home=home)


def open_stub_tools(home: Path, settings: StubSettings | None = None) -> StubTools:
    """Open the tools of the same stub."""
    chosen = settings or StubSettings()
    return open_tools(chosen, mapping_of(chosen), "main", home=home)


class StubWorld(worlds.StubWorld):
    """The kit's world over a stub without records, in a folder, with settings of one's own."""

    def __init__(
        self, folder: Path, *, extra: str = "", tier: int = 1, page_size: int = 60
    ) -> None:
        dataset = empty_data_set(folder / "data")
        self.settings = StubSettings(dataset=dataset, tier=tier, page_size=page_size)
        self.home = folder / "home"
        mapping = mapping_of(self.settings, extra)
        super().__init__(
            mapping,
            lambda: open_adapter(self.settings, mapping, self.connection, home=self.home),
            open_tools(self.settings, mapping, self.connection, home=self.home),
        )
