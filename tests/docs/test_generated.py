"""The generated pages hold all that they are drawn from."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path

import pytest

from quotey.contract.fields import FIELDS, OWNERSHIP, Entity, FieldType, Policy, Strategy
from quotey.contract.journal import OpState, SyncPhase
from quotey.contract.mapping import OnBlank
from quotey.contract.quote import QuoteStatus
from quotey.decide.lifecycle import OUTBOX_MOVES, QUOTE_MOVES, SYNC_MOVES
from scripts.answers import ANSWERS
from scripts.pages.documents import documents_page, spelled
from scripts.pages.fields import BLANKS, POLICIES, STRATEGIES, TYPES, fields_page, mappings
from scripts.pages.markdown import filled, table
from scripts.pages.more import MORE
from scripts.pages.states import drawing, states_page

ROOT = Path(__file__).parents[2]
ARROW = re.compile(r"(?:^(\w+) )?[─ ┬├└]+ (\w+) ─+▶ (\w+)$")


def test_the_dictionary_page_has_every_field_with_all_that_is_said_of_it() -> None:
    dictionary = fields_page().split("## Words")[0]
    for field in FIELDS:
        (row,) = re.findall(rf"^\| `{field.path}` \|.*$", dictionary, re.MULTILINE)
        for word in (field.need, field.type, field.owner, field.direction, field.policy):
            assert str(word) in row, (field.path, word)


def test_the_page_has_every_row_of_the_ownership_matrix() -> None:
    page = fields_page()
    assert all(row.group in page for row in OWNERSHIP)


def test_every_provider_maps_every_field_or_says_that_it_does_not() -> None:
    matrix = fields_page().split("## Providers")[1].split("What is to be known")[0]
    rows = re.findall(r"^\| `\w+\.\w+` \|.*$", matrix, re.MULTILINE)
    assert len(rows) == len(FIELDS)
    assert "not mapped" not in matrix


def test_every_field_that_a_mapping_leaves_out_is_listed_with_its_reason() -> None:
    page = fields_page().split("## Left out")[1]
    for provider, mapping in mappings().items():
        part = page.split(f"### {provider}")[1].split("###")[0]
        assert mapping.backlog
        assert all(f"`{one.field}` | {one.reason} |" in part for one in mapping.backlog)


@pytest.mark.parametrize(
    ("words", "told"),
    [(FieldType, TYPES), (Policy, POLICIES), (Strategy, STRATEGIES), (OnBlank, BLANKS)],
)
def test_every_word_of_a_closed_list_is_explained(
    words: type[StrEnum], told: dict[str, str]
) -> None:
    assert set(words) == set(told)


def drawn(picture: str) -> dict[tuple[str, str], str]:
    """Read a drawing back into its table."""
    moves, state = {}, ""
    for line in picture.splitlines():
        found = ARROW.match(line)
        assert found, line
        state = found[1] or state
        moves[state, found[2]] = found[3]
    return moves


def test_a_drawing_can_be_read_back_into_its_table() -> None:
    assert drawn(drawing(SYNC_MOVES)) == SYNC_MOVES
    assert drawn(drawing(OUTBOX_MOVES)) == OUTBOX_MOVES


def test_the_page_of_states_has_every_state_and_every_move_of_a_quote() -> None:
    page = states_page()
    for word in (*SyncPhase, *OpState, *QUOTE_MOVES):
        assert f"| `{word}`" in page
    (row,) = re.findall(r"^\| `sent` ●.*$", page, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) - {"sent"} == set(QUOTE_MOVES[QuoteStatus.SENT]) - {
        "superseded"
    }


def test_the_page_of_documents_has_every_command_and_every_type_that_it_links_to() -> None:
    page = documents_page()
    assert all(f"| `quotey {command}` |" in page for command in ANSWERS)
    headings = {one.lower() for one in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    assert set(re.findall(r"\]\(#(\w+)\)", page)) <= headings


def test_types_are_spelled_in_words() -> None:
    assert spelled(tuple[int, ...] | None) == "list of integer or null"
    assert spelled(dict[str, Entity]) == "object of [Entity](#entity)"


def test_the_schemas_are_json() -> None:
    for name, page in MORE.items():
        if name.endswith(".json"):
            assert json.loads(page())["$schema"]


def test_a_part_of_a_written_page_is_filled_and_the_rest_is_left() -> None:
    page = "a\n<!-- generated: x y -->\nold\n<!-- end -->\nb\n"
    new = "a\n<!-- generated: x y -->\nnew\n<!-- end -->\nb\n"
    assert filled(page, {"x y": "new\n"}) == new
    with pytest.raises(KeyError):
        filled(page, {})


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert table(("a",), [("x|y",)]).endswith("| x\\|y |\n")
