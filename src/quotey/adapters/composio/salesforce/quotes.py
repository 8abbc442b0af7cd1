"""Writing a quote to an opportunity: look, one conditional write, look again.

Two guards stand in the org itself: `If-Unmodified-Since` refuses a write to a record that changed
since our look, in whole seconds, and validation rules refuse an older version and other content
under the same version inside the save. Whether a version may go is decided above.
Source: crm-semantics 3S "Conditional requests", "Atomic stale-version guard".
"""

from __future__ import annotations

import msgspec

from quotey.adapters.composio.cursor import milliseconds
from quotey.adapters.composio.docs import Doc, as_text
from quotey.adapters.composio.ops import Failed, Kind, Trace
from quotey.adapters.composio.salesforce.org import Org
from quotey.adapters.composio.salesforce.shape import (
    MODIFIED,
    changed_at,
    plain_doc,
    ref_of,
)
from quotey.adapters.composio.salesforce.writes import condition, living, unread
from quotey.adapters.composio.settings import SalesforceSettings
from quotey.adapters.composio.slot import (
    read_slot,
    read_summary,
    slot_fields,
    slot_of,
    slot_paths,
)
from quotey.adapters.composio.written import traced
from quotey.contract.adapter import Call
from quotey.contract.dto import (
    Attachment,
    CrmQuoteWriteDto,
    MarkerReading,
    QuoteMarker,
    RemoteWrite,
)
from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.refusals import refusing


class Quotes:
    """The quote slots of one org's opportunities."""

    def __init__(self, org: Org, settings: SalesforceSettings) -> None:
        self._org = org
        self._shape = org.shapes[Entity.DEAL]
        self._slot = slot_of(org.mapping)
        self._conditional = settings.sends_conditions
        self._fields = (*self._shape.system, MODIFIED, *slot_paths(org.mapping, self._slot))

    def reading(self, deal: str, call: Call) -> MarkerReading:
        """Read the marker by the deal's id, from the database itself."""
        return self._read(self._deal(deal, call))

    def write(
        self,
        deal: str,
        summary: CrmQuoteWriteDto,
        attachment: Attachment | None,
        marker: QuoteMarker,
        token: str | None,
        call: Call,
    ) -> RemoteWrite:
        """Write summary and marker in one request, unless that marker is there already.

        A slot that is no longer as `token` saw it is not written. Other fields of the deal may have
        changed since then: the condition is on what our own look just now saw.
        """
        with refusing(f"The quote on deal {deal} was not written"):
            fields = slot_fields(self._org.mapping, self._slot, summary, marker, attachment)
        before = self._deal(deal, call)
        found = self._read(before)
        if found.marker == marker:
            return self._answer(before, None)
        if token and _slot_part(token) != _slot_part(found.token or ""):
            raise RemoteFailure(
                f"The quote on deal {deal} was changed meanwhile. Nothing was changed.",
                error_class=ErrorClass.CONFLICT,
            )
        since = condition(before) if self._conditional else None
        op = self._org.ops.update(
            self._shape.sobject, ref_of(before), fields, unmodified_since=since
        )
        outcome = self._org.try_(op, call)
        if not isinstance(outcome, Failed):
            return self._answer(self._look_again(deal, call), outcome.trace)
        if outcome.kind is Kind.CONFLICT:
            # Something on the way may have delivered it twice: then it is ours that stands there.
            after = self._look_again(deal, call)
            if self._read(after).marker == marker:
                return self._answer(after, outcome.trace)
        raise self._org.failure(outcome, op)

    def _read(self, doc: Doc) -> MarkerReading:
        """Read the slot; the token names the moment of the deal too, for a person to see."""
        reading = read_slot(doc, self._slot)
        token = f"{as_text(doc.get(MODIFIED))}/{reading.token}"
        return msgspec.structs.replace(reading, token=token)

    def _deal(self, deal: str, call: Call) -> Doc:
        return plain_doc(living(self._org, self._shape, deal, self._fields, call))

    def _look_again(self, deal: str, call: Call) -> Doc:
        try:
            return self._deal(deal, call)
        except RemoteFailure as failure:
            raise unread(self._shape, deal, failure) from failure

    def _answer(self, doc: Doc, trace: Trace | None) -> RemoteWrite:
        at = changed_at(doc, self._shape)
        if at is None:
            raise RemoteFailure(
                f"Deal {ref_of(doc)} names no moment of its last change.",
                error_class=ErrorClass.UNKNOWN,
                outcome=Outcome.UNKNOWN,
            )
        return RemoteWrite(
            crm_ref=ref_of(doc),
            source_ts=at,
            source_version=str(milliseconds(at)),
            values=read_summary(doc, self._org.mapping),
            trace=traced(trace),
        )


def _slot_part(token: str) -> str:
    return token.rpartition("/")[2]
