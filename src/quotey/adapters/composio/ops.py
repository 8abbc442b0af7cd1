"""One request to a provider, said twice: as the provider's own HTTP, and as a tool slug.

Which of the two is sent is the caller's choice (`call`); what an answer means is not said here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from quotey.wire import NotSent


class Tool(msgspec.Struct, frozen=True):
    """A tool slug with its arguments; unknown names are dropped silently by the service."""

    slug: str
    arguments: Mapping[str, object]


class Op(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `name` says what it does, for messages; `writes` that it may change a record.

    `path` begins at the provider's host, percent-encoded. `tool` is None where no slug does the
    same. `family` names the provider's budget that it is counted on; an `interactive` one may use
    the share that is kept for people.
    """

    name: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: object = None
    tool: Tool | None = None
    writes: bool = False
    family: str = "general"
    interactive: bool = False


class Kind(StrEnum):
    """What kind of refusal it is, by code and message (crm-error-matrix.json), plus two of ours.

    AMBIGUOUS: it may have been carried out. MALFORMED: an answer that says nothing.
    """

    TRANSIENT = "transient"
    RATE_LIMIT = "rate_limit"
    AUTH = "auth"
    PERMISSION = "permission"
    MAPPING = "mapping"
    CONFLICT = "conflict"
    NOT_FOUND = "not_found"
    PERMANENT = "permanent"
    AMBIGUOUS = "ambiguous"
    MALFORMED = "malformed"


class Problem(msgspec.Struct, frozen=True):
    """One property that the provider refuses, with its code."""

    property: str
    code: str


class Trace(msgspec.Struct, frozen=True):
    """How a request is found again: our own id and the service's log entry, "" where unknown."""

    request_id: str = ""
    log_id: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (f"request {self.request_id}", self.log_id)))


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The provider did it, or at least part of it: `status` is 2xx.

    `server_ts` is the provider's own clock, or else the service's; None where neither told.
    """

    status: int
    doc: object
    headers: Mapping[str, str] = {}
    server_ts: datetime | None = None
    trace: Trace = Trace()


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """The request did not succeed. `message` is a part of a sentence, without values or secrets.

    `doc` is the provider's own error document, for those who look for more in it. `by_provider`
    says who refused, if not the service; `narrow`, that a limit is of the endpoint family alone.
    """

    kind: Kind
    message: str
    code: str = ""
    status: int = 0
    wait_seconds: float | None = None
    problems: tuple[Problem, ...] = ()
    doc: object = None
    trace: Trace = Trace()
    by_provider: bool = False
    narrow: bool = False


Outcome = Reply | Failed


def unsent(answer: NotSent, trace: Trace) -> Failed:
    """Say what it means that nothing left: another may stand there, or nobody is there now."""
    kind, code = (Kind.AUTH, "untrusted") if answer.untrusted else (Kind.TRANSIENT, "not_sent")
    return Failed(kind=kind, message=answer.reason, code=code, trace=trace)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider's module makes of a refusal: all of `Failed` that the provider decides."""

    kind: Kind
    message: str
    code: str = ""
    wait_seconds: float | None = None
    problems: tuple[Problem, ...] = ()
    narrow: bool = False


class Refusal(msgspec.Struct, frozen=True):
    """A provider's refusal as it came: status, document, headers, and the clock it came with."""

    status: int
    doc: object
    headers: Mapping[str, str]
    server_ts: datetime | None
