"""The service's own records: connected accounts, and the ways to authorise them.

Source: composio.md 1.8. Nothing is decided here but what an answer means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from quotey.adapters import RemoteAccount
from quotey.adapters.composio.docs import Doc, as_doc, as_docs, as_text
from quotey.adapters.composio.failure import failure_of
from quotey.adapters.composio.ops import Failed, Kind, Op, Trace, unsent
from quotey.adapters.composio.scrub import cleaned, scrubbed
from quotey.adapters.composio.service import verdict
from quotey.adapters.composio.settings import ComposioSettings
from quotey.contract.errors import ConfigError, RemoteFailure
from quotey.contract.repeated import repeated_key
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

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REFUSED = 300
NOT_FOUND = 404
TIMEOUT = 15.0
PAGES = 20
"""A list of ways to authorise shows 50 a page; more than a thousand are not looked through."""

ACTIVE = "ACTIVE"
ENDED = ("FAILED", "EXPIRED", "REVOKED")
"""States from which an account does not come back by itself (1.8)."""


class Link(msgspec.Struct, frozen=True):
    """Where a person says yes, and the account that is then connected."""

    url: str
    account_id: str


class Accounts:
    """Asks the service about the accounts of one CRM."""

    def __init__(
        self, settings: ComposioSettings, toolkit: str, *, door: Door, ids: Callable[[], str]
    ) -> None:
        self._settings = settings
        self._toolkit = toolkit
        self._door = door
        self._ids = ids

    def get(self, account_id: str) -> RemoteAccount | None:
        """Say how an account stands; None when the service has none of that id."""
        op = Op(
            name="Looking at the connected account",
            method="GET",
            path=f"/connected_accounts/{quote(account_id, safe='')}",
        )
        outcome = self._send(op)
        if isinstance(outcome, Failed):
            if outcome.status == NOT_FOUND:
                return None
            raise _raised(outcome, op)
        account = account_of(outcome)
        if account is None:
            raise _raised(Failed(kind=Kind.MALFORMED, message="no account came"), op)
        return account

    def auth_config(self) -> str:
        """Give the way to authorise: the one set, the only one there is, or a new one.

        A new one is the service's own app of the vendor. Raises ConfigError where there are
        several, RemoteFailure.
        """
        if self._settings.auth_config_id:
            return self._settings.auth_config_id
        found = self._auth_configs()
        if len(found) > 1:
            raise ConfigError(
                f"There are {len(found)} ways to authorise {self._toolkit}: {', '.join(found)}. "
                "Set auth_config_id of the connection to one of them. Nothing was changed."
            )
        return found[0] if found else self._new_auth_config()

    def link(self, auth_config_id: str) -> Link:
        """Begin an account; it becomes active when a person follows the link."""
        settings = self._settings
        op = Op(
            name="Beginning a connection",
            method="POST",
            path="/connected_accounts/link",
            body={"auth_config_id": auth_config_id, "user_id": settings.user_id},
            writes=True,
        )
        doc = self._doc(op)
        url, account_id = as_text(doc.get("redirect_url")), as_text(doc.get("connected_account_id"))
        if not account_id or not _may_be_shown(url, loopback=settings.loopback):
            raise _raised(Failed(kind=Kind.MALFORMED, message="no usable link came"), op)
        return Link(url, account_id)

    # --- ways to authorise ------------------------------------------------------------------------

    def _auth_configs(self) -> list[str]:
        """Give those that are in use, page by page (1.8: a page has 50, whatever is asked)."""
        found: list[str] = []
        cursor = ""
        for _page in range(PAGES):
            query = {"toolkit_slug": self._toolkit, **({"cursor": cursor} if cursor else {})}
            path = f"/auth_configs?{urlencode(query)}"
            doc = self._doc(Op(name="Listing ways to authorise", method="GET", path=path))
            found += [
                as_text(one.get("id"))
                for one in as_docs(doc.get("items"))
                if one.get("is_disabled") is not True
                and one.get("status") != "DISABLED"
                and as_text(as_doc(one.get("toolkit")).get("slug")) == self._toolkit
            ]
            cursor = as_text(doc.get("next_cursor"))
            if not cursor:
                break
        return [one for one in found if one]

    def _new_auth_config(self) -> str:
        body = {
            "toolkit": {"slug": self._toolkit},
            "auth_config": {"type": "use_composio_managed_auth"},
        }
        op = Op(
            name="Making a way to authorise",
            method="POST",
            path="/auth_configs",
            body=body,
            writes=True,
        )
        made = as_text(as_doc(self._doc(op).get("auth_config")).get("id"))
        if not made:
            raise _raised(Failed(kind=Kind.MALFORMED, message="none came"), op)
        return made

    # --- asking -----------------------------------------------------------------------------------

    def _doc(self, op: Op) -> Doc:
        outcome = self._send(op)
        if isinstance(outcome, Failed):
            raise _raised(outcome, op)
        return outcome

    def _send(self, op: Op) -> Doc | Failed:
        outcome = self._sent(op)
        return (
            cleaned(outcome, (self._settings.api_key,)) if isinstance(outcome, Failed) else outcome
        )

    def _sent(self, op: Op) -> Doc | Failed:
        trace = Trace(request_id=self._ids())
        answer = self._door.send(self._request(op, trace))
        match answer:
            case NotSent():
                return unsent(answer, trace)
            case Unknown(reason=reason):
                return Failed(kind=Kind.AMBIGUOUS, message=reason, code="no_answer", trace=trace)
            case Answered():
                return self._read(answer, trace)

    def _request(self, op: Op, trace: Trace) -> Request:
        settings = self._settings
        headers: Mapping[str, str] = {"content-type": "application/json"} if op.body else {}
        return Request(
            method=op.method,
            url=f"{settings.base_url.rstrip('/')}{settings.api_path}{op.path}",
            headers={
                "x-api-key": settings.api_key,
                "x-request-id": trace.request_id,
                "accept": "application/json",
                **headers,
            },
            body=msgspec.json.encode(op.body) if op.body else b"",
            timeout=TIMEOUT,
        )

    def _read(self, answer: Answered, trace: Trace) -> Doc | Failed:
        try:
            doc = read_json(answer.body)
        except Unreadable:
            doc = None
        if answer.status >= REFUSED:
            now = http_date(answer.headers.get("date")) or EPOCH
            wait = retry_after(answer.headers.get("retry-after"), now)
            seconds = None if wait is None else wait.total_seconds()
            found = verdict(answer.status, doc, seconds, self._settings.edge_wait)
            return Failed(
                kind=found.kind,
                message=found.message,
                code=found.code,
                status=answer.status,
                wait_seconds=found.wait_seconds,
                trace=trace,
            )
        if not isinstance(doc, dict):
            return Failed(kind=Kind.MALFORMED, message="no document came", trace=trace)
        if repeated_key(answer.body, doc) is not None:
            return Failed(kind=Kind.MALFORMED, message="the answer names a key twice", trace=trace)
        return doc


def account_of(doc: Doc) -> RemoteAccount | None:
    """Read an account's record; None when it is none.

    Tokens come back redacted; scopes and expiry are there only where the provider told them.
    """
    account_id, state = as_text(doc.get("id")), as_text(doc.get("status"))
    if not account_id or not state:
        return None
    value = as_doc(as_doc(doc.get("state")).get("val"))
    return RemoteAccount(
        account_id=account_id,
        state=state,
        usable=state == ACTIVE and doc.get("is_disabled") is not True,
        reason=scrubbed(doc.get("status_reason")),
        scopes=_scopes(value.get("scope")),
        created_at=_moment(doc.get("created_at")),
        expires_at=_moment(value.get("expires_at")),
        renews=bool(as_text(value.get("refresh_token"))),
    )


def _scopes(raw: object) -> tuple[str, ...]:
    """Read scopes: a list, or a text with spaces or commas between."""
    words = raw.replace(",", " ").split() if isinstance(raw, str) else raw
    return tuple(as_text(one) for one in words) if isinstance(words, list) else ()


def _moment(raw: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(raw) if isinstance(raw, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _may_be_shown(url: str, *, loopback: bool) -> bool:
    """Say whether a person may be sent there: a plain address over TLS, or here for simulators."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and bool(parts.hostname)
    local = loopback and parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
    return plain and (parts.scheme == "https" or local)


def _raised(failed: Failed, op: Op) -> RemoteFailure:
    return failure_of(failed, op, lambda _problem: ("", ""))
