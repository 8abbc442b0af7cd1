"""Bad input for quotes: one clear error each, every problem named, and nothing changed."""

from __future__ import annotations

import hashlib
import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quotey.contract.errors import QuoteyError, UsageError
from quotey.contract.journal import MirrorRecord
from quotey.desk import attachments, quotes
from quotey.desk.quotes import LineTerms, QuoteTerms
from tests.desk.desk_world import DeskWorld

BAD_TERMS = [
    (QuoteTerms(total="NaN"), "total", "is not an amount"),
    (QuoteTerms(total=Decimal("NaN")), "total", "is not an amount"),
    (QuoteTerms(total=Decimal("Infinity")), "total", "is not an amount"),
    (QuoteTerms(total="9" * 40), "total", "is not an amount"),
    (QuoteTerms(total=Decimal("9" * 40)), "total", "is not an amount"),
    (QuoteTerms(total=Decimal("1E+400")), "total", "is not an amount"),
    (QuoteTerms(total="1_000"), "total", "is not an amount"),
    (QuoteTerms(total="\uff11\uff12"), "total", "is not an amount"),
    (QuoteTerms(total="1e3"), "total", "is not an amount"),
    (QuoteTerms(total="100.005"), "total", "finer than EUR allows"),
    (QuoteTerms(total="-1"), "total", "less than zero"),
    (QuoteTerms(), "total", "needs a total"),
    (QuoteTerms(lines=()), "total", "needs a total"),
    (QuoteTerms(total="1", currency="USD"), "currency", "its deal in EUR"),
    (QuoteTerms(total="1", currency="EURO"), "currency", "ISO 4217"),
    (QuoteTerms(total="1", currency="eur"), "currency", "write EUR"),
    (QuoteTerms(total="1", currency="DEM"), "currency", "ISO 4217"),
    (QuoteTerms(total="1", valid_until="0001-01-01"), "valid_until", "outside 1970 to 2100"),
    (QuoteTerms(total="1", valid_until="9999-12-31"), "valid_until", "outside 1970 to 2100"),
    (QuoteTerms(total="1", valid_until="2026-02-30"), "valid_until", "is not a date"),
    (QuoteTerms(total="1", valid_until="2026-02-28"), "valid_until", "is past"),
    (QuoteTerms(total="1", valid_until="tomorrow"), "valid_until", "is not a date"),
    (QuoteTerms(total="1", note="a\x00b"), "note", "control character"),
    (QuoteTerms(total="1", note="a\x1b[2J"), "note", "control character"),
    (QuoteTerms(total="1", note="\ud800"), "note", "surrogate"),
    (QuoteTerms(total="1", note="x" * 40_000), "note", "longer than"),
    (QuoteTerms(total="1", price_trace="\x07"), "price_trace", "control character"),
    (
        QuoteTerms(total="2", lines=(LineTerms(name="a", total="1"),)),
        "total",
        "sum to 1.00 EUR, not to 2.00 EUR",
    ),
    (QuoteTerms(lines=(LineTerms(name=" ", total="1"),)), "lines[1].name", "blank"),
    (QuoteTerms(lines=(LineTerms(name="a", total="NaN"),)), "lines[1].total", "not an amount"),
    (
        QuoteTerms(lines=(LineTerms(name="a", total="1", quantity="0"),)),
        "lines[1].quantity",
        "not more than zero",
    ),
    (
        QuoteTerms(lines=(LineTerms(name="a", total="1"),) * 1001),
        "lines",
        "1,001 lines are more than 1,000",
    ),
    (
        QuoteTerms(lines=(LineTerms(name="a", total="9" * 15),) * 2),
        "total",
        "is not an amount",
    ),
]


@pytest.mark.parametrize(("terms", "field", "told"), BAD_TERMS)
def test_bad_terms_are_one_clear_error_and_change_nothing(
    world: DeskWorld, deal: MirrorRecord, terms: QuoteTerms, field: str, told: str
) -> None:
    before = world.dump()
    with pytest.raises(UsageError, match="Nothing was changed") as caught:
        quotes.create(world.desk, deal.id, terms)
    problems = {one.field: one.message for one in caught.value.diagnostics}
    assert told in problems[field]
    assert world.dump() == before


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        (QuoteTerms(total="0.5"), "finer than JPY allows (0 decimals)"),
        (QuoteTerms(total="1.0005"), ""),
    ],
)
def test_a_total_keeps_the_minor_unit_of_its_currency(
    world: DeskWorld, terms: QuoteTerms, told: str
) -> None:
    world.account()
    yen = world.deal(2, local={"account_id": "acc_1", "name": "Y", "currency": "JPY"})
    dinar = world.deal(3, local={"account_id": "acc_1", "name": "K", "currency": "KWD"})
    with pytest.raises(UsageError, match=r"finer than JPY allows \(0 decimals\)"):
        quotes.create(world.desk, yen.id, terms)
    if not told:
        with pytest.raises(UsageError, match=r"finer than KWD allows \(3 decimals\)"):
            quotes.create(world.desk, dinar.id, terms)
    assert quotes.create(world.desk, dinar.id, QuoteTerms(total="1.005")).changed


def test_all_problems_are_told_at_once(world: DeskWorld, deal: MirrorRecord) -> None:
    with pytest.raises(UsageError) as caught:
        quotes.create(
            world.desk,
            deal.id,
            QuoteTerms(
                total="NaN",
                currency="XXX",
                valid_until="0001-01-01",
                note="\x00",
                attachment="../../etc/passwd",
            ),
        )
    assert {one.field for one in caught.value.diagnostics} == {
        "total",
        "currency",
        "valid_until",
        "note",
        "attachment_ref",
    }


@pytest.mark.parametrize("token", ["", " padded ", "\x00", "x" * 2000])
def test_a_token_that_is_none_is_refused(world: DeskWorld, deal: MirrorRecord, token: str) -> None:
    before = world.dump()
    with pytest.raises(UsageError, match="Nothing was changed"):
        quotes.create(world.desk, deal.id, QuoteTerms(total="1"), token=token)
    assert world.dump() == before


def test_a_revision_in_a_currency_that_the_deal_has_left_is_refused(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    """The CRM moved the deal to another currency; nothing is converted by itself."""
    made = world.quoted(deal)
    world.deal(1, local=deal.local | {"currency": "USD"})
    before = world.dump()
    with pytest.raises(UsageError, match="the quote is in EUR, its deal in USD"):
        quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90"))
    assert world.dump() == before
    assert quotes.revise(world.desk, made.quote.id, QuoteTerms(note="ask them")).changed
    moved = quotes.revise(world.desk, made.quote.id, QuoteTerms(total="90", currency="USD"))
    assert moved.quote.current.currency == "USD"


def test_a_quote_needs_a_currency_when_its_deal_has_none(world: DeskWorld) -> None:
    world.account()
    bare = world.deal(4, local={"account_id": "acc_1", "name": "N"})
    with pytest.raises(UsageError, match="the quote must name one"):
        quotes.create(world.desk, bare.id, QuoteTerms(total="1"))
    assert quotes.create(world.desk, bare.id, QuoteTerms(total="1", currency="USD")).changed


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    total=st.text(max_size=20) | st.decimals() | st.none(),
    currency=st.text(max_size=4) | st.none(),
    valid_until=st.text(max_size=12) | st.dates() | st.none(),
    note=st.text(max_size=20),
)
def test_no_terms_ever_break_anything(
    world: DeskWorld,
    total: str | Decimal | None,
    currency: str | None,
    valid_until: str | None,
    note: str,
) -> None:
    world.account()
    world.deal(5)
    before = world.dump()
    terms = QuoteTerms(total=total, currency=currency, valid_until=valid_until, note=note)
    try:
        made = quotes.create(world.desk, "deal_5", terms)
    except QuoteyError:
        assert world.dump() == before
    else:
        assert made.quote.current.total >= 0


# --- attachments ---------------------------------------------------------------------------------

BAD_REFS = [
    "../secret.pdf",
    "../../etc/passwd",
    "a/../../b",
    "./a",
    "a//b",
    "/etc/passwd",
    "~/secret",
    "file:///etc/passwd",
    "https://example.com/a.pdf",
    "\\\\host\\share",
    "C:\\a.pdf",
    "%2e%2e/secret",
    "a\x00b",
    "a\nb",
    "a\u2028b",
    " ",
    "x" * 5000,
    "missing.pdf",
    "folder",
    "link.pdf",
    "linked/inside.pdf",
    "fifo",
    "empty.pdf",
    "file.pdf/inside",
]


@pytest.fixture
def root(world: DeskWorld, tmp_path: Path) -> Path:
    """An attachment root full of traps."""
    root = world.home / "attachments"
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "inside.pdf").write_bytes(b"secret")
    (root / "folder").mkdir()
    (root / "folder" / "offer.pdf").write_bytes(b"offer")
    (root / "file.pdf").write_bytes(b"offer")
    (root / "empty.pdf").touch()
    (root / "link.pdf").symlink_to(outside / "inside.pdf")
    (root / "linked").symlink_to(outside)
    os.mkfifo(root / "fifo")
    return root


@pytest.mark.parametrize("ref", BAD_REFS)
def test_an_attachment_never_leaves_its_root(
    world: DeskWorld, deal: MirrorRecord, root: Path, ref: str
) -> None:
    made = world.quoted(deal)
    before = world.dump()
    with pytest.raises(UsageError, match="cannot be attached") as caught:
        quotes.attach(world.desk, made.quote.id, ref)
    assert [one.field for one in caught.value.diagnostics] == ["attachment_ref"]
    assert world.dump() == before


def test_an_attachments_digest_and_size_are_fixed_when_it_is_attached(
    world: DeskWorld, deal: MirrorRecord, root: Path
) -> None:
    made = world.quoted(deal)
    answer = quotes.attach(world.desk, made.quote.id, "folder/offer.pdf")
    (root / "folder" / "offer.pdf").write_bytes(b"another")

    current = quotes.show(world.desk, made.quote.id).quote.current
    assert (current.attachment_ref, current.attachment_bytes) == ("folder/offer.pdf", 5)
    op = world.op(answer.operation_id)
    assert current.attachment_sha256 == hashlib.sha256(b"offer").hexdigest()
    assert op.payload["attachment_sha256"] == current.attachment_sha256
    assert op.payload["attachment_bytes"] == "5"


def test_an_attachment_of_more_than_25_mb_is_refused(
    world: DeskWorld, deal: MirrorRecord, root: Path
) -> None:
    made = world.quoted(deal)
    with (root / "big.pdf").open("wb") as file:
        file.truncate(attachments.MAX_BYTES + 1)
    with pytest.raises(UsageError, match="larger than 25 MB"):
        quotes.attach(world.desk, made.quote.id, "big.pdf")


def test_an_attachment_comes_with_new_terms_and_goes_with_a_blank(
    world: DeskWorld, deal: MirrorRecord, root: Path
) -> None:
    made = quotes.create(world.desk, deal.id, QuoteTerms(total="1", attachment="file.pdf"))
    assert made.quote.current.attachment_ref == "file.pdf"
    kept = quotes.revise(world.desk, made.quote.id, QuoteTerms(total="2"))
    assert kept.quote.current.attachment_ref == "file.pdf"
    gone = quotes.revise(world.desk, made.quote.id, QuoteTerms(attachment=""))
    assert (gone.quote.current.attachment_ref, gone.quote.current.attachment_bytes) == (None, 0)


def test_a_missing_root_is_told_as_a_missing_file(world: DeskWorld, deal: MirrorRecord) -> None:
    made = world.quoted(deal)
    (world.home / "attachments").rmdir()
    with pytest.raises(UsageError, match="there is no such file"):
        quotes.attach(world.desk, made.quote.id, "file.pdf")


def test_nothing_is_attached_to_a_cancelled_quote(
    world: DeskWorld, deal: MirrorRecord, root: Path
) -> None:
    made = world.quoted(deal)
    quotes.change_status(world.desk, made.quote.id, "cancelled")
    with pytest.raises(QuoteyError, match="nothing can be attached"):
        quotes.attach(world.desk, made.quote.id, "file.pdf")
