"""Providers are found by looking; nothing names them."""

from __future__ import annotations

import msgspec

from quotey.adapters import Provider, discover
from quotey.adapters.stub import StubSettings
from quotey.contract.mapping_file import parse_mapping


def test_the_stub_is_found() -> None:
    found = discover()["stub"]
    assert found.is_stub
    assert found.tools is not None


def test_a_folder_without_a_provider_is_skipped() -> None:
    assert all(isinstance(provider, Provider) for provider in discover().values())
    assert "composio" not in discover()


def test_every_provider_ships_a_mapping_that_parses() -> None:
    for name, provider in discover().items():
        mapping = parse_mapping(provider.shipped_mapping(), name=f"{name}.toml")
        assert mapping.provider == name
        assert mapping.backlog


def test_settings_without_anything_are_the_bundled_demo() -> None:
    settings = msgspec.convert({}, StubSettings)
    assert settings.dataset is None
    assert discover()["stub"].default_currency(settings) == "USD"


def test_a_provider_without_a_word_on_currency_has_none() -> None:
    stub = discover()["stub"]
    bare = Provider(
        name="bare",
        settings=StubSettings,
        open=stub.open,
        shipped_mapping=stub.shipped_mapping,
    )
    assert bare.default_currency(StubSettings()) is None
