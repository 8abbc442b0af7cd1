"""How a simulated gateway is set up. What the reference marks as inferred is a switch here."""

from msgspec import Struct

PERMISSIONS = frozenset(
    {
        *("tools:execute", "proxy:execute", "tools:read", "logs:read"),
        *("accounts:read", "accounts:write", "auth_configs:write", "webhooks:write"),
    }
)


class ComposioSettings(Struct, frozen=True):
    """A project's set-up; times in seconds."""

    versions: tuple[str, ...] = ("20251114_00", "20260915_00")
    """Known toolkit versions, oldest first; the last one is `latest`."""
    requests_per_minute: int = 2_000
    """Per organisation and fixed minute (composio.md 1.5)."""
    propagation: float = 0.0
    """How long a fresh connection is still not found (1.4: minutes reported)."""
    link_seconds: float = 600.0
    """How long a link can be used before the account is EXPIRED (1.8)."""
    not_active_status: int = 422
    """What a call on an account that is not ACTIVE answers: 422 or 404 (6 d: unconfirmed)."""
    provider_headers: bool = True
    """Whether the proxy's answer carries the provider's headers (6 b: unconfirmed)."""
    request_headers: bool = True
    """Whether header parameters reach the provider (6 e: unconfirmed)."""
    proxy_log_id: bool = True
    """Whether a proxy answer has a `log_id` (section 5 says each, 1.3 does not list it)."""
    deprecated: str = ""
    """Value of `Composio-Deprecated-Toolkits` on execute answers; empty sends none (1.1)."""
