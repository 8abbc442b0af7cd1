"""The open-source ERP Tryton, over its own JSON-RPC."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from quotey.adapters import Provider
from quotey.adapters.tryton.settings import TrytonSettings
from quotey.contract.adapter import CrmAdapter
from quotey.contract.mapping import Mapping

__all__ = ["PROVIDER", "TrytonSettings"]


def open_tryton(
    settings: TrytonSettings,
    mapping: Mapping,
    connection: str,
    *,
    home: Path,  # noqa: ARG001 - the protocol's signature
) -> CrmAdapter:
    """Open the adapter of one database; nothing is asked before the first operation.

    Raises ConfigError when the mapping lacks a word.
    """
    # HTTP is loaded only here, so that finding the providers costs next to nothing.
    from quotey.adapters.tryton.adapter import open_adapter

    return open_adapter(settings, mapping, connection)


def shipped_mapping(settings: object = None) -> str:  # noqa: ARG001 - one mapping for all databases
    """Give the mapping that comes with the adapter, as TOML text."""
    return (files(__name__) / "tryton.toml").read_text(encoding="utf-8")


def _default_currency(settings: TrytonSettings) -> str | None:
    return settings.default_currency


PROVIDER = Provider(
    name="tryton",
    settings=TrytonSettings,
    open=open_tryton,
    shipped_mapping=shipped_mapping,
    default_currency=_default_currency,
)
