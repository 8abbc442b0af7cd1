"""The transforms one by one: the way in and, where there is one, the way back."""

from __future__ import annotations

from datetime import UTC, date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.contract.fields import FieldType
from quotey.contract.mapping import (
    Bucket,
    DateIn,
    DomainOf,
    Join,
    MoneyIn,
    Transform,
    ValueMap,
)
from quotey.contract.transforms import (
    RESULT,
    REVERSIBLE,
    UnknownWordError,
    host_of,
    reader_of,
    reverse,
    writer_of,
    zone_of,
)


def read(transform: Transform, kind: FieldType, raw: object) -> object:
    return reader_of(transform, kind, 1024)(raw)


@pytest.mark.parametrize(
    ("transform", "raw", "day"),
    [
        (DateIn(), "2026-03-10", date(2026, 3, 10)),
        (DateIn(format="%m/%d/%Y"), " 3/1/2017 ", date(2017, 3, 1)),
        (DateIn(format="iso"), "2026-03-10", date(2026, 3, 10)),
        (DateIn(format="iso"), "2026-03-10T23:30:00Z", date(2026, 3, 10)),
        (DateIn(format="iso", timezone="Europe/Berlin"), "2026-03-10T23:30:00Z", date(2026, 3, 11)),
        (DateIn(format="iso"), "2026-03-10T21:10:08.000+0000", date(2026, 3, 10)),
        (DateIn(format="epoch_ms"), "1773100800000", date(2026, 3, 10)),
        (DateIn(format="epoch_ms"), 1773100800000, date(2026, 3, 10)),
        (DateIn(format="%Y-%m-%dT%H:%M:%S%z"), "2026-03-10T01:00:00+0200", date(2026, 3, 9)),
        # An hour that a clock skips, one that it shows twice, and midnight beside both.
        (DateIn(format="iso", timezone="Europe/Berlin"), "2026-03-29T02:30:00", date(2026, 3, 29)),
        (DateIn(format="iso", timezone="Europe/Berlin"), "2026-10-25T02:30:00", date(2026, 10, 25)),
        (DateIn(format="iso", timezone="Europe/Berlin"), "2026-03-28T23:00Z", date(2026, 3, 29)),
        (DateIn(format="iso", timezone="Europe/Berlin"), "2026-10-24T22:00Z", date(2026, 10, 25)),
        (DateIn(format="iso", timezone="Europe/Berlin"), "2026-10-25T23:00Z", date(2026, 10, 26)),
    ],
)
def test_a_date_is_read(transform: DateIn, raw: object, day: date) -> None:
    assert read(transform, FieldType.DATE, raw) == day


@pytest.mark.parametrize(
    ("transform", "raw"),
    [
        (DateIn(format="%m/%d/%Y"), "2/30/2026"),
        (DateIn(format="%m/%d/%Y"), "10/20/0001"),
        (DateIn(format="%m/%d/%Y"), "\uff11/1/2026"),
        (DateIn(format="%m/%d/%Y"), "1/1/2026 24:00"),
        (DateIn(format="iso"), "0001-01-01T00:00:00+14:00"),
        (DateIn(format="epoch_ms"), "1_0"),
        (DateIn(format="epoch_ms"), "999999999999999"),
        (DateIn(format="epoch_ms"), 1_773_100_800_000_000),
        (DateIn(format="iso"), "2026-03-10T24:01:00Z"),
        (DateIn(format="iso"), "2026-06-30T23:59:60Z"),
        (DateIn(format="epoch_ms"), "-5"),
        (DateIn(), None),
    ],
)
def test_what_is_no_date_is_refused(transform: DateIn, raw: object) -> None:
    with pytest.raises(ValueError, match=r"is not a date|is no text"):
        read(transform, FieldType.DATE, raw)


@given(st.dates(date(1970, 1, 1), date(2100, 12, 31)))
def test_a_date_is_written_back_as_it_was_read(day: date) -> None:
    for pattern in ("%Y-%m-%d", "%m/%d/%Y", "iso", "epoch_ms"):
        transform = DateIn(format=pattern)
        assert read(transform, FieldType.DATE, writer_of(transform)(day)) == day


def test_a_value_map_reads_rejects_keeps_and_nulls() -> None:
    words = {"Won": "won", "7": "seven"}
    assert read(ValueMap(values=words), FieldType.TEXT, "Won") == "won"
    assert read(ValueMap(values=words), FieldType.TEXT, 7) == "seven"
    assert read(ValueMap(values=words, otherwise="keep"), FieldType.TEXT, " x ") == "x"
    assert read(ValueMap(values=words, otherwise="null"), FieldType.TEXT, "x") is None
    with pytest.raises(UnknownWordError, match="'x' is not in the value map"):
        read(ValueMap(values=words), FieldType.TEXT, "x")
    with pytest.raises(ValueError, match="not an amount"):
        read(ValueMap(values={"a": "1"}, otherwise="keep"), FieldType.MONEY, "x")


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=3), min_size=1))
def test_a_value_map_reads_back_what_it_wrote(words: dict[str, str]) -> None:
    for ours, theirs in reverse(ValueMap(values=words)).items():
        assert words[theirs] == ours
        assert writer_of(ValueMap(values=words))(ours) == theirs


@pytest.mark.parametrize(
    ("raw", "name"),
    [("49.99", "s"), (50, "m"), ("-1", "s"), (Decimal("99.5"), "l"), ("1000", "l")],
)
def test_a_bucket_names_the_first_bound_that_is_above(raw: object, name: str) -> None:
    bucket = Bucket(below=(("50", "s"), ("99.5", "m")), above="l")
    assert read(bucket, FieldType.TEXT, raw) == name


@pytest.mark.parametrize("raw", ["many", "", [1], True])
def test_a_bucket_needs_a_number(raw: object) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        read(Bucket(below=(("50", "s"),), above="l"), FieldType.TEXT, raw)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("acme.com", "acme.com"),
        ("WWW.Acme.co.uk.", "acme.co.uk"),
        ("http://user:secret@acme.com:8080/a?b#c", "acme.com"),  # pragma: allowlist secret
        ("ftp://www.acme.com#x", "acme.com"),
        ("jo@acme.com", "acme.com"),
        ("https://b\u00fccher.example/", "b\u00fccher.example"),
    ],
)
def test_a_host_is_taken_out_of_an_address(text: str, host: str) -> None:
    assert host_of(text) == host
    assert read(DomainOf(), FieldType.DOMAIN, text) == host


@pytest.mark.parametrize("text", ["n/a", "http://", "localhost", "a b.com", "[::1]", "..", "@"])
def test_what_holds_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a host name"):
        host_of(text)


@given(st.text(max_size=40))
def test_a_host_is_its_own_host(text: str) -> None:
    try:
        host = host_of(text)
    except ValueError:
        return
    assert host_of(f"https://{host}/x") == host.removeprefix("www.")


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_scaled_money_comes_back(amount: Decimal) -> None:
    transform = MoneyIn(scale=-2)
    assert read(transform, FieldType.MONEY, writer_of(transform)(amount)) == amount


def test_scaled_money_keeps_the_grammar() -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        read(MoneyIn(scale=9), FieldType.MONEY, "999999999999999")


def test_every_transform_says_what_it_gives() -> None:
    assert set(RESULT) == {ValueMap, Bucket, DomainOf, DateIn, MoneyIn, Join}


@pytest.mark.parametrize("transform", [Bucket(below=(), above="x"), DomainOf(), Join(paths=())])
def test_what_has_no_way_back_cannot_be_written(transform: Transform) -> None:
    assert not isinstance(transform, REVERSIBLE)
    with pytest.raises(TypeError, match="has no way back"):
        writer_of(transform)


def test_without_a_transform_only_dates_become_texts() -> None:
    write = writer_of(None)
    assert [write(value) for value in ("a", 1, Decimal("1.5"), date(2026, 1, 2))] == [
        "a", 1, Decimal("1.5"), "2026-01-02",
    ]  # fmt: skip


def test_utc_needs_no_zone_data() -> None:
    assert zone_of("UTC") is UTC
