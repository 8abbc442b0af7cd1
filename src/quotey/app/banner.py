"""The first line of every output: where changes go (seed 8.4)."""

from __future__ import annotations

from typing import Protocol


class Named(Protocol):
    """What the banner needs to know of a connection."""

    @property
    def mode(self) -> str:
        """Either "stub" or "live"."""

    @property
    def provider(self) -> str:
        """The provider's name."""

    @property
    def connection(self) -> str:
        """The connection's name."""


STUB = "stub (offline): nothing leaves this machine"
UNKNOWN = "no connection was opened: nothing leaves this machine"


def banner(connection: Named | None) -> str:
    """Say which CRM this output speaks of, or that none is known."""
    if connection is None:
        return UNKNOWN
    if connection.mode == "stub":
        return STUB
    return (
        f"live ({connection.provider}): changes reach the CRM of connection {connection.connection}"
    )
