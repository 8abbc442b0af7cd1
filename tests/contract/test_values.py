"""Canonical text and the strict grammars (reliability 2.F)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.contract.dto import Value
from quotey.contract.fields import FieldType
from quotey.contract.values import (
    FREE_TEXT_BYTES,
    NAME_BYTES,
    as_text,
    canonical,
    is_blank,
    minor_unit,
    parse,
    read_text,
    show_money,
    shown,
    total_problem,
    typed,
)

TEXT_POOL = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=60)
MONEY = st.decimals(min_value=-(10**15) + 1, max_value=10**15 - 1, places=6)
TYPED: dict[FieldType, st.SearchStrategy[Value]] = {
    FieldType.TEXT: TEXT_POOL,
    FieldType.REF: TEXT_POOL.filter(lambda text: bool(text.strip())),
    FieldType.DOMAIN: st.from_regex(r"[a-zA-Z0-9]{1,20}\.[a-z]{2,5}", fullmatch=True),
    FieldType.EMAIL: st.from_regex(r"[a-zA-Z0-9.+]{1,20}@[a-z]{1,9}\.[a-z]{2,5}", fullmatch=True),
    FieldType.MONEY: MONEY,
    FieldType.CURRENCY: st.sampled_from(["EUR", "USD", "JPY", "KWD", "CLF"]),
    FieldType.DATE: st.dates(date(1970, 1, 1), date(2100, 12, 31)),
    FieldType.INTEGER: st.integers(-(10**15) + 1, 10**15 - 1),
    FieldType.STATUS: st.from_regex(r"[a-z][a-z_]{0,20}", fullmatch=True),
}
ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.text()
    | st.dates()
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)


def test_every_type_has_a_canonical_text() -> None:
    assert set(TYPED) == set(FieldType)


@given(st.data(), st.sampled_from(list(FieldType)))
def test_canonical_and_typed_are_inverse(data: st.DataObject, kind: FieldType) -> None:
    value = data.draw(TYPED[kind])
    text = canonical(value, kind)
    assert text is not None
    again = typed(text, kind)
    assert canonical(again, kind) == text
    assert typed(canonical(again, kind), kind) == again


@given(ANYTHING, st.sampled_from(list(FieldType)))
def test_parsing_answers_or_raises_a_sentence(raw: object, kind: FieldType) -> None:
    try:
        value = parse(raw, kind)
    except ValueError:
        return
    text = as_text(value)
    assert as_text(parse(text, kind)) == text


@given(MONEY, MONEY)
def test_equal_amounts_have_equal_text(one: Decimal, other: Decimal) -> None:
    same = canonical(one, FieldType.MONEY) == canonical(other, FieldType.MONEY)
    assert same == (one == other)


def test_null_stays_null() -> None:
    assert all(canonical(None, kind) is None for kind in FieldType)
    assert all(typed(None, kind) is None for kind in FieldType)


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        (FieldType.TEXT, "  Acme\u00a0 ", "Acme"),
        (FieldType.TEXT, "Cafe\u0301", "Caf\u00e9"),
        (FieldType.TEXT, "two\nlines\tand tab", "two\nlines\tand tab"),
        (FieldType.TEXT, "👩\u200d💻 \u202eabc", "👩\u200d💻 \u202eabc"),
        (FieldType.TEXT, True, "true"),
        (FieldType.TEXT, False, "false"),
        (FieldType.TEXT, 7, "7"),
        (FieldType.TEXT, Decimal("1.50"), "1.5"),
        (FieldType.TEXT, date(2026, 1, 31), "2026-01-31"),
        (FieldType.TEXT, "", ""),
        (FieldType.REF, 9007199254740993, "9007199254740993"),
        (FieldType.REF, 123456789012345678901234567890, "123456789012345678901234567890"),
        (FieldType.REF, "007", "007"),
        (FieldType.REF, " 0012x000005OR0sAAG ", "0012x000005OR0sAAG"),
        (FieldType.REF, "Cafe\u0301", "Cafe\u0301"),
        (FieldType.DOMAIN, "Acme.COM", "acme.com"),
        (FieldType.DOMAIN, "M\u00fcnchen.de", "m\u00fcnchen.de"),
        (FieldType.EMAIL, "Jo@Example.COM", "jo@example.com"),
        (FieldType.MONEY, "-0", "0"),
        (FieldType.MONEY, Decimal("-0.00"), "0"),
        (FieldType.MONEY, Decimal("1.0E7"), "10000000"),
        (FieldType.MONEY, "1500.00", "1500"),
        (FieldType.MONEY, 3, "3"),
        (FieldType.MONEY, "999999999999999.999999", "999999999999999.999999"),
        (FieldType.CURRENCY, " EUR ", "EUR"),
        (FieldType.DATE, "2026-02-28", "2026-02-28"),
        (FieldType.INTEGER, "12", "12"),
        (FieldType.INTEGER, Decimal("84.0"), "84"),
        (FieldType.INTEGER, -5, "-5"),
        (FieldType.STATUS, "pending_approval", "pending_approval"),
    ],
)
def test_a_value_is_read_into_one_form(kind: FieldType, raw: object, expected: str) -> None:
    assert as_text(parse(raw, kind)) == expected


@pytest.mark.parametrize(
    ("kind", "raw", "sentence"),
    [
        (FieldType.TEXT, "a\x00b", "it holds a control character (U+0000)"),
        (FieldType.TEXT, "a\x1b[2Jb", "it holds a control character (U+001B)"),
        (FieldType.TEXT, "a\x85b", "it holds a control character (U+0085)"),
        (FieldType.TEXT, "a\ud800b", "it holds half a surrogate pair (U+D800)"),
        (FieldType.TEXT, "x" * (NAME_BYTES + 1), "it is longer than 1,024 bytes"),
        (FieldType.TEXT, "é" * 600, "it is longer than 1,024 bytes"),
        (FieldType.TEXT, ["a"], "a list is no text"),
        (FieldType.TEXT, {"a": 1}, "an object is no text"),
        (FieldType.TEXT, Decimal("NaN"), "Decimal('NaN') is no text"),
        (FieldType.TEXT, datetime(2026, 1, 1, tzinfo=UTC), "is no text"),
        (FieldType.REF, " ", "' ' is not an id"),
        (FieldType.REF, True, "True is not an id"),
        (FieldType.REF, Decimal(1), "Decimal('1') is not an id"),
        (FieldType.REF, 10**40, "a number of more than 15 digits is not an id"),
        (FieldType.REF, "a\x07", "it holds a control character (U+0007)"),
        (FieldType.REF, "x" * 1025, "it is longer than 1,024 bytes"),
        (FieldType.DOMAIN, "acme", "'acme' is not a host name like example.com"),
        (FieldType.DOMAIN, "-a.com", "is not a host name"),
        (FieldType.DOMAIN, f"{'a.' * 130}com", "is not a host name"),
        (FieldType.DOMAIN, 7, "7 is not a host name"),
        (FieldType.EMAIL, "n/a", "'n/a' is not an e-mail address"),
        (FieldType.MONEY, "NaN", "'NaN' is not an amount"),
        (FieldType.MONEY, Decimal("Infinity"), "is not an amount"),
        (FieldType.MONEY, Decimal("1e400"), "is not an amount"),
        (FieldType.MONEY, Decimal("1e-40"), "is not an amount"),
        (FieldType.MONEY, 10**39, "a number of more than 15 digits is not an amount"),
        (FieldType.MONEY, "1" * 40, "is not an amount"),
        (FieldType.MONEY, "1_000", "'1_000' is not an amount"),
        (FieldType.MONEY, "1,000.00", "is not an amount"),
        (FieldType.MONEY, "\uff11\uff12.5", "'\\uff11\\uff12.5' is not an amount"),
        (FieldType.MONEY, "1.1234567", "is not an amount"),
        (FieldType.MONEY, True, "True is not an amount"),
        (FieldType.MONEY, 1.5, "1.5 is not an amount"),
        (FieldType.MONEY, "", "'' is not an amount"),
        (FieldType.CURRENCY, "usd", "'usd' is not a current ISO 4217 currency code; write USD"),
        (FieldType.CURRENCY, "EURO", "'EURO' is not a current ISO 4217 currency code"),
        (FieldType.CURRENCY, "DEM", "'DEM' is not a current ISO 4217 currency code"),
        (FieldType.CURRENCY, "XXX", "'XXX' is not a current ISO 4217 currency code"),
        (FieldType.CURRENCY, 978, "978 is not a current ISO 4217 currency code"),
        (FieldType.DATE, "0001-01-01", "the year is outside 1970 to 2100"),
        (FieldType.DATE, "9999-12-31", "the year is outside 1970 to 2100"),
        (FieldType.DATE, "2026-02-30", "2026-02-30 is not a date: day is out of range for month"),
        (FieldType.DATE, "1/2/2026", "'1/2/2026' is not a date like 2026-01-31"),
        (FieldType.DATE, "2026-01-31T00:00:00Z", "is not a date like 2026-01-31"),
        (FieldType.DATE, 20260131, "20260131 is not a date like 2026-01-31"),
        (FieldType.DATE, datetime(2026, 1, 1, tzinfo=UTC), "is not a date"),
        (FieldType.DATE, date(1969, 12, 31), "the year is outside 1970 to 2100"),
        (FieldType.INTEGER, "1.5", "'1.5' is not a whole number"),
        (FieldType.INTEGER, Decimal("1.5"), "is not a whole number"),
        (FieldType.INTEGER, "٣", "is not a whole number"),
        (FieldType.STATUS, "Sent!", "'Sent!' is not a status"),
    ],
)
def test_what_does_not_match_is_refused_with_a_sentence(
    kind: FieldType, raw: object, sentence: str
) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse(raw, kind)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("kind", FieldType)
def test_a_number_of_five_thousand_digits_is_refused(kind: FieldType) -> None:
    with pytest.raises(ValueError, match=r"is n"):
        parse(10**5000, kind)


def test_free_text_may_be_longer_than_a_name() -> None:
    text = "x" * FREE_TEXT_BYTES
    assert typed(text, FieldType.TEXT) == text
    with pytest.raises(ValueError, match="32,768 bytes"):
        canonical(text + "x", FieldType.TEXT)


def test_a_text_just_below_the_cap_is_whole() -> None:
    assert read_text("é" * 512) == "é" * 512


def test_a_blank_is_white_space_only() -> None:
    blank: list[object] = ["", " \t\n"]
    other: list[object] = ["a", None, 0, []]
    assert all(is_blank(raw) for raw in blank)
    assert not any(is_blank(raw) for raw in other)


@pytest.mark.parametrize(
    ("total", "currency", "problem"),
    [
        ("1000.00", "JPY", None),
        ("1000.5", "JPY", "1000.5 is finer than JPY allows (0 decimals)"),
        ("1.5", "KWD", None),
        ("1.0005", "KWD", "1.0005 is finer than KWD allows (3 decimals)"),
        ("1.0005", "CLF", None),
        ("-12.34", "EUR", None),
        ("12.345", "EUR", "12.345 is finer than EUR allows (2 decimals)"),
        ("1" * 40, "EUR", "is not an amount"),
        ("NaN", "EUR", "is not an amount"),
        ("1", "DEM", "'DEM' is not a current ISO 4217 currency code"),
        ("1", "eur", "write EUR"),
    ],
)
def test_a_total_is_never_rounded(total: str, currency: str, problem: str | None) -> None:
    found = total_problem(Decimal(total), currency)
    assert (found is None) if problem is None else (found is not None and problem in found)


def test_only_current_currencies_are_known() -> None:
    assert minor_unit("EUR") == 2
    gone = ("DEM", "FRF", "HRK", "BGN", "ANG", "ZWL", "SLL", "XXX", "XTS", "XAU")
    assert {minor_unit(code) for code in gone} == {None}


@pytest.mark.parametrize(
    ("raw", "text"),
    [("a", "'a'"), ("\x1b", "'\\x1b'"), ([1], "a list"), ({}, "an object"), (None, "None")],
)
def test_a_raw_value_is_shown_escaped(raw: object, text: str) -> None:
    assert shown(raw) == text
    assert len(shown("é" * 1000)) <= 41


# --- money as people read it ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "shown_as"),
    [
        ("12000", "EUR", "12000.00 EUR"),
        ("12000.5", "EUR", "12000.50 EUR"),
        ("1200.00", "JPY", "1200 JPY"),
        ("1.5", "KWD", "1.500 KWD"),
        ("-0", "USD", "0.00 USD"),
        ("1E+3", "USD", "1000.00 USD"),
        ("-20.25", "USD", "-20.25 USD"),
        ("999999999999999.99", "USD", "999999999999999.99 USD"),
    ],
)
def test_money_is_shown_in_the_minor_unit_of_its_currency(
    amount: str, currency: str, shown_as: str
) -> None:
    assert show_money(Decimal(amount), currency) == shown_as


def test_money_that_is_finer_than_its_currency_is_not_rounded_away() -> None:
    assert show_money(Decimal("1.005"), "EUR") == "1.005 EUR"
    assert show_money(Decimal("1.5"), "DEM") == "1.5 DEM"


def test_zero_has_no_sign() -> None:
    assert str(parse("-0", FieldType.MONEY)) == "0"
    assert str(parse("-0.00", FieldType.MONEY)) == "0"
