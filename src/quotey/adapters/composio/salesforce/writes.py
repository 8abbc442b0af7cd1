"""Creating a deal once and updating records once: the key of each is left in the org itself.

A create is an upsert by a unique external id. An update leaves its key among the last ones of the
record, so that a repeat is known to every process, also when others have written since.
Source: crm-semantics 3S.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from quotey.adapters.composio.currency import without_currency
from quotey.adapters.composio.docs import Doc, as_doc, as_text
from quotey.adapters.composio.ops import Failed, Kind, Op, Outcome, Refusal, Trace
from quotey.adapters.composio.salesforce.errors import entries_of, judge
from quotey.adapters.composio.salesforce.ids import canonical_id
from quotey.adapters.composio.salesforce.org import Org
from quotey.adapters.composio.salesforce.shape import (
    DELETED,
    MODIFIED,
    Shape,
    moment_of,
    record_of,
    ref_of,
    survivor_of,
)
from quotey.adapters.composio.salesforce.soql import Select, quoted
from quotey.adapters.composio.settings import SalesforceSettings
from quotey.adapters.composio.written import answer, elsewhere, not_there
from quotey.contract.adapter import Call
from quotey.contract.dto import RemoteWrite, Value
from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.errors import Outcome as Effect
from quotey.contract.fields import Entity
from quotey.contract.mapper import Mapper, write_fields
from quotey.contract.refusals import refusing

MARK = 16
"""Characters of the mark that stands for a key."""
MARKS = 12
"""How many marks a record keeps, newest first; the field holds 255 characters."""
REFUSED = 400
CHANGED = 412


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a key: its id ("" when there is none), whether we just made it, and when."""

    ref: str = ""
    created: bool = False
    trace: Trace = Trace()
    now: datetime | None = None


class Writes:
    """Writes deals and accounts of one org."""

    def __init__(self, org: Org, mapper: Mapper, settings: SalesforceSettings) -> None:
        self._org = org
        self._mapper = mapper
        self._conditional = settings.sends_conditions
        self._close_days = settings.default_close_days

    # --- create -----------------------------------------------------------------------------------

    def create_deal(
        self, account: str, values: Mapping[str, Value], key: str, call: Call
    ) -> RemoteWrite:
        """Create a deal under its key, or find the one that the key already made.

        It is looked for first, so that a repeat never writes over what came after. When another
        process makes it in between, the upsert writes the same values once more.
        """
        shape = self._org.shape(Entity.DEAL)
        parent = canonical_id(account)
        if parent is None:
            raise not_there(Entity.ACCOUNT, account)
        given: dict[str, Value] = {**values, "account_id": parent}
        with refusing("The deal was not created"):
            write_fields(self._org.mapping, Entity.DEAL, given, creating=True)
        made = self._find(shape, key, call)
        if not made.ref:
            dated = {**self._close_date(made.now), **given}
            fields = write_fields(self._org.mapping, Entity.DEAL, dated, creating=True)
            made = self._make(shape, fields, key, call)
        return self._read_back(shape, made, given, call)

    def _close_date(self, now: datetime | None) -> dict[str, Value]:
        """Give a close date, where one is set, for deals without: the org wants one (1S)."""
        if self._close_days is None or now is None:
            return {}
        return {"close_date": (now + timedelta(days=self._close_days)).date()}

    def _find(self, shape: Shape, key: str, call: Call) -> Made:
        """Look for the record of a key, and hear the server's time."""
        select = Select(
            fields=("Id",), of=shape.sobject, where=(f"{shape.key} = {quoted(key)}",), limit=2
        )
        docs, _, reply = self._org.query(select, call)
        if len(docs) > 1:
            raise self._org.failure(_ambiguous(docs), self._org.ops.query(select))
        return Made(ref=ref_of(docs[0]) if docs else "", now=reply.server_ts)

    def _make(self, shape: Shape, fields: dict[str, object], key: str, call: Call) -> Made:
        """Send it once."""
        op = self._org.ops.upsert(shape.sobject, shape.key, key, fields)
        outcome = self._org.try_(op, call)
        if isinstance(outcome, Failed):
            rest = without_currency(self._org.mapping, fields, outcome)
            if rest is not None:
                return self._make(shape, rest, key, call)
        if isinstance(outcome, Failed) and outcome.code == "DUPLICATE_VALUE":
            # Somebody made it between our look and our write (3S "Concurrent upsert race").
            made = self._find(shape, key, call)
            if made.ref:
                return made
        doc = self._made(outcome, op)
        created = doc.get("created") is not False
        return Made(ref=ref_made(doc), created=created, trace=outcome.trace)

    def _made(self, outcome: Outcome, op: Op) -> Doc:
        """Give what an upsert answered; a 2xx alone proves nothing (crm-semantics 0, rule 5)."""
        if isinstance(outcome, Failed):
            raise self._org.failure(outcome, op)
        doc = as_doc(outcome.doc)
        if entries_of(doc):
            found = judge(Refusal(REFUSED, doc, outcome.headers, outcome.server_ts))
            failed = Failed(
                kind=found.kind,
                message=found.message,
                code=found.code,
                wait_seconds=found.wait_seconds,
                problems=found.problems,
                trace=outcome.trace,
            )
            raise self._org.failure(failed, op)
        if not ref_made(doc) or doc.get("success") is False:
            failed = Failed(kind=Kind.MALFORMED, message="no record came", trace=outcome.trace)
            raise self._org.failure(failed, op)
        return doc

    # --- update -----------------------------------------------------------------------------------

    def update(
        self, entity: Entity, ref: str, updates: Mapping[str, Value], key: str, call: Call
    ) -> RemoteWrite:
        """Write only these fields, once for a key, which goes into the same request."""
        shape = self._org.shape(entity)
        with refusing(f"{entity} {ref} was not updated"):
            fields = write_fields(self._org.mapping, entity, updates, creating=False)
        asked = (*shape.system, MODIFIED, shape.operations)
        held = living(self._org, shape, ref, asked, call)
        mark = hashlib.sha256(key.encode()).hexdigest()[:MARK]
        made = Made(ref=ref_of(held))
        if mark not in _marks(held, shape):
            told = " ".join([mark, *_marks(held, shape)][:MARKS])
            since = condition(held) if self._conditional else None
            body = {**fields, shape.operations: told}
            op = self._org.ops.update(shape.sobject, made.ref, body, unmodified_since=since)
            trace = self._send(shape, made.ref, mark, op, call)
            made = msgspec.structs.replace(made, trace=trace)
        return self._read_back(shape, made, updates, call)

    def _send(self, shape: Shape, ref: str, mark: str, op: Op, call: Call) -> Trace:
        """Send an update. A record that changed since our look is to be looked at again: transient.

        It may have changed by this very request, when something on the way delivered it twice.
        """
        outcome = self._org.try_(op, call)
        if not isinstance(outcome, Failed):
            return outcome.trace
        if outcome.status != CHANGED:
            raise self._org.failure(outcome, op)
        try:
            held = living(self._org, shape, ref, (*shape.system, shape.operations), call)
        except RemoteFailure as failure:
            raise unread(shape, ref, failure) from failure
        if mark in _marks(held, shape):
            return outcome.trace
        moved = msgspec.structs.replace(
            outcome, kind=Kind.TRANSIENT, message="it changed meanwhile"
        )
        raise self._org.failure(moved, op)

    def _read_back(self, shape: Shape, made: Made, names: Iterable[str], call: Call) -> RemoteWrite:
        """Read what the org made of it: an amount may be ignored without a word (1S)."""
        try:
            doc = living(self._org, shape, made.ref, self._org.fields(shape, call), call)
            record = record_of(doc, shape)
        except RemoteFailure as failure:
            raise unread(shape, made.ref, failure) from failure
        if record is None:
            raise unread(shape, made.ref, None)
        return answer(
            self._mapper, shape.entity, record, names, trace=made.trace, created=made.created
        )


def living(org: Org, shape: Shape, ref: str, fields: Iterable[str], call: Call) -> Doc:
    """Read a record that is about to be written.

    Raises RemoteFailure when it is not there, or was merged into another.
    """
    asked = tuple(dict.fromkeys(fields))
    doc = org.read_one(shape, ref, asked, call)
    if doc is None or (doc.get(DELETED) is True and survivor_of(doc) is None):
        raise not_there(shape.entity, ref)
    if doc.get(DELETED) is True:
        raise elsewhere(shape.entity, ref, survivor_of(doc) or "")
    return doc


def condition(doc: Doc) -> datetime:
    """Give the moment since which a record must not have changed.

    Raises RemoteFailure where it names none: what cannot be guarded is not written.
    """
    at = moment_of(doc.get(MODIFIED))
    if at is None:
        raise RemoteFailure(
            f"{ref_of(doc)} names no moment of its last change. Nothing was changed.",
            error_class=ErrorClass.PERMANENT,
        )
    return at


def _marks(doc: Doc, shape: Shape) -> list[str]:
    return as_text(doc.get(shape.operations)).split()


def ref_made(doc: Doc) -> str:
    """Give the id that a write answered; "" where it answered none."""
    return canonical_id(as_text(doc.get("id"))) or ""


def _ambiguous(docs: list[Doc]) -> Failed:
    """Say that a key is not unique: the external id was set up without Unique (3S)."""
    refs = ", ".join(map(ref_of, docs))
    message = f"several records have this key, so its field is not unique: {refs}"
    return Failed(kind=Kind.CONFLICT, message=message, code="key_not_unique")


def unread(shape: Shape, ref: str, failure: RemoteFailure | None) -> RemoteFailure:
    """Build the failure of a write that went out and was not read back: its outcome is unknown."""
    why = failure.message if failure is not None else "it is not there"
    return RemoteFailure(
        f"{shape.entity} {ref} was written but not read back: {why}",
        error_class=ErrorClass.UNKNOWN,
        outcome=Effect.UNKNOWN,
    )
