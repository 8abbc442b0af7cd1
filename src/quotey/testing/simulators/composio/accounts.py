"""Connected accounts, auth configs and the link flow.

Source: composio.md 1.8, 1.4.
"""

from collections.abc import Callable
from datetime import timedelta

from msgspec import Struct

from quotey.testing.simulators.clock import Clock
from quotey.testing.simulators.composio.documents import (
    Account,
    account_doc,
    auth_config_doc,
    iso,
    page,
)
from quotey.testing.simulators.composio.errors import (
    GatewayError,
    answer,
    no_connection,
    not_active,
    shaped,
)
from quotey.testing.simulators.composio.settings import ComposioSettings
from quotey.testing.simulators.core import Core
from quotey.testing.simulators.exchange import Doc, Request, Response, html

AUTH_CONFIG_PAGE = 50
# 1.8 and #2455: an INACTIVE account still executes.
_USABLE = {"ACTIVE", "INACTIVE"}
_TOKENS = ("access_token", "refresh_token")


class Upstream(Struct, frozen=True):
    """A provider behind the gateway: its core, its public base URL, and where tokens come from."""

    core: Core
    base_url: str
    issue_token: Callable[[], str]
    token_seconds: float = 1800.0


class Accounts:
    """What the project is connected to."""

    def __init__(
        self, clock: Clock, settings: ComposioSettings, upstreams: dict[str, Upstream]
    ) -> None:
        self._clock = clock
        self._settings = settings
        self.upstreams = upstreams
        self.accounts: dict[str, Account] = {}
        self.auth_configs: dict[str, str] = {}
        """The toolkit of each auth config, by its id."""

    # -- what a person or a test does

    def connect(self, toolkit: str, user_id: str = "user-1") -> str:
        """Connect an account at once, as if the link flow had been gone through; gives its id."""
        account = self._begin(toolkit, user_id, self._auth_config(toolkit))
        self.approve(account.link_token)
        return account.account_id

    def approve(self, link_token: str) -> Account:
        """The person at the browser says yes; later than ten minutes it is too late (1.8)."""
        account = next((a for a in self.accounts.values() if a.link_token == link_token), None)
        if account is None:
            raise GatewayError(404, "Link not found", 404, "HTTP_NotFound")
        self.expire_links()
        if account.status == "INITIATED":
            account.status = "ACTIVE"
            wait = timedelta(seconds=self._settings.propagation)
            account.usable_from = self._clock.now() + wait
        return account

    def expire(self, account_id: str, reason: str) -> None:
        """An account turns EXPIRED, for example because its refresh token died."""
        account = self.accounts[account_id]
        account.status, account.status_reason = "EXPIRED", reason

    def expire_links(self) -> None:
        """Give up the links that nobody followed (1.8)."""
        now, life = self._clock.now(), timedelta(seconds=self._settings.link_seconds)
        for account in self.accounts.values():
            if account.status == "INITIATED" and account.created_at + life <= now:
                reason = "Connection initiation did not complete within 10 minutes"
                self.expire(account.account_id, reason)

    # -- for execute and proxy

    def usable(self, account_id: str, user_id: str, toolkit: str) -> Account:
        """The account that a call names, by id or by user and toolkit.

        Raises:
            GatewayError: 404 when there is none yet, 422 when it is not ACTIVE.
        """
        self.expire_links()
        account = self.accounts.get(account_id) if account_id else self._of_user(user_id, toolkit)
        known = account is not None and (not user_id or account.user_id == user_id)
        if account is None or not known or (toolkit and account.toolkit != toolkit):
            raise no_connection(toolkit or "unknown")
        if account.usable_from is not None and account.usable_from > self._clock.now():
            raise no_connection(account.toolkit)
        if account.status not in _USABLE:
            if self._settings.not_active_status == 404:  # noqa: PLR2004 - an HTTP status
                raise no_connection(account.toolkit)
            raise not_active(account.status)
        return account

    def bearer(self, account: Account) -> str:
        """The provider's access token; the gateway refreshes it by itself (1.8)."""
        upstream, now = self.upstreams[account.toolkit], self._clock.now()
        if account.token_until is None or account.token_until <= now:
            account.token = upstream.issue_token()
            account.token_until = now + timedelta(seconds=upstream.token_seconds)
        return account.token

    def _of_user(self, user_id: str, toolkit: str) -> Account | None:
        mine = [a for a in self.accounts.values() if a.user_id == user_id and a.toolkit == toolkit]
        return next((a for a in mine if a.status in _USABLE), mine[0] if mine else None)

    # -- endpoints

    def serve(self, request: Request, rest: tuple[str, ...]) -> Response:
        """Serve `/connected_accounts`."""
        self.expire_links()
        match request.method, rest:
            case "GET", ():
                return self._list(request)
            case "POST", ():
                # 1.8: creating managed connections directly is retired.
                message = "Use POST /connected_accounts/link"
                raise GatewayError(400, message, 600, "ConnectedAccount_BadRequest")
            case "GET", (account_id,):
                return answer(200, account_doc(self._known(account_id)))
            case "PATCH", (account_id, "status"):
                account = self._known(account_id)
                account.status = "ACTIVE" if b"true" in request.body else "INACTIVE"
                return answer(200, {"success": True})
            case "POST", (account_id, "revoke"):
                account = self._known(account_id)
                account.status = "REVOKED"
                shown = {"id": account_id, "status": account.status}
                return answer(200, {"revoked_tokens": _TOKENS, "connected_account": shown})
            case "DELETE", (account_id,):
                del self.accounts[self._known(account_id).account_id]
                return answer(200, {"success": True})
            case _:
                raise GatewayError(404, "Not found", 404, "HTTP_NotFound")

    def link(self, doc: Doc, host: str) -> Response:
        """POST a link: the person follows `redirect_url`, the account waits as INITIATED (1.8)."""
        config = str(doc.get("auth_config_id", ""))
        if config not in self.auth_configs or not doc.get("user_id"):
            message = "auth_config_id and user_id are required"
            raise GatewayError(400, message, 600, "ConnectedAccount_BadRequest")
        account = self._begin(self.auth_configs[config], str(doc["user_id"]), config)
        expires = account.created_at + timedelta(seconds=self._settings.link_seconds)
        return answer(
            201,
            {
                "link_token": account.link_token,
                "redirect_url": f"http://{host}/link/{account.link_token}",
                "connected_account_id": account.account_id,
                "expires_at": iso(expires),
            },
        )

    def follow(self, link_token: str) -> Response:
        """GET the page behind a link: following it says yes."""
        account = self.approve(link_token)
        return html(200, f"{account.toolkit}: {account.status}")

    def serve_auth_configs(self, request: Request, doc: Doc, rest: tuple[str, ...]) -> Response:
        """Serve `/auth_configs`; a list shows 50 a page, whatever is asked (1.8)."""
        match request.method, rest:
            case "POST", ():
                slug = shaped(doc.get("toolkit") or {}, dict[str, str]).get("slug", "")
                made = self._config_doc(self._auth_config(slug, new=True))
                return answer(201, {"toolkit": made["toolkit"], "auth_config": made})
            case "GET", ():
                wanted = request.all("toolkit_slug")
                configs = [
                    self._config_doc(config_id)
                    for config_id, toolkit in self.auth_configs.items()
                    if not wanted or toolkit in wanted
                ]
                return answer(200, page(configs, request, AUTH_CONFIG_PAGE))
            case "GET", (config_id,) if config_id in self.auth_configs:
                return answer(200, self._config_doc(config_id))
            case _:
                raise GatewayError(404, "Auth config not found", 404, "AuthConfig_NotFound")

    def _list(self, request: Request) -> Response:
        def wanted(name: str, value: str) -> bool:
            asked = request.all(name)
            return not asked or value in asked

        found = [
            account_doc(a)
            for a in self.accounts.values()
            if wanted("toolkit_slugs", a.toolkit)
            and wanted("statuses", a.status)
            and wanted("user_ids", a.user_id)
            and wanted("auth_config_ids", a.auth_config_id)
            and wanted("connected_account_ids", a.account_id)
        ]
        return answer(200, page(found, request, shaped(request.one("limit") or 20, int)))

    def _known(self, account_id: str) -> Account:
        account = self.accounts.get(account_id)
        if account is None:
            message = f"Connected account {account_id} not found"
            raise GatewayError(404, message, 604, "ConnectedAccount_ResourceNotFound")
        return account

    def _begin(self, toolkit: str, user_id: str, auth_config_id: str) -> Account:
        number = len(self.accounts) + 1
        account = Account(
            account_id=f"ca_sim{number}",
            toolkit=toolkit,
            user_id=user_id,
            auth_config_id=auth_config_id,
            created_at=self._clock.now(),
            link_token=f"lk_sim{number}",
        )
        self.accounts[account.account_id] = account
        return account

    def _auth_config(self, toolkit: str, *, new: bool = False) -> str:
        if toolkit not in self.upstreams:
            raise GatewayError(404, f"Toolkit {toolkit} not found", 4301, "Toolkit_NotFound")
        if not new:
            for config_id, known in self.auth_configs.items():
                if known == toolkit:
                    return config_id
        config_id = f"ac_sim{len(self.auth_configs) + 1}"
        self.auth_configs[config_id] = toolkit
        return config_id

    def _config_doc(self, config_id: str) -> Doc:
        users = sum(one.auth_config_id == config_id for one in self.accounts.values())
        return auth_config_doc(config_id, self.auth_configs[config_id], users)
