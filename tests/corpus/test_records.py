"""Every hostile value in every field of every shipped mapping, both ways.

Nothing is uncaught, no neighbour of the bad field is touched, nothing is dropped without a word,
and what is taken in is what was sent: judged by a reading of this file's own.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

import quotey
from quotey.adapters.composio import mappings
from quotey.contract.dto import Value
from quotey.contract.errors import MappingError
from quotey.contract.fields import MIRRORED, Entity, FieldType
from quotey.contract.mapper import MAX_PAYLOAD, Mapped, Mapper, Rejected
from quotey.contract.mapper_out import write_fields
from quotey.contract.mapping import FieldMapping, Mapping, ValueMap
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.values import parse, typed
from tests.contract.texts import MAPPING, record
from tests.corpus.hostile import EVERY
from tests.proof import keep

STUB = Path(quotey.__file__).parent / "adapters" / "stub" / "demo" / "stub.toml"
TEXTS = {"own": MAPPING, "stub": STUB.read_text(encoding="utf-8"), **mappings()}
GOOD: tuple[Any, ...] = (
    "Alder", "7", "2026-03-31", "31.03.2026", "2026-03-31T00:00:00Z", "EUR", "alder.example",
    "a@alder.example", 7,
)  # fmt: skip
Payload = dict[str, Any]


def put(payload: Payload, path: str, value: object) -> Payload:
    """Give the payload with a value at a dotted path."""
    first, dot, rest = path.partition(".")
    inner = put(dict(payload.get(first) or {}), rest, value) if dot else value
    return {**payload, first: inner}


NUMBERS_STAY = msgspec.json.Encoder(decimal_format="number")


def encoded(value: object) -> bytes:
    """Write JSON; half a surrogate pair goes as the escape that a careless server sends."""
    try:
        return NUMBERS_STAY.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value).encode()


def read(mapper: Mapper, entity: Entity, payload: Payload) -> Mapped | Rejected:
    """Read a payload as it comes from the CRM."""
    return mapper.read(entity, record(encoded(payload)))


def problems(answer: Mapped | Rejected) -> set[str]:
    """Name the fields that the answer says something about."""
    said = answer.diagnostics if isinstance(answer, Mapped) else answer.problems
    return {one.field for one in said}


def good(mapper: Mapper, entity: Entity, fields: tuple[FieldMapping, ...]) -> Payload:
    """Give a payload in which no field is complained about."""
    payload: Payload = {}
    for field in fields:
        words = field.transform.values if isinstance(field.transform, ValueMap) else {}
        tried = (put(payload, field.path, value) for value in (*words, *GOOD))
        payload = next(
            one for one in tried if field.name not in problems(read(mapper, entity, one))
        )
    return payload


def is_plain_number(raw: object) -> bool:
    """Whether nobody can read it as two different numbers."""
    return not isinstance(raw, str) or set(raw.strip()) <= set("-.0123456789")


def fits(raw: object, kept: Value, kind: FieldType) -> bool:
    """Whether what was kept says the same as what was sent."""
    text = raw.strip() if isinstance(raw, str) else str(raw)
    if kind in (FieldType.MONEY, FieldType.INTEGER):
        return is_plain_number(raw) and Decimal(text) == kept
    if kind is FieldType.DATE:
        return isinstance(kept, date) and text.startswith(kept.isoformat())
    if kind is FieldType.REF:
        return text == kept or (not isinstance(raw, str) and Decimal(text) == int(str(kept)))
    if kind is FieldType.TEXT:
        said = str(raw).lower() if isinstance(raw, bool) else text
        return unicodedata.normalize("NFC", said).strip() == kept or not isinstance(raw, str)
    return isinstance(kept, str) and not any(c.isspace() or not c.isprintable() for c in kept)


def cases(mapping: Mapping) -> Iterator[tuple[Entity, FieldMapping]]:
    """Give every mirrored field."""
    for entity in MIRRORED:
        if entity in mapping.entities:
            for field in mapping.entities[entity].fields:
                yield entity, field


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_value_is_taken_as_it_is_or_told_and_touches_no_neighbour(name: str) -> None:
    mapping = parse_mapping(TEXTS[name], name=name)
    mapper = Mapper(mapping, "main")
    for entity, field in cases(mapping):
        if field.name == "id":
            continue  # the adapter gives it, not the payload
        base = good(mapper, entity, mapping.entities[entity].fields)
        before = read(mapper, entity, base)
        assert isinstance(before, Mapped)
        for title, raw in EVERY.items():
            answer = read(mapper, entity, put(base, field.path, raw))
            judge(answer, before, field, raw, f"{name} {entity}.{field.name} {title}: {answer!r}")


def is_unreadable(raw: object) -> bool:
    """Whether no record that holds this can be read at all: too long, or not Unicode."""
    return isinstance(raw, str) and (
        len(raw.encode(errors="replace")) >= MAX_PAYLOAD or not_unicode(raw)
    )


def not_unicode(text: str) -> bool:
    """Whether half a surrogate pair is in it."""
    return any("\ud800" <= char <= "\udfff" for char in text)


def judge(
    answer: Mapped | Rejected, before: Mapped, field: FieldMapping, raw: object, where: str
) -> None:
    """Hold an answer against what was sent and against the record without the bad value."""
    name = field.name
    if isinstance(answer, Rejected):
        assert problems(answer) == ({""} if is_unreadable(raw) else {name}), where
        return
    others = [{k: v for k, v in one.values.items() if k != name} for one in (answer, before)]
    assert others[0] == others[1], where
    kept = answer.values.get(name)
    blank = raw is None or (isinstance(raw, str) and not raw.strip())
    if kept is None:
        assert blank or name in problems(answer), f"dropped without a word: {where}"
    elif field.transform is None and not blank:
        assert fits(raw, typed(kept, field.type), field.type), f"changed in silence: {where}"


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_value_that_goes_out_is_written_or_refused_by_name(name: str) -> None:
    mapping = parse_mapping(TEXTS[name], name=name)
    for entity, field in cases(mapping):
        for title, raw in EVERY.items():
            try:
                value = parse(raw, field.type)
                wire = write_fields(mapping, entity, {field.name: value}, creating=False)
            except MappingError as refused:
                assert {one.field for one in refused.diagnostics} == {field.name}, title  # noqa: PT017
            except ValueError:
                continue  # no value of the contract: it never gets as far as a write
            else:
                assert list(wire) == [field.path], (entity, field.name, title)


def test_the_corpus_is_as_large_as_is_said() -> None:
    fields = [one for name in TEXTS for one in cases(parse_mapping(TEXTS[name], name=name))]
    inputs = len(EVERY) * len(fields) * 2
    keep("bad-input", "KEEP_PROOF=1 pytest tests/corpus", inputs=inputs, values=len(EVERY), lost=0)
    assert inputs > 5_000
    assert len({repr(value) for value in EVERY.values()}) > 600
