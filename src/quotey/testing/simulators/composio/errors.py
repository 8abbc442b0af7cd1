"""The gateway's own refusals.

Source: composio.md 1.4; composio-samples/http_samples.json.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from quotey.testing.simulators.exchange import JSON, Doc, Response

_Shape = TypeVar("_Shape")


class GatewayError(Exception):
    """A refusal by the gateway itself, not by the provider."""

    def __init__(self, status: int, message: str, code: int | str, slug: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.slug = slug

    def response(self, request_id: str) -> Response:
        """The answer with the error envelope."""
        if isinstance(self.code, str):
            # 1.4: proxy origin errors carry a text as code, and nothing else.
            return answer(self.status, {"error": {"code": self.code, "message": str(self)}})
        error: Doc = {
            "message": str(self),
            "code": self.code,
            "slug": self.slug,
            "status": self.status,
            "request_id": request_id,
        }
        return answer(self.status, {"error": error})


def shaped(value: object, kind: type[_Shape]) -> _Shape:
    """A part of a request in the shape that it must have.

    Raises:
        GatewayError: 400 when it has another.
    """
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise GatewayError(400, str(error), 400, "HTTP_BadRequest") from error


def answer(status: int, doc: object = None, headers: Mapping[str, str] | None = None) -> Response:
    """Make a JSON answer; raw provider JSON inside it passes as it is."""
    body = b"" if doc is None else msgspec.json.encode(doc)
    return Response(status, body, {"content-type": JSON, **(headers or {})})


def unauthorized(message: str) -> GatewayError:
    """401: no credential header, an unknown one, or two (1.1)."""
    return GatewayError(401, message, 0, "HTTP_Unauthorized")


def forbidden(area: str) -> GatewayError:
    """403: the key lacks a permission area (1.1)."""
    return GatewayError(403, f"This API key lacks the permission {area}", 403, "HTTP_Forbidden")


def no_connection(toolkit: str) -> GatewayError:
    """404: no such account, or one that is not yet known everywhere (1.4)."""
    message = f"No active connection found for toolkit(s) '{toolkit}'"
    return GatewayError(404, message, 1810, "ActionExecute_ConnectedAccountNotFound")


def not_active(status: str) -> GatewayError:
    """422: the account is there but cannot be used (1.2)."""
    message = f"Connected account is in state {status}"
    return GatewayError(422, message, 1820, "ActionExecute_ConnectedAccountNotActive")


def tool_not_found(slug: str) -> GatewayError:
    """404: no such slug in that version (1.4)."""
    return GatewayError(404, f"Tool {slug} not found", 2401, "Tool_ToolNotFound")


def org_rate_limited(limit: int, retry_after: int) -> Response:
    """429 of the organisation: a body without envelope, all headers (1.4, 1.5)."""
    message = f"Rate limit exceeded. Limit: {limit} requests per 1 minutes"
    headers = {"retry-after": str(retry_after), **rate_headers(limit, 0)}
    return answer(429, {"message": message}, headers)


def edge_rate_limited() -> Response:
    """429 of the edge: an envelope, and no header at all (1.4, issue #4207)."""
    error = GatewayError(429, "Too many requests", 10429, "HTTP_TooManyRequests")
    return error.response("")


def rate_headers(limit: int, remaining: int) -> dict[str, str]:
    """The headers of every ordinary answer (1.5)."""
    return {
        "x-ratelimit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-window-size": "60s",
    }
