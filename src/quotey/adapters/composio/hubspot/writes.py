"""Creating a deal once and updating records once: the key of each is left in the portal itself.

HubSpot has no conditional write. What makes a repeat harmless is a unique property for creates, and
the history of a property for updates; both are known to every process (crm-semantics 3H).
"""

from __future__ import annotations

from collections.abc import Mapping

from quotey.adapters.composio.currency import without_currency
from quotey.adapters.composio.docs import Doc, as_doc, as_docs, as_text
from quotey.adapters.composio.hubspot.errors import item_failure, owner_of_value
from quotey.adapters.composio.hubspot.portal import Portal
from quotey.adapters.composio.hubspot.shape import PREFIX, Shape, properties_of, record_of
from quotey.adapters.composio.ops import Failed, Kind, Outcome, Trace
from quotey.adapters.composio.written import answer, elsewhere, not_there
from quotey.contract.adapter import Call
from quotey.contract.dto import RemoteWrite, Value
from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.errors import Outcome as Effect
from quotey.contract.fields import Entity
from quotey.contract.mapper import Mapper, write_fields
from quotey.contract.refusals import refusing


class Writes:
    """Writes deals and accounts of one portal."""

    def __init__(self, portal: Portal, mapper: Mapper, *, by_tools: bool) -> None:
        self._portal = portal
        self._mapper = mapper
        self._by_tools = by_tools

    # --- create -----------------------------------------------------------------------------------

    def create_deal(
        self, account: str, values: Mapping[str, Value], key: str, call: Call
    ) -> RemoteWrite:
        """Create a deal under its key, or find the one that the key already made.

        It is looked for first, so that a repeat never writes over what came after; the look is by
        the unique property and strongly consistent. A deal that is found is linked again, which is
        harmless, because the call that made it may have been lost before that.
        """
        shape = self._portal.shape(Entity.DEAL)
        with refusing("The deal was not created"):
            fields = write_fields(
                self._portal.mapping,
                Entity.DEAL,
                {**values, "account_id": account},
                creating=True,
            )
        ref, created, trace = self._found(shape, key, call) or self._make(
            shape, self._properties(shape, fields, account, key, call), key, call
        )
        try:
            self._portal.ask(self._portal.ops.link(ref, account), call)
            names = ("account_id", *values)
            return self._read_back(shape, ref, names, call, created=created, trace=trace)
        except RemoteFailure as failure:
            raise _half_made(ref, failure) from failure

    def _found(self, shape: Shape, key: str, call: Call) -> tuple[str, bool, Trace] | None:
        properties = (shape.key,)
        doc = self._portal.read_one(shape, key, call, properties=properties, id_property=shape.key)
        return None if doc is None else (as_text(doc["id"]), False, Trace())

    def _properties(
        self, shape: Shape, fields: dict[str, object], account: str, key: str, call: Call
    ) -> dict[str, str]:
        """Give what is sent, once the account is known to be there: a link to nothing fails late.

        Raises RemoteFailure when it is not.
        """
        if self._portal.read_one(self._portal.shape(Entity.ACCOUNT), account, call) is None:
            raise not_there(Entity.ACCOUNT, account)
        return {**properties_of(fields), shape.key: key}

    def _make(
        self, shape: Shape, properties: dict[str, str], key: str, call: Call
    ) -> tuple[str, bool, Trace]:
        """Send it once; gives the id, whether it is new, and how it is found again."""
        ops = self._portal.ops
        op = (
            ops.create(shape.kind, properties, key)
            if self._by_tools
            else ops.upsert(shape.kind, shape.key, key, properties)
        )
        outcome = self._portal.try_(op, call)
        made = _made(outcome, shape.key, key)
        if isinstance(made, Failed):
            rest = without_currency(self._portal.mapping, properties, made, PREFIX)
            if rest is not None:
                return self._make(shape, rest, key, call)
            owner = self._owner(shape, made, key, call)
            if owner is None:
                raise self._portal.failure(made, op)
            return owner, False, made.trace
        return as_text(made["id"]), made.get("new") is not False, outcome.trace

    def _owner(self, shape: Shape, failed: Failed, key: str, call: Call) -> str | None:
        """Give the deal that another process made under our key meanwhile; verified by a read."""
        owner = owner_of_value(failed.doc) if failed.kind is Kind.CONFLICT else None
        doc = self._portal.read_one(shape, owner, call, properties=(shape.key,)) if owner else None
        return as_text(doc["id"]) if doc is not None and _holds(doc, shape.key, key) else None

    # --- update -----------------------------------------------------------------------------------

    def update(
        self, entity: Entity, ref: str, updates: Mapping[str, Value], key: str, call: Call
    ) -> RemoteWrite:
        """Write only these fields, once for a key.

        The key goes into the same request; its property's history tells a repeat, even when others
        have written since.
        """
        shape = self._portal.shape(entity)
        with refusing(f"{entity} {ref} was not updated"):
            fields = write_fields(self._portal.mapping, entity, updates, creating=False)
        held = self._portal.read_one(shape, ref, call, history=(shape.operation,))
        if held is None:
            raise not_there(entity, ref)
        if as_text(held["id"]) != ref:
            raise elsewhere(entity, ref, as_text(held["id"]))
        if key in _past_values(held, shape.operation):
            return self._read_back(shape, ref, updates, call)
        op = self._portal.ops.update(
            shape.kind, ref, {**properties_of(fields), shape.operation: key}
        )
        reply = self._portal.ask(op, call)
        return self._read_back(shape, ref, updates, call, trace=reply.trace)

    def _read_back(
        self,
        shape: Shape,
        ref: str,
        names: Mapping[str, Value] | tuple[str, ...],
        call: Call,
        *,
        created: bool = False,
        trace: Trace | None = None,
    ) -> RemoteWrite:
        try:
            doc = self._portal.read_one(shape, ref, call)
            record = None
            if doc is not None:
                companies = self._portal.companies(shape, (ref,), call)
                record = record_of(doc, shape, companies.of.get(ref))
        except RemoteFailure as failure:
            raise _unread(shape, ref, failure) from failure
        if record is None:
            raise _unread(shape, ref, None)
        return answer(self._mapper, shape.entity, record, names, trace=trace, created=created)


def _made(outcome: Outcome, key_property: str, key: str) -> Doc | Failed:
    """Give the record that a create answered, by its key: order and number say nothing (3H).

    A 2xx proves nothing: a batch of one may hold one error (crm-semantics 0, rule 5).
    """
    if isinstance(outcome, Failed):
        return outcome
    doc = as_doc(outcome.doc)
    for error in as_docs(doc.get("errors")):
        return item_failure(error, outcome.trace)
    results = as_docs(doc["results"]) if "results" in doc else [doc]
    ours = [one for one in results if _holds(one, key_property, key)] or results
    if len(ours) == 1 and as_text(ours[0].get("id")):
        return ours[0]
    return Failed(kind=Kind.MALFORMED, message="no record came", trace=outcome.trace)


def _holds(doc: Doc, name: str, key: str) -> bool:
    return as_text(as_doc(doc.get("properties")).get(name)) == key


def _past_values(doc: Doc, name: str) -> set[str]:
    """Give every value that a property ever had."""
    history = as_docs(as_doc(doc.get("propertiesWithHistory")).get(name))
    current = as_text(as_doc(doc.get("properties")).get(name))
    return {current, *(as_text(entry.get("value")) for entry in history)} - {""}


def _unread(shape: Shape, ref: str, failure: RemoteFailure | None) -> RemoteFailure:
    """Say that a write went out and could not be read back: its outcome is looked at later."""
    why = failure.message if failure is not None else "it is not there"
    return RemoteFailure(
        f"{shape.entity} {ref} was written but not read back: {why}",
        error_class=ErrorClass.UNKNOWN,
        outcome=Effect.UNKNOWN,
    )


def _half_made(ref: str, failure: RemoteFailure) -> RemoteFailure:
    """Say that a deal stands there without everything: the same key finishes it later."""
    if failure.outcome is Effect.APPLIED:
        return failure
    return RemoteFailure(
        f"Deal {ref} was made but not finished: {failure.message}",
        error_class=ErrorClass.UNKNOWN,
        outcome=Effect.UNKNOWN,
        retry_after=failure.retry_after,
        diagnostics=failure.diagnostics,
    )
