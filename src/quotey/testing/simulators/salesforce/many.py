"""Collections: up to 200 records a call, an outcome for each, in the order of the inputs.

Source: crm-semantics.md 3S: 200 for the call says nothing about its items.
"""

from collections.abc import Callable
from typing import Any

from quotey.testing.simulators.core import Effect
from quotey.testing.simulators.exchange import Doc, Request, Response
from quotey.testing.simulators.salesforce.body import answer, read_object, shaped
from quotey.testing.simulators.salesforce.errors import Fault, SalesforceError, refused
from quotey.testing.simulators.salesforce.ids import normal
from quotey.testing.simulators.salesforce.rows import external_id, may_duplicate, saved, show
from quotey.testing.simulators.salesforce.saves import Saver, existing
from quotey.testing.simulators.salesforce.store import Undone
from quotey.testing.simulators.salesforce.values import stored

LIMIT, READ_LIMIT = 200, 2_000
_Write = Callable[[Any], Doc]


def write(saver: Saver, effects: list[Effect], request: Request) -> Response:
    """POST creates, PATCH updates by id, DELETE takes `ids` of the query."""
    if request.method == "DELETE":
        every = request.flag("allOrNone")
        return _each(saver, effects, request.all("ids"), _deleter(saver), all_or_none=every)
    doc = read_object(request)
    every = bool(doc.get("allOrNone"))
    allow = may_duplicate(request)

    def create(record: Doc) -> Doc:
        return saved(saver.create(_type(saver, record), record, allow_duplicates=allow))

    def update(record: Doc) -> Doc:
        sobject = _type(saver, record)
        named = {key.lower(): key for key in record}
        row_id = normal(record.get(named.get("id", "")))
        if row_id is None:
            raise refused("MISSING_ARGUMENT", "Id not specified in an update call")
        incoming = {key: value for key, value in record.items() if key.lower() != "id"}
        return saved(saver.update(existing(saver.org, sobject, row_id), incoming))

    action = create if request.method == "POST" else update
    return _each(saver, effects, _records(doc), action, all_or_none=every)


def upsert(
    saver: Saver, effects: list[Effect], request: Request, sobject: str, name: str
) -> Response:
    """PATCH by an external id that stands in each record; items say `created`."""
    doc = read_object(request)
    field = None if name.lower() == "id" else external_id(saver.org, sobject, name)
    allow = may_duplicate(request)

    def one(record: Doc) -> Doc:
        if field is None:
            row = existing(saver.org, sobject, normal(record.get("Id") or record.get("id")))
            rest = {key: value for key, value in record.items() if key.lower() != "id"}
            return saved(saver.update(row, rest), created=False)
        key = record.get(field.name)
        if key is None:
            raise refused("MISSING_ARGUMENT", f"{field.name} not specified", field.name)
        found = saver.org.holders(sobject, field, stored(field, key))
        if len(found) > 1:
            message = f"{field.name}: more than one record found for external id field: "
            raise refused("DUPLICATE_EXTERNAL_ID", message + str([r.row_id for r in found]))
        if found:
            return saved(saver.update(found[0], record), created=False)
        return saved(saver.create(sobject, record, allow_duplicates=allow), created=True)

    every = bool(doc.get("allOrNone"))
    return _each(saver, effects, _records(doc), one, all_or_none=every)


def read(saver: Saver, request: Request, sobject: str) -> Response:
    """GET or POST records by ids; one that is not there is null, in its place."""
    if request.method == "GET":
        row_ids, names = request.all("ids"), request.all("fields")
    else:
        doc = read_object(request)
        row_ids, names = (shaped(doc.get(key) or [], list[str]) for key in ("ids", "fields"))
    _limit(len(row_ids), READ_LIMIT)
    org = saver.org
    rows = (org.living(sobject, normal(row_id) or "") for row_id in row_ids)
    return answer(200, [show(org, row, names) if row is not None else None for row in rows])


def _deleter(saver: Saver) -> _Write:
    def delete(key: str) -> Doc:
        row_id = normal(key) or ""
        sobject = next((n for n, p in saver.org.prefixes.items() if row_id.startswith(p)), "")
        if sobject not in saver.org.objects:
            raise refused("MALFORMED_ID", f"malformed id {key}")
        return saved(saver.delete(existing(saver.org, sobject, row_id))[0])

    return delete


def _records(doc: Doc) -> list[Doc]:
    return shaped(doc.get("records"), list[dict[str, Any]])


def _type(saver: Saver, record: Doc) -> str:
    sobject = shaped(record.get("attributes") or {}, dict[str, str]).get("type", "")
    if sobject not in saver.org.objects:
        raise refused("INVALID_TYPE", f"sObject type '{sobject}' is not supported.")
    return sobject


def _limit(size: int, most: int) -> None:
    if size > most:
        message = f"The request has {size} records, the limit is {most}"
        raise refused("EXCEEDED_ID_LIMIT", message)


def _each(
    saver: Saver, effects: list[Effect], inputs: list[Any], one: _Write, *, all_or_none: bool
) -> Response:
    _limit(len(inputs), LIMIT)
    results: list[Doc] = []
    seen = len(effects)
    with saver.org.attempt():
        results = [_outcome(one, item) for item in inputs]
        if all_or_none and not all(result["success"] for result in results):
            del effects[seen:]
            results = [_rolled_back(result) for result in results]
            raise Undone
    return answer(200, results)


def _outcome(one: _Write, item: object) -> Doc:
    try:
        return one(item)
    except SalesforceError as error:
        # real-crm.md section C: a refused item has no id.
        return {"success": False, "errors": error.items()}


def _rolled_back(result: Doc) -> Doc:
    if not result["success"]:
        return result
    message = (
        "Record rolled back because not all records were valid and the request was using "
        "AllOrNone header"
    )
    fault = Fault("ALL_OR_NONE_OPERATION_ROLLED_BACK", message)
    return {"success": False, "errors": [fault.item()]}
