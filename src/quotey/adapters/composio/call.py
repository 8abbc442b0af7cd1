"""`call(op) -> outcome`: one request through Composio, sent once, and what became of it.

Two ways lead there: the proxy endpoint with the provider's own request (main), and tool slugs
(fallback). Both give the same outcomes; only the provider's status and headers survive the first.
Source: composio.md 1.2, 1.3, 4 "Recommendation".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol
from urllib.parse import quote, urlencode

import msgspec

from quotey.adapters.composio.ops import (
    Failed,
    Kind,
    Op,
    Outcome,
    Refusal,
    Reply,
    Trace,
    Verdict,
    unsent,
)
from quotey.adapters.composio.scrub import cleaned
from quotey.adapters.composio.service import unwrapped, verdict
from quotey.adapters.composio.settings import ComposioSettings
from quotey.adapters.composio.turns import Turns
from quotey.contract.repeated import repeated_key
from quotey.contract.shared import Shared
from quotey.wire import (
    Answered,
    Door,
    NotSent,
    Request,
    Unknown,
    Unreadable,
    http_date,
    read_json,
    retry_after,
)

OK = 200
ACCEPTED = 202
REFUSED = 300
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Money goes out as a JSON number, digit by digit, never through a float.
_ENCODER = msgspec.json.Encoder(decimal_format="number")

Judge = Callable[[Refusal], Verdict]
"""The provider's own reading of a refusal."""


class Caller(Protocol):
    """The one way to the provider."""

    @property
    def sent(self) -> int:
        """How many requests have left."""

    def call(self, op: Op, timeout: float) -> Outcome:
        """Send a request once within `timeout` seconds. Never raises for what the world does."""

    def share(self, shared: Shared) -> None:
        """Keep the budgets where other processes see them."""


class ComposioCaller:
    """Sends through Composio by the transport that is set. May be used from several threads."""

    def __init__(
        self,
        settings: ComposioSettings,
        provider_url: str,
        judge: Judge,
        *,
        door: Door,
        turns: Turns,
        ids: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._provider_url = provider_url.rstrip("/")
        self._judge = judge
        self._door = door
        self._turns = turns
        self._ids = ids
        self.sent = 0

    def call(self, op: Op, timeout: float) -> Outcome:
        """Wait for a turn, send, classify, and note for how long everybody has to keep away.

        What is said of a failure is fit to be shown.
        """
        refused = self._turns.refused(op, timeout)
        if refused is not None:
            return refused
        outcome = self._sent(op, timeout)
        if isinstance(outcome, Failed):
            outcome = cleaned(outcome, (self._settings.api_key,))
        self._turns.learn(op, outcome)
        return outcome

    def share(self, shared: Shared) -> None:
        """Keep the budgets where other processes see them."""
        self._turns.share(shared)

    def _sent(self, op: Op, timeout: float) -> Outcome:
        tools = self._settings.transport == "tools"
        if tools and op.tool is None:
            return Failed(kind=Kind.PERMANENT, message="no tool does this", code="no_tool")
        trace = Trace(request_id=self._ids())
        path, body = self._tool_body(op) if tools else self._proxy_body(op)
        answer = self._door.send(self._request(path, body, trace, timeout))
        match answer:
            case NotSent():
                return unsent(answer, trace)
            case Unknown(reason=reason):
                self.sent += 1
                return Failed(kind=Kind.AMBIGUOUS, message=reason, code="no_answer", trace=trace)
            case Answered():
                self.sent += 1
                return _carried_out(self._read(answer, trace, tools=tools), op)

    # --- the request ------------------------------------------------------------------------------

    def _request(self, path: str, body: object, trace: Trace, timeout: float) -> Request:
        settings = self._settings
        return Request(
            method="POST",
            url=f"{settings.base_url.rstrip('/')}{settings.api_path}/tools/execute/{path}",
            headers={
                "x-api-key": settings.api_key,
                "x-request-id": trace.request_id,
                "content-type": "application/json",
                "accept": "application/json",
            },
            body=_ENCODER.encode(body),
            timeout=timeout,
        )

    def _proxy_body(self, op: Op) -> tuple[str, object]:
        # Absolute, because a relative one is appended to a base that may hold a path (1.3).
        query = f"?{urlencode(op.query, quote_via=quote)}" if op.query else ""
        body: dict[str, object] = {
            **self._whose(),
            "endpoint": f"{self._provider_url}{op.path}{query}",
            "method": op.method,
        }
        if op.body is not None:
            body["body"] = op.body
        if op.headers:
            body["parameters"] = [
                {"name": name, "value": value, "type": "header"} for name, value in op.headers
            ]
        return "proxy", body

    def _tool_body(self, op: Op) -> tuple[str, object]:
        assert op.tool is not None
        body = {
            **self._whose(),
            "version": self._settings.toolkit_version,
            "arguments": op.tool.arguments,
        }
        return op.tool.slug, body

    def _whose(self) -> dict[str, object]:
        settings = self._settings
        return {
            "connected_account_id": settings.connected_account_id,
            "user_id": settings.user_id,
        }

    # --- the answer -------------------------------------------------------------------------------

    def _read(self, answer: Answered, trace: Trace, *, tools: bool) -> Outcome:
        now = http_date(answer.headers.get("date"))
        try:
            doc = read_json(answer.body)
        except Unreadable as error:
            if answer.status == OK:
                return _malformed(f"the answer was not taken: {error}", trace)
            doc = None
        if answer.status != OK:
            wait = _seconds(answer.headers.get("retry-after"), now)
            found = verdict(answer.status, doc, wait, self._settings.edge_wait)
            return _failed(found, trace, answer.status, doc)
        if not isinstance(doc, dict):
            return _malformed("the answer is not an envelope", trace)
        if repeated_key(answer.body, doc) is not None:
            return _malformed("the answer names a key twice", trace)
        log_id = doc.get("log_id")
        trace = Trace(trace.request_id, log_id if isinstance(log_id, str) else "")
        return self._tool_outcome(doc, trace, now) if tools else self._provider(doc, trace, now)

    def _provider(self, doc: Mapping[str, object], trace: Trace, now: datetime | None) -> Outcome:
        """Read the proxy's envelope: the provider's status, headers and body."""
        status, headers = doc.get("status"), _headers(doc.get("headers"))
        # The published schema has a number where a whole one is meant (composio.md 1.6).
        if isinstance(status, bool) or not isinstance(status, int) or not status >= OK:
            return _malformed("the envelope has no status", trace)
        return self._judged(
            Refusal(status, doc.get("data"), headers, http_date(headers.get("date")) or now), trace
        )

    def _tool_outcome(
        self, doc: Mapping[str, object], trace: Trace, now: datetime | None
    ) -> Outcome:
        """Read a tool's envelope: the flag decides, `error` may be null (composio.md 1.4)."""
        data = unwrapped(doc.get("data"))
        if doc.get("successful", doc.get("successfull")) is True:
            return self._judged(Refusal(OK, data, {}, now), trace)
        inner = data if isinstance(data, dict) else {}
        status = _status(inner.get("status_code"))
        if status < REFUSED:
            return _malformed("the tool did not succeed and does not say why", trace)
        return self._judged(Refusal(status, _decoded(inner.get("message")), {}, now), trace)

    def _judged(self, found: Refusal, trace: Trace) -> Outcome:
        if found.status >= REFUSED:
            failed = _failed(self._judge(found), trace, found.status, found.doc)
            return msgspec.structs.replace(failed, by_provider=True)
        # An empty body (204) may come as an empty text.
        if isinstance(found.doc, str) and found.doc:
            return _malformed("a text came where JSON was due", trace)
        return Reply(
            status=found.status,
            doc=found.doc,
            headers=found.headers,
            server_ts=found.server_ts,
            trace=trace,
        )


def _failed(found: Verdict, trace: Trace, status: int, doc: object) -> Failed:
    return Failed(
        kind=found.kind,
        message=found.message,
        code=found.code,
        status=status,
        wait_seconds=found.wait_seconds,
        narrow=found.narrow,
        problems=found.problems,
        doc=doc,
        trace=trace,
    )


def _carried_out(outcome: Outcome, op: Op) -> Outcome:
    """Take no promise for a deed: of a write that was only accepted, no more is known (2.B)."""
    if not (op.writes and isinstance(outcome, Reply) and outcome.status == ACCEPTED):
        return outcome
    why = "the CRM has accepted it and does not say that it was done"
    return Failed(kind=Kind.AMBIGUOUS, message=why, code="accepted", trace=outcome.trace)


def _malformed(why: str, trace: Trace) -> Failed:
    return Failed(kind=Kind.MALFORMED, message=why, code="malformed", trace=trace)


def _status(raw: object) -> int:
    """Give an HTTP status, 0 where there is none.

    The published schema has any number where a whole one is meant (composio.md 1.6).
    """
    whole = isinstance(raw, int | Decimal) and not isinstance(raw, bool) and raw == int(raw)
    return int(raw) if whole and isinstance(raw, int | Decimal) else 0


def _headers(raw: object) -> dict[str, str]:
    pairs = raw.items() if isinstance(raw, dict) else ()
    return {str(name).lower(): value for name, value in pairs if isinstance(value, str)}


def _decoded(message: object) -> object:
    """Give a provider's error document; a tool answers it as text, if at all."""
    if not isinstance(message, str):
        return message
    try:
        return read_json(message.encode("utf-8", "replace"))
    except Unreadable:
        return {"message": message}


def _seconds(text: str | None, now: datetime | None) -> float | None:
    wait = retry_after(text, now or EPOCH)
    return None if wait is None else wait.total_seconds()
