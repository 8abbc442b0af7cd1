"""Several requests in one: with references, all or nothing, or side by side.

Source: crm-semantics.md 3S "POST /composite", "POST /composite/batch".
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from quotey.testing.simulators.core import Effect
from quotey.testing.simulators.exchange import Doc, Request, Response
from quotey.testing.simulators.salesforce.body import answer, read_object, shaped
from quotey.testing.simulators.salesforce.errors import Fault, SalesforceError, refused
from quotey.testing.simulators.salesforce.store import Org, Undone

LIMIT = 25
_FAILED = 300
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])+)\}")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")

Handle = Callable[[Request], Response]


def composite(org: Org, effects: list[Effect], handle: Handle, request: Request) -> Response:
    """POST /composite: in order, later ones may use what earlier ones answered."""
    doc = read_object(request)
    requests = shaped(doc.get("compositeRequest"), list[dict[str, Any]])
    _limit(len(requests))
    responses: list[Doc] = []
    seen = len(effects)
    with org.attempt():
        known: dict[str, object] = {}
        responses = [_part(handle, request, spec, known) for spec in requests]
        if doc.get("allOrNone") and any(r["httpStatusCode"] >= _FAILED for r in responses):
            del effects[seen:]
            responses = [_halted(r) for r in responses]
            raise Undone
    return answer(200, {"compositeResponse": responses})


def _part(handle: Handle, request: Request, spec: Doc, known: dict[str, object]) -> Doc:
    reference = str(spec.get("referenceId", ""))
    try:
        filled = _filled(spec, known)
    except KeyError as error:
        # What it refers to failed, so it is not even tried.
        message = f"Invalid reference specified: {error.args[0]}"
        response = SalesforceError(400, Fault("PROCESSING_HALTED", message)).response()
    else:
        response = handle(_sub_request(request, filled))
    body = json.loads(response.body, parse_float=Decimal) if response.body else None
    if response.status < _FAILED:
        known[reference] = body
    return {
        "body": msgspec.Raw(response.body) if response.body else None,
        "httpHeaders": {k.title(): v for k, v in response.headers.items() if k == "location"},
        "httpStatusCode": response.status,
        "referenceId": reference,
    }


def _sub_request(request: Request, spec: Doc) -> Request:
    body = _ENCODER.encode(spec["body"]) if spec.get("body") is not None else b""
    named = shaped(spec.get("httpHeaders") or {}, dict[str, str])
    given = {name.lower(): value for name, value in named.items()}
    return Request(
        method=str(spec.get("method", "GET")),
        target=str(spec.get("url", "")),
        headers={**request.headers, **given},
        body=body,
    )


def _filled(spec: Any, known: dict[str, object]) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(spec, dict):
        return {key: _filled(value, known) for key, value in spec.items()}
    if isinstance(spec, list):
        return [_filled(value, known) for value in spec]
    if isinstance(spec, str):
        return _REFERENCE.sub(lambda found: str(_looked_up(known, found[1], found[2])), spec)
    return spec


def _looked_up(known: dict[str, object], reference: str, path: str) -> object:
    found: Any = known[reference]
    for name, place in _STEP.findall(path):
        found = found[int(place)] if place else found[name]
    return found


def _halted(response: Doc) -> Doc:
    if response["httpStatusCode"] >= _FAILED:
        return response
    message = (
        "The transaction was rolled back since another operation in the same transaction failed."
    )
    fault = Fault("PROCESSING_HALTED", message)
    return {**response, "body": [fault.top()], "httpStatusCode": 400}


def batch(handle: Handle, request: Request) -> Response:
    """POST /composite/batch: independent ones; `haltOnError` stops at the first failure."""
    doc = read_object(request)
    specs = shaped(doc.get("batchRequests"), list[dict[str, Any]])
    _limit(len(specs))
    results: list[Doc] = []
    failed = False
    for spec in specs:
        if failed and doc.get("haltOnError"):
            message = "Batch processing halted per request"
            response = SalesforceError(412, Fault("BATCH_PROCESSING_HALTED", message)).response()
        else:
            target = f"/services/data/{str(spec.get('url', '')).lstrip('/')}"
            named = {"method": spec.get("method"), "url": target, "body": spec.get("richInput")}
            response = handle(_sub_request(request, named))
        failed = failed or response.status >= _FAILED
        body = msgspec.Raw(response.body) if response.body else None
        results.append({"statusCode": response.status, "result": body})
    return answer(200, {"hasErrors": failed, "results": results})


def _limit(size: int) -> None:
    if not 1 <= size <= LIMIT:
        message = f"Limit of {LIMIT} sub-requests exceeded or none given, got {size}"
        raise refused("PROCESSING_HALTED", message)
