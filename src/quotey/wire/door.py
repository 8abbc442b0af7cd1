"""`Door`: sends one request over a pool of connections and says what became of it.

It stands on `httpcore2`, the engine of `httpx2`, and not on its client: redirects, cookies, proxies
of the environment, retries and unbounded unpacking are not switched off here, they are not there.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable

import httpcore2
import httpx2
import msgspec

from quotey.contract.secret import Secret
from quotey.wire.guard import refusal
from quotey.wire.line import Backend, Trip, Trips
from quotey.wire.outcome import Answered, Listener, NotSent, Outcome, Request, Unknown
from quotey.wire.reading import Unreadable, unpacked
from quotey.wire.redact import redacted

POOL_SECONDS = 55.0
"""How long an idle connection is kept: less than the minute after which servers usually hang up."""

for _part in ("", ".connection", ".http11", ".http2", ".proxy", ".socks"):
    # What it logs at the debug level holds the headers of answers (reliability SEC-4).
    logging.getLogger(f"httpcore2{_part}").setLevel(logging.INFO)


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """How much of an answer is taken, in bytes; the body is measured as unpacked."""

    body: int = 10_000_000
    headers: int = 65_536


class Door:
    """A pool of connections to a few named hosts. May be used from several threads.

    `hosts` are the only names that may be asked, over https. `loopback` also lets through requests
    to this machine, which is for simulators. `listener` is told of every request and its outcome.
    """

    def __init__(
        self,
        hosts: frozenset[str],
        *,
        loopback: bool = False,
        connections: int = 16,
        caps: Caps | None = None,
        clock: Callable[[], float] = time.monotonic,
        listener: Listener | None = None,
    ) -> None:
        self._hosts = hosts
        self._loopback = loopback
        self._caps = caps or Caps()
        self._clock = clock
        self._listener = listener
        self._trips = Trips()
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpx2.create_ssl_context(trust_env=False),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=POOL_SECONDS,
            network_backend=Backend(self._trips, loopback=loopback),
        )

    def send(self, request: Request) -> Outcome:
        """Send a request once. Never raises for anything that the world can do."""
        outcome = self._sent(request)
        if self._listener is not None:
            self._listener(request, outcome)
        return outcome

    def _sent(self, request: Request) -> Outcome:
        why = refusal(request.url, self._hosts, loopback=self._loopback) or _malformed(request)
        if why is not None:
            return NotSent(f"Nothing was sent: {why}.")
        trip = Trip(self._clock() + request.timeout, self._clock)
        self._trips.current = trip
        try:
            return self._exchange(request)
        except (httpcore2.TimeoutException, TimeoutError):
            return _failed(trip, f"no answer within {request.timeout:g} s")
        except (
            httpcore2.NetworkError,
            httpcore2.ProtocolError,
            httpcore2.UnsupportedProtocol,
            OSError,
        ) as error:
            why = redacted(str(error) or type(error).__name__, request.headers)
            return _failed(trip, why, untrusted=_untrusted(error))
        except Unreadable as error:
            return Unknown(f"The answer was not taken: {error}.")
        finally:
            self._trips.current = None

    def close(self) -> None:
        """Give the connections back; may be called twice."""
        self._pool.close()

    def _exchange(self, request: Request) -> Answered:
        sent = httpcore2.Request(
            request.method,
            request.url,
            headers=_wire_headers(request),
            content=request.body,
            extensions={"timeout": {"pool": request.timeout}},
        )
        answer = self._pool.handle_request(sent)
        try:
            headers = self._headers(answer.headers)
            chunks = (bytes(chunk) for chunk in answer.iter_stream())
            encoding = headers.get("content-encoding", "")
            body = unpacked(chunks, encoding, self._caps.body)
        finally:
            answer.close()
        return Answered(answer.status, headers, body)

    def _headers(self, pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
        if sum(len(name) + len(value) + 4 for name, value in pairs) > self._caps.headers:
            raise Unreadable(f"its headers are longer than {self._caps.headers:,} bytes")
        headers: dict[str, str] = {}
        for raw, value in pairs:
            name = raw.decode("latin-1").lower()
            # A header that comes twice is one with both values (RFC 9110, 5.3): neither is chosen.
            before = f"{headers[name]}, " if name in headers else ""
            headers[name] = before + value.decode("latin-1")
        return headers


def _malformed(request: Request) -> str | None:
    """Refuse header values that would make another header, or none at all."""
    for name, value in request.headers.items():
        text = value.reveal() if isinstance(value, Secret) else value
        if not text.isascii() or not text.isprintable():
            return f"the header {name} holds what a header cannot"
    return None


def _wire_headers(request: Request) -> list[tuple[bytes, bytes]]:
    host = httpcore2.URL(request.url)
    port = "" if host.port is None else f":{host.port}"
    given = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in request.headers.items()
    }
    own = {
        "host": host.host.decode() + port,
        "accept-encoding": "gzip",
        "content-length": str(len(request.body)),
    }
    return [(name.encode(), value.encode()) for name, value in {**own, **given}.items()]


def _failed(trip: Trip, why: str, *, untrusted: bool = False) -> NotSent | Unknown:
    """Say what a broken trip means: certain only while nothing had left."""
    if trip.sent:
        return Unknown(f"It was sent, but {why}.")
    return NotSent(f"Nothing was sent: {why}.", untrusted=untrusted)


def _untrusted(error: BaseException | None) -> bool:
    """Say whether a certificate that proves nothing was the cause."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
