"""The search endpoint with its caps. It filters the index, and answers current values.

Source: crm-semantics.md 2H "Rules".
"""

import json
from bisect import bisect_right
from typing import Any

from quotey.testing.simulators.exchange import Doc, Request, Response, answer
from quotey.testing.simulators.hubspot.body import json_object, names_of, number_of, shaped
from quotey.testing.simulators.hubspot.errors import invalid
from quotey.testing.simulators.hubspot.filters import Matches, compiled, mentions, sort_key
from quotey.testing.simulators.hubspot.index import Indexed
from quotey.testing.simulators.hubspot.links import Links
from quotey.testing.simulators.hubspot.objects import View, render
from quotey.testing.simulators.hubspot.schema import TYPES, object_type
from quotey.testing.simulators.hubspot.store import Portal

MAX_BODY, MAX_RESULTS, MAX_LIMIT = 3_000, 10_000, 200
MAX_GROUPS, MAX_FILTERS, MAX_FILTERS_TOTAL = 5, 6, 18


def search(portal: Portal, links: Links, request: Request, kind: str) -> Response:
    """POST a search -> {total, results, paging}."""
    if len(request.body) > MAX_BODY:
        raise invalid(f"The request body must be at most {MAX_BODY} characters")
    doc = json_object(request)
    limit = number_of(str(doc.get("limit") or ""), "limit", 10, MAX_LIMIT)
    start = _start(doc, limit)
    found = _sorted(portal, kind, doc, _matching(portal, links, kind, doc))
    view = View(names_of(doc, "properties"))
    # 2H "Index vs store skew": the values may be newer than what the filter saw.
    shown = (portal.records[kind].get(e.record_id) for e in found[start : start + limit])
    living = [record for record in shown if record is not None and record.archived_at is None]
    page: Doc = {"total": len(found), "results": [render(portal, links, r, view) for r in living]}
    if start + limit < len(found):
        page["paging"] = {"next": {"after": str(start + limit)}}
    return answer(200, page)


def _start(doc: Doc, limit: int) -> int:
    after = str(doc.get("after") or "0")
    if not after.isdigit():
        raise invalid(f"{after} is not a valid paging cursor")
    if int(after) + limit > MAX_RESULTS:
        raise invalid(f"Paging beyond {MAX_RESULTS} results is not supported, got after {after}")
    return int(after)


def _matching(portal: Portal, links: Links, kind: str, doc: Doc) -> list[Indexed]:
    groups, last = _keyset(_groups(doc))
    query, index = str(doc.get("query") or ""), portal.index
    question = (kind, query, json.dumps(groups), index.shown, portal.departures)
    linked = any("associations." in str(spec) for group in groups for spec in group)
    if linked or index.remembered[0] != question:
        found = _all_matching(portal, links, kind, groups, query)
        index.remembered = (None if linked else question, found)
    found = index.remembered[1]
    return found[bisect_right(found, last, key=lambda entry: entry.record_id) :]


def _all_matching(
    portal: Portal, links: Links, kind: str, groups: list[list[Doc]], query: str
) -> list[Indexed]:
    entries = _candidates(portal, kind, groups)
    if query:
        entries = list(filter(mentions(query, TYPES[kind].searched), entries))
    if groups:
        entries = _in_any(portal, links, kind, groups, entries)
    alive = portal.records[kind]
    return [e for e in entries if e.record_id in alive and not alive[e.record_id].archived_at]


def _candidates(portal: Portal, kind: str, groups: list[list[Doc]]) -> list[Indexed]:
    """Everything that is visible, or what a reader of a window of modified dates needs of it."""
    for spec in groups[0] if len(groups) == 1 else ():
        bounds = str(spec.get("value", "")), str(spec.get("highValue", ""))
        window = (spec.get("propertyName"), spec.get("operator"))
        if window == (TYPES[kind].modified, "BETWEEN") and all(map(str.isdigit, bounds)):
            return portal.index.modified_between(kind, *map(int, bounds))
    return portal.index.entries(kind)


def _in_any(
    portal: Portal, links: Links, kind: str, groups: list[list[Doc]], entries: list[Indexed]
) -> list[Indexed]:
    kept: set[int] = set()
    for group in groups:
        found = entries
        for matches in (_predicate(portal, links, kind, spec) for spec in group):
            found = [entry for entry in found if matches(entry)]
        if len(groups) == 1:
            return found
        kept.update(entry.record_id for entry in found)
    return [entry for entry in entries if entry.record_id in kept]


def _groups(doc: Doc) -> list[list[Doc]]:
    asked = shaped(doc.get("filterGroups") or [], list[dict[str, list[dict[str, Any]]]])
    groups = [group.get("filters", []) for group in asked]
    total = sum(map(len, groups))
    if len(groups) > MAX_GROUPS or total > MAX_FILTERS_TOTAL:
        raise invalid(
            f"At most {MAX_GROUPS} filterGroups and {MAX_FILTERS_TOTAL} filters are allowed, "
            f"got {len(groups)} and {total}"
        )
    if any(len(group) > MAX_FILTERS for group in groups):
        raise invalid(f"At most {MAX_FILTERS} filters are allowed in a group")
    return groups


def _keyset(groups: list[list[Doc]]) -> tuple[list[list[Doc]], int]:
    # A keyset reader asks "id > last" on every page; the rest of its question stays the same.
    if len(groups) != 1:
        return groups, 0
    rest, last = [], 0
    for spec in groups[0]:
        value = str(spec.get("value", ""))
        keyed = (spec.get("propertyName"), spec.get("operator")) == ("hs_object_id", "GT")
        if keyed and value.isdigit():
            last = max(last, int(value))
        else:
            rest.append(spec)
    return [rest], last


def _predicate(portal: Portal, links: Links, kind: str, spec: Doc) -> Matches:
    name = str(spec.get("propertyName", ""))
    if not name.startswith("associations."):
        return compiled(kind, portal.properties[kind], spec)
    target = object_type(name.removeprefix("associations."))
    if target is None:
        raise invalid(f"There was a problem with the request: unknown property {name}")
    wanted = set(shaped(spec.get("values") or [str(spec.get("value"))], list[str]))

    def linked(entry: Indexed) -> bool:
        return any(str(o) in wanted for o in links.of(kind, entry.record_id, target.plural))

    return linked


def _sorted(portal: Portal, kind: str, doc: Doc, found: list[Indexed]) -> list[Indexed]:
    sorts = shaped(doc.get("sorts") or [], list[dict[str, Any] | str])
    if len(sorts) > 1:
        raise invalid("Only one sort is allowed")
    spec = sorts[0] if sorts else TYPES[kind].created
    asked = spec if isinstance(spec, dict) else {"propertyName": str(spec)}
    name = str(asked.get("propertyName", "")).lstrip("-")
    definition = portal.properties[kind].get(name)
    if definition is None:
        raise invalid(f"There was a problem with the request: cannot sort by {name}")
    down = asked.get("direction") == "DESCENDING" or str(spec).startswith("-")
    if name == "hs_object_id" and not down:
        return found
    return sorted(found, key=sort_key(kind, definition), reverse=down)
