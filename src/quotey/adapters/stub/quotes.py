"""Writing quotes to the stub CRM: conditional on the slot's token, once for each marker."""

from __future__ import annotations

from quotey.adapters.stub.crm import StubCrm, version_text
from quotey.adapters.stub.drawer import Cause, Stored
from quotey.adapters.stub.payload import Payload, at_path, decode, put_path
from quotey.adapters.stub.slot import (
    fill,
    place_of,
    quote_mapping,
    raw_marker,
    read_back,
    read_marker,
    written_paths,
)
from quotey.contract.adapter import Tier
from quotey.contract.dto import (
    Attachment,
    CrmQuoteWriteDto,
    MarkerReading,
    MarkerState,
    QuoteMarker,
    RemoteWrite,
)
from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.mapping import QuoteTarget

DEAL = "deal"
"""The word in a quote record's settings that names the property with its deal."""


class QuoteDesk:
    """The quote slots of the deals of one stub."""

    def __init__(self, crm: StubCrm, tier: Tier) -> None:
        self._crm = crm
        self._tier = tier

    def reading(self, deal: Stored, quote_id: str) -> MarkerReading:
        """Read the marker of a deal's slot; its token changes with every change of the slot."""
        slot = self._slot(deal, quote_id)
        place = place_of(quote_mapping(self._crm.mapping))
        payload = _payload(slot)
        state, marker = read_marker(payload, place)
        raw = raw_marker(payload, place) if state is MarkerState.FOREIGN else ""
        return MarkerReading(state=state, marker=marker, raw=raw, token=str(slot.slot))

    def write(
        self,
        deal: Stored,
        summary: CrmQuoteWriteDto,
        attachment: Attachment | None,
        marker: QuoteMarker,
        token: str | None,
    ) -> RemoteWrite:
        """Write it unless the same marker is there already, which is success.

        Raises RemoteFailure (conflict, not applied) when the token is no longer the slot's.
        Source: seed 5.4, reliability 1.0 (tier 1).
        """
        reading = self.reading(deal, summary.id)
        slot = self._slot(deal, summary.id)
        if reading.marker == marker:
            return self._answer(slot, deal.ref)
        if self._tier is Tier.CONDITIONAL_WRITE and (token or "0") != reading.token:
            raise RemoteFailure(
                f"The quote on deal {deal.ref} was changed meanwhile. Nothing was changed.",
                error_class=ErrorClass.CONFLICT,
            )
        return self._answer(self._put(slot, deal.ref, summary, attachment, marker), deal.ref)

    def _put(
        self,
        slot: Stored,
        deal_ref: str,
        summary: CrmQuoteWriteDto,
        attachment: Attachment | None,
        marker: QuoteMarker,
    ) -> Stored:
        payload = _payload(slot)
        if slot.entity is Entity.QUOTE:
            deal_path = quote_mapping(self._crm.mapping).settings.get(DEAL, "deal_id")
            put_path(payload, deal_path, deal_ref)
        named = summary.attachment_ref or (attachment.ref if attachment else None)
        fill(payload, self._crm.mapping, summary, marker, named)
        sent = {path: at_path(payload, path) for path in written_paths(self._crm.mapping)}
        self._crm.definitions.refuse(slot.entity, sent)
        body: dict[str, object] = {
            "digest": marker.payload_digest,
            "sha256": attachment.sha256 if attachment else "",
        }
        what = Cause(
            operation="write_quote", quote_id=summary.id, version=summary.version, body=body
        )
        return self._crm.put(slot, payload, what)

    def _slot(self, deal: Stored, quote_id: str) -> Stored:
        """Give the record that carries the slot: the deal, or the quote's own (perhaps new)."""
        if self._crm.mapping.quote_target is QuoteTarget.DEAL_PROPERTIES:
            return deal
        ref = f"{deal.ref}/{quote_id}"
        stored = self._crm.drawer.get(Entity.QUOTE, ref)
        return stored or Stored(entity=Entity.QUOTE, ref=ref, payload="")

    def _answer(self, slot: Stored, deal_ref: str) -> RemoteWrite:
        return RemoteWrite(
            crm_ref=deal_ref,
            source_ts=self._crm.drawer.moment(slot),
            source_version=version_text(slot.revision),
            values=read_back(_payload(slot), quote_mapping(self._crm.mapping)),
        )


def _payload(slot: Stored) -> Payload:
    return decode(slot.payload) if slot.payload else {}
