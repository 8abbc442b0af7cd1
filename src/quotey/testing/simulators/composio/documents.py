"""What the gateway tells of accounts, auth configs, tools and toolkits: documents on the wire.

Source: composio.md 1.8, 1.9; the required keys are those of the official client's models.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from quotey.testing.simulators.composio.catalog import Tool
from quotey.testing.simulators.composio.errors import shaped
from quotey.testing.simulators.exchange import Doc, Request

_HIDDEN = "REDACTED"
_LOGO = "https://logos.example/{}"


class Account(Struct):
    """One connected account."""

    account_id: str
    toolkit: str
    user_id: str
    auth_config_id: str
    created_at: datetime
    status: str = "INITIATED"
    status_reason: str = ""
    link_token: str = ""
    usable_from: datetime | None = None
    token: str = ""
    token_until: datetime | None = None
    told: Mapping[str, str] = {}
    """What the vendor told with its tokens, as scope and expires_at; some tell neither."""
    renewed: bool = True


def iso(moment: datetime) -> str:
    """A moment as the gateway writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def account_doc(account: Account) -> Doc:
    """An account on the wire; tokens never leave (1.8: REDACTED)."""
    created = iso(account.created_at)
    value = _state(account)
    return {
        "id": account.account_id,
        "status": account.status,
        "status_reason": account.status_reason or None,
        "user_id": account.user_id,
        "toolkit": {"slug": account.toolkit},
        "auth_config": {
            "id": account.auth_config_id,
            "auth_scheme": "OAUTH2",
            "is_composio_managed": True,
            "is_disabled": False,
        },
        "state": {"authScheme": "OAUTH2", "val": value},
        "data": value,
        "params": {},
        "is_disabled": account.status == "INACTIVE",
        "created_at": created,
        "updated_at": created,
    }


def _state(account: Account) -> Doc:
    """What a state holds depends on it: an address to go to, then tokens, then nothing."""
    match account.status:
        case "INITIATED":
            link = f"/link/{account.link_token}"
            return {"status": account.status, "redirect_url": link, "redirectUrl": link}
        case "ACTIVE" | "INACTIVE":
            renewal = {"refresh_token": _HIDDEN} if account.renewed else {}
            tokens = {"access_token": _HIDDEN, **renewal}
            return {"status": account.status, **tokens, **account.told}
        case _:
            return {"status": account.status}


def auth_config_doc(config_id: str, toolkit: str, connections: int) -> Doc:
    """An auth config of the gateway's own app, as it is listed."""
    return {
        "id": config_id,
        "uuid": config_id.removeprefix("ac_"),
        "name": f"{toolkit} (managed)",
        "type": "default",
        "auth_scheme": "OAUTH2",
        "is_composio_managed": True,
        "is_disabled": False,
        "toolkit": {"slug": toolkit, "logo": _LOGO.format(toolkit)},
        "tool_access_config": {},
        "no_of_connections": connections,
        "status": "ENABLED",
    }


def tool_doc(tool: Tool, version: str, versions: tuple[str, ...]) -> Doc:
    """A tool with the schemas of what it takes and gives."""
    output = {"data": {"type": "object"}, "successful": {"type": "boolean"}}
    name, logo = tool.slug.replace("_", " ").title(), _LOGO.format(tool.toolkit)
    common = {"version": version, "available_versions": list(versions), "is_deprecated": False}
    return {
        "slug": tool.slug,
        "name": name,
        "description": f"{tool.method} {tool.path}",
        "toolkit": {"slug": tool.toolkit, "name": tool.toolkit.title(), "logo": logo},
        "input_parameters": tool.schema,
        "output_parameters": {"type": "object", "properties": output},
        **common,
        "deprecated": {**common, "displayName": name, "toolkit": {"logo": logo}},
        "no_auth": False,
        "scopes": [],
        "tags": [],
    }


def toolkit_doc(slug: str, tools: int, versions: tuple[str, ...], since: datetime) -> Doc:
    """A toolkit with its versions."""
    return {
        "slug": slug,
        "name": slug.title(),
        "type": "native",
        "enabled": True,
        "is_local_toolkit": False,
        "composio_managed_auth": [{"mode": "OAUTH2", "scopes": {"available": []}}],
        "composio_managed_auth_schemes": ["OAUTH2"],
        "deprecated": {"toolkitId": slug, "rawProxyInfoByAuthSchemes": []},
        "meta": {
            "version": versions[-1],
            "available_versions": list(versions),
            "categories": [{"slug": "crm", "name": "CRM"}],
            "description": slug.title(),
            "logo": _LOGO.format(slug),
            "tools_count": tools,
            "triggers_count": 0,
            "created_at": iso(since),
            "updated_at": iso(since),
        },
    }


def page(items: list[Doc], request: Request, size: int) -> Doc:
    """One page of a list; the cursor is the place of the next item."""
    start = shaped(request.one("cursor") or 0, int)
    more = start + size < len(items)
    return {
        "items": items[start : start + size],
        "next_cursor": str(start + size) if more else None,
        "current_page": start // size + 1,
        "total_items": len(items),
        "total_pages": -(-len(items) // size),
    }
