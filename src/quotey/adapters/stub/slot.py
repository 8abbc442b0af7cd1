"""The place where a quote stands in the stub CRM: properties of the deal, or a record of its own.

Reading and filling a slot is here; whether it may be filled is asked by the adapter.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from quotey.adapters.stub.payload import Payload, at_path, encode, put_path
from quotey.contract.dto import Canonical, CrmQuoteWriteDto, MarkerState, QuoteMarker, Value
from quotey.contract.fields import Entity, FieldType
from quotey.contract.mapper import write_fields
from quotey.contract.mapping import EntityMapping, FieldMapping, Mapping, QuoteTarget
from quotey.contract.transforms import reader_of
from quotey.contract.values import FREE_TEXT_BYTES, as_text, parse

INSTANCE = "marker_instance"
DIGEST = "marker_digest"
_DEFAULTS = {INSTANCE: "quotey_instance_id", DIGEST: "quotey_payload_digest"}


class MarkerPlace(msgspec.Struct, frozen=True):
    """The four properties that a marker is read from.

    Two are the mapping's own for `quote.id` and `quote.version`: who changes these by hand changes
    the marker, so that the version guard (seed 5.4) sees it.
    """

    quote_id: str
    version: str
    instance_id: str
    digest: str


def quote_mapping(mapping: Mapping) -> EntityMapping:
    """Give the mapping of quotes; a parsed mapping always has one."""
    return mapping.entities[Entity.QUOTE]


def place_of(quotes: EntityMapping) -> MarkerPlace:
    """Say where the marker stands."""
    paths = {field.name: field.path for field in quotes.fields}
    extra = {**_DEFAULTS, **quotes.settings}
    return MarkerPlace(
        quote_id=paths["id"],
        version=paths["version"],
        instance_id=extra[INSTANCE],
        digest=extra[DIGEST],
    )


def slot_paths(mapping: Mapping) -> tuple[str, ...]:
    """Give all properties of a deal that belong to its quote's slot."""
    if mapping.quote_target is QuoteTarget.QUOTE_RECORD:
        return ()
    return written_paths(mapping)


def written_paths(mapping: Mapping) -> tuple[str, ...]:
    """Give all properties that a quote is written to, wherever its slot is."""
    quotes = quote_mapping(mapping)
    place = place_of(quotes)
    return (*(field.path for field in quotes.fields), place.instance_id, place.digest)


def values_at(payload: Payload, paths: Iterable[str]) -> tuple[object, ...]:
    """Read several properties, to compare them before and after a change."""
    return tuple(at_path(payload, path) for path in paths)


def read_marker(payload: Payload, place: MarkerPlace) -> tuple[MarkerState, QuoteMarker | None]:
    """Read the marker: none when all of it is blank, foreign when it is not whole."""
    texts = {
        name: _text(at_path(payload, getattr(place, name))) for name in place.__struct_fields__
    }
    if not any(texts.values()):
        return MarkerState.NONE, None
    version = _version(texts["version"])
    if version is None or not all(texts.values()):
        return MarkerState.FOREIGN, None
    return MarkerState.OURS, QuoteMarker(
        instance_id=texts["instance_id"],
        quote_id=texts["quote_id"],
        version=version,
        payload_digest=texts["digest"],
    )


def raw_marker(payload: Payload, place: MarkerPlace) -> str:
    """Show what stands in the marker's properties, as JSON."""
    found = ((path, at_path(payload, path)) for path in msgspec.structs.astuple(place))
    return encode({path: value for path, value in found if value is not UNSET})


def _text(raw: object) -> str:
    return "" if raw is UNSET or raw is None else str(raw).strip()


def _version(text: str) -> int | None:
    try:
        version = parse(text, FieldType.INTEGER)
    except ValueError:
        return None
    return version if isinstance(version, int) and version >= 1 else None


def fill(
    payload: Payload,
    mapping: Mapping,
    summary: CrmQuoteWriteDto,
    marker: QuoteMarker,
    attachment_ref: str | None,
) -> None:
    """Write summary and marker into a payload; raises MappingError with all problems (seed 8.3)."""
    values: dict[str, Value] = {
        "id": summary.id,
        "version": summary.version,
        "status": summary.status,
        "total": summary.total,
        "currency": summary.currency,
        "valid_until": summary.valid_until,
        "attachment_ref": attachment_ref,
    }
    quotes = quote_mapping(mapping)
    mapped = {name: value for name, value in values.items() if quotes.field(name)}
    place = place_of(quotes)
    for path, value in write_fields(mapping, Entity.QUOTE, mapped, creating=True).items():
        put_path(payload, path, value)
    put_path(payload, place.instance_id, marker.instance_id)
    put_path(payload, place.digest, marker.payload_digest)


def read_back(payload: Payload, quotes: EntityMapping) -> Canonical:
    """Read the quote's fields as the CRM now holds them, in canonical text."""
    return {
        field.name: _canonical(raw, field)
        for field in quotes.fields
        if (raw := at_path(payload, field.path)) is not UNSET
    }


def _canonical(raw: object, field: FieldMapping) -> str | None:
    if raw is None or raw == "":
        return None
    value = reader_of(field.transform, field.type, FREE_TEXT_BYTES)(raw)
    return None if value is None else as_text(value)
