"""A gateway that repeats what nobody should see: in messages, codes, headers, pages, packed too."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from quotey.testing.simulators.composio.core import ComposioCore
from quotey.testing.simulators.core import Core
from quotey.testing.simulators.exchange import Broken, Request, Response, answer
from quotey.testing.simulators.faults import Fault

KEY = "ak_CanaryKey7Qz+/live9"
TOKEN = "CItyCanary9TokenQ7z-live"
EMAIL = "zelda.canaryfield@canary-mail.example"
PHONE = "+1 555 867 5309"
NAME = "Zelda Canaryfield"

SECRETS = (KEY, TOKEN)
PERSONAL = (EMAIL, PHONE, "8675309", "Canaryfield", "Zelda", "zelda.canaryfield")
SENTENCE = (
    f"Invalid value for {NAME} <{EMAIL}> tel. {PHONE}: key {KEY} was refused, "
    f"Authorization: Bearer {TOKEN}, token {TOKEN} of '{NAME}'"
)


def _percent(text: str) -> str:
    return quote(text, safe="")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _base64_amid(text: str) -> str:
    return base64.urlsafe_b64encode(f"x{text}".encode()).decode()


PACKED = " ".join(
    pack(one)
    for one in (SENTENCE, KEY, TOKEN, EMAIL, PHONE, NAME)
    for pack in (_percent, _base64, _base64_amid)
)

HEADERS = {"x-echo": f"{KEY} {TOKEN} {EMAIL}".replace("+", "%2B"), "set-cookie": f"s={TOKEN}"}


def _refusal(status: int, text: str, *, slug: str = "HTTP_Error") -> Response:
    error = {"message": text, "code": 0, "slug": slug, "status": status, "request_id": TOKEN}
    return answer(status, {"error": error}, HEADERS)


def _inside(status: int, text: str, **more: object) -> Response:
    """Give the provider's refusal as both transports and both providers would have it."""
    inner = {"status": "error", "message": text, "category": "X", "correlationId": TOKEN, **more}
    listed = [{"message": text, "errorCode": str(more.get("code", "NOT_FOUND")), "fields": []}]
    doc = {
        "status": status,
        "data": {**inner, "errors": listed, "status_code": status},
        "headers": HEADERS,
        "successful": False,
        "error": text,
        "log_id": f"log_{TOKEN}",
    }
    doc["data"]["message"] = text  # type: ignore[index]
    return answer(200, doc, HEADERS)


def _tool(status: int, text: str) -> Response:
    """Give a tool's refusal, the provider's document inside a text."""
    inner = json.dumps({"message": text, "category": text[:40], "errors": [{"message": text}]})
    data = {"status_code": status, "message": inner}
    return answer(200, {"data": data, "successful": False, "error": text, "log_id": TOKEN}, HEADERS)


def _page(text: str) -> Response:
    body = f"<!doctype html><html><body>{text}</body></html>".encode()
    return Response(200, body, {"content-type": "text/html", **HEADERS})


def _cut(text: str) -> Response:
    return Response(200, b'{"data": {"message": "' + text.encode(), HEADERS)


def _properties(text: str) -> Response:
    named = [{"message": text, "code": EMAIL, "context": {"propertyName": [NAME]}}]
    listed = [{"message": text, "errorCode": "INVALID_FIELD", "fields": [EMAIL, NAME]}]
    data = {"message": text, "category": "VALIDATION_ERROR", "errors": [*named, *listed]}
    doc = {"status": 400, "data": {**data, "status_code": 400}, "successful": False, "log_id": KEY}
    return answer(200, doc, HEADERS)


TEXTS = {"raw": SENTENCE, "packed": PACKED}
WAYS: dict[str, Callable[[str], Response]] = {
    **{f"service {status}": partial(_refusal, status) for status in (400, 401, 403, 422, 429, 500)},
    "slug": lambda text: _refusal(400, text, slug=text[:60]),
    **{f"provider {status}": partial(_inside, status) for status in (400, 401, 404, 409, 500)},
    "provider code": lambda text: _inside(400, text, code=text[:50], policyName=text[:50]),
    "tool": partial(_tool, 400),
    "properties": _properties,
    "page": _page,
    "cut": _cut,
}


class EchoCore(Core):
    """Stands before a gateway and, while `way` is set, answers executions with an echo."""

    name = "echo"

    def __init__(self, gateway: ComposioCore) -> None:
        super().__init__(gateway.clock, 0)
        self.prefixes = gateway.prefixes
        self.gateway = gateway
        self.way: Callable[[str], Response] | None = None
        self.text = SENTENCE
        self.echoed = 0

    def exchange(self, request: Request) -> Response | Broken:
        """Echo, or let the gateway answer."""
        if self.way is None:
            return self.gateway.exchange(request)
        self.echoed += 1
        return self.way(self.text)

    def handle(self, request: Request) -> Response:
        raise NotImplementedError

    def failure(self, fault: Fault) -> Response:
        raise NotImplementedError

    def settle(self) -> None:
        """Nothing happens by itself."""
