"""The simulated gateway: credentials, budget, tools, proxy, accounts, logs.

Source: composio.md; section 5 is the list of what is here.
"""

import json
from typing import Any

from quotey.testing.simulators.clock import START, Clock
from quotey.testing.simulators.composio import execute, proxy
from quotey.testing.simulators.composio.accounts import Accounts, Upstream
from quotey.testing.simulators.composio.catalog import Tool, tools
from quotey.testing.simulators.composio.documents import Account, page, tool_doc, toolkit_doc
from quotey.testing.simulators.composio.errors import (
    GatewayError,
    answer,
    edge_rate_limited,
    forbidden,
    no_connection,
    not_active,
    org_rate_limited,
    rate_headers,
    shaped,
    tool_not_found,
    unauthorized,
)
from quotey.testing.simulators.composio.logbook import Logbook
from quotey.testing.simulators.composio.settings import PERMISSIONS, ComposioSettings
from quotey.testing.simulators.composio.webhooks import Webhooks
from quotey.testing.simulators.core import Core
from quotey.testing.simulators.exchange import Doc, Request, Response, html
from quotey.testing.simulators.faults import Fault

_CREDENTIALS = ("x-api-key", "x-user-api-key", "x-org-api-key")
_FIRST_VERSION = "00000000_00"
_PAGE = "<!DOCTYPE html><html><body>Service page</body></html>"


class ComposioCore(Core):
    """One project. `accounts` connects it to the providers, `logbook` remembers executions."""

    name = "composio"
    prefixes = ("/api/v3", "/link/")

    def __init__(
        self,
        clock: Clock,
        upstreams: dict[str, Upstream],
        seed: int = 0,
        settings: ComposioSettings | None = None,
    ) -> None:
        super().__init__(clock, seed)
        self.settings = settings or ComposioSettings()
        self.accounts = Accounts(clock, self.settings, upstreams)
        self.webhooks = Webhooks(clock)
        self.keys: dict[str, frozenset[str]] = {}
        self.logbook = Logbook(clock)
        self._minute = ""
        self._spent = 0

    def add_key(self, key: str = "ak_sim", permissions: frozenset[str] = PERMISSIONS) -> str:
        """Let a project key in, for all permission areas or fewer."""
        self.keys[key] = permissions
        return key

    def settle(self) -> None:
        """Give up links that nobody followed; the providers keep their own time."""
        self.accounts.expire_links()

    # -- faults

    def failure(self, fault: Fault) -> Response:  # noqa: PLR0911 - a table of faults
        """How the gateway shows a fault (1.4, section 5 "Fault switches")."""
        match fault.kind:
            case "rate_limited" if fault.retry_after is None:
                return edge_rate_limited()
            case "rate_limited":
                limit = self.settings.requests_per_minute
                return org_rate_limited(limit, int(fault.retry_after or 0))
            case "unsuccessful":
                doc: Doc = {
                    "data": {},
                    "error": None,
                    "successful": False,
                    "log_id": self.logbook.next_id(),
                }
                return answer(200, doc)
            case "html_data":
                doc = {
                    "data": _PAGE,
                    "error": None,
                    "successful": True,
                    "log_id": self.logbook.next_id(),
                }
                return answer(200, doc)
            case "account_expired":
                self._expire_all()
                return self._refusal(not_active("EXPIRED"))
            case "no_connection":
                return self._refusal(no_connection("unknown"))
            case "token_expired":
                return self._refusal(unauthorized("Invalid API key"))
            case _:
                status = fault.status or 500
                return self._refusal(GatewayError(status, "Internal error", status, fault.code))

    def _refusal(self, error: GatewayError) -> Response:
        return error.response(self.dice.uuid())

    def _expire_all(self) -> None:
        for account_id in self.accounts.accounts:
            self.accounts.expire(account_id, "Permanent auth error during token refresh")

    # -- requests

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            if request.segments[:1] == ("link",):
                return self.accounts.follow(request.segments[-1])
            permissions = self._admit(request)
            refused = self._spend()
            response = refused or self._route(request, permissions)
        except GatewayError as error:
            response = error.response(request.headers.get("x-request-id", ""))
        left = self.settings.requests_per_minute - self._spent
        return response.with_headers(rate_headers(self.settings.requests_per_minute, max(0, left)))

    def _admit(self, request: Request) -> frozenset[str]:
        # 1.1: exactly one credential header.
        given = [name for name in _CREDENTIALS if name in request.headers]
        if len(given) != 1:
            raise unauthorized("Exactly one credential header is required")
        permissions = self.keys.get(request.headers[given[0]])
        if permissions is None:
            raise unauthorized("Invalid API key")
        return permissions

    def _spend(self) -> Response | None:
        # 1.5: a fixed minute, all endpoints together.
        now = self.clock.now()
        minute = now.strftime("%Y-%m-%dT%H:%M")
        if minute != self._minute:
            self._minute, self._spent = minute, 0
        self._spent += 1
        if self._spent <= self.settings.requests_per_minute:
            return None
        return org_rate_limited(self.settings.requests_per_minute, 60 - now.second)

    def _route(self, request: Request, permissions: frozenset[str]) -> Response:  # noqa: C901, PLR0911 - a table of routes
        def need(area: str) -> None:
            if area not in permissions:
                raise forbidden(area)

        match request.method, request.segments[2:]:
            case "POST", ("tools", "execute", "proxy"):
                need("proxy:execute")
                return self._proxy(request)
            case "POST", ("tools", "execute", slug):
                need("tools:execute")
                return self._execute(request, slug)
            case "GET", ("tools", *rest):
                need("tools:read")
                return self._tools(request, tuple(rest))
            case "GET", ("toolkits", slug):
                need("tools:read")
                return self._toolkit(slug)
            case "POST", ("connected_accounts", "link"):
                need("accounts:write")
                return self.accounts.link(_doc(request), request.headers.get("host", ""))
            case method, ("connected_accounts", *rest):
                need("accounts:read" if method == "GET" else "accounts:write")
                return self.accounts.serve(request, tuple(rest))
            case method, ("auth_configs", *rest):
                need("accounts:read" if method == "GET" else "auth_configs:write")
                return self.accounts.serve_auth_configs(request, _doc(request), tuple(rest))
            case method, ("logs", "tool_execution", *rest) if method in {"GET", "POST"}:
                need("logs:read")
                return self.logbook.serve(_doc(request), tuple(rest))
            case "POST", ("webhook_subscriptions" | "trigger_instances", *rest):
                need("webhooks:write")
                return self.webhooks.serve(_doc(request), tuple(rest))
            case _:
                # 1.4: an unknown address answers with a page.
                return html(404, "Cannot find this page")

    def _proxy(self, request: Request) -> Response:
        call = proxy.decode(request.body)
        account = self.accounts.usable(call.connected_account_id, call.user_id, "")
        log_id = self.logbook.enter(request, "proxy", account)
        base = self.accounts.upstreams[account.toolkit].base_url
        url = proxy.provider_url(base, call.endpoint)
        keep = self.settings.request_headers
        reply = proxy.forward(self.accounts, account, url, call, pass_headers=keep)
        doc = proxy.envelope(reply, headers=self.settings.provider_headers)
        return answer(200, {**doc, "log_id": log_id} if self.settings.proxy_log_id else doc)

    def _execute(self, request: Request, slug: str) -> Response:
        doc = _doc(request)
        version = self._version(request, str(doc.get("version") or ""))
        tool = self._tool(slug, version)
        account = self.accounts.usable(
            str(doc.get("connected_account_id") or ""),
            str(doc.get("user_id") or doc.get("entity_id") or ""),
            tool.toolkit,
        )
        log_id = self.logbook.enter(request, slug, account)
        arguments = execute.kept(tool, shaped(doc.get("arguments") or {}, dict[str, Any]))
        absent = execute.missing(tool, arguments)
        if absent:
            # Section 5: a missing required argument is 200 with successful false (inferred).
            message = f"Following fields are missing: {absent}"
            return answer(200, execute.failed(message, 400, log_id))
        reply = self._call_tool(tool, arguments, account)
        headers = {"composio-deprecated-toolkits": self.settings.deprecated}
        shown = headers if self.settings.deprecated else {}
        return answer(200, execute.outcome(reply, version, log_id), shown)

    def _call_tool(self, tool: Tool, arguments: execute.Arguments, account: Account) -> Response:
        call = execute.provider_call(tool, arguments, account.account_id)
        origin = _origin(self.accounts.upstreams[account.toolkit].base_url)
        root = "" if tool.style == "absolute" else _ROOTS.get(tool.toolkit, "")
        return proxy.forward(
            self.accounts, account, f"{origin}{root}{call.endpoint}", call, pass_headers=True
        )

    def _version(self, request: Request, asked: str) -> str:
        # 1.1: v3.1 takes the latest by default, v3 the very first.
        default = "latest" if request.segments[1] == "v3.1" else _FIRST_VERSION
        version = asked or default
        return self.settings.versions[-1] if version == "latest" else version

    def _tool(self, slug: str, version: str) -> Tool:
        tool = tools().get(slug)
        if tool is None or version not in self.settings.versions:
            raise tool_not_found(slug)
        return tool

    def _tools(self, request: Request, rest: tuple[str, ...]) -> Response:
        version = self._version(request, request.one("version"))
        if rest:
            tool = self._tool(rest[0], version)
            return answer(200, tool_doc(tool, version, self.settings.versions))
        wanted = request.all("toolkit_slug")
        found = [t for t in tools().values() if not wanted or t.toolkit in wanted]
        docs = [tool_doc(tool, version, self.settings.versions) for tool in found]
        return answer(200, page(docs, request, shaped(request.one("limit") or 20, int)))

    def _toolkit(self, slug: str) -> Response:
        if slug not in self.accounts.upstreams:
            raise GatewayError(404, f"Toolkit {slug} not found", 4301, "Toolkit_NotFound")
        count = sum(tool.toolkit == slug for tool in tools().values())
        return answer(200, toolkit_doc(slug, count, self.settings.versions, START))


# A tool knows where its provider's API begins; a proxy caller must say it.
_ROOTS = {"salesforce": "/services/data/v67.0"}


def _origin(base_url: str) -> str:
    return "/".join(base_url.split("/")[:3])


def _doc(request: Request) -> Doc:
    try:
        doc = json.loads(request.body or b"{}")
    except ValueError as error:
        raise GatewayError(400, "Malformed JSON", 400, "HTTP_BadRequest") from error
    return shaped(doc, dict[str, Any])
