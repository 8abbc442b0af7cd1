"""One record at a time: read, list, create, change, archive, merge.

Source: crm-semantics.md 1H "Record envelope", "Merge", "Archived"; 3H.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice

from msgspec import Struct

from quotey.testing.simulators.exchange import Doc, Request, Response, answer
from quotey.testing.simulators.hubspot.body import json_object, number_of, properties_of
from quotey.testing.simulators.hubspot.errors import (
    invalid,
    not_found,
    not_unique,
    object_not_found,
)
from quotey.testing.simulators.hubspot.links import Links, inline_targets
from quotey.testing.simulators.hubspot.rules import checked_create, checked_update
from quotey.testing.simulators.hubspot.schema import TYPES, object_type
from quotey.testing.simulators.hubspot.store import Portal, Record
from quotey.testing.simulators.hubspot.values import stamp

_APP = "https://app.hubspot.com/contacts"
LIST_LIMIT, HISTORY_LIMIT = 100, 50


class View(Struct, frozen=True):
    """What a reader asked to see of a record."""

    properties: Sequence[str] = ()
    history: Sequence[str] = ()
    associations: Sequence[str] = ()

    @classmethod
    def asked(cls, request: Request) -> "View":
        """The view that a query string names."""
        names = ("properties", "propertiesWithHistory", "associations")
        return cls(*(request.all(name) for name in names))


def render(portal: Portal, links: Links, record: Record, view: View) -> Doc:
    """The record envelope: asked and unset is null, not asked is absent, unknown is ignored."""
    kind = TYPES[record.kind]
    known = portal.properties[record.kind]
    system = ("hs_object_id", kind.created, kind.modified)
    names = [*(view.properties or kind.shown), *system]
    doc: Doc = {
        "id": str(record.record_id),
        "properties": {n: record.properties.get(n) for n in names if n in known},
        "createdAt": stamp(record.created_at),
        "updatedAt": stamp(record.updated_at),
        "archived": record.archived_at is not None,
        "url": f"{_APP}/{portal.settings.portal_id}/record/{kind.number}/{record.record_id}",
    }
    if record.archived_at is not None:
        doc["archivedAt"] = stamp(record.archived_at)
    if view.history:
        doc["propertiesWithHistory"] = {n: _history(record, n) for n in view.history if n in known}
    if view.associations:
        doc["associations"] = _linked(links, record, view.associations)
    return doc


def _history(record: Record, name: str) -> list[Doc]:
    # 1H: newest first.
    return [
        {
            "value": change.values[name],
            "timestamp": stamp(change.at),
            "sourceType": change.source_type,
            "sourceId": change.source_id,
        }
        for change in reversed(record.changes)
        if name in change.values
    ]


def _linked(links: Links, record: Record, names: Iterable[str]) -> Doc:
    found: Doc = {}
    for kind in filter(None, map(object_type, names)):
        word = f"{TYPES[record.kind].singular}_to_{kind.singular}"
        linked = links.of(record.kind, record.record_id, kind.plural)
        if linked:
            unlabeled = [{"id": str(other), "type": f"{word}_unlabeled"} for other in linked]
            primary = [
                {"id": str(other), "type": word}
                for other, numbers in linked.items()
                if len(numbers) > 1
            ]
            found[kind.plural] = {"results": primary + unlabeled}
    return found


def lookup(portal: Portal, kind: str, key: str, id_property: str) -> Record | None:
    """The living or archived record that a path or input names.

    Raises:
        HubSpotError: 400 when `id_property` is not unique.
    """
    if not id_property:
        return portal.find(kind, int(key)) if key.isdigit() else None
    definition = portal.properties[kind].get(id_property)
    if definition is None or not definition.unique:
        raise not_unique(TYPES[kind].number, id_property, portal.settings.portal_id)
    return portal.find_by(kind, id_property, key)


def _found(
    portal: Portal, kind: str, key: str, id_property: str, *, archived: bool = False
) -> Record:
    record = lookup(portal, kind, key, id_property)
    if record is None or (record.archived_at is not None) != archived:
        raise object_not_found(key) if id_property or not key.isdigit() else not_found()
    return record


def get(portal: Portal, links: Links, request: Request, kind: str, key: str) -> Response:
    """GET one. The id of a merge's loser answers the survivor, under the survivor's id."""
    archived = request.flag("archived")
    record = _found(portal, kind, key, request.one("idProperty"), archived=archived)
    return answer(200, render(portal, links, record, View.asked(request)))


def list_page(portal: Portal, links: Links, request: Request, kind: str) -> Response:
    """GET a page by id; strongly consistent, without the search's cap (2H "Reconcile lanes")."""
    view = View.asked(request)
    highest = HISTORY_LIMIT if view.history else LIST_LIMIT
    limit = number_of(request.one("limit"), "limit", 10, highest)
    after = request.one("after") or "0"
    if not after.isdigit():
        raise invalid(f"{after} is not a valid paging cursor")
    archived = request.flag("archived")
    page = _page(portal, kind, int(after), limit + 1, archived=archived)
    doc: Doc = {"results": [render(portal, links, record, view) for record in page[:limit]]}
    if len(page) > limit:
        cursor = str(page[limit - 1].record_id)
        link = f"https://api.hubapi.com{request.path}?limit={limit}&after={cursor}"
        doc["paging"] = {"next": {"after": cursor, "link": link}}
    return answer(200, doc)


def _page(portal: Portal, kind: str, after: int, size: int, *, archived: bool) -> list[Record]:
    order = portal.order[kind]
    page: list[Record] = []
    for record_id in islice(order, bisect_right(order, after), None):
        record = portal.records[kind].get(record_id)
        if record is not None and (record.archived_at is not None) == archived:
            page.append(record)
            if len(page) == size:
                break
    return page


def create_one(
    portal: Portal, links: Links, kind: str, doc: Doc, source: tuple[str, str]
) -> Record:
    """Create a record with its inline associations, or nothing at all.

    Raises:
        HubSpotError: when a value, a unique value or an association is refused.
    """
    targets = inline_targets(portal, kind, doc)
    record = portal.create(kind, checked_create(portal, kind, properties_of(doc)), source)
    for target, number in targets:
        links.add(record, target, number)
    return record


def create(portal: Portal, links: Links, request: Request, kind: str) -> Response:
    """POST one -> 201."""
    doc = json_object(request)
    record = create_one(portal, links, kind, doc, integration(portal))
    return answer(201, render(portal, links, record, View(list(properties_of(doc)))))


def update(portal: Portal, links: Links, request: Request, kind: str, key: str) -> Response:
    """PATCH one -> 200 with what was written and the defaults only (1H)."""
    record = _found(portal, kind, key, request.one("idProperty"))
    incoming = properties_of(json_object(request))
    portal.update(record, checked_update(portal, record, incoming), integration(portal))
    return answer(200, render(portal, links, record, View(list(incoming))))


def archive(portal: Portal, kind: str, key: str) -> Response:
    """DELETE one -> 204, also the second time (1H)."""
    record = lookup(portal, kind, key, "")
    if record is not None:
        portal.archive(record)
    return answer(204)


def merge(portal: Portal, links: Links, request: Request, kind: str) -> Response:
    """POST a merge -> 200 with the survivor; quotes have none (1H)."""
    if kind == "quotes":
        raise not_found()
    doc = json_object(request)
    primary = _found(portal, kind, str(doc.get("primaryObjectId", "")), "")
    loser = _found(portal, kind, str(doc.get("objectIdToMerge", "")), "")
    survivor = merge_records(portal, links, primary, loser)
    return answer(200, render(portal, links, survivor, View()))


def merge_records(portal: Portal, links: Links, primary: Record, loser: Record) -> Record:
    """Merge two records with what they are linked to."""
    if primary is loser:
        raise invalid("Cannot merge an object with itself")
    survivor = portal.merge(primary, loser, integration(portal))
    old = [r.record_id for r in (primary, loser) if r is not survivor]
    links.move(old, survivor)
    return survivor


def integration(portal: Portal) -> tuple[str, str]:
    """Who a write through the API is attributed to in a history (3H "Echo suppression")."""
    return "INTEGRATION", str(portal.settings.app_id)
