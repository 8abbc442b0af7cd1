"""What HubSpot's refusals mean: by code and message first, by HTTP status last.

Source: crm-error-matrix.json "hubspot"; crm-semantics 4H.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from quotey.adapters.composio.docs import Doc, as_doc, as_docs, as_text
from quotey.adapters.composio.ops import Failed, Kind, Problem, Refusal, Reply, Trace, Verdict
from quotey.adapters.composio.scrub import scrubbed, word
from quotey.wire import Unreadable, read_json, retry_after

_CODES = {
    "INVALID_EMAIL": Kind.PERMANENT,
    "CONFLICTING_UNIQUE_VALUE": Kind.CONFLICT,
    "UNIQUE_VALUE_CONFLICT": Kind.CONFLICT,
    "BAD_REFRESH_TOKEN": Kind.AUTH,
    "EXPIRED_AUTHENTICATION": Kind.AUTH,
    "INVALID_AUTHENTICATION": Kind.AUTH,
    "MISSING_SCOPES": Kind.PERMISSION,
    "OBJECT_NOT_FOUND": Kind.NOT_FOUND,
    "CONFLICT": Kind.CONFLICT,
    "RATE_LIMITS": Kind.RATE_LIMIT,
    "VALIDATION_ERROR": Kind.MAPPING,
}
_STATUSES = {
    400: Kind.MAPPING,
    401: Kind.AUTH,
    403: Kind.PERMISSION,
    404: Kind.NOT_FOUND,
    408: Kind.AMBIGUOUS,
    409: Kind.CONFLICT,
    414: Kind.PERMANENT,
    423: Kind.TRANSIENT,
    425: Kind.TRANSIENT,
    429: Kind.RATE_LIMIT,
    477: Kind.TRANSIENT,
    501: Kind.PERMANENT,
    505: Kind.PERMANENT,
    522: Kind.PERMANENT,
    525: Kind.PERMANENT,
    526: Kind.PERMANENT,
}
SERVER = 500
ITEM = 400
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
LOCKED = 423
# crm-error-matrix.json: seconds by policy; DAILY lasts until the portal's midnight.
_POLICY_WAIT = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0}
_TAKEN = re.compile(r"\}\s+on\s+(\d+)\.\s+(\d+)\s+already has that value")


class HubSpotJudge:
    """Judges a refusal. `time_zone` is the portal's, in which its day ends."""

    def __init__(self, time_zone: str) -> None:
        self._zone = ZoneInfo(time_zone)

    def __call__(self, refusal: Refusal) -> Verdict:
        """Classify one refusal."""
        doc = as_doc(refusal.doc)
        problems = _problems(doc)
        kind = _kind(refusal.status, doc, problems)
        code = next((one.code for one in problems), "") or as_text(doc.get("category"))
        return Verdict(
            kind=kind,
            message=_message(refusal.status, doc, problems),
            code=(as_text(doc.get("policyName")) or code or str(refusal.status))[:60],
            wait_seconds=self._wait(kind, refusal, as_text(doc.get("policyName"))),
            problems=problems if kind is Kind.MAPPING else (),
            narrow=as_text(doc.get("policyName")) == "SECONDLY",
        )

    def closed(self, reply: Reply) -> float | None:
        """Say for how long the daily quota is spent, by an answer's headers; None when it is not.

        They tell what everybody has used, other programs too (crm-semantics 5).
        """
        spent = reply.headers.get("x-hubspot-ratelimit-daily-remaining") == "0"
        return self._policy_wait("DAILY", reply.server_ts) if spent else None

    def _wait(self, kind: Kind, refusal: Refusal, policy: str) -> float | None:
        """Give what was asked for; else what the policy means, where it is a limit."""
        said = refusal.headers.get("retry-after")
        asked = retry_after(said, refusal.server_ts or LONG_AGO)
        if asked is not None and (refusal.server_ts is not None or (said or "").isdigit()):
            return asked.total_seconds()
        if kind is Kind.RATE_LIMIT:
            return self._policy_wait(policy, refusal.server_ts)
        return 2.0 if refusal.status == LOCKED else None

    def _policy_wait(self, policy: str, now: datetime | None) -> float | None:
        if policy != "DAILY" or now is None:
            return _POLICY_WAIT.get(policy)
        here = now.astimezone(self._zone)
        midnight = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight - here).total_seconds()


def item_failure(error: Doc, trace: Trace) -> Failed:
    """Judge one error of a 207: it has the shape of a whole refusal, without a status (3H)."""
    problems = _problems(error)
    kind = _kind(ITEM, error, problems)
    return Failed(
        kind=kind,
        message=_message(ITEM, error, problems),
        code=word(as_text(error.get("category"))),
        status=ITEM,
        problems=problems if kind is Kind.MAPPING else (),
        doc=error,
        trace=trace,
    )


def _kind(status: int, doc: Doc, problems: tuple[Problem, ...]) -> Kind:
    message = as_text(doc.get("message"))
    if "already has that value" in message:
        return Kind.CONFLICT
    words = [one.code for one in problems]
    words += [as_text(doc.get(key)) for key in ("errorType", "status", "category")]
    known = next((_CODES[word] for word in words if word in _CODES), None)
    if known is not None:
        return known
    return _STATUSES.get(status, Kind.AMBIGUOUS if status >= SERVER else Kind.PERMANENT)


def _problems(doc: Doc) -> tuple[Problem, ...]:
    """Name the refused properties: from `errors`, or from the array inside the message (4H)."""
    listed = [
        _problem(_first(as_doc(one.get("context")).get("propertyName")), one.get("code"))
        for one in as_docs(doc.get("errors"))
    ]
    found = [one for one in listed if one.property and one.code]
    return tuple(found or _embedded(as_text(doc.get("message"))))


def _embedded(message: str) -> list[Problem]:
    start = message.find(": [{")
    if start < 0:
        return []
    try:
        inner = read_json(message[start + 2 :].encode())
    except Unreadable:
        return []
    return [_problem(one.get("name"), one.get("error")) for one in as_docs(inner)]


def _problem(name: object, code: object) -> Problem:
    """Give a property and its code, where they have the form of one: a value is never said."""
    return Problem(word(as_text(name)), word(as_text(code)))


def _first(raw: Any) -> str:  # noqa: ANN401 - JSON
    return as_text(raw[0]) if isinstance(raw, list) and raw else as_text(raw)


def _message(status: int, doc: Doc, problems: tuple[Problem, ...]) -> str:
    """Say it in our words where the property is known, else in theirs without values."""
    if problems:
        return ", ".join(f"property {one.property} is refused: {one.code}" for one in problems)
    scopes = [
        word(as_text(scope))
        for one in as_docs(doc.get("errors"))
        for scope in as_doc(one.get("context")).get("requiredScopes") or ()
    ]
    if scopes := list(filter(None, scopes)):
        return f"the connection lacks the scopes {', '.join(scopes)}"
    return scrubbed(doc.get("message")) or f"the CRM answered {status}"


def owner_of_value(doc: object) -> str | None:
    """Give the id of the record that already has a unique value, from the text of the clash.

    The first number is the half-made record of our own call, the second the owner (3H).

    >>> owner_of_value({"message": "... value=Q-1} on 552148386511. 552239500007 already has that "
    ...     "value."})
    '552239500007'
    """
    found = _TAKEN.search(as_text(as_doc(doc).get("message")))
    return found[2] if found else None
