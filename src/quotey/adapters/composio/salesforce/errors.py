"""What Salesforce's refusals mean: by error code and message first, by HTTP status last.

Source: crm-error-matrix.json "salesforce"; crm-semantics 4S.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from quotey.adapters.composio.docs import Doc, as_doc, as_docs, as_text
from quotey.adapters.composio.ops import Kind, Problem, Refusal, Verdict
from quotey.adapters.composio.scrub import scrubbed, word
from quotey.wire import retry_after

TAG = "QUOTEY_"
"""How the messages of our own validation rules begin; see metadata/objects/Opportunity.object."""

CONCURRENT_WAIT = 10.0
"""Seconds after a Concurrent... limit; the matrix says 2 to 20, with jitter."""
QUOTA_WAIT = 900.0
"""Seconds after the 24-hour quota is spent; the matrix says a quarter of an hour at least."""
MAINTENANCE_WAIT = 300.0

MULTIPLE = 300
SERVER = 500
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

_CODES: dict[str, Kind] = {
    "INVALID_SESSION_ID": Kind.AUTH,
    "INVALID_AUTH_HEADER": Kind.AUTH,
    "invalid_grant": Kind.AUTH,
    "REQUEST_LIMIT_EXCEEDED": Kind.RATE_LIMIT,
    "API_DISABLED_FOR_ORG": Kind.PERMISSION,
    "API_CURRENTLY_DISABLED": Kind.PERMISSION,
    "INSUFFICIENT_ACCESS": Kind.PERMISSION,
    "INSUFFICIENT_ACCESS_OR_READONLY": Kind.PERMISSION,
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": Kind.PERMISSION,
    "UNABLE_TO_LOCK_ROW": Kind.TRANSIENT,
    "TOO_MANY_APEX_REQUESTS": Kind.TRANSIENT,
    "QUERY_TIMEOUT": Kind.TRANSIENT,
    "INVALID_QUERY_LOCATOR": Kind.TRANSIENT,
    "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE": Kind.TRANSIENT,
    # These may come after the work was done: of a write, nothing is known.
    "REQUEST_RUNNING_TOO_LONG": Kind.AMBIGUOUS,
    "SERVER_UNAVAILABLE": Kind.AMBIGUOUS,
    "UNKNOWN_EXCEPTION": Kind.AMBIGUOUS,
    "NOT_FOUND": Kind.NOT_FOUND,
    "ENTITY_IS_DELETED": Kind.CONFLICT,
    "ENTITY_IS_LOCKED": Kind.CONFLICT,
    "DUPLICATE_EXTERNAL_ID": Kind.CONFLICT,
    "DUPLICATE_VALUE": Kind.CONFLICT,
    "DUPLICATES_DETECTED": Kind.CONFLICT,
    "MATCH_PRECONDITION_FAILED": Kind.CONFLICT,
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": Kind.PERMANENT,
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": Kind.PERMANENT,
    "INVALID_EMAIL_ADDRESS": Kind.PERMANENT,
    "STORAGE_LIMIT_EXCEEDED": Kind.PERMANENT,
    "INVALID_FIELD": Kind.MAPPING,
    "INVALID_FIELD_FOR_INSERT_UPDATE": Kind.MAPPING,
    "INVALID_TYPE": Kind.MAPPING,
    "MALFORMED_ID": Kind.MAPPING,
    "MALFORMED_QUERY": Kind.MAPPING,
    "JSON_PARSER_ERROR": Kind.MAPPING,
    "REQUIRED_FIELD_MISSING": Kind.MAPPING,
    "STRING_TOO_LONG": Kind.MAPPING,
    "NUMBER_OUTSIDE_VALID_RANGE": Kind.MAPPING,
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": Kind.MAPPING,
    "INVALID_CURRENCY_ISO": Kind.MAPPING,
    "INVALID_CROSS_REFERENCE_KEY": Kind.MAPPING,
    "FIELD_INTEGRITY_EXCEPTION": Kind.MAPPING,
}
_STATUSES = {
    MULTIPLE: Kind.CONFLICT,
    401: Kind.AUTH,
    403: Kind.PERMISSION,
    404: Kind.NOT_FOUND,
    408: Kind.AMBIGUOUS,
    409: Kind.CONFLICT,
    412: Kind.CONFLICT,
    420: Kind.TRANSIENT,
    425: Kind.TRANSIENT,
    429: Kind.RATE_LIMIT,
    501: Kind.PERMANENT,
    505: Kind.PERMANENT,
}
VALIDATION_RULE = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
# Messages of other codes may quote the values of records, or the whole query.
_SAYABLE = frozenset(
    {
        *("REQUEST_LIMIT_EXCEEDED", "API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"),
        *("INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY"),
        *("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "UNABLE_TO_LOCK_ROW", "NOT_FOUND"),
        *("ENTITY_IS_DELETED", "DUPLICATE_VALUE", "MATCH_PRECONDITION_FAILED"),
        *(VALIDATION_RULE, "SERVER_UNAVAILABLE", "INVALID_SESSION_ID"),
        *("STORAGE_LIMIT_EXCEEDED", "ENTITY_IS_LOCKED"),
    }
)
_WORDS = {
    "INVALID_FIELD": "it names a field that is not there, or that this user may not see",
    "INVALID_TYPE": "it names an object that is not there, or that this user may not see",
    "JSON_PARSER_ERROR": "a value has the wrong form",
    "invalid_grant": "the connection has to be authorised anew",
}
_COLUMN = re.compile(r"No such column '([\w.]+)'")
_MISSING = re.compile(r"Required fields are missing: \[([\w., ]*)\]")


class Entry(msgspec.Struct, frozen=True):
    """One entry of a refusal: the code, the message as it came, the fields that it names."""

    code: str
    message: str
    fields: tuple[str, ...] = ()
    doc: Doc = {}


def judge(refusal: Refusal) -> Verdict:
    """Classify one refusal, by the entry that weighs most."""
    entries = entries_of(refusal.doc)
    status = refusal.status
    main = min(entries, key=lambda one: _WEIGHT[_kind(one, status)], default=Entry("", ""))
    kind = _kind(main, status)
    problems = tuple(Problem(name, one.code) for one in entries for name in one.fields)
    return Verdict(
        kind=kind,
        message=_message(refusal, main, problems if kind is Kind.MAPPING else ()),
        code=(main.code or str(status))[:60],
        wait_seconds=_wait(kind, main, refusal),
        problems=problems if kind is Kind.MAPPING else (),
    )


_WEIGHT = {kind: place for place, kind in enumerate(Kind)} | {Kind.CONFLICT: -1}


def entries_of(doc: object) -> list[Entry]:
    """Read a refusal in any of its forms: an array at the top, items of collections, OAuth (4S)."""
    if isinstance(doc, dict) and isinstance(doc.get("error"), str):
        return [Entry(doc["error"], as_text(doc.get("error_description")))]
    listed = as_docs(as_doc(doc).get("errors")) if isinstance(doc, dict) else as_docs(doc)
    return [_entry(one) for one in listed]


def _entry(doc: Doc) -> Entry:
    code = as_text(doc.get("errorCode")) or as_text(doc.get("statusCode"))
    message = as_text(doc.get("message"))
    named = doc.get("fields")
    fields = (
        tuple(filter(None, (word(as_text(name)) for name in named)))
        if isinstance(named, list)
        else ()
    )
    return Entry(code, message, fields or tuple(_named_in(message)), doc)


def _named_in(message: str) -> Iterable[str]:
    """Name the fields that stand in the message only."""
    yield from _COLUMN.findall(message)
    for listed in _MISSING.findall(message):
        yield from (name.strip() for name in listed.split(",") if name.strip())


def _kind(entry: Entry, status: int) -> Kind:
    if entry.code == VALIDATION_RULE and TAG in entry.message:
        return Kind.CONFLICT
    # A trigger's failure wraps the lock that it waited for (4.3, footnote).
    if (
        entry.code == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
        and "UNABLE_TO_LOCK_ROW" in entry.message
    ):
        return Kind.TRANSIENT
    known = _CODES.get(entry.code) or _STATUSES.get(status)
    return known or (Kind.AMBIGUOUS if status >= SERVER else Kind.PERMANENT)


def _wait(kind: Kind, entry: Entry, refusal: Refusal) -> float | None:
    """Give what was asked for (4S documents no such header), else what the limit means."""
    said = refusal.headers.get("retry-after")
    asked = retry_after(said, refusal.server_ts or LONG_AGO)
    if asked is not None and (refusal.server_ts is not None or (said or "").isdigit()):
        return asked.total_seconds()
    if entry.code == "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE":
        return MAINTENANCE_WAIT
    if kind is not Kind.RATE_LIMIT:
        return None
    if "TotalRequests" in entry.message:
        return QUOTA_WAIT
    return CONCURRENT_WAIT if "Concurrent" in entry.message else None


def _message(refusal: Refusal, main: Entry, problems: tuple[Problem, ...]) -> str:
    """Say it in our words where the field is known, else in theirs if they hold no values."""
    if problems:
        return ", ".join(f"field {one.property} is refused: {one.code}" for one in problems)
    found = _matches(main) or (_urls(refusal.doc) if refusal.status == MULTIPLE else ())
    if found:
        return f"several records are in question, and a person has to choose: {', '.join(found)}"
    authored = main.code == VALIDATION_RULE
    said = scrubbed(main.message, authored=authored) if main.code in _SAYABLE else ""
    return said or _WORDS.get(main.code) or f"the CRM answered {refusal.status}"


def _matches(entry: Entry) -> tuple[str, ...]:
    """Name the records that a duplicate rule found; it is never overridden by us (3S)."""
    results = as_docs(as_doc(entry.doc.get("duplicateResult")).get("matchResults"))
    records = (one for result in results for one in as_docs(result.get("matchRecords")))
    ids = (as_text(as_doc(one.get("record")).get("Id")) for one in records)
    return tuple(filter(None, ids))


def _urls(doc: object) -> tuple[str, ...]:
    """Name the records that share a key: 300 lists their addresses (3S)."""
    listed = doc if isinstance(doc, list) else []
    return tuple(one.rpartition("/")[2] for one in listed if isinstance(one, str))
