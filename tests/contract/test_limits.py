"""Values and transforms at their limits: the last that is read, the first that is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from quotey.contract.fields import FieldType
from quotey.contract.mapping import DateIn, Join, ValueMap
from quotey.contract.transforms import host_of, reader_of, writer_of
from quotey.contract.values import (
    FREE_TEXT_BYTES,
    NAME_BYTES,
    as_text,
    canonical,
    parse,
    show_money,
    shown,
)

LONG = "x" * (NAME_BYTES + 1)


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine stands in another time zone."""
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (10**15 - 1, "999999999999999"),
        (10**15, "a number of more than 15 digits"),
        (-(10**15), "a number of more than 15 digits"),
        (11**15, "a number of more than 15 digits"),
        ("x" * 38, f"'{'x' * 38}'"),
        ("x" * 39, f"'{'x' * 37}…'"),
        ("x" * 200, f"'{'x' * 37}…'"),
        ("ü", "'\\xfc'"),
        (Decimal("1.50"), "Decimal('1.50')"),
        (b"x" * 60, f"b'{'x' * 36}…'"),
        ([], "a list"),
        ({}, "an object"),
    ],
)
def test_a_raw_value_is_shown_in_at_most_forty_signs(raw: object, text: str) -> None:
    assert shown(raw) == text
    assert len(shown(raw)) <= 40


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (10**18 - 1, "999999999999999999"),
        (10**18, "1000000000000000000"),
        (Decimal(10) ** 18, "1000000000000000000"),
        (Decimal("1e-18"), "0.000000000000000001"),
        (Decimal("9.9e18"), "9900000000000000000"),
    ],
)
def test_a_number_as_text_may_have_so_many_digits(raw: object, text: str) -> None:
    if isinstance(raw, int) and raw >= 10**18:
        with pytest.raises(ValueError, match="is no text"):
            parse(raw, FieldType.TEXT)
    else:
        assert parse(raw, FieldType.TEXT) == text


@pytest.mark.parametrize(
    "raw", [10**18, -(10**18), 2 * 10**18, Decimal("1e19"), Decimal("1e-19"), Decimal("inf")]
)
def test_a_number_of_more_digits_is_no_text(raw: object) -> None:
    with pytest.raises(ValueError, match="is no text"):
        parse(raw, FieldType.TEXT)


def test_a_number_that_is_refused_is_shown() -> None:
    with pytest.raises(ValueError, match=r"^Decimal\('1.5'\) is not a whole|^'1.5' is not a whole"):
        parse(Decimal("1.5"), FieldType.INTEGER)
    with pytest.raises(ValueError, match=r"^True is not a whole number"):
        parse(True, FieldType.INTEGER)
    with pytest.raises(ValueError, match=r"^True is not an amount"):
        parse(True, FieldType.MONEY)


@pytest.mark.parametrize(
    ("day", "right"),
    [("1970-01-01", True), ("1969-12-31", False), ("2100-12-31", True), ("2101-01-01", False)],
)
def test_dates_are_of_1970_to_2100(day: str, right: bool) -> None:
    if right:
        assert parse(day, FieldType.DATE) == date.fromisoformat(day)
    else:
        with pytest.raises(ValueError, match="the year is outside 1970 to 2100"):
            parse(day, FieldType.DATE)


@pytest.mark.parametrize(
    ("raw", "right"),
    [(10**32 - 1, True), (10**32, False), (-(10**32), False), (10**33, False), (True, False)],
)
def test_an_id_that_is_a_number_has_at_most_32_digits(raw: object, right: bool) -> None:
    if right:
        assert parse(raw, FieldType.REF) == str(raw)
    else:
        with pytest.raises(ValueError, match="is not an id"):
            parse(raw, FieldType.REF)


@pytest.mark.parametrize(
    ("raw", "hint"),
    [("eur", "; write EUR"), ("Usd", "; write USD"), ("EURO", ""), ("zzz", ""), (3, ""), ("", "")],
)
def test_a_currency_that_is_only_written_small_is_told_how_to_write_it(
    raw: object, hint: str
) -> None:
    with pytest.raises(ValueError, match="ISO 4217") as caught:
        parse(raw, FieldType.CURRENCY)
    assert str(caught.value) == f"{shown(raw)} is not a current ISO 4217 currency code{hint}"


def test_what_is_no_date_at_all_is_shown() -> None:
    for raw in (3, None, "soon"):
        with pytest.raises(ValueError, match="is not a date like") as caught:
            parse(raw, FieldType.DATE)
        assert str(caught.value).startswith(shown(raw))


def test_trailing_zeros_go_and_others_stay() -> None:
    assert [as_text(Decimal(text)) for text in ("1.500", "100", "100.0", "0.10", "-0.0")] == [
        "1.5",
        "100",
        "100",
        "0.1",
        "0",
    ]
    assert as_text(date(2026, 3, 1)) == canonical("2026-03-01", FieldType.DATE) == "2026-03-01"


def test_an_amount_of_an_unknown_currency_is_shown_as_it_is() -> None:
    assert show_money(Decimal(5), "XXX") == "5 XXX"
    assert show_money(Decimal("5.25"), "XXX") == "5.25 XXX"


# --- transforms ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://www.acme.com", "acme.com"),
        ("https://acme.com/go?to=https://other.com", "acme.com"),
        ("acme.com/a/b/c", "acme.com"),
        ("acme.com?a?b", "acme.com"),
        ("acme.com#a#b", "acme.com"),
        ("acme.com/a?b#c", "acme.com"),
        ("acme.com.", "acme.com"),
        ("acme.com..", "acme.com"),
        ("user:word@acme.com:8080", "acme.com"),
        ("a@b@acme.com", "acme.com"),
        ("acme.com:80:90", "acme.com"),
        ("WWW.ACME.COM", "acme.com"),
        ("Xacme.comX", "xacme.comx"),
        ("ftp://x://acme.com", None),
        ("www.", None),
        ("/acme.com", None),
        ("", None),
    ],
)
def test_the_host_is_found_in_any_address(text: str, host: str | None) -> None:
    if host is None:
        with pytest.raises(ValueError, match="is not a host name"):
            host_of(text)
    else:
        assert host_of(text) == host


@pytest.mark.parametrize("transform", [None, Join(paths=("a", "b"))])
def test_a_text_is_as_long_as_its_field_allows(transform: Join | None) -> None:
    assert reader_of(transform, FieldType.TEXT, FREE_TEXT_BYTES)(LONG) == LONG
    with pytest.raises(ValueError, match="longer than 1,024 bytes"):
        reader_of(transform, FieldType.TEXT, NAME_BYTES)(LONG)


def test_words_of_a_value_map_are_as_long_as_their_field_allows() -> None:
    words = ValueMap(values={"a": LONG}, otherwise="keep")
    read = reader_of(words, FieldType.TEXT, FREE_TEXT_BYTES)
    assert read("a") == LONG
    with pytest.raises(ValueError, match="longer than 1,024 bytes"):
        reader_of(words, FieldType.TEXT, NAME_BYTES)
    kept = reader_of(ValueMap(values={}, otherwise="keep"), FieldType.TEXT, FREE_TEXT_BYTES)
    assert kept("y" * NAME_BYTES) == "y" * NAME_BYTES
    short = reader_of(ValueMap(values={}, otherwise="keep"), FieldType.TEXT, 10)
    with pytest.raises(ValueError, match="longer than 10 bytes"):
        short("y" * 11)


def test_a_transform_without_a_way_back_is_named() -> None:
    with pytest.raises(TypeError, match=r"^Join has no way back$"):
        writer_of(Join(paths=("a",)))


def test_what_is_no_date_is_told_with_itself_and_the_form() -> None:
    read = reader_of(DateIn(format="%d.%m.%Y"), FieldType.DATE, NAME_BYTES)
    with pytest.raises(ValueError, match=r"^'2026-01-31' is not a date of the form %d\.%m\.%Y: "):
        read("2026-01-31")
    with pytest.raises(ValueError, match=r"^'\\u0663' is not a date$"):
        read("٣")


@pytest.mark.usefixtures("far_away")
@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        ("epoch_ms", 1_772_323_200_000),
        ("iso", "2026-03-01"),
        ("%Y-%m-%dT%H:%M:%S%z", "2026-03-01T00:00:00+0000"),
    ],
)
def test_a_day_is_written_alike_wherever_the_machine_stands(pattern: str, written: object) -> None:
    transform = DateIn(format=pattern)
    assert writer_of(transform)(date(2026, 3, 1)) == written
    assert reader_of(transform, FieldType.DATE, NAME_BYTES)(written) == date(2026, 3, 1)
