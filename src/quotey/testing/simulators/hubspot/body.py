"""Reading a request's JSON body with the vendor's refusals for what is malformed."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from quotey.testing.simulators.exchange import Doc, Request
from quotey.testing.simulators.hubspot.errors import bad_json, invalid

_Shape = TypeVar("_Shape")


def shaped(value: object, kind: type[_Shape]) -> _Shape:
    """A part of a body in the shape that it must have.

    Raises:
        HubSpotError: 400 when it has another.
    """
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise bad_json(1, 1, str(error)) from error


def json_object(request: Request) -> Doc:
    """The body as an object.

    Raises:
        HubSpotError: 400 "Invalid input JSON" (crm-semantics.md 4H).
    """
    try:
        doc = json.loads(request.body or b"{}", parse_float=str)
    except json.JSONDecodeError as error:
        raise bad_json(error.lineno, error.colno, error.msg) from error
    except UnicodeDecodeError as error:
        raise bad_json(1, error.start + 1, "not UTF-8") from error
    return shaped(doc, dict[str, Any])


def properties_of(doc: Mapping[str, object]) -> Mapping[str, object]:
    """The `properties` of one record to write."""
    return shaped(doc.get("properties") or {}, dict[str, Any])


def inputs_of(doc: Mapping[str, object], limit: int) -> list[Doc]:
    """The `inputs` of a batch, at most `limit` (3H)."""
    inputs = shaped(doc.get("inputs"), list[dict[str, Any]])
    if len(inputs) > limit:
        raise invalid(f"Batch sizes must be between 1 and {limit}, got {len(inputs)}")
    return inputs


def names_of(doc: Mapping[str, object], key: str) -> list[str]:
    """A list of names in a body; absent is empty."""
    return shaped(doc.get(key) or [], list[str])


def number_of(text: str, name: str, default: int, highest: int) -> int:
    """A bounded number of the query or body.

    Raises:
        HubSpotError: 400 when it is no number or beyond `highest`.
    """
    if text == "":
        return default
    if not text.isdigit() or not 1 <= int(text) <= highest:
        raise invalid(f"{name} must be between 1 and {highest}, got {text}")
    return int(text)
