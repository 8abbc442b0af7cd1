"""The line below HTTP: one deadline for all of a request, and whether any of it has left.

`httpcore2` times each step by itself and does not tell what it has sent; a network backend of our
own does both, and looks at each address before it connects.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any

import httpcore2

from quotey.wire.guard import is_local_name, may_connect

SocketOption = (
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
)


class Trip:
    """One request on its way: until when it may take, and whether a byte of it has left."""

    def __init__(self, deadline: float, clock: Callable[[], float]) -> None:
        self.deadline = deadline
        self.sent = False
        self._clock = clock

    def left(self) -> float:
        """Give the seconds that are left. Raises `httpcore2.TimeoutException` when none are."""
        left = self.deadline - self._clock()
        if left <= 0:
            raise httpcore2.TimeoutException("the deadline has passed")
        return left


class Trips(threading.local):
    """The trip of this thread; the pool works on the thread that asks."""

    current: Trip | None = None

    def now(self) -> Trip:
        """Give the trip under way."""
        assert self.current is not None
        return self.current


class Backend(httpcore2.NetworkBackend):
    """Connects by name, to addresses that fit, within the deadline."""

    def __init__(self, trips: Trips, *, loopback: bool) -> None:
        self._trips = trips
        self._loopback = loopback
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline says it
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore2.NetworkStream:
        """Look the name up, judge every address, connect to the first.

        Raises `httpcore2.ConnectError` where none is found, or one does not fit.
        """
        trip = self._trips.now()
        address = self._address(host, port, trip)
        stream = self._plain.connect_tcp(address, port, trip.left(), local_address, socket_options)
        return Line(stream, self._trips)

    def _address(self, host: str, port: int, trip: Trip) -> str:
        local = self._loopback and is_local_name(host)
        found = look_up(host, port, trip.left())
        if not found:
            raise httpcore2.ConnectError(f"{host} has no address")
        if not all(may_connect(address, local=local) for address in found):
            raise httpcore2.ConnectError(f"{host} leads to an address that may not be asked")
        return found[0]


def look_up(host: str, port: int, timeout: float) -> list[str]:
    """Give the addresses of a name; the resolver itself knows no deadline, so it is waited for."""
    found: list[str] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):  # the latter for a name that no name can be
            return
        found.extend(str(answer[4][0]) for answer in answers)

    resolver = threading.Thread(target=ask, daemon=True)
    resolver.start()
    resolver.join(timeout)
    if resolver.is_alive():
        raise httpcore2.ConnectTimeout("the name was not looked up in time")
    return list(dict.fromkeys(found))


class Line(httpcore2.NetworkStream):
    """A connection whose every step is held to the deadline of the trip under way."""

    def __init__(self, stream: httpcore2.NetworkStream, trips: Trips) -> None:
        self._stream = stream
        self._trips = trips

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Read what has come, waiting no longer than is left."""
        return self._stream.read(max_bytes, self._trips.now().left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send, and note before that something may have left."""
        trip = self._trips.now()
        left = trip.left()
        trip.sent = trip.sent or bool(buffer)
        self._stream.write(buffer, left)

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        """Shake hands under the name that was asked for."""
        left = self._trips.now().left()
        return Line(self._stream.start_tls(ssl_context, server_hostname, left), self._trips)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the library's signature
        """Tell of the connection below."""
        return self._stream.get_extra_info(info)
