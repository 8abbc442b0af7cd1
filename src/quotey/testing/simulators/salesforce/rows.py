"""One record at a time: by id or by external id, with conditions.

Source: crm-semantics.md 3S.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from quotey.testing.simulators.clock import http_date
from quotey.testing.simulators.exchange import Doc, Request, Response
from quotey.testing.simulators.salesforce.body import answer, read_object
from quotey.testing.simulators.salesforce.errors import (
    SalesforceError,
    not_found,
    precondition_failed,
    refused,
)
from quotey.testing.simulators.salesforce.evaluate import attributes
from quotey.testing.simulators.salesforce.ids import normal
from quotey.testing.simulators.salesforce.saves import Saver, existing
from quotey.testing.simulators.salesforce.schema import Field, known_field
from quotey.testing.simulators.salesforce.store import Org, Row
from quotey.testing.simulators.salesforce.values import stored, written

# From v46 on an upsert that updates answers 200 with a body, before that 204.
_SPEAKING_UPSERT = 46.0


def saved(row: Row, *, created: bool | None = None) -> Doc:
    """The body that answers a write."""
    doc: Doc = {"id": row.row_id, "success": True, "errors": []}
    return doc if created is None else {**doc, "created": created}


def show(org: Org, row: Row, names: Sequence[str] = ()) -> Doc:
    """A record with the named fields, or with all that are visible."""
    known = org.objects[row.sobject]
    fields = [f for f in known.values() if not f.hidden]
    if names:
        found = [(name, known_field(known, name)) for name in names]
        missing = [name for name, field in found if field is None]
        if missing:
            message = f"No such column '{missing[0]}' on sobject of type {row.sobject}"
            raise refused("INVALID_FIELD", message)
        fields = [field for _, field in found if field is not None]
    exponents = org.settings.exponents
    values = {f.name: written(f, org.value(row, f), exponents=exponents) for f in fields}
    return {"attributes": attributes(org, row), **values}


def by_id(saver: Saver, request: Request, sobject: str, key: str) -> Response:
    """GET, PATCH or DELETE one record by its id."""
    row_id = normal(key)
    if row_id is None:
        message = f"Provided external ID field does not exist or is not accessible: {key}"
        raise not_found(message)
    return on_row(saver, request, existing(saver.org, sobject, row_id))


def on_row(saver: Saver, request: Request, row: Row) -> Response:
    """GET, PATCH or DELETE a record that was found."""
    match request.method:
        case "GET" | "HEAD":
            if _not_modified(row, request.headers):
                return answer(304)
            return answer(200, show(saver.org, row, request.all("fields")), _validators(row))
        case "PATCH":
            _check_conditions(row, request.headers)
            saver.update(row, read_object(request))
            return answer(204)
        case "DELETE":
            # 3S: conditions are not supported on DELETE.
            saver.delete(row)
            return answer(204)
        case _:
            raise SalesforceError(405)


def create(saver: Saver, request: Request, sobject: str) -> Response:
    """POST one record -> 201."""
    row = saver.create(sobject, read_object(request), allow_duplicates=may_duplicate(request))
    return answer(201, saved(row))


def by_key(saver: Saver, request: Request, sobject: str, name: str, value: str) -> Response:
    """GET, upsert or DELETE by an external id; several matches answer 300 with their addresses."""
    org = saver.org
    field = external_id(org, sobject, name)
    found = org.holders(sobject, field, stored(field, value))
    if len(found) > 1:
        return answer(300, [attributes(org, row)["url"] for row in found])
    if request.method != "PATCH":
        if not found:
            raise not_found()
        return on_row(saver, request, found[0])
    incoming = read_object(request)
    if any(key.lower() == field.name.lower() for key in incoming):
        message = f"The {field.name} field should not be specified in the sobject data."
        raise refused("INVALID_FIELD", message)
    if not found and request.flag("updateOnly"):
        raise not_found()
    return _upsert(saver, request, sobject, {field.name: value, **incoming}, found)


def _upsert(
    saver: Saver, request: Request, sobject: str, incoming: Mapping[str, object], found: list[Row]
) -> Response:
    if not found:
        row = saver.create(sobject, incoming, allow_duplicates=may_duplicate(request))
        return answer(201, saved(row, created=True))
    _check_conditions(found[0], request.headers)
    row = saver.update(found[0], incoming)
    version = request.segments[2].removeprefix("v")
    quiet = float(version) < _SPEAKING_UPSERT
    return answer(204) if quiet else answer(200, saved(row, created=False))


def external_id(org: Org, sobject: str, name: str) -> Field:
    """The external-id field of a name.

    Raises:
        SalesforceError: 404 when there is none.
    """
    field = known_field(org.objects[sobject], name)
    if field is None or not field.external_id:
        raise not_found(f"Provided external ID field does not exist or is not accessible: {name}")
    return field


def may_duplicate(request: Request) -> bool:
    """Whether the caller overrides duplicate rules that only alert (3S)."""
    header = request.headers.get("sforce-duplicate-rule-header", "")
    return "allowsave=true" in header.lower().replace(" ", "")


# -- conditional requests


def _validators(row: Row) -> dict[str, str]:
    headers = {"last-modified": http_date(row.modified)}
    # 3S: ETag on Account rows only.
    return {**headers, "etag": _etag(row)} if row.sobject == "Account" else headers


def _etag(row: Row) -> str:
    content = f"{row.row_id}:{row.modstamp.isoformat()}:{sorted(row.values.items())}"
    return f'"{hashlib.blake2b(content.encode(), digest_size=12).hexdigest()}"'


def _not_modified(row: Row, headers: Mapping[str, str]) -> bool:
    since = _moment(headers.get("if-modified-since"))
    tag = headers.get("if-none-match")
    unchanged = since is not None and row.modified <= since
    return unchanged or (tag is not None and row.sobject == "Account" and tag == _etag(row))


def _check_conditions(row: Row, headers: Mapping[str, str]) -> None:
    # 3S: compares LastModifiedDate, a second at a time, so two writes in one second slip by.
    since = _moment(headers.get("if-unmodified-since"))
    if since is not None and row.modified > since:
        raise precondition_failed()
    tag = headers.get("if-match")
    if tag is not None and row.sobject == "Account" and tag != _etag(row):
        raise precondition_failed()


def _moment(header: str | None) -> datetime | None:
    if header is None:
        return None
    try:
        return parsedate_to_datetime(header).astimezone(UTC)
    except ValueError as error:
        raise refused("MALFORMED_QUERY", f"Invalid date header: {header}") from error
