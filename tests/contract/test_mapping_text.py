"""A mapping that is written as text means the same when it is read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from quotey.adapters import discover
from quotey.contract.mapping_file import parse_mapping, with_default_currency
from quotey.contract.mapping_text import write_mapping

ROOT = Path(__file__).parents[2]
SHIPPED = {name: one.shipped_mapping() for name, one in discover().items()}
EXAMPLES = {
    path.parent.name: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "examples").glob("*/mapping.toml"))
}
OWN = """
[account.fields.segment]
path = "properties.segment"
direction = "both"
transform = { kind = "none" }

[deal.fields.x_why]
path = "properties.\\"why\\"\\u007f"
type = "text"
note = "ask Kim Larsen"

[deal.fields.stage]
transform = { kind = "value_map", values = { "closed won" = "won" }, otherwise = "keep" }
"""


@pytest.mark.parametrize(("name", "text"), (SHIPPED | EXAMPLES).items())
def test_what_is_written_means_what_was_read(name: str, text: str) -> None:
    mapping = parse_mapping(text, name=name)
    again = parse_mapping(write_mapping(mapping), name="again")
    assert again.fingerprint == mapping.fingerprint
    assert again.clock_tolerance_seconds == mapping.clock_tolerance_seconds
    assert again.source_priority == mapping.source_priority


def test_own_fields_words_and_currency_are_written_and_notes_are_not() -> None:
    shipped = parse_mapping(SHIPPED["hubspot"], name="shipped")
    mapping = with_default_currency(parse_mapping(OWN, name="own", over=shipped), "EUR")
    text = write_mapping(mapping)
    again = parse_mapping(text, name="again")
    assert again.fingerprint == mapping.fingerprint != shipped.fingerprint
    over = parse_mapping(text, name="over", over=shipped)
    assert over.fingerprint == mapping.fingerprint
    assert again.default_currency == "EUR"
    assert "Kim Larsen" not in text
