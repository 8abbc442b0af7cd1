"""The slot of a quote: properties of the deal that Quotey owns, read as a marker and filled.

Only `target = "deal_properties"` is spoken here. Where the properties stand is the mapping's word.
"""

from __future__ import annotations

import hashlib

import msgspec

from quotey.adapters.composio.docs import Doc, at_path
from quotey.contract.dto import (
    Attachment,
    Canonical,
    CrmQuoteWriteDto,
    MarkerReading,
    MarkerState,
    QuoteMarker,
    Value,
)
from quotey.contract.errors import ConfigError
from quotey.contract.fields import Entity, FieldType
from quotey.contract.identity import canonical_json
from quotey.contract.mapper import write_fields
from quotey.contract.mapping import FieldMapping, Mapping, QuoteTarget
from quotey.contract.transforms import reader_of
from quotey.contract.values import FREE_TEXT_BYTES, as_text, parse

INSTANCE = "marker_instance"
DIGEST = "marker_digest"


class Slot(msgspec.Struct, frozen=True):
    """Where a marker stands: the four paths of the deal from which it is read."""

    quote_id: str
    version: str
    instance_id: str
    digest: str

    @property
    def paths(self) -> tuple[str, ...]:
        """The four paths."""
        return (self.quote_id, self.version, self.instance_id, self.digest)


def slot_of(mapping: Mapping) -> Slot:
    """Give the slot of a mapping. Raises ConfigError where quotes are records of their own."""
    quotes = mapping.entities[Entity.QUOTE]
    if mapping.quote_target is not QuoteTarget.DEAL_PROPERTIES:
        raise ConfigError(
            'This provider writes quotes to properties of the deal: set target = "deal_properties" '
            "in [quote] of the mapping. Nothing was changed."
        )
    missing = [name for name in (INSTANCE, DIGEST) if not quotes.settings.get(name)]
    if missing:
        raise ConfigError(f"[quote] of the mapping lacks {', '.join(missing)}.")
    fields = {field.name: field.path for field in quotes.fields}
    return Slot(fields["id"], fields["version"], quotes.settings[INSTANCE], quotes.settings[DIGEST])


def slot_paths(mapping: Mapping, slot: Slot) -> tuple[str, ...]:
    """Give every path of the deal that a quote is written to."""
    written = (field.path for field in mapping.entities[Entity.QUOTE].fields)
    return tuple(dict.fromkeys((*written, *slot.paths)))


def read_slot(payload: Doc, slot: Slot) -> MarkerReading:
    """Read the marker: none when all of it is blank, foreign when it is not whole.

    The token stands for the four values, so it changes with every change of them.
    """
    raw = {path: at_path(payload, path) for path in slot.paths}
    texts = {path: _text(value) for path, value in raw.items()}
    token = hashlib.sha256(canonical_json(texts)).hexdigest()[:32]
    if not any(texts.values()):
        return MarkerReading(state=MarkerState.NONE, token=token)
    version = _version(texts[slot.version])
    if version is None or not all(texts.values()):
        shown = canonical_json({path: text for path, text in texts.items() if text}).decode()
        return MarkerReading(state=MarkerState.FOREIGN, raw=shown, token=token)
    marker = QuoteMarker(
        instance_id=texts[slot.instance_id],
        quote_id=texts[slot.quote_id],
        version=version,
        payload_digest=texts[slot.digest],
    )
    return MarkerReading(state=MarkerState.OURS, marker=marker, token=token)


def _text(raw: object) -> str:
    return "" if raw is None else str(raw).strip()


def _version(text: str) -> int | None:
    """Read a version; a number property may answer 3 as 3.0."""
    try:
        version = parse(text.removesuffix(".0"), FieldType.INTEGER)
    except ValueError:
        return None
    return version if isinstance(version, int) and version >= 1 else None


def slot_fields(
    mapping: Mapping,
    slot: Slot,
    summary: CrmQuoteWriteDto,
    marker: QuoteMarker,
    attachment: Attachment | None,
) -> dict[str, object]:
    """Give path and wire value of summary and marker. Raises MappingError with all problems."""
    named = summary.attachment_ref or (attachment.ref if attachment else None)
    values: dict[str, Value] = {
        "id": summary.id,
        "version": summary.version,
        "status": summary.status,
        "total": summary.total,
        "currency": summary.currency,
        "valid_until": summary.valid_until,
        "attachment_ref": named,
    }
    quotes = mapping.entities[Entity.QUOTE]
    mapped = {name: value for name, value in values.items() if quotes.field(name)}
    fields = write_fields(mapping, Entity.QUOTE, mapped, creating=True)
    return {**fields, slot.instance_id: marker.instance_id, slot.digest: marker.payload_digest}


def read_summary(payload: Doc, mapping: Mapping) -> Canonical:
    """Read the quote's fields as the CRM now holds them, in canonical text.

    What is malformed there (somebody wrote over it) is left out: the marker decides, not this.
    """
    read: Canonical = {}
    for field in mapping.entities[Entity.QUOTE].fields:
        try:
            read[field.name] = _canonical(at_path(payload, field.path), field)
        except ValueError:
            continue
    return read


def _canonical(raw: object, field: FieldMapping) -> str | None:
    if raw is None or raw == "":
        return None
    plain = str(raw).removesuffix(".0") if field.type is FieldType.INTEGER else raw
    value = reader_of(field.transform, field.type, FREE_TEXT_BYTES)(plain)
    return None if value is None else as_text(value)
