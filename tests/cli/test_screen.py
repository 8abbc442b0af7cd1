"""How answers look: aligned, whole, escaped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from quotey.cli.screen import Screen, moment, safe
from quotey.cli.words import Common, split_common
from quotey.contract.errors import UsageError


def test_columns_are_aligned_and_numbers_stand_to_the_right() -> None:
    screen = Screen()
    screen.table(("name", "n"), [("a", 1), ("日本", 12345), (None, None)])
    assert screen.text(colour=False).splitlines() == [
        "name      n",
        "a         1",
        "日本  12345",
        "-         -",
    ]


def test_nothing_is_cut_or_wrapped() -> None:
    screen = Screen()
    screen.table(("id", "value"), [("x" * 300, "y" * 300)])
    assert screen.text(colour=False).splitlines()[1] == f"{'x' * 300}  {'y' * 300}"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\tc", "a\\x0ab\\x09c"),
        ("abc\u202egnp.exe", "abc\\u202egnp.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("\ud800", "\\ud800"),
        ("\x9b31m", "\\x9b31m"),
        ("grün 日本", "grün 日本"),
    ],
)
def test_control_and_bidi_signs_are_written_out(raw: str, shown: str) -> None:
    screen = Screen()
    screen.line(raw)
    screen.pairs([("k", raw)])
    screen.table(("h",), [(raw,)])
    assert safe(raw) == shown
    assert screen.text(colour=False).splitlines() == [shown, f"k  {shown}", "h", shown]


def test_colour_comes_only_when_it_is_wanted() -> None:
    screen = Screen()
    screen.line("x", style="bold")
    assert screen.text(colour=False) == "x\n"
    assert screen.text(colour=True) == "\x1b[1mx\x1b[0m\n"


def test_times_are_in_utc() -> None:
    east = timezone(timedelta(hours=2))
    assert moment(datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=east)) == "2026-01-02 01:04:05Z"
    assert safe(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02 00:00:00Z"
    assert moment(None) == "-"


@pytest.mark.parametrize(
    "argv",
    [
        ["--json", "--home", "h", "crm", "status"],
        ["crm", "--home=h", "status", "--json"],
        ["crm", "status", "--json", "--home", "h"],
    ],
)
def test_common_flags_may_stand_anywhere(argv: list[str]) -> None:
    assert split_common(argv) == (Common(as_json=True, home="h"), ["crm", "status"])


def test_what_follows_two_dashes_is_left_alone() -> None:
    common, rest = split_common(["crm", "lookup", "account", "--", "--json"])
    assert not common.as_json
    assert rest == ["crm", "lookup", "account", "--", "--json"]


@pytest.mark.parametrize("argv", [["--home"], ["--connection", "--json"]])
def test_a_common_flag_without_its_value_is_wrong_usage(argv: list[str]) -> None:
    with pytest.raises(UsageError):
        split_common(argv)
