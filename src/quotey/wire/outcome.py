"""What goes through the door, and the three things that can become of it.

`NotSent` is certain: not one byte of the request left. `Unknown` is everything between that and a
whole answer, so a write may have landed (law 5 of the design).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from quotey.contract.secret import Secret


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `timeout` is the deadline of the whole of it, in seconds.

    A header whose value is a `Secret` is revealed on the socket and nowhere else.
    """

    method: str
    url: str
    headers: Mapping[str, str | Secret] = {}
    body: bytes = b""
    timeout: float = 15.0


class Answered(msgspec.Struct, frozen=True):
    """A whole answer, whatever its status. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotSent(msgspec.Struct, frozen=True):
    """Nothing left this machine; `reason` is a sentence without secrets.

    `untrusted`: the other side could not prove who it is, which no waiting mends.
    """

    reason: str
    untrusted: bool = False


class Unknown(msgspec.Struct, frozen=True):
    """It was sent, at least in part, and no whole answer came."""

    reason: str


Outcome = Answered | NotSent | Unknown

Listener = Callable[[Request, Outcome], None]
"""Is told of each request that was to go through a door, and of what became of it."""
