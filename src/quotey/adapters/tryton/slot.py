"""The slot of a quote: a sale of the deal under the quote's id, read as a marker and filled.

`reference` holds the quote's id, `description` the version, and lines `Quotey <word>: <value>` of
`comment` the rest, so that all of the marker lands in one request.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

from quotey.adapters.tryton.values import Doc
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
from quotey.contract.fields import Entity
from quotey.contract.identity import canonical_json
from quotey.contract.mapper import write_fields
from quotey.contract.mapping import Mapping, QuoteTarget
from quotey.contract.values import as_text, parse

COMMENT = "comment."
_LINE = re.compile(r"^Quotey (\w+): (.*)$", re.MULTILINE)
_VERSION = re.compile(r"Version ([1-9][0-9]{0,17})")
EMPTY = "empty"
"""The token of a slot in which there is nothing."""


class Slot(msgspec.Struct, frozen=True):
    """Where the words of a marker stand that are no fields of the contract."""

    model: str
    instance: str
    digest: str


def slot_of(mapping: Mapping) -> Slot:
    """Give the slot of a mapping. Raises ConfigError where it is not said, or is elsewhere."""
    quotes = mapping.entities[Entity.QUOTE]
    words = (quotes.settings.get("marker_instance", ""), quotes.settings.get("marker_digest", ""))
    if mapping.quote_target is not QuoteTarget.QUOTE_RECORD:
        raise ConfigError(
            'Tryton has a record for a quote: set target = "quote_record" in [quote].'
        )
    if not all(word.startswith(COMMENT) for word in words):
        raise ConfigError("[quote] needs marker_instance and marker_digest, as comment.<word>.")
    return Slot(quotes.object, *words)


def written(
    mapping: Mapping,
    slot: Slot,
    summary: CrmQuoteWriteDto,
    marker: QuoteMarker,
    attachment: Attachment | None,
) -> dict[str, object]:
    """Give path and value of summary and marker. Raises MappingError with all problems."""
    values: dict[str, Value] = {
        "id": summary.id,
        "version": summary.version,
        "status": summary.status,
        "total": summary.total,
        "currency": summary.currency,
        "valid_until": summary.valid_until,
        "attachment_ref": summary.attachment_ref or (attachment.ref if attachment else None),
    }
    quotes = mapping.entities[Entity.QUOTE]
    known = {name: value for name, value in values.items() if quotes.field(name)}
    fields = write_fields(mapping, Entity.QUOTE, known, creating=True)
    return {**fields, slot.instance: marker.instance_id, slot.digest: marker.payload_digest}


def sale_texts(fields: dict[str, object]) -> dict[str, object]:
    """Give the texts of the sale: reference, version, and the lines of the comment."""
    lines = {
        path.removeprefix(COMMENT): value
        for path, value in fields.items()
        if path.startswith(COMMENT) and value is not None
    }
    comment = "\n".join(f"Quotey {word}: {value}" for word, value in sorted(lines.items()))
    return {
        "reference": fields["reference"],
        "description": f"Version {fields['description']}",
        "comment": comment,
    }


def read_slot(sale: Doc | None, slot: Slot) -> MarkerReading:
    """Read the marker: none where there is no sale, foreign where it is not whole.

    The token stands for the texts and the sale itself, so it changes with every change of them.
    """
    if sale is None:
        return MarkerReading(state=MarkerState.NONE, token=EMPTY)
    shown = {name: sale.get(name) for name in ("id", "reference", "description", "comment")}
    raw = canonical_json(shown)
    token = hashlib.sha256(raw).hexdigest()[:32]
    lines = lines_of(sale)
    version = _VERSION.fullmatch(str(sale.get("description")))
    instance, digest = lines.get(slot.instance), lines.get(slot.digest)
    if version is None or not instance or not digest:
        return MarkerReading(state=MarkerState.FOREIGN, raw=raw.decode(), token=token)
    marker = QuoteMarker(
        instance_id=instance,
        quote_id=str(sale["reference"]),
        version=int(version[1]),
        payload_digest=digest,
    )
    return MarkerReading(state=MarkerState.OURS, marker=marker, token=token)


def lines_of(sale: Doc) -> dict[str, str]:
    """Read the lines of the comment that are ours, by their path."""
    return {COMMENT + word: text.strip() for word, text in _LINE.findall(sale.get("comment") or "")}


def read_summary(sale: Doc, mapping: Mapping) -> Canonical:
    """Read the quote's fields as the sale now holds them, in canonical text.

    What is malformed there (somebody wrote over it) is left out: the marker decides, not this.
    """
    version = str(sale.get("description")).removeprefix("Version ")
    money = {"currency.code": (sale.get("currency") or {}).get("code")}
    held: Doc = {**sale, **money, **lines_of(sale), "description": version}
    read: Canonical = {}
    for field in mapping.entities[Entity.QUOTE].fields:
        raw = held.get(field.path)
        try:
            value = None if raw is None else parse(raw, field.type)
        except ValueError:
            continue
        read[field.name] = None if value is None else as_text(value)
    return read
