"""Arbitrary provider HTTP through the gateway's connection.

Source: composio.md 1.3: the provider's status, headers and body come inside an HTTP 200.
"""

import json
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from quotey.testing.simulators.composio.accounts import Accounts
from quotey.testing.simulators.composio.documents import Account
from quotey.testing.simulators.composio.errors import GatewayError
from quotey.testing.simulators.exchange import Broken, Doc, Request, Response

_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"})
# Hop-by-hop and length headers describe the provider's connection, not ours.
_DROPPED = frozenset({"content-length", "connection", "transfer-encoding"})


class Parameter(Struct, frozen=True):
    """A header or query parameter; the field is `type` on the wire (1.3)."""

    name: str
    value: str
    type: str


class ProxyCall(Struct, frozen=True):
    """The body of a proxy request; `body` stays as it was written."""

    endpoint: str
    method: str
    connected_account_id: str = ""
    user_id: str = ""
    body: msgspec.Raw = msgspec.Raw(b"")
    parameters: tuple[Parameter, ...] = ()


def decode(body: bytes) -> ProxyCall:
    """Read a proxy request.

    Raises:
        GatewayError: 400 when it is malformed or names no connection.
    """
    try:
        call = msgspec.json.decode(body, type=ProxyCall)
    except msgspec.MsgspecError as error:
        raise GatewayError(400, str(error), 400, "HTTP_BadRequest") from error
    if call.method not in _METHODS:
        raise GatewayError(400, f"Unknown method {call.method}", 400, "HTTP_BadRequest")
    if not call.connected_account_id:
        raise GatewayError(400, "connected_account_id is required", "MissingAuthContext")
    return call


def provider_url(base_url: str, endpoint: str) -> str:
    """The absolute URL of an endpoint: relative ones are appended to the base, path and all.

    Raises:
        GatewayError: 400 OriginMismatch for another scheme or eTLD+1 than the connection's.
    """
    if not endpoint.startswith(("http://", "https://")):
        return base_url.rstrip("/") + "/" + endpoint.lstrip("/")
    try:
        wanted, base = urlsplit(endpoint), urlsplit(base_url)
    except ValueError as error:
        raise GatewayError(400, str(error), 400, "HTTP_BadRequest") from error
    if (wanted.scheme, _site(wanted.hostname)) != (base.scheme, _site(base.hostname)):
        message = f"{wanted.hostname} is not of the connection's site {base.hostname}"
        raise GatewayError(400, message, "OriginMismatch")
    return endpoint


def _site(host: str | None) -> str:
    return ".".join((host or "").split(".")[-2:])


def forward(
    accounts: Accounts, account: Account, url: str, call: ProxyCall, *, pass_headers: bool
) -> Response:
    """Send a call to the provider with the connection's token.

    Raises:
        GatewayError: 504 when the provider stays silent, 502 when its answer breaks off.
    """
    headers = {p.name.lower(): p.value for p in call.parameters if p.type == "header"}
    query = urlencode([(p.name, p.value) for p in call.parameters if p.type == "query"])
    path, _, own = url.split("://", 1)[1].partition("?")
    joined = "&".join(part for part in (own, query) if part)
    request = Request(
        method=call.method,
        target="/" + path.partition("/")[2] + (f"?{joined}" if joined else ""),
        headers={
            "content-type": "application/json",
            **(headers if pass_headers else {}),
            "authorization": f"Bearer {accounts.bearer(account)}",
        },
        body=bytes(call.body),
    )
    outcome = accounts.upstreams[account.toolkit].core.exchange(request)
    if isinstance(outcome, Broken):
        if outcome.partial is not None:
            raise GatewayError(502, "Bad gateway", 502, "HTTP_BadGateway")
        raise GatewayError(504, "Upstream timed out", 504, "HTTP_GatewayTimeout")
    return outcome


def content(response: Response) -> msgspec.Raw | str | None:
    """The provider's body: JSON as it is, anything else as text, nothing as null."""
    if not response.body:
        return None
    try:
        json.loads(response.body)
    except ValueError:
        return response.body.decode(errors="replace")
    return msgspec.Raw(response.body)


def envelope(response: Response, *, headers: bool) -> Doc:
    """The provider's answer inside the gateway's."""
    doc: Doc = {"status": response.status}
    data = content(response)
    if data is not None:
        doc["data"] = data
    if headers:
        doc["headers"] = _kept(response.headers)
    return doc


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _DROPPED}
