"""Figures of a sweep, the mapping that knows no CRM, fingerprints of definitions."""

from __future__ import annotations

from datetime import UTC, datetime

from quotey.contract.drift import (
    Definition,
    MappedProperty,
    Parked,
    Use,
    described,
    parked_fingerprint,
    schema_fingerprint,
)
from quotey.contract.fields import Entity, fields_of
from quotey.contract.plain_mapping import plain_mapping
from quotey.contract.sweep import Sweep, SweepCounts

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_figures_of_sweeps_add_up_one_by_one() -> None:
    one = SweepCounts(listed=1, missing=2, stale=3, gone=4, ahead=5, unproven=6)
    ten = SweepCounts(listed=10, missing=20, stale=30, gone=40, ahead=50, unproven=60)
    assert one.plus(ten) == SweepCounts(
        listed=11, missing=22, stale=33, gone=44, ahead=55, unproven=66
    )
    assert one.missed == 9


def test_a_sweep_is_under_way_from_its_start_on() -> None:
    assert not Sweep(connection="main", entity=Entity.DEAL).under_way
    assert Sweep(connection="main", entity=Entity.DEAL, started_at=NOW).under_way


def test_the_plain_mapping_is_the_dictionary_without_a_path() -> None:
    mapping = plain_mapping("stub")
    assert mapping.provider == "stub"
    assert set(mapping.entities) == set(Entity)
    assert plain_mapping().provider == ""
    for entity, part in mapping.entities.items():
        rows = fields_of(entity)
        assert (part.entity, part.object, len(part.fields)) == (entity, "", len(rows))
        for row, field in zip(rows, part.fields, strict=True):
            for name in ("name", "type", "need", "direction", "policy", "strategy"):
                assert getattr(field, name) == getattr(row, name)
            assert (field.path, field.sent_on_create) == ("", row.sent_on_create)


def test_a_definition_is_told_with_all_that_it_allows() -> None:
    whole = Definition(type="enumeration", writable=False, unique=True, options=("a", "b"))
    assert described(whole) == "type enumeration, read only, unique, values a, b"
    assert described(Definition(type="string")) == "type string"
    assert described(None) == "not there"


def _property(**more: object) -> MappedProperty:
    given: dict[str, object] = {
        "entity": Entity.DEAL,
        "object": "deals",
        "name": "dealstage",
        "field": "stage",
        "definition": Definition(type="enumeration"),
    }
    return MappedProperty(**{**given, **more})  # type: ignore[arg-type]


def test_a_fingerprint_of_definitions_changes_with_a_definition_only() -> None:
    one, other = _property(), _property(name="amount", field="amount")
    known = schema_fingerprint([one, other])
    assert len(known) == 16
    assert schema_fingerprint([other, one]) == known
    assert schema_fingerprint([one, other, _property(name="x", definition=None)]) == known
    assert schema_fingerprint([one, _property(required=True, name="amount", field="amount")]) == (
        known
    )
    for changed in (
        _property(definition=Definition(type="string")),
        _property(name="stage"),
        _property(field="x_stage"),
        _property(object="companies"),
    ):
        assert schema_fingerprint([changed, other]) != known


def test_the_fingerprint_of_a_mapping_tells_which_fields_are_not_read() -> None:
    assert parked_fingerprint("abc", ()) == "abc"
    assert parked_fingerprint("abc", ["stage", "amount"]) == "abc-amount,stage"


def _parked(**more: object) -> Parked:
    given: dict[str, object] = {
        "connection": "main", "entity": Entity.DEAL, "field": "stage", "use": Use.FIELD,
        "inbound": True, "outbound": True, "why": "It is gone.", "fix": "Map it.", "since": NOW,
    }  # fmt: skip
    return Parked(**{**given, **more})  # type: ignore[arg-type]


def test_a_parked_field_says_what_does_not_flow() -> None:
    assert _parked().sentence == "deal.stage is neither read nor written: It is gone. Map it."
    assert _parked(outbound=False, fix="").sentence == "deal.stage is not read: It is gone."
    words = _parked(inbound=False, words=("won", "lost"), use=Use.QUOTE, field="quote.status")
    assert words.sentence == "quote.status is not written (won, lost): It is gone. Map it."
    assert _parked(words=("won",)).sentence.startswith("deal.stage is neither read nor written:")
