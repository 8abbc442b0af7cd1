"""The service's own answers: its errors by code and slug, and the envelope around the provider's.

Source: composio.md 1.2 to 1.4. What the provider said inside is judged by the provider's module.
"""

from __future__ import annotations

from collections.abc import Mapping

from quotey.adapters.composio.ops import Kind, Verdict
from quotey.adapters.composio.scrub import scrubbed

REDIRECT, REFUSED, SERVER = 300, 400, 500

# composio.md 1.4, by code or slug before status: the same status means several things.
_BY_CODE: dict[object, tuple[Kind, str]] = {
    1803: (Kind.AUTH, "there is no such connected account (a new one may take minutes to show)"),
    1810: (Kind.AUTH, "there is no such connected account (a new one may take minutes to show)"),
    1820: (Kind.AUTH, "the connected account is not active"),
    2401: (Kind.PERMANENT, "the tool is not in the pinned toolkit version"),
    10429: (Kind.RATE_LIMIT, "too many requests at the service's edge"),
    "ActionExecute_ConnectedAccountNotFound": (Kind.AUTH, "there is no such connected account"),
    "Tool_ToolNotFound": (Kind.PERMANENT, "the tool is not in the pinned toolkit version"),
    "OriginMismatch": (Kind.PERMANENT, "the address is not of the connected account's site"),
    "MissingAuthContext": (Kind.AUTH, "no connected account was named"),
}
_BY_STATUS: dict[int, tuple[Kind, str]] = {
    400: (Kind.PERMANENT, "the service refused the request"),
    401: (Kind.AUTH, "the service does not know the key"),
    403: (Kind.AUTH, "the key lacks the permission"),
    404: (Kind.PERMANENT, "the service does not know the address"),
    408: (Kind.AMBIGUOUS, "the service answered 408"),
    410: (Kind.PERMANENT, "the tool is gone from the service"),
    422: (Kind.AUTH, "the connected account cannot be used as it is"),
    425: (Kind.TRANSIENT, "the service is not ready for the request"),
    429: (Kind.RATE_LIMIT, "too many requests for the organisation"),
    501: (Kind.PERMANENT, "the service does not do this"),
    505: (Kind.PERMANENT, "the service does not speak this version of HTTP"),
}


def verdict(status: int, doc: object, wait: float | None, edge_wait: float) -> Verdict:
    """Judge an answer of the service itself; `wait` is its Retry-After in seconds.

    A 408 or 5xx may come after the provider has done it. A 429 without any header is the edge's
    (issue #4207), which asks for 15 to 30 seconds without saying so.
    """
    error = _inner(doc)
    code, slug = error.get("code"), error.get("slug")
    known = _hashable(_BY_CODE, code) or _hashable(_BY_CODE, slug) or _BY_STATUS.get(status)
    kind, why = known or _by_range(status)
    said = scrubbed(error.get("message"))
    shown = str(slug or code or status)
    return Verdict(
        kind=kind,
        message=f"{why}: {said}" if said else why,
        code=shown[:60],
        wait_seconds=(edge_wait if wait is None else wait) if kind is Kind.RATE_LIMIT else None,
    )


def _by_range(status: int) -> tuple[Kind, str]:
    """Judge a status that nobody has described: what is not of the server's making stays so."""
    if REDIRECT <= status < REFUSED:
        return Kind.PERMANENT, f"the service points elsewhere ({status}), which is not followed"
    kind = Kind.PERMANENT if REFUSED <= status < SERVER else Kind.AMBIGUOUS
    return kind, f"the service answered {status}"


def _inner(doc: object) -> Mapping[str, object]:
    """Give the error of an envelope; the 429 of the organisation has none (composio.md 1.4)."""
    if not isinstance(doc, dict):
        return {}
    error = doc.get("error", doc)
    return error if isinstance(error, dict) else {"message": error}


def _hashable(table: Mapping[object, tuple[Kind, str]], key: object) -> tuple[Kind, str] | None:
    return table.get(key) if isinstance(key, int | str) else None


def unwrapped(data: object) -> object:
    """Give the provider's JSON; older toolkit versions put it into `response_data` (1.2)."""
    while isinstance(data, dict) and set(data) == {"response_data"}:
        data = data["response_data"]
    return data
