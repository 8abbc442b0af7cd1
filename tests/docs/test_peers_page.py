"""The page of peers' behaviours names tests that exist, and leaves no behaviour without a word."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "peers-behaviours.md"
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
REASON = re.compile(r"\*(not built|no such thing here)\*: \w")
BEHAVIOURS = 74


def rows() -> list[tuple[int, str, str]]:
    """Give number, tests and reason of each row."""
    return [(int(one), held, why) for one, _, held, why in ROW.findall(PAGE.read_text())]


def test_every_behaviour_has_one_row() -> None:
    assert [number for number, _, _ in rows()] == list(range(1, BEHAVIOURS + 1))


def test_every_behaviour_has_a_test_or_a_reason() -> None:
    bare = [row for row in rows() if not TEST.search(row[1]) and not REASON.search(row[2])]
    assert bare == []


def test_every_test_that_is_named_exists() -> None:
    named = {found for _, held, _ in rows() for found in TEST.findall(held)}
    assert len(named) > BEHAVIOURS
    missing = [f"{file}::{name}" for file, name in sorted(named) if not _is_there(file, name)]
    assert missing == []


def _is_there(file: str, name: str) -> bool:
    path = ROOT / file
    defined = rf"^ *def {name}\(|^{name} = "
    return path.is_file() and re.search(defined, path.read_text(), re.MULTILINE) is not None
