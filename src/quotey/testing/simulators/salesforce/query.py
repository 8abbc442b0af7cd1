"""The query endpoints: pages, locators, and the tooling view of validation rules.

Source: crm-semantics.md 2S "SOQL".
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from quotey.testing.simulators.exchange import Doc, Request
from quotey.testing.simulators.salesforce.errors import Fault, SalesforceError
from quotey.testing.simulators.salesforce.evaluate import matching, projection, resolve
from quotey.testing.simulators.salesforce.rules import ValidationRule
from quotey.testing.simulators.salesforce.soql import Combined, Condition, Query, malformed, parse
from quotey.testing.simulators.salesforce.store import Org

_BATCH = re.compile(r"batchSize=(\d+)", re.IGNORECASE)
_SMALLEST = 200


class Locator(Struct, frozen=True):
    """An open result: a snapshot of ids, whose values are read when their page is fetched."""

    query: Query
    row_ids: tuple[str, ...]
    size: int
    until: datetime


class Locators:
    """The results that readers have not finished with."""

    def __init__(self) -> None:
        self._open: dict[str, Locator] = {}

    def expire(self) -> None:
        """Forget all of them, as the server may."""
        self._open.clear()

    def keep(self, locator: Locator) -> str:
        """Keep a result; gives its name."""
        name = f"01g5g{len(self._open) + 1:010d}AAA"
        self._open[name] = locator
        return name

    def open(self, name: str, now: datetime) -> Locator:
        """The result of a name.

        Raises:
            SalesforceError: 400 INVALID_QUERY_LOCATOR when it is unknown or too old.
        """
        locator = self._open.get(name)
        if locator is None or locator.until <= now:
            raise SalesforceError(400, Fault("INVALID_QUERY_LOCATOR", "invalid query locator"))
        return locator


def run(org: Org, locators: Locators, request: Request, *, deleted: bool) -> Doc:
    """Answer a first page; `deleted` also sees the recycle bin."""
    query = checked(org, parse(request.one("q")))
    row_ids = tuple(matching(org, query, deleted=deleted))
    if not query.fields:
        return {"totalSize": len(row_ids), "done": True, "records": []}
    hours = timedelta(hours=org.settings.locator_hours)
    size = _page_size(org, request)
    locator = Locator(query, row_ids, size, org.clock.now() + hours)
    # Only a result that is not over needs a name.
    name = locators.keep(locator) if len(row_ids) > size else ""
    return _page(org, locator, name, 0)


def more(org: Org, locators: Locators, cursor: str) -> Doc:
    """Answer a further page by `nextRecordsUrl`."""
    name, _, start = cursor.rpartition("-")
    locator = locators.open(name, org.clock.now())
    return _page(org, locator, name, int(start) if start.isdigit() else 0)


def _page(org: Org, locator: Locator, name: str, start: int) -> Doc:
    end = start + locator.size
    show = projection(org, locator.query)
    rows = (org.find(locator.query.sobject, row_id) for row_id in locator.row_ids[start:end])
    done = end >= len(locator.row_ids)
    doc: Doc = {"totalSize": len(locator.row_ids), "done": done}
    if not done:
        doc["nextRecordsUrl"] = f"/services/data/v{org.settings.version}/query/{name}-{end}"
    return doc | {"records": [show(row) for row in rows if row is not None]}


def _page_size(org: Org, request: Request) -> int:
    # `Sforce-Query-Options: batchSize=200..2000` is a hint.
    asked = _BATCH.search(request.headers.get("sforce-query-options", ""))
    size = int(asked[1]) if asked else org.settings.page
    return min(max(size, min(_SMALLEST, org.settings.page)), org.settings.page)


def checked(org: Org, query: Query) -> Query:
    """The query with the object's own spelling, every field of it known.

    Raises:
        SalesforceError: 400 INVALID_TYPE or INVALID_FIELD.
    """
    names = {name.lower(): name for name in org.objects}
    sobject = names.get(query.sobject.lower())
    if sobject is None:
        message = f"sObject type '{query.sobject}' is not supported."
        raise SalesforceError(400, Fault("INVALID_TYPE", message))
    known = replace(query, sobject=sobject)
    for path in (*query.fields, *(order.field for order in query.orders)):
        resolve(org, known, path)
    return known


_RULE_FIELDS = ("ValidationName", "Active", "ErrorMessage", "EntityDefinition.QualifiedApiName")


def tooling(rules: Sequence[ValidationRule], text: str) -> Doc:
    """Answer a tooling query on ValidationRule, the setup check of 3S."""
    query = parse(text)
    if query.sobject != "ValidationRule" or not set(query.fields) <= set(_RULE_FIELDS):
        raise malformed(f"unexpected token: '{query.sobject}'")
    docs = [
        {
            "ValidationName": rule.name,
            "Active": rule.active,
            "ErrorMessage": rule.message,
            "EntityDefinition.QualifiedApiName": rule.sobject,
        }
        for rule in rules
    ]
    shown = [doc for doc in docs if query.where is None or _rule_holds(doc, query.where)]
    records = [
        {"attributes": {"type": "ValidationRule"}, **{name: doc[name] for name in query.fields}}
        for doc in shown
    ]
    return {"size": len(records), "totalSize": len(records), "done": True, "records": records}


def _rule_holds(doc: Doc, condition: Condition) -> bool:
    if isinstance(condition, Combined):
        return all(_rule_holds(doc, part) for part in condition.parts)
    value = condition.values[0]
    return bool(doc.get(condition.field) == getattr(value, "plain", value))
