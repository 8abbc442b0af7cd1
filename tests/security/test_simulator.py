"""A simulated CRM is shipped, but nobody else on the network reaches it (SEC-43)."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from quotey.app.facade import open_quotey


def test_a_simulator_is_reached_at_one_address_of_this_machine_only(tmp_path: Path) -> None:
    with open_quotey(cwd=tmp_path) as quotey, quotey.simulator() as simulator:
        port = urlsplit(simulator.told.url).port
        assert port is not None
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        # Whoever listens to every address is reached at this one too.
        with pytest.raises(OSError, match=r"refused|assign|reach"):
            socket.create_connection(("127.0.0.2", port), timeout=5)


def test_nothing_listens_unless_a_simulator_was_asked_for(tmp_path: Path) -> None:
    """No command and no start of the library opens a port by itself."""
    bound: list[object] = []
    real = socket.socket.bind

    class Watched(socket.socket):
        """Notes what is bound to."""

        def bind(self, address: object) -> None:
            bound.append(address)
            real(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch, open_quotey(cwd=tmp_path) as quotey:
        patch.setattr(socket, "socket", Watched)
        quotey.sync()
        quotey.doctor()
        assert bound == []
        with quotey.simulator():
            assert [one[0] for one in bound if isinstance(one, tuple)] == ["127.0.0.1"]
