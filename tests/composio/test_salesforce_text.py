"""What is written into queries and addresses comes out as it was meant, whatever it is."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.adapters.composio.salesforce.ids import canonical_id
from quotey.adapters.composio.salesforce.ops import in_path
from quotey.adapters.composio.salesforce.soql import Select, containing, one_of, quoted

ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
PIECE = re.compile(r"\\(.)|([^'\\])", re.DOTALL)
WILD = {"%": None, "_": None}


def read_literal(text: str, *, like: bool = False) -> list[str | None]:
    """Read a literal as the vendor's lexer does: signs as they are meant, wildcards as None.

    Raises AssertionError when it ends before its end, or holds an escape that is not one.
    """
    assert text[0] == "'"
    assert text[-1] == "'"
    body, place = text[1:-1], 0
    signs: list[str | None] = []
    while place < len(body):
        found = PIECE.match(body, place)
        assert found is not None, f"an open quote at {place} of {body!r}"
        escape, plain = found.groups()
        place = found.end()
        if escape is not None:
            assert escape in {*ESCAPED, "\\", "'", *(WILD if like else ())}, escape
            signs.append(ESCAPED.get(escape, escape))
        else:
            signs.append(WILD.get(plain, plain) if like else plain)
    return signs


def test_the_vectors_of_another_client_hold() -> None:
    # simple-salesforce tests/test_format.py
    assert quoted("val'ue1\n") == r"'val\'ue1\n'"
    assert one_of("x", ["value1", "val'ue\n"]) == r"x IN ('value1', 'val\'ue\n')"
    assert containing(["foo'%bar_"]) == r"'%foo\'\%bar\_%'"
    assert in_path("some/other'type value") == "some%2Fother%27type%20value"


@given(text=st.text())
def test_any_text_comes_back_out_of_its_literal(text: str) -> None:
    assert "".join(one or "" for one in read_literal(quoted(text))) == text


@given(words=st.lists(st.text(min_size=1), min_size=1))
def test_only_our_own_wildcards_are_wild(words: list[str]) -> None:
    signs = read_literal(containing(words), like=True)
    wild = [place for place, sign in enumerate(signs) if sign is None]
    assert len(wild) == len(words) + 1
    assert ["".join(s or "" for s in signs[a + 1 : b]) for a, b in pairwise(wild)] == words


@given(text=st.text())
def test_no_text_adds_a_condition_to_a_query(text: str) -> None:
    select = Select(fields=("Id",), of="Account", where=(f"Name = {quoted(text)}",), limit=1)
    start, end = "SELECT Id FROM Account WHERE Name = ", " LIMIT 1"
    whole = select.text()
    assert whole.startswith(start)
    assert whole.endswith(end)
    read_literal(whole[len(start) : -len(end)])


@given(text=st.text(alphabet=st.characters(codec="utf-8")))
def test_any_key_is_one_part_of_a_path(text: str) -> None:
    assert not set(in_path(text)) & set("/.?#' ")


@pytest.mark.parametrize(
    ("given_id", "expected"),
    [
        ("001D000000IqhSL", "001D000000IqhSLIAZ"),
        ("0012x000005OR0s", "0012x000005OR0sAAG"),
        ("001D000000IqhSLIAZ", "001D000000IqhSLIAZ"),
        ("001D000000IQHSLIAZ", "001D000000IqhSLIAZ"),
        ("001d000000iqhsliaz", "001D000000IqhSLIAZ"),
        ("001D000000IqhSLIAA", None),
        ("001D000000IqhSLI9Z", None),
        ("001D000000Iqh", None),
        ("no-such-deal-no-id", None),
        ("", None),
    ],
)
def test_an_id_has_one_form_and_a_wrong_one_is_none(given_id: str, expected: str | None) -> None:
    assert canonical_id(given_id) == expected


@given(short=st.from_regex(r"[0-9A-Za-z]{15}", fullmatch=True))
def test_an_id_that_lost_its_case_is_restored(short: str) -> None:
    long = canonical_id(short)
    assert long is not None
    assert long[:15] == short
    assert {canonical_id(form) for form in (long, long.lower(), long.upper())} == {long}
