"""`Org`: one connection's way to ask, and the reads that every operation is made of.

It remembers one thing: which fields the org shows to us. That is asked once, and again after a
field was refused, so that a field which comes or goes is noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from quotey.adapters.composio.call import Caller
from quotey.adapters.composio.docs import Doc, as_doc, as_docs, as_text, in_parts
from quotey.adapters.composio.failure import expect, failure_of
from quotey.adapters.composio.ops import Failed, Kind, Op, Outcome, Problem, Reply
from quotey.adapters.composio.salesforce.ids import canonical_id
from quotey.adapters.composio.salesforce.ops import Ops
from quotey.adapters.composio.salesforce.shape import Shape, field_of, ref_of, shape_of
from quotey.adapters.composio.salesforce.soql import Select, one_of
from quotey.contract.adapter import Call
from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.mapping import Mapping

BATCH = 200
"""Ids of one query: some 6,000 bytes of the 16,384 that an address may have (2S)."""


class Found(msgspec.Struct, kw_only=True):
    """What a read by ids brought, deleted records too, by their canonical id."""

    docs: dict[str, Doc] = msgspec.field(default_factory=dict)
    server_ts: datetime | None = None


class Org:
    """Asks one org, with the mapping's words for its objects."""

    def __init__(self, caller: Caller, ops: Ops, mapping: Mapping) -> None:
        self._caller = caller
        self.ops = ops
        self.mapping = mapping
        self.shapes = {
            entity: shape_of(mapping, entity) for entity in MIRRORED if entity in mapping.entities
        }
        self._shown: dict[str, frozenset[str]] = {}

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
        outcome = self._caller.call(op, call.timeout)
        if isinstance(outcome, Failed) and outcome.code in ("INVALID_FIELD", "INVALID_TYPE"):
            self._shown = {}
        return outcome

    def failure(self, failed: Failed, op: Op) -> RemoteFailure:
        """Build what is raised for a refusal that was looked at first."""
        return failure_of(failed, op, self._field_of)

    def _field_of(self, problem: Problem) -> tuple[str, str]:
        return field_of(self.mapping, problem, (Entity.QUOTE, *self.shapes))

    # --- fields -----------------------------------------------------------------------------------

    def fields(self, shape: Shape, call: Call) -> tuple[str, ...]:
        """Give what can be read of a shape: a query with one hidden field would fail as a whole.

        CurrencyIsoCode, for one, exists only in orgs with several currencies (1S).
        """
        shown = self.shown(shape, call)
        mapped = (path for path in shape.fields if path.split(".")[0] in shown)
        return tuple(dict.fromkeys((*shape.system, *mapped)))

    def hidden(self, shape: Shape, call: Call) -> tuple[str, ...]:
        """Give what is mapped and not shown to us."""
        shown = self.shown(shape, call)
        return tuple(path for path in shape.fields if path.split(".")[0] not in shown)

    def shown(self, shape: Shape, call: Call) -> frozenset[str]:
        """Give the names of all fields and relations that the org shows of an object."""
        shown = self._shown.get(shape.sobject)
        if shown is None:
            shown = self._describe(shape.sobject, call)
            self._shown = {**self._shown, shape.sobject: shown}
        return shown

    def _describe(self, sobject: str, call: Call) -> frozenset[str]:
        fields = self.described(sobject, call)
        names = (as_text(one.get(key)) for one in fields for key in ("name", "relationshipName"))
        return frozenset(filter(None, names))

    def described(self, sobject: str, call: Call) -> list[Doc]:
        """Ask how the fields of an object are defined, those that are shown to us."""
        op = self.ops.describe(sobject)
        reply = self.ask(op, call)
        fields = as_docs(as_doc(reply.doc).get("fields"))
        if not fields:
            failed = Failed(kind=Kind.MALFORMED, message="no fields came", trace=reply.trace)
            raise self.failure(failed, op)
        return fields

    # --- reading ----------------------------------------------------------------------------------

    def query(
        self, select: Select, call: Call, *, deleted: bool = False, interactive: bool = False
    ) -> tuple[list[Doc], bool, Reply]:
        """Give one page of a query, and whether it is the last.

        An answer without a list is no empty page (law 7).
        """
        op = self.ops.query(select, deleted=deleted, interactive=interactive)
        reply = self.ask(op, call)
        doc = as_doc(reply.doc)
        if not isinstance(doc.get("records"), list) or not isinstance(doc.get("done"), bool):
            failed = Failed(kind=Kind.MALFORMED, message="no records came", trace=reply.trace)
            raise self.failure(failed, op)
        return as_docs(doc["records"]), doc["done"], reply

    def read_many(
        self, shape: Shape, refs: Sequence[str], fields: Sequence[str], call: Call
    ) -> Found:
        """Read records by id, in batches, in the recycle bin too; what is no id is not there."""
        found = Found()
        known = [ref for text in refs if (ref := canonical_id(text)) is not None]
        for part in in_parts(known, BATCH):
            self._read_part(shape, part, fields, call, found)
        return found

    def _read_part(
        self, shape: Shape, part: Sequence[str], fields: Sequence[str], call: Call, found: Found
    ) -> None:
        """Read one batch; the server may end a page early, then the rest is asked for again."""
        rest, done = part, False
        while rest and not done:
            select = Select(fields=fields, of=shape.sobject, where=(one_of("Id", rest),))
            docs, done, reply = self.query(select, call, deleted=True)
            found.server_ts = reply.server_ts or found.server_ts
            found.docs |= {ref_of(doc): doc for doc in docs}
            if not docs and not done:
                raise self.failure(
                    Failed(kind=Kind.MALFORMED, message="an empty page came", trace=reply.trace),
                    self.ops.query(select, deleted=True),
                )
            rest = [ref for ref in rest if ref not in found.docs]

    def read_one(self, shape: Shape, ref: str, fields: Sequence[str], call: Call) -> Doc | None:
        """Read one record by id, in the recycle bin too; None when it is nowhere."""
        found = self.read_many(shape, (ref,), fields, call)
        return next(iter(found.docs.values()), None)
