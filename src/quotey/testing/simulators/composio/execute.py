"""Tool execution: arguments in, a provider call, `{data, error, successful, log_id}` out.

Source: composio.md 1.2, 1.4, section 3; section 5 "Check".
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from quotey.testing.simulators.composio.catalog import Tool
from quotey.testing.simulators.composio.errors import shaped
from quotey.testing.simulators.composio.proxy import Parameter, ProxyCall, content
from quotey.testing.simulators.exchange import Doc, Response

# Since the change of 2025-12-10 the data is the provider's JSON itself (1.2).
FLAT_SINCE = "20251209_00"
_FAILED = 300

Arguments = Mapping[str, Any]


def kept(tool: Tool, arguments: Arguments) -> Arguments:
    """The arguments that the tool knows; others are dropped without a word (1.2)."""
    return {name: value for name, value in arguments.items() if name in tool.arguments}


def missing(tool: Tool, arguments: Arguments) -> list[str]:
    """The required arguments that were not given."""
    return [n for n, a in tool.arguments.items() if a.required and arguments.get(n) is None]


def provider_call(tool: Tool, arguments: Arguments, account_id: str) -> ProxyCall:
    """The call that a tool makes at the provider."""
    in_path = set(re.findall(r"{(\w+)}", tool.path))
    raw = tool.style == "absolute"
    path = re.sub(
        r"{(\w+)}",
        lambda found: str(arguments[found[1]]) if raw else quote(str(arguments[found[1]]), safe=""),
        tool.path,
    )
    rest = {n: v for n, v in arguments.items() if n not in in_path and v is not None}
    query, body = _style(tool.style)(tool, rest)
    return ProxyCall(
        endpoint=path,
        method=tool.method,
        connected_account_id=account_id,
        body=msgspec.Raw(msgspec.json.encode(body)) if body is not None else msgspec.Raw(b""),
        parameters=tuple(Parameter(name, value, "query") for name, value in query.items()),
    )


_Shape = tuple[dict[str, str], object]


def _query(tool: Tool, rest: Arguments) -> _Shape:
    return {tool.arguments[n].sent_as: _text(value) for n, value in rest.items()}, None


def _body(tool: Tool, rest: Arguments) -> _Shape:
    # `archived` and `idProperty` of a single record are query parameters at the provider.
    asked = {"archived"} if "/batch/read" in tool.path else set()
    asked |= {"idProperty"} if tool.method == "PATCH" else set()
    query = {n: _text(v) for n, v in rest.items() if n in asked}
    return query, {tool.arguments[n].sent_as: v for n, v in rest.items() if n not in asked}


def _flat(_tool: Tool, rest: Arguments) -> _Shape:
    apart = {"associations", "custom_properties"}
    properties = {n: v for n, v in rest.items() if n not in apart}
    body: Doc = {"properties": {**properties, **_named(rest, "custom_properties")}}
    if rest.get("associations"):
        body["associations"] = rest["associations"]
    return {}, body


def _pascal(_tool: Tool, rest: Arguments) -> _Shape:
    # 2.2: "leave empty to keep unchanged", so these tools cannot clear a field.
    named = {
        "".join(word.capitalize() for word in name.split("_")): value
        for name, value in rest.items()
        if name != "custom_fields" and value != ""
    }
    return {}, {**named, **_named(rest, "custom_fields")}


def _named(rest: Arguments, name: str) -> dict[str, Any]:
    return shaped(rest.get(name) or {}, dict[str, Any])


def _fields(_tool: Tool, rest: Arguments) -> _Shape:
    query = {"updateOnly": "true"} if rest.get("update_only") else {}
    return query, rest["fields"]


def _labels(_tool: Tool, rest: Arguments) -> _Shape:
    return {}, rest["labels"]


def _like(tool: Tool, rest: Arguments) -> _Shape:
    sobject = tool.style.removeprefix("like:")
    fields = str(rest.get("fields") or "Id, Name")
    tests = [
        f"{''.join(w.capitalize() for w in name.split('_'))} LIKE '%{_escaped(str(value))}%'"
        for name, value in rest.items()
        if name not in {"fields", "limit"}
    ]
    where = f" WHERE {' AND '.join(tests)}" if tests else ""
    query = f"SELECT {fields} FROM {sobject}{where} LIMIT {rest.get('limit', 20)}"  # noqa: S608 - SOQL for a simulator
    return {"q": query}, None


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


_STYLES: dict[str, Callable[[Tool, Arguments], _Shape]] = {
    "query": _query,
    "absolute": _query,
    "body": _body,
    "flat": _flat,
    "pascal": _pascal,
    "fields": _fields,
    "labels": _labels,
}


def _style(name: str) -> Callable[[Tool, Arguments], _Shape]:
    return _like if name.startswith("like:") else _STYLES[name]


def outcome(response: Response, version: str, log_id: str) -> Doc:
    """The tool's answer: a provider error is an HTTP 200 with `successful` false (1.4)."""
    data = content(response)
    if response.status >= _FAILED:
        message = data if isinstance(data, str) else response.body.decode(errors="replace")
        return failed(message, response.status, log_id)
    shaped: object = {} if data is None else data
    if version < FLAT_SINCE:
        shaped = {"response_data": shaped}
    return {"data": shaped, "error": None, "successful": True, "log_id": log_id}


def failed(message: str, status: int, log_id: str) -> Doc:
    """The tool's answer when the provider, or the gateway's own check, refused."""
    return {
        "data": {"message": message, "status_code": status},
        "error": f"Invalid request data provided: {message[:200]}",
        "successful": False,
        "log_id": log_id,
    }
