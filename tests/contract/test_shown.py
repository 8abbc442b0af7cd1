"""How counts, moments and hostile signs are written for a person."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.contract.counting import counted
from quotey.contract.moments import LONGEST_LEASE, is_ahead, moment, moment_text
from quotey.contract.visible import written_out

HERE = timezone(timedelta(hours=2))
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0, "0 operations"),
        (1, "1 operation"),
        (2, "2 operations"),
        (1_200, "1,200 operations"),
        (-1, "-1 operations"),
    ],
)
def test_one_thing_is_singular_and_all_other_counts_are_plural(count: int, written: str) -> None:
    assert counted(count, "operation") == written


def test_an_odd_plural_is_given() -> None:
    assert [counted(count, "reply", "replies") for count in (1, 2)] == ["1 reply", "2 replies"]


def test_a_moment_is_written_in_utc_to_the_second() -> None:
    assert moment(datetime(2026, 1, 2, 1, 4, 5, 999_999, tzinfo=HERE)) == "2026-01-01 23:04:05Z"


def test_a_moment_is_written_alike_wherever_the_machine_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        assert moment(datetime(2026, 1, 2, 3, tzinfo=UTC)) == "2026-01-02 03:00:00Z"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-01-02T03:04:05.678+02:00", "2026-01-02 01:04:05Z"),
        ("2026-01-02T03:04:05Z", "2026-01-02 03:04:05Z"),
        ("soon", "soon"),
        ("", ""),
    ],
)
def test_a_kept_moment_is_written_alike_and_any_other_text_stays(text: str, written: str) -> None:
    assert moment_text(text) == written


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_reads_the_same_from_its_kept_text(at: datetime) -> None:
    assert moment_text(at.isoformat()) == moment(at)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain, größer, 日本", "plain, größer, 日本"),
        ("a\x1b[31m", r"a\x1b[31m"),
        ("a\r\nb\tc", r"a\x0d\x0ab\x09c"),
        ("\x00\x7f\x80\x9f", r"\x00\x7f\x80\x9f"),
        ("\xff\u0100\u0101", "\xff\u0100\u0101"),
        ("abc\u202edef\u2066", r"abc\u202edef\u2066"),
        ("\u061c\u200b\ufeff", r"\u061c\u200b\ufeff"),
        ("half \ud800", r"half \ud800"),
    ],
)
def test_what_steers_a_terminal_or_turns_a_line_is_written_out(text: str, written: str) -> None:
    assert written_out(text) == written


@pytest.mark.parametrize(
    ("until", "ahead"),
    [
        (None, False),
        (NOON - timedelta(seconds=1), False),
        (NOON, False),
        (NOON + timedelta(microseconds=1), True),
        (NOON + LONGEST_LEASE, True),
        (NOON + LONGEST_LEASE + timedelta(microseconds=1), False),
    ],
)
def test_a_moment_lies_ahead_within_what_may_last_and_no_further(
    until: datetime | None, ahead: bool
) -> None:
    assert is_ahead(until, NOON, timedelta(hours=1)) is ahead
