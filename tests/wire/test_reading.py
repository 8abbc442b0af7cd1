"""Strict JSON, exact numbers, and Retry-After by its grammar (with the vendors' own vectors)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from quotey.wire import Unreadable, read_json, retry_after

NOW = datetime.fromtimestamp(1696004797, UTC)

# hubspot_sdk 0.1.0a9 and openai-python, tests/test_client.py (Apache-2.0): header, seconds that it
# says. Their clients ignore 0 and what is past, and what is longer than their own limit.
VECTORS = [
    ("20", 20),
    ("0", 0),
    ("-10", None),
    ("60", 60),
    ("61", 61),
    ("Fri, 29 Sep 2023 16:26:57 GMT", 20),
    ("Fri, 29 Sep 2023 16:26:37 GMT", 0),
    ("Fri, 29 Sep 2023 16:26:27 GMT", 0),
    ("Fri, 29 Sep 2023 16:27:37 GMT", 60),
    ("Fri, 29 Sep 2023 16:27:38 GMT", 61),
    ("99999999999999999999999999999999999", None),
    ("Zun, 29 Sep 2023 16:26:27 GMT", None),
    ("", None),
    ("120", 120),
    ("inf", None),
    ("nan", None),
    ("Fri, 29 Sep 100000 16:26:57 GMT", None),
    ("61,60", None),
    ("5, 60", None),
    ("1e9", None),
    ("1_000", None),
    ("\uff11\uff12", None),
    ("1000000000", None),
    ("999999999", 999_999_999),
    ("...", None),
    ("1.5", None),
    (" 20", None),
    ("٢٠", None),
    (None, None),
]


@pytest.mark.parametrize(("text", "seconds"), VECTORS)
def test_a_wait_is_read_by_the_grammar_or_not_at_all(text: str | None, seconds: int | None) -> None:
    wait = retry_after(text, NOW)
    assert (None if wait is None else wait.total_seconds()) == seconds


@pytest.mark.parametrize(
    "text", ["NaN", "[Infinity]", "-Infinity", "{'a':1}", "", "<html>", "{}{}", "1e999999999999"]
)
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read_json(text.encode())


def test_broken_text_and_endless_nesting_are_refused() -> None:
    for body in (b'"\xff"', b"[" * 100_000):
        with pytest.raises(Unreadable):
            read_json(body)


@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}"), ('[{"b":[', "]}]")])
def test_what_is_deeper_than_sixty_four_levels_is_refused(start: str, end: str) -> None:
    levels = start.count("[") + start.count("{")
    whole, left = divmod(64, levels)
    deepest = f"{start * whole}{'[' * left}1{']' * left}{end * whole}"
    read_json(deepest.encode())
    with pytest.raises(Unreadable, match="too deeply"):
        read_json(f"[{deepest}]".encode())
    with pytest.raises(Unreadable, match="too deeply"):
        read_json(f'{{"wide": [1, {{}}, [2]], "deep": {deepest}}}'.encode())


@pytest.mark.parametrize("number", ["0.{}", "{}", "{}.5", "1.{}e3"])
def test_a_number_of_more_digits_than_python_reads_is_refused(number: str) -> None:
    with pytest.raises(Unreadable):
        read_json(number.format("9" * 4_301).encode())


def test_numbers_stay_exact() -> None:
    read = read_json(b"[1.10, 1.0E7, 123456789012345678901234567890, 12345678901234567890.12345]")
    assert read == [
        Decimal("1.10"),
        Decimal("1.0E7"),
        Decimal(123456789012345678901234567890),
        Decimal("12345678901234567890.12345"),
    ]
