"""What goes over a simulated wire: a request, and an answer or a line that broke.

Knows neither sockets nor vendors.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from msgspec import Struct

Doc = dict[str, Any]
JSON = "application/json;charset=utf-8"


class Request(Struct, frozen=True):
    """One request as it arrived; header names are lower case."""

    method: str
    target: str
    """Path and query, still percent-encoded."""
    headers: Mapping[str, str] = {}
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path without the query, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def segments(self) -> tuple[str, ...]:
        """The decoded parts of the path; an encoded slash stays inside its part."""
        return tuple(unquote(part) for part in self.path.split("/") if part)

    def all(self, name: str) -> list[str]:
        """Every value of a query parameter, repeated or comma-separated."""
        return [v for key, value in self._query if key == name for v in value.split(",") if v]

    def one(self, name: str, default: str = "") -> str:
        """The first value of a query parameter, commas and all."""
        return next((value for key, value in self._query if key == name), default)

    @property
    def _query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    def flag(self, name: str) -> bool:
        """Whether a query parameter says true."""
        return self.one(name).lower() == "true"


class Response(Struct, frozen=True):
    """One complete answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}

    def with_headers(self, more: Mapping[str, str]) -> "Response":
        """The same answer with more headers; those it has already stay."""
        return Response(self.status, self.body, {**more, **self.headers})


class Broken(Struct, frozen=True):
    """A line that broke: no answer, or only the beginning of one."""

    hold: float = 0.0
    """Real seconds for which the connection is held open before it is dropped."""
    partial: Response | None = None
    """The answer of which half is sent, if any."""


def answer(status: int, doc: object = None, headers: Mapping[str, str] | None = None) -> Response:
    """Make a JSON answer; without a document the body is empty."""
    body = b"" if doc is None else json.dumps(doc, ensure_ascii=False).encode()
    return Response(status, body, {**({"content-type": JSON} if body else {}), **(headers or {})})


def html(status: int, title: str) -> Response:
    """Make the page that an edge or a wrong address shows."""
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>"
    return Response(status, page.encode(), {"content-type": "text/html; charset=utf-8"})
