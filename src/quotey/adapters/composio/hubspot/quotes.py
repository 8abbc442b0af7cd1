"""Writing a quote to a deal: look, one write, look again with the history.

HubSpot has no conditional write; the history tells afterwards whether somebody wrote in between.
Source: crm-semantics 3H "Stale quote version guard". Whether a version may go is decided above.
"""

from __future__ import annotations

from quotey.adapters.composio.cursor import milliseconds
from quotey.adapters.composio.docs import Doc, as_doc, as_docs, as_text, at_path
from quotey.adapters.composio.hubspot.portal import Portal
from quotey.adapters.composio.hubspot.shape import PREFIX, properties_of, updated_at
from quotey.adapters.composio.ops import Trace
from quotey.adapters.composio.slot import (
    read_slot,
    read_summary,
    slot_fields,
    slot_of,
    slot_paths,
)
from quotey.adapters.composio.written import elsewhere, not_there, traced
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
from quotey.contract.identity import canonical_json
from quotey.contract.refusals import refusing


class Quotes:
    """The quote slots of one portal's deals."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._shape = portal.shapes[Entity.DEAL]
        self._slot = slot_of(portal.mapping)
        paths = slot_paths(portal.mapping, self._slot)
        self._properties = tuple(path.removeprefix(PREFIX) for path in paths)
        self._history = tuple(path.removeprefix(PREFIX) for path in self._slot.paths)

    def reading(self, deal: str, call: Call) -> MarkerReading:
        """Read the marker by the deal's id, strongly consistent."""
        return read_slot(self._deal(deal, call), self._slot)

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

        A slot that is no longer as `token` saw it is not written. Raises a conflict whose outcome
        is applied when the history shows that another's write was written over.
        """
        with refusing(f"The quote on deal {deal} was not written"):
            fields = slot_fields(self._portal.mapping, self._slot, summary, marker, attachment)
        before = self._deal(deal, call)
        found = read_slot(before, self._slot)
        if found.marker == marker:
            return self._answer(before, deal, None)
        if token and token != found.token:
            raise RemoteFailure(
                f"The quote on deal {deal} was changed meanwhile. Nothing was changed.",
                error_class=ErrorClass.CONFLICT,
            )
        op = self._portal.ops.update(self._shape.kind, deal, properties_of(fields))
        reply = self._portal.ask(op, call)
        after = self._look_again(deal, call)
        self._refuse_interleaved(deal, before, after, marker)
        return self._answer(after, deal, reply.trace)

    def _deal(self, deal: str, call: Call) -> Doc:
        doc = self._portal.read_one(
            self._shape, deal, call, properties=self._properties, history=self._history
        )
        if doc is None:
            raise not_there(Entity.DEAL, deal)
        if as_text(doc["id"]) != deal:
            raise elsewhere(Entity.DEAL, deal, as_text(doc["id"]))
        return doc

    def _look_again(self, deal: str, call: Call) -> Doc:
        try:
            return self._deal(deal, call)
        except RemoteFailure as failure:
            raise RemoteFailure(
                f"The quote on deal {deal} was written but not read back: {failure.message}",
                error_class=ErrorClass.UNKNOWN,
                outcome=Outcome.UNKNOWN,
            ) from failure

    def _refuse_interleaved(self, deal: str, before: Doc, after: Doc, marker: QuoteMarker) -> None:
        """See whether others wrote between our first look and our own write.

        So it is told even where a third one has written over ours since: nobody else saw both.
        """
        stands = read_slot(after, self._slot).marker == marker
        ours = {self._slot.version: str(marker.version), self._slot.digest: marker.payload_digest}
        for path, value in ours.items():
            name = path.removeprefix(PREFIX)
            theirs = _between(before, after, name, value, stands=stands)
            if theirs:
                raise RemoteFailure(
                    f"The quote on deal {deal} was written over another writer's: "
                    f"{name} {_newest(theirs)[1]} came in between.",
                    error_class=ErrorClass.CONFLICT,
                    outcome=Outcome.APPLIED,
                    loser=self._lost(before, after, marker, stands=stands),
                )

    def _lost(self, before: Doc, after: Doc, marker: QuoteMarker, *, stands: bool) -> str:
        """Put together the newest marker that came in between, as far as the history shows it.

        Where a property has no entry of theirs, they wrote what we wrote or left it as it was.
        """
        ours = dict(
            zip(
                self._slot.paths,
                (marker.quote_id, str(marker.version), marker.instance_id, marker.payload_digest),
                strict=True,
            )
        )
        theirs = {
            path: _between(before, after, path.removeprefix(PREFIX), value, stands=stands)
            for path, value in ours.items()
        }
        versions = theirs[self._slot.version]
        place = versions.index(_newest(versions)) if versions else -1
        lost: dict[str, object] = {}
        for path, entries in theirs.items():
            alike = len(entries) == len(versions)
            value = entries[place if alike else -1][1] if entries else at_path(before, path)
            lost[path.removeprefix(PREFIX)] = value or ours[path]
        found = read_slot({PREFIX.removesuffix("."): lost}, self._slot)
        return canonical_json(found.marker).decode() if found.marker else found.raw

    def _answer(self, doc: Doc, deal: str, trace: Trace | None) -> RemoteWrite:
        at = updated_at(doc, self._shape)
        if at is None:
            raise RemoteFailure(
                f"Deal {deal} names no moment of its last change.",
                error_class=ErrorClass.UNKNOWN,
                outcome=Outcome.UNKNOWN,
            )
        return RemoteWrite(
            crm_ref=as_text(doc["id"]),
            source_ts=at,
            source_version=str(milliseconds(at)),
            values=read_summary(doc, self._portal.mapping),
            trace=traced(trace),
        )


def _between(
    before: Doc, after: Doc, name: str, ours: str, *, stands: bool
) -> list[tuple[str, str]]:
    """Give what a property has been between our first look and our own write, the oldest first.

    Where our value has no entry it was there already: then all that is new was in between, if what
    we wrote still stands.
    """
    known = set(_history(before, name))
    new = [entry for entry in reversed(_history(after, name)) if entry not in known]
    own = [place for place, (_at, value) in enumerate(new) if value == ours]
    until = own[-1] if own else len(new) if stands else 0
    return [entry for entry in new[:until] if entry[1] != ours]


def _newest(entries: list[tuple[str, str]]) -> tuple[str, str]:
    """Give the entry of the highest version, or else the last."""
    return max(reversed(entries), key=lambda one: int(one[1]) if one[1].isdigit() else 0)


def _history(doc: Doc, name: str) -> list[tuple[str, str]]:
    """Give when a property had which values, the newest first (1H).

    Old entries fall out, none ever changes.
    """
    entries = as_docs(as_doc(doc.get("propertiesWithHistory")).get(name))
    return [(as_text(entry.get("timestamp")), as_text(entry.get("value"))) for entry in entries]
