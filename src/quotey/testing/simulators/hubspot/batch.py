"""Many records in one request, with an outcome for each.

Source: crm-semantics.md 3H: 207 only where inputs carry trace ids, else one bad row fails all;
results come back in another order than the inputs.
"""

from collections.abc import Callable
from datetime import datetime

from quotey.testing.simulators.exchange import Doc, Request, Response, answer
from quotey.testing.simulators.hubspot.body import inputs_of, json_object, names_of, properties_of
from quotey.testing.simulators.hubspot.errors import HubSpotError, invalid
from quotey.testing.simulators.hubspot.links import Links
from quotey.testing.simulators.hubspot.objects import (
    View,
    create_one,
    integration,
    lookup,
    render,
)
from quotey.testing.simulators.hubspot.rules import checked_create, checked_update
from quotey.testing.simulators.hubspot.store import Portal, Record
from quotey.testing.simulators.hubspot.values import stamp

LIMIT, HISTORY_LIMIT = 100, 50
_Write = Callable[[Doc], Doc]


def read(portal: Portal, links: Links, request: Request, kind: str) -> Response:
    """POST batch/read: what is missing is an error in a 207, or simply absent from results."""
    doc = json_object(request)
    view = View(names_of(doc, "properties"), names_of(doc, "propertiesWithHistory"))
    inputs = inputs_of(doc, HISTORY_LIMIT if view.history else LIMIT)
    id_property = str(doc.get("idProperty") or "").replace("hs_object_id", "")
    archived = request.flag("archived")
    results: dict[int, Doc] = {}
    missing: list[str] = []
    for key in (str(item.get("id", "")) for item in inputs):
        record = lookup(portal, kind, key, id_property)
        if record is None or (record.archived_at is not None) != archived:
            missing.append(key)
        else:
            results[record.record_id] = render(portal, links, record, view)
    errors = [_gone(kind, missing)] if missing else []
    return _multi(portal, list(results.values()), errors, 200)


def _gone(kind: str, keys: list[str]) -> Doc:
    message = f"Could not get some {kind} objects, they may be deleted or not exist. "
    doc = {"message": message + "Check that ids are valid.", "category": "OBJECT_NOT_FOUND"}
    return HubSpotError(404, doc).item({"ids": keys})


def create(portal: Portal, links: Links, request: Request, kind: str) -> Response:
    """POST batch/create -> 201, or 207 where trace ids isolate the items."""

    def write(item: Doc) -> Doc:
        record = create_one(portal, links, kind, item, integration(portal))
        return _written(portal, links, record, item)

    def rehearse(item: Doc) -> Doc:
        portal.refuse_taken(kind, None, checked_create(portal, kind, properties_of(item)))
        return {}

    inputs = inputs_of(json_object(request), LIMIT)
    return _carry(portal, inputs, rehearse, write, isolated=_traced(inputs), done=201)


def update(portal: Portal, links: Links, request: Request, kind: str) -> Response:
    """POST batch/update -> 200; an id that is gone is an error in a 207."""

    def target(item: Doc) -> Record:
        id_property = str(item.get("idProperty") or "")
        record = lookup(portal, kind, str(item.get("id", "")), id_property)
        if record is None or record.archived_at is not None:
            gone = _gone(kind, [str(item.get("id", ""))])
            raise HubSpotError(404, {"message": gone["message"], "category": gone["category"]})
        return record

    def write(item: Doc) -> Doc:
        record = target(item)
        values = checked_update(portal, record, properties_of(item))
        portal.update(record, values, integration(portal))
        return _written(portal, links, record, item)

    def rehearse(item: Doc) -> Doc:
        try:
            record = target(item)
        except HubSpotError as error:
            if error.category != "OBJECT_NOT_FOUND":
                raise
            return {}
        portal.refuse_taken(kind, record, checked_update(portal, record, properties_of(item)))
        return {}

    inputs = inputs_of(json_object(request), LIMIT)
    _refuse_twins(portal, kind, inputs)
    isolated = _traced(inputs) and portal.settings.upsert_isolates
    return _carry(portal, inputs, rehearse, write, isolated=isolated, done=200)


def upsert(portal: Portal, links: Links, request: Request, kind: str) -> Response:
    """POST batch/upsert by a unique property -> 200; `new` says which were created.

    Inline associations are ignored here (1H: only on create).
    """

    def write(item: Doc) -> Doc:
        record, values = _upsert_values(portal, kind, item)
        if record is None:
            made = portal.create(kind, values, integration(portal))
            return {**_written(portal, links, made, item), "new": True}
        portal.update(record, values, integration(portal))
        return {**_written(portal, links, record, item), "new": False}

    def rehearse(item: Doc) -> Doc:
        record, values = _upsert_values(portal, kind, item)
        portal.refuse_taken(kind, record, values)
        return {}

    inputs = inputs_of(json_object(request), LIMIT)
    _refuse_twins(portal, kind, inputs)
    isolated = _traced(inputs) and portal.settings.upsert_isolates
    return _carry(portal, inputs, rehearse, write, isolated=isolated, done=200)


def _upsert_values(portal: Portal, kind: str, item: Doc) -> tuple[Record | None, dict[str, str]]:
    id_property, key = str(item.get("idProperty") or ""), str(item.get("id", ""))
    record = lookup(portal, kind, key, id_property or "hs_object_id")
    incoming = {id_property: key, **properties_of(item)}
    if record is None:
        return None, checked_create(portal, kind, incoming)
    return record, checked_update(portal, record, incoming)


def archive(portal: Portal, request: Request, kind: str) -> Response:
    """POST batch/archive -> 204."""
    for item in inputs_of(json_object(request), LIMIT):
        record = lookup(portal, kind, str(item.get("id", "")), "")
        if record is not None:
            portal.archive(record)
    return answer(204)


def _carry(
    portal: Portal, inputs: list[Doc], rehearse: _Write, write: _Write, *, isolated: bool, done: int
) -> Response:
    # Without trace ids nothing is written unless every row would be accepted, and the
    # refusal does not name the row (hubspot-api-python#51).
    if not isolated:
        for item in inputs:
            rehearse(item)
    results: list[Doc] = []
    errors: list[Doc] = []
    for item in inputs:
        try:
            results.append(write(item))
        except HubSpotError as error:
            if not isolated and error.category != "OBJECT_NOT_FOUND":
                raise
            errors.append(error.item(_named(item, error)))
    return _multi(portal, results, errors, done)


def _named(item: Doc, error: HubSpotError) -> dict[str, list[str]]:
    if item.get("objectWriteTraceId"):
        return {"objectWriteTraceId": [str(item["objectWriteTraceId"])]}
    return {"ids": [str(item.get("id", ""))]} if error.category == "OBJECT_NOT_FOUND" else {}


def _traced(inputs: list[Doc]) -> bool:
    traces = [str(item.get("objectWriteTraceId") or "") for item in inputs]
    return all(traces) and len(set(traces)) == len(traces)


def _refuse_twins(portal: Portal, kind: str, inputs: list[Doc]) -> None:
    # segment#2924, #3969: two inputs that resolve to one record reject the batch.
    seen: set[object] = set()
    for item in inputs:
        name, key = str(item.get("idProperty") or ""), str(item.get("id", ""))
        record = lookup(portal, kind, key, name)
        resolved = record.record_id if record else (name, key)
        if resolved in seen:
            raise invalid("Duplicate IDs found in batch input: " + key)
        seen.add(resolved)


def _written(portal: Portal, links: Links, record: Record, item: Doc) -> Doc:
    doc = render(portal, links, record, View(list(properties_of(item))))
    if item.get("objectWriteTraceId"):
        doc["objectWriteTraceId"] = str(item["objectWriteTraceId"])
    return doc


def _multi(portal: Portal, results: list[Doc], errors: list[Doc], done: int) -> Response:
    now: datetime = portal.clock.now()
    doc: Doc = {
        "status": "COMPLETE",
        "results": portal.dice.shuffled(results),
        "startedAt": stamp(now),
        "completedAt": stamp(now),
    }
    if errors:
        doc |= {"numErrors": len(errors), "errors": errors}
    return answer(207 if errors else done, doc)
