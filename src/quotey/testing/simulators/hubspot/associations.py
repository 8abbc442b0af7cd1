"""The v4 endpoints over links: one record's, one pair's, and batches.

Source: crm-semantics.md 1H "Associations v4".
"""

from msgspec import Struct

from quotey.testing.simulators.exchange import Doc, Request, Response, answer
from quotey.testing.simulators.hubspot.body import inputs_of, number_of, shaped
from quotey.testing.simulators.hubspot.errors import HubSpotError, bad_associations, invalid
from quotey.testing.simulators.hubspot.links import CATEGORY, End, Links, TypeSpec, living
from quotey.testing.simulators.hubspot.schema import TYPES, ObjectType, association_labels
from quotey.testing.simulators.hubspot.store import Portal, Record

READ_LIMIT, WRITE_LIMIT = 1000, 2000
_ACTIONS = frozenset({"read", "create", "associate/default", "archive", "labels/archive"})


class PairSpec(Struct, frozen=True, rename={"source": "from"}):
    """One input of a batch of links."""

    source: End
    to: End | list[End]
    types: list[TypeSpec] = []


def _pair(
    portal: Portal, source: ObjectType, source_id: str, target: ObjectType, target_id: str
) -> tuple[Record, Record]:
    one = living(portal, source.plural, source_id)
    two = living(portal, target.plural, target_id)
    if one is None or two is None:
        raise bad_associations([i for i, r in ((source_id, one), (target_id, two)) if r is None])
    return one, two


def _types(links: Links, source: Record, target: Record) -> list[Doc]:
    labels = association_labels(TYPES[source.kind].singular, TYPES[target.kind].singular)
    numbers = links.of(source.kind, source.record_id, target.kind).get(target.record_id, set())
    return [
        {"category": CATEGORY, "typeId": number, "label": labels[number] or None}
        for number in sorted(numbers)
    ]


def list_links(
    portal: Portal, links: Links, request: Request, source: ObjectType, source_id: str, target: str
) -> Response:
    """GET the links of one record; `toObjectId` is a JSON number here (1H)."""
    record_id = int(source_id) if source_id.isdigit() else 0
    limit = number_of(request.one("limit"), "limit", 500, 500)
    start = shaped(request.one("after") or 0, int)
    linked = list(links.of(source.plural, record_id, target))
    record = portal.records[source.plural].get(record_id)
    found = [portal.records[target][other] for other in linked[start : start + limit]]
    doc: Doc = {
        "results": [
            {"toObjectId": other.record_id, "associationTypes": _types(links, record, other)}
            for other in found
            if record is not None
        ]
    }
    if start + limit < len(linked):
        doc["paging"] = {"next": {"after": str(start + limit)}}
    return answer(200, doc)


def put_link(
    portal: Portal,
    links: Links,
    body: object,
    source: tuple[ObjectType, str],
    target: tuple[ObjectType, str],
) -> Response:
    """PUT labelled links between two records -> 201."""
    specs = shaped(body, list[TypeSpec])
    one, two = _pair(portal, *source, *target)
    for spec in specs:
        links.add(one, two, spec.associationTypeId)
    return answer(201, _created(links, one, two))


def put_default(
    portal: Portal, links: Links, source: tuple[ObjectType, str], target: tuple[ObjectType, str]
) -> Response:
    """PUT the unlabeled link, both directions -> 200."""
    one, two = _pair(portal, *source, *target)
    links.add(one, two, _plain(source[0], target[0]))
    return answer(200, {"status": "COMPLETE", "results": [_created(links, one, two)]})


def delete_link(
    portal: Portal, links: Links, source: tuple[ObjectType, str], target: tuple[ObjectType, str]
) -> Response:
    """DELETE every type between two records -> 204."""
    one = living(portal, source[0].plural, source[1])
    two = living(portal, target[0].plural, target[1])
    if one is not None and two is not None:
        links.remove(one, two)
    return answer(204)


def labels(source: ObjectType, target: ObjectType) -> Response:
    """GET which types may link two objects."""
    known = association_labels(source.singular, target.singular)
    return answer(
        200,
        {
            "results": [
                {"category": CATEGORY, "typeId": number, "label": label or None}
                for number, label in known.items()
            ]
        },
    )


def _plain(source: ObjectType, target: ObjectType) -> int:
    known = association_labels(source.singular, target.singular)
    plain = next((number for number, label in known.items() if label == ""), None)
    if plain is None:
        raise invalid(f"No association between {source.number} and {target.number}")
    return plain


def _created(links: Links, one: Record, two: Record) -> Doc:
    return {
        "fromObjectTypeId": TYPES[one.kind].number,
        "fromObjectId": one.record_id,
        "toObjectTypeId": TYPES[two.kind].number,
        "toObjectId": two.record_id,
        "labels": [t["label"] for t in _types(links, one, two) if t["label"]],
    }


def batch(
    portal: Portal, links: Links, doc: Doc, source: ObjectType, target: ObjectType, action: str
) -> Response:
    """POST a batch of links: read, create, associate/default, archive."""
    if action not in _ACTIONS:
        raise HubSpotError(404, {"message": "resource not found"})
    inputs = inputs_of(doc, READ_LIMIT if action == "read" else WRITE_LIMIT)
    if action == "read":
        return _batch_read(portal, links, inputs, source, target)
    results: list[Doc] = []
    errors: list[Doc] = []
    for item in inputs:
        try:
            results += _batch_write(portal, links, item, source, target, action)
        except HubSpotError as error:
            errors.append(error.item({"fromObjectId": [str(item.get("from"))]}))
    if action.endswith("archive"):
        return answer(204)
    return _multi(results, errors, created=201 if action == "create" else 200)


def _batch_write(
    portal: Portal, links: Links, item: Doc, source: ObjectType, target: ObjectType, action: str
) -> list[Doc]:
    spec = shaped(item, PairSpec)
    numbers = [one.associationTypeId for one in spec.types]
    made = []
    for end in spec.to if isinstance(spec.to, list) else [spec.to]:
        one, two = _pair(portal, source, str(spec.source.id), target, str(end.id))
        if action == "archive":
            links.remove(one, two)
        elif action == "labels/archive":
            links.remove(one, two, set(numbers))
        else:
            for number in numbers or [_plain(source, target)]:
                links.add(one, two, number)
            made.append(_created(links, one, two))
    return made


def _batch_read(
    portal: Portal, links: Links, inputs: list[Doc], source: ObjectType, target: ObjectType
) -> Response:
    results: list[Doc] = []
    errors: list[Doc] = []
    for item in inputs:
        key = str(item.get("id", ""))
        record = portal.records[source.plural].get(int(key)) if key.isdigit() else None
        linked = links.of(source.plural, record.record_id, target.plural) if record else {}
        if record is None or not linked:
            # 1H: a from-id without associations is missing from results, an error in 207.
            errors.append(_no_links(source, target, key))
            continue
        to = [
            {
                "toObjectId": str(other),
                "associationTypes": _types(links, record, portal.records[target.plural][other]),
            }
            for other in linked
        ]
        results.append({"from": {"id": key}, "to": to})
    return _multi(results, errors, created=200)


def _no_links(source: ObjectType, target: ObjectType, key: str) -> Doc:
    message = f"No {target.singular} is associated with {source.singular} {key}."
    doc = {"message": message, "category": "OBJECT_NOT_FOUND"}
    doc["subCategory"] = "crm.associations.NO_ASSOCIATIONS_FOUND"
    return HubSpotError(404, doc).item({"fromObjectId": [key]})


def _multi(results: list[Doc], errors: list[Doc], *, created: int) -> Response:
    doc: Doc = {"status": "COMPLETE", "results": results}
    if errors:
        doc |= {"numErrors": len(errors), "errors": errors}
    return answer(207 if errors else created, doc)
