"""`Portal`: one connection's way to ask, and the reads that every operation is made of.

Reads by id are strongly consistent; only `search` stands on an index that lags.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from quotey.adapters.composio.call import Caller
from quotey.adapters.composio.docs import UNDATED, Doc, as_doc, as_docs, as_text, in_parts
from quotey.adapters.composio.failure import expect, failure_of
from quotey.adapters.composio.hubspot.ops import PRIMARY, Ops
from quotey.adapters.composio.hubspot.shape import (
    Shape,
    field_of,
    record_of,
    shape_of,
    tombstone,
    updated_at,
)
from quotey.adapters.composio.ops import Failed, Kind, Op, Outcome, Reply
from quotey.contract.adapter import Call
from quotey.contract.dto import ItemFailure, RemoteRecord
from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.mapping import Mapping

BATCH = 100
"""Records of one batch read (3H)."""

SPLITTABLE = (Kind.MAPPING, Kind.PERMANENT, Kind.CONFLICT)
"""Refusals of a whole batch behind which a single record may stand."""


class Found(msgspec.Struct, kw_only=True):
    """What a read by ids brought: records as they came, failures by id, and the rest."""

    docs: dict[str, Doc] = msgspec.field(default_factory=dict)
    failures: dict[str, ItemFailure] = msgspec.field(default_factory=dict)
    server_ts: datetime | None = None


class Companies(msgspec.Struct, kw_only=True):
    """Which company each record belongs to, and of which records that could not be read."""

    of: dict[str, str | None] = msgspec.field(default_factory=dict)
    unread: set[str] = msgspec.field(default_factory=set)


class Portal:
    """Asks one portal, with the mapping's words for its types."""

    def __init__(self, caller: Caller, ops: Ops, mapping: Mapping) -> None:
        self._caller = caller
        self.ops = ops
        self.mapping = mapping
        self.shapes = {
            entity: shape_of(mapping, entity) for entity in MIRRORED if entity in mapping.entities
        }

    def shape(self, entity: Entity) -> Shape:
        """Give an entity's shape. Raises RemoteFailure (mapping) when it is not mapped."""
        if entity not in self.shapes:
            raise RemoteFailure(
                f"The mapping has no [{entity}] to read. Nothing was read.",
                error_class=ErrorClass.MAPPING,
            )
        return self.shapes[entity]

    # --- asking -----------------------------------------------------------------------------------

    def ask(self, op: Op, call: Call) -> Reply:
        """Send one request; raises RemoteFailure unless it succeeded."""
        return expect(self.try_(op, call), op, self._field_of)

    def try_(self, op: Op, call: Call) -> Outcome:
        """Send one request and give what became of it."""
        return self._caller.call(op, call.timeout)

    def failure(self, failed: Failed, op: Op) -> RemoteFailure:
        """Build what is raised for a refusal that was looked at first."""
        return failure_of(failed, op, self._field_of)

    def results(self, reply: Reply, op: Op) -> list[Doc]:
        """Give the results; an answer without a list is no empty page (law 7)."""
        results = as_doc(reply.doc).get("results")
        if not isinstance(results, list):
            raise self.failure(
                Failed(kind=Kind.MALFORMED, message="no results came", trace=reply.trace), op
            )
        return as_docs(results)

    def _field_of(self, problem: object) -> tuple[str, str]:
        return field_of(self.mapping, problem, (Entity.QUOTE, *self.shapes))  # type: ignore[arg-type]

    # --- reading ----------------------------------------------------------------------------------

    def ends(
        self, shape: Shape, refs: Sequence[str], now: datetime, call: Call
    ) -> list[RemoteRecord]:
        """Find out what became of each, by its id: still there (then not told), merged, or gone."""
        ends: list[RemoteRecord] = []
        for ref in refs:
            doc = self.read_one(shape, ref, call)
            if doc is None:
                ends.append(tombstone(ref, now))
            elif as_text(doc["id"]) != ref:
                at = updated_at(doc, shape) or now
                ends.append(tombstone(ref, at, merged_into=as_text(doc["id"])))
        return ends

    def read_one(
        self,
        shape: Shape,
        key: str,
        call: Call,
        *,
        properties: Sequence[str] | None = None,
        history: Sequence[str] = (),
        id_property: str = "",
    ) -> Doc | None:
        """Read one record; None when it is not there. The answered id may be another (merge)."""
        asked = shape.asked if properties is None else properties
        op = self.ops.read_one(shape.kind, key, asked, history=history, id_property=id_property)
        outcome = self.try_(op, call)
        if isinstance(outcome, Failed) and outcome.kind is Kind.NOT_FOUND:
            return None
        doc = as_doc(expect(outcome, op, self._field_of).doc)
        if not as_text(doc.get("id")):
            raise self.failure(Failed(kind=Kind.MALFORMED, message="no record came"), op)
        return doc

    def read_many(
        self, shape: Shape, refs: Sequence[str], call: Call, *, archived: bool = False
    ) -> Found:
        """Read records by id, in batches; a bad one never hides its neighbours."""
        found = Found()
        for part in in_parts((ref for ref in refs if ref.isdigit()), BATCH):
            self._read_part(shape, part, call, found, archived=archived)
        return found

    def _read_part(
        self, shape: Shape, part: Sequence[str], call: Call, found: Found, *, archived: bool
    ) -> None:
        """Read one batch; one that is refused as a whole is read again in halves."""
        op = self.ops.read_many(shape.kind, part, shape.asked, archived=archived)
        outcome = self.try_(op, call)
        if isinstance(outcome, Failed) and outcome.kind in SPLITTABLE:
            if len(part) == 1:
                found.failures[part[0]] = ItemFailure(crm_ref=part[0], message=outcome.message)
                return
            half = len(part) // 2
            for piece in (part[:half], part[half:]):
                self._read_part(shape, piece, call, found, archived=archived)
            return
        reply = expect(outcome, op, self._field_of)
        found.server_ts = reply.server_ts or found.server_ts
        doc = as_doc(reply.doc)
        if not isinstance(doc.get("results"), list):
            raise self.failure(Failed(kind=Kind.MALFORMED, message="no results came"), op)
        found.docs |= {as_text(one.get("id")): one for one in as_docs(doc["results"])}
        found.failures |= dict(_refused(doc, part))

    def companies(self, shape: Shape, refs: Sequence[str], call: Call) -> Companies:
        """Give the company of each record: the primary one, or the only one; None where unclear.

        Source: crm-semantics 1H "the account".
        """
        found = Companies()
        for part in in_parts(refs, BATCH) if shape.has_company else ():
            op = self.ops.companies_of(shape.kind, part)
            doc = as_doc(self.ask(op, call).doc)
            for one in as_docs(doc.get("results")):
                ref = as_text(as_doc(one.get("from")).get("id"))
                found.of[ref] = _company(as_docs(one.get("to")), PRIMARY[shape.kind])
            found.unread |= set(_unread_links(doc))
        return found

    def records(
        self, shape: Shape, docs: Sequence[Doc], call: Call
    ) -> tuple[list[RemoteRecord], list[ItemFailure]]:
        """Make records of documents, each with its company, and tell which are none, and why."""
        refs = [as_text(doc.get("id")) for doc in docs]
        companies = self.companies(shape, refs, call)
        records: list[RemoteRecord] = []
        failures: list[ItemFailure] = []
        for doc, ref in zip(docs, refs, strict=True):
            record = record_of(doc, shape, companies.of.get(ref))
            if ref in companies.unread:
                failures.append(ItemFailure(crm_ref=ref, message="its company could not be read"))
            elif record is not None:
                records.append(record)
            elif ref:
                failures.append(ItemFailure(crm_ref=ref, message=UNDATED))
        return records, failures


def _refused(doc: Doc, part: Sequence[str]) -> Iterator[tuple[str, ItemFailure]]:
    """Give the records that a 207 names as unreadable; one that is not there is no failure."""
    for error in as_docs(doc.get("errors")):
        if as_text(error.get("category")) == "OBJECT_NOT_FOUND":
            continue
        code = as_text(error.get("category")) or "refused"
        for ref in as_doc(error.get("context")).get("ids") or ():
            if as_text(ref) in part:
                yield as_text(ref), ItemFailure(crm_ref=as_text(ref), message=code)


def _unread_links(doc: Doc) -> Iterator[str]:
    """Give whose links were refused. A record without any is an error in a 207 too (1H)."""
    for error in as_docs(doc.get("errors")):
        words = as_text(error.get("subCategory")) + as_text(error.get("category"))
        if "NO_ASSOCIATIONS" in words or "OBJECT_NOT_FOUND" in words:
            continue
        context = as_doc(error.get("context"))
        yield from map(as_text, context.get("fromObjectId") or context.get("ids") or ())


def _company(linked: Sequence[Doc], primary: int) -> str | None:
    refs = [as_text(one.get("toObjectId")) for one in linked]
    main = [
        ref
        for ref, one in zip(refs, linked, strict=True)
        if any(kind.get("typeId") == primary for kind in as_docs(one.get("associationTypes")))
    ]
    return main[0] if main else refs[0] if len(refs) == 1 else None
