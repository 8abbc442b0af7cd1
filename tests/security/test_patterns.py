"""No pattern of ours takes long over a hostile text, however long that is (SEC-31, G18)."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator

import pytest

import quotey

SIZE = 50_000
MOST_SECONDS = 1.0
"""For so many signs; what grows with their square takes six and more."""

BOUNDED = frozenset({"_MIXED", "_RECORD_ID", "_LINE"})
"""Patterns that only ever judge one whole word: they are never searched for in a text."""


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Give every compiled pattern of every module of ours."""
    for module in pkgutil.walk_packages(quotey.__path__, "quotey."):
        if module.name.endswith("__main__") or module.name.startswith("quotey.testing."):
            continue  # what is shipped for tests reads only what tests say
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                yield f"{module.name}.{name}", value


PATTERNS = dict(patterns())
HOSTILE = (
    "a",
    "1",
    " ",
    "-",
    ".",
    "=",
    "%",
    "a.",
    "a@",
    "a-",
    "1,",
    "+1 ",
    "token=",
    "://",
    "ab ",
    "\t ",
)


def seconds(pattern: re.Pattern[str], text: str, *, searched: bool = True) -> float:
    start = time.process_time()
    pattern.fullmatch(text)
    if searched:
        pattern.search(text)
    return time.process_time() - start


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_is_quick_over_any_long_text(name: str) -> None:
    searched = name.rpartition(".")[2] not in BOUNDED
    slow = {
        unit: taken
        for unit in HOSTILE
        if (
            taken := seconds(
                PATTERNS[name], unit * (SIZE // len(unit)) + "\x00!", searched=searched
            )
        )
        > MOST_SECONDS
    }
    assert slow == {}


def test_a_pattern_that_grows_with_the_square_is_seen() -> None:
    square = re.compile(r"[^@\s]+@[^@\s]+")
    assert seconds(square, "a" * SIZE) > MOST_SECONDS
    assert len(PATTERNS) > 20
