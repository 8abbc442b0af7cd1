"""Reading and writing JSON the vendor's way: exact numbers in, raw numbers out."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from quotey.testing.simulators.exchange import Doc, Request, Response
from quotey.testing.simulators.salesforce.errors import refused

_Shape = TypeVar("_Shape")
_JSON = "application/json;charset=UTF-8"


def read(request: Request) -> Any:  # noqa: ANN401 - any JSON
    """The body, numbers exact.

    Raises:
        SalesforceError: 400 JSON_PARSER_ERROR.
    """
    try:
        return json.loads(request.body or b"null", parse_float=Decimal)
    except ValueError as error:
        raise refused("JSON_PARSER_ERROR", f"Unexpected input: {error}") from error


def read_object(request: Request) -> Doc:
    """The body as an object."""
    return shaped(read(request), dict[str, Any])


def shaped(value: object, kind: type[_Shape]) -> _Shape:
    """A part of a body in the shape that it must have.

    Raises:
        SalesforceError: 400 JSON_PARSER_ERROR when it has another.
    """
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise refused("JSON_PARSER_ERROR", f"{error} at [line:1, column:1]") from error


def answer(status: int, doc: object = None, headers: Mapping[str, str] | None = None) -> Response:
    """Make a JSON answer; without a document the body is empty."""
    body = b"" if doc is None else msgspec.json.encode(doc)
    return Response(status, body, {**({"content-type": _JSON} if body else {}), **(headers or {})})
