"""Replays a recording of `quotey crm record`: a server that answers as the CRM did.

An adapter is opened with `Replayed.settings` and asks as it would ask the CRM. What was never asked
while the recording was made is refused with a sentence, and the block ends with an error.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from quotey.contract.identity import canonical_json
from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.core import Core
from quotey.testing.simulators.exchange import Broken, Request, Response, answer
from quotey.testing.simulators.faults import Fault
from quotey.testing.simulators.server import serve

SCHEMA = "quotey.recording/1"
HTTP, ABOUT = "http.jsonl", "recording.json"
API_KEY = "replay"
REFUSED = 404
START = datetime(2026, 1, 1, tzinfo=UTC)

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class RecordingError(Exception):
    """A recording cannot be read, or was asked for what is not in it."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """`recording.json`: which CRM was recorded, by which way, with which settings."""

    schema: str
    provider: str
    transport: str
    settings: dict[str, Any]


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was sent; `body` is a JSON value, None where there was none."""

    method: str
    path: str
    headers: dict[str, str] = {}
    body: Any = None


class Answered(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came back."""

    status: int
    headers: dict[str, str] = {}
    body: Any = None


class Exchange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of `http.jsonl`; `answer` is None where none came whole."""

    seq: int
    request: Asked
    answer: Answered | None


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A recording that was read."""

    about: About
    exchanges: tuple[Exchange, ...]


def read_recording(folder: Path) -> Recording:
    """Read a recording. Raises RecordingError with the line that cannot be read."""
    try:
        about = msgspec.json.decode((folder / ABOUT).read_bytes(), type=About)
        lines = (folder / HTTP).read_bytes().splitlines()
    except (OSError, msgspec.DecodeError) as error:
        raise RecordingError(f"{folder} is no recording: {error}") from error
    if about.schema != SCHEMA:
        raise RecordingError(f"{ABOUT} is of {about.schema!r}, and this reads {SCHEMA!r}")
    return Recording(
        about=about,
        exchanges=tuple(_exchange(line, number) for number, line in enumerate(lines, start=1)),
    )


def _exchange(line: bytes, number: int) -> Exchange:
    try:
        return msgspec.convert(_DECODER.decode(line), type=Exchange)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise RecordingError(f"{HTTP} line {number} cannot be read: {error}") from error


Key = tuple[str, str, bytes]


class ReplayCore(Core):
    """Answers from a recording. The same request gets its answers in order, the last one for ever.

    `unknown` are the requests that the recording has no answer to, as `METHOD path body`.
    """

    name = "replay"
    prefixes = ("/",)

    def __init__(self, recording: Recording) -> None:
        super().__init__(VirtualClock(START), 0)
        self.unknown: list[str] = []
        self._waiting: dict[Key, deque[Answered | None]] = {}
        for one in recording.exchanges:
            key = (one.request.method, one.request.path, canonical_json(one.request.body))
            self._waiting.setdefault(key, deque()).append(one.answer)

    def exchange(self, request: Request) -> Response | Broken:
        """Give the answer that was recorded, or break the line where none came."""
        with self.guard:
            return self._recorded(request)

    def _recorded(self, request: Request) -> Response | Broken:
        body = _body(request.body)
        waiting = self._waiting.get((request.method, request.target, canonical_json(body)))
        if waiting is None:
            return self._refused(request)
        found = waiting.popleft() if len(waiting) > 1 else waiting[0]
        if found is None:
            return Broken()
        content = b"" if found.body is None else _ENCODER.encode(found.body)
        return Response(found.status, content, found.headers)

    def _refused(self, request: Request) -> Response:
        asked = f"{request.method} {request.target} {request.body.decode('utf-8', 'replace')}"
        self.unknown.append(asked)
        message = f"The recording has no answer to {request.method} {request.target} with this body"
        error = {"message": message, "slug": "Replay_UnknownRequest", "status": REFUSED}
        return answer(REFUSED, {"error": error})

    def handle(self, request: Request) -> Response:  # noqa: D102 - exchange answers by itself
        raise NotImplementedError

    def failure(self, fault: Fault) -> Response:  # noqa: D102 - a recording has its own failures
        raise NotImplementedError

    def settle(self) -> None:
        """Nothing happens by itself."""


def _body(content: bytes) -> object:
    if not content:
        return None
    try:
        return _DECODER.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return content.decode("latin-1")


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """A recording that is being served at `url`. `settings` open an adapter, the key among them.

    `unknown` grows with each request that the recording has no answer to.
    """

    url: str
    about: About
    unknown: list[str]

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of a connection to it; `api_key` is a text."""
        return {**self.about.settings, "base_url": self.url, "loopback": True, "api_key": API_KEY}

    @property
    def quotey_toml(self) -> str:
        """The settings file of a Quotey that is to sync from it; the key is in the environment.

        Definitions are not recorded, so they are not looked at.
        """
        values = {"provider": self.about.provider, **self.settings}
        del values["api_key"]
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        limits = ("[limits]", "examine_minutes = 0")
        return "\n".join((*limits, "[connections.main]", *lines)) + "\n"


@contextmanager
def replay(folder: Path, port: int = 0) -> Iterator[Replayed]:
    """Serve a recording while the block runs.

    Raises RecordingError when it cannot be read, and at the end of the block when something was
    asked that is not in it.
    """
    recording = read_recording(folder)
    core = ReplayCore(recording)
    with serve(core, port) as url:
        yield Replayed(url=url, about=recording.about, unknown=core.unknown)
    if core.unknown:
        raise RecordingError(
            f"{len(core.unknown)} requests are not in the recording; the first: {core.unknown[0]}"
        )
