"""A plain HTTP client for the simulator tests: the standard library, one connection a request."""

import http.client
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct


class Answer(Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def doc(self) -> Any:  # noqa: ANN401 - whatever the server sent
        return json.loads(self.body, parse_float=Decimal)


class Client:
    """Sends to one base URL with fixed headers."""

    def __init__(self, base: str, headers: Mapping[str, str], *, timeout: float = 5.0) -> None:
        self.base = urlsplit(base)
        self.headers = dict(headers)
        self.timeout = timeout

    def send(
        self,
        method: str,
        target: str,
        doc: object = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        body = raw if raw is not None else (json.dumps(doc).encode() if doc is not None else None)
        line = http.client.HTTPConnection(
            self.base.hostname or "", self.base.port, timeout=self.timeout
        )
        try:
            sent = {"content-type": "application/json", **self.headers, **(headers or {})}
            line.request(method, target, body=body, headers=sent)
            response = line.getresponse()
            received = {k.lower(): v for k, v in response.getheaders()}
            return Answer(response.status, received, response.read())
        finally:
            line.close()

    def get(self, target: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.send("GET", target, headers=headers)

    def post(self, target: str, doc: object, headers: Mapping[str, str] | None = None) -> Answer:
        return self.send("POST", target, doc, headers=headers)

    def patch(self, target: str, doc: object, headers: Mapping[str, str] | None = None) -> Answer:
        return self.send("PATCH", target, doc, headers=headers)
