"""One call of Tryton's JSON-RPC, sent once, and what became of it.

A call that went wrong answers HTTP 200 with an error in its body; its transaction was rolled back,
so nothing was changed. A session that has run out answers 401 and carries nothing out: then we log
in once more and ask again. Nothing else is ever repeated; a 403 is no matter of the session.
"""

from __future__ import annotations

import base64
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from quotey.adapters.tryton.settings import TrytonSettings
from quotey.adapters.tryton.values import Doc, from_wire, to_wire
from quotey.contract.adapter import Call
from quotey.contract.errors import Diagnostic, ErrorClass, Outcome, RemoteFailure, Severity
from quotey.contract.repeated import repeated_key
from quotey.contract.secret import Secret
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

OK, BAD_SESSION, FORBIDDEN, TOO_EARLY, TOO_MANY, SERVER_ERROR = 200, 401, 403, 425, 429, 500
UNSURE, NEVER = (408,), (501, 505)
"""After the one a call may have been carried out; what the others say, no trying mends."""
READS = ("read", "search_read", "search", "search_count", "get_preferences", "login")
"""Methods that change nothing; the outcome of all others may be unknown."""

CLASS_OF = {
    "ConcurrencyException": ErrorClass.CONFLICT,
    "UserError": ErrorClass.PERMANENT,
    "UserWarning": ErrorClass.PERMANENT,
    "LoginException": ErrorClass.AUTH,
    "RateLimitException": ErrorClass.RATE_LIMIT,
}
"""What a named error means. Any other is a failure of the server's own: it may pass."""

SHOWN = 300


class RefusedCallError(RemoteFailure):
    """The server understood a call and did not carry it out: an error in a whole answer."""


class Session(msgspec.Struct, frozen=True):
    """Who we are to the server, and the company and employee that we act for."""

    token: Secret
    context: Doc


class Reply(msgspec.Struct, frozen=True):
    """A result, and the server's clock when it answered, where it told."""

    result: Any
    server_ts: datetime | None


class Rpc:
    """Calls methods of one database. May be used from several threads."""

    def __init__(self, settings: TrytonSettings, door: Door | None = None) -> None:
        host = urlsplit(settings.base_url).hostname or ""
        self._door = door or Door(frozenset({host}), loopback=settings.loopback)
        self._url = f"{settings.base_url.rstrip('/')}/{quote(settings.database, safe='')}/rpc/"
        self._settings = settings
        self._session: Session | None = None
        self._lock = threading.Lock()
        self.sent = 0

    def close(self) -> None:
        """Give the connections back; may be called twice."""
        self._door.close()

    def call(self, model: str, method: str, *params: object, call: Call, **context: object) -> Any:  # noqa: ANN401 - whatever the method answers
        """Call a method of a model and give its result. Raises RemoteFailure."""
        return self.ask(model, method, *params, call=call, **context).result

    def ask(self, model: str, method: str, *params: object, call: Call, **context: object) -> Reply:
        """The same, with the server's clock."""
        name = f"model.{model}.{method}"
        session = self._session or self._log_in(call)
        answer = self._send(name, [*params, {**session.context, **context}], call, session)
        if isinstance(answer, Answered) and answer.status == BAD_SESSION:
            session = self._log_in(call)
            answer = self._send(name, [*params, {**session.context, **context}], call, session)
        return self._judge(name, answer)

    def _log_in(self, call: Call) -> Session:
        """Ask for a session. Raises RemoteFailure (auth) when we are not let in."""
        user = self._settings.user
        params: list[object] = [user, {"password": self._settings.password.reveal()}, "en"]
        found = self._judge("common.db.login", self._send("common.db.login", params, call)).result
        if not isinstance(found, list) or len(found) < 2:  # noqa: PLR2004 - user and token
            raise _failed("common.db.login", ErrorClass.AUTH, "no session was given")
        whole = base64.b64encode(f"{user}:{found[0]}:{found[1]}".encode()).decode()
        session = Session(Secret(f"Session {whole}"), {})
        name = "model.res.user.get_preferences"
        known = self._judge(name, self._send(name, [True, {}], call, session)).result
        own = {key: known.get(key) for key in ("company", "employee") if known.get(key)}
        session = Session(session.token, own)
        with self._lock:
            self._session = session
        return session

    def _send(
        self, name: str, params: list[object], call: Call, session: Session | None = None
    ) -> Answered | NotSent | Unknown:
        body = msgspec.json.encode({"id": 1, "method": name, "params": to_wire(params)})
        headers: dict[str, str | Secret] = {
            "content-type": "application/json",
            "x-correlation-id": call.correlation_id,
        }
        if session is not None:
            headers["authorization"] = session.token
        with self._lock:
            self.sent += 1
        return self._door.send(
            Request(method="POST", url=self._url, headers=headers, body=body, timeout=call.timeout)
        )

    def _judge(self, name: str, answer: Answered | NotSent | Unknown) -> Reply:
        """Give the reply of a whole and good answer; raise what any other means."""
        if isinstance(answer, NotSent):
            lasting = ErrorClass.AUTH if answer.untrusted else ErrorClass.TRANSIENT
            raise _failed(name, lasting, answer.reason)
        if isinstance(answer, Unknown):
            raise _unsure(name, answer.reason)
        if answer.status != OK:
            raise _refused(name, answer)
        try:
            raw = read_json(answer.body)
            body = from_wire(raw)
        except (Unreadable, ValueError) as error:
            raise _unsure(name, f"The answer cannot be read: {error}") from error
        if repeated_key(answer.body, raw) is not None:
            raise _unsure(name, "The answer names a key twice")
        if isinstance(body, dict) and "error" in body:
            raise _error(name, body["error"])
        if not isinstance(body, dict) or "result" not in body:
            raise _unsure(name, "The answer holds no result")
        return Reply(body["result"], http_date(answer.headers.get("date")))


def _failed(
    name: str,
    error_class: ErrorClass,
    why: str,
    *,
    wait: timedelta | None = None,
    diagnostics: tuple[Diagnostic, ...] = (),
    kind: type[RemoteFailure] = RemoteFailure,
) -> RemoteFailure:
    """Build the failure of a call that changed nothing."""
    return kind(
        f"{name}: {why.strip().rstrip('.')}. Nothing was changed.",
        error_class=error_class,
        retry_after=wait,
        diagnostics=diagnostics,
    )


def _unsure(name: str, why: str) -> RemoteFailure:
    """Build the failure of a call of which no more is known; a read may be repeated."""
    if name.rpartition(".")[2] in READS:
        return _failed(name, ErrorClass.TRANSIENT, why)
    return RemoteFailure(
        f"{name}: {why.strip().rstrip('.')}. Whether it was carried out is not known.",
        error_class=ErrorClass.UNKNOWN,
        outcome=Outcome.UNKNOWN,
    )


def _refused(name: str, answer: Answered) -> RemoteFailure:
    why = f"HTTP {answer.status}"
    if answer.status in (BAD_SESSION, FORBIDDEN):
        return _failed(name, ErrorClass.AUTH, f"the user is not let in ({why})")
    if answer.status == TOO_MANY:
        now = http_date(answer.headers.get("date")) or datetime(1970, 1, 1, tzinfo=UTC)
        wait = retry_after(answer.headers.get("retry-after"), now)
        return _failed(name, ErrorClass.RATE_LIMIT, "too many requests", wait=wait)
    if answer.status == TOO_EARLY:
        return _failed(name, ErrorClass.TRANSIENT, why)
    if answer.status in UNSURE or (answer.status >= SERVER_ERROR and answer.status not in NEVER):
        return _unsure(name, why)
    return _failed(name, ErrorClass.PERMANENT, why)


def _error(name: str, raw: object) -> RemoteFailure:
    """Read `[class, detail]`. What is not named is `[text, traceback]`: no traceback is shown."""
    parts = raw if isinstance(raw, list) and raw else [raw]
    kind = str(parts[0])
    known = CLASS_OF.get(kind)
    if known is None:
        why = f"the server failed: {kind[:SHOWN]!r}"
        return _failed(name, ErrorClass.TRANSIENT, why, kind=RefusedCallError)
    why = f"{kind}: {_told(kind, parts[1] if len(parts) > 1 else '')[:SHOWN]}"
    told = Diagnostic(code=kind.lower(), severity=Severity.ERROR, message=why)
    return _failed(name, known, why, diagnostics=(told,), kind=RefusedCallError)


def _told(kind: str, detail: object) -> str:
    """Give the sentence of an error; a warning names itself first."""
    if not isinstance(detail, list):
        return str(detail)
    texts = [one for one in detail if isinstance(one, str) and one]
    return " ".join(texts[1:] if kind == "UserWarning" else texts)
