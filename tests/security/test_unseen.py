"""Signs that nobody sees are shown, so that two names that differ look different (SEC-30)."""

from __future__ import annotations

import json
import sys
import unicodedata
from pathlib import Path

import pytest

from quotey.contract.visible import written_out
from tests.cli.terminal import Terminal

HIDING = {
    "soft hyphen": "\u00ad",
    "hangul filler": "\u3164",
    "vowel separator": "\u180e",
    "invisible times": "\u2062",
    "deprecated format": "\u206a",
    "annotation": "\ufff9",
    "tag": "\U000e0041",
    "zero width": "\u200b",
    "turned around": "\u202e",
}
SEEN = ("\u0600", "\ufe0f", "\u0301", "\u0e33", "\u00a0")
"""A sign of numbers, an emoji's variation, an accent, a vowel, a space: seen, or without harm."""


@pytest.mark.parametrize("sign", HIDING.values(), ids=HIDING)
def test_a_sign_that_nobody_sees_is_written_out_wherever_a_name_is_shown(
    tmp_path: Path, sign: str
) -> None:
    quotey = Terminal(tmp_path)
    quotey("crm", "sync")
    quotey("crm", "stub", "set", "deal/D-1001", f"name=Sup{sign}ply")
    quotey("crm", "sync")
    for words in (
        ("crm", "deal", "show", "D-1001"),
        ("crm", "stub", "show", "deal/D-1001"),
        ("crm", "audit", "--body"),
        ("crm", "reconcile", "list", "--each"),
    ):
        for more in ((), ("--json",)):
            assert sign not in quotey(*words, *more).out, words
    kept = quotey.json("crm", "stub", "show", "deal/D-1001")
    assert f"Sup{sign}ply" in json.dumps(kept, ensure_ascii=False), "a program reads what it was"


def test_every_sign_of_format_is_written_out_or_known_to_be_seen() -> None:
    for code in range(sys.maxunicode + 1):
        sign = chr(code)
        if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") and not (
            0x600 <= code <= 0x605 or code in ARABIC or 0x110BD <= code <= 0x1D17A
        ):
            assert written_out(sign) != sign, f"U+{code:04X}"


ARABIC = {0x6DD, 0x70F, 0x890, 0x891, 0x8E2}
"""Marks of numbers and ends of verses: they are of category Cf, and are seen. So are the scripts of
the other planes: Kaithi numbers, hieroglyphs, shorthand and music."""


@pytest.mark.parametrize("sign", SEEN)
def test_what_is_seen_stays_as_it_is(sign: str) -> None:
    assert written_out(f"a{sign}b") == f"a{sign}b"


def test_two_names_that_differ_look_different() -> None:
    names = {"Supply", *(f"Sup{sign}ply" for sign in HIDING.values())}
    assert len({written_out(name) for name in names}) == len(HIDING) + 1
