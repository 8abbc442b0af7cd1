"""Every hostile text in what a person or a program may say to the library and to the readers.

Each gets an answer or one of our own errors; an error has changed no row.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest

from quotey import Quotey, QuoteyError, open_quotey
from quotey.app.quotes import QuoteTerms
from quotey.contract.errors import MappingError
from quotey.contract.mapping_file import parse_mapping
from quotey.wire import Unreadable, http_date, read_json, retry_after
from tests.contract.texts import MAPPING
from tests.corpus.hostile import EVERY

TEXTS = {title: value for title, value in EVERY.items() if isinstance(value, str)}
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def told(**words: Any) -> QuoteTerms:  # noqa: ANN401 - one term, whichever
    """Give terms of which one is hostile."""
    return QuoteTerms(total="1", **words)


Say = Callable[[Quotey, str], object]
SAYINGS: dict[str, Say] = {
    "quote of": lambda one, text: one.quote_create(text, QuoteTerms(total="1")),
    "total": lambda one, text: one.quote_create("D-1001", QuoteTerms(total=text)),
    "currency": lambda one, text: one.quote_create("D-1001", told(currency=text)),
    "until": lambda one, text: one.quote_create("D-1001", told(valid_until=text)),
    "note": lambda one, text: one.quote_create("D-1001", told(note=text)),
    "token": lambda one, text: one.quote_create("D-1001", QuoteTerms(total="1"), token=text),
    "attachment": lambda one, text: one.quote_create(
        "D-1001", QuoteTerms(total=1, attachment=text)
    ),
    "deal name": lambda one, text: one.deal_update("D-1001", {"name": text}),
    "deal amount": lambda one, text: one.deal_update("D-1001", {"amount": text}),
    "deal field": lambda one, text: one.deal_update("D-1001", {text: "1"}),
    "segment": lambda one, text: one.account_update("A-1001", {"segment": text}),
    "look up": lambda one, text: one.lookup_account(text),
    "explain": lambda one, text: one.explain(text),
    "explain field": lambda one, text: one.explain("deal/D-1001", text),
    "lock for": lambda one, text: one.lock("deal/D-1001", "stage", span=text, reason="x"),
    "lock reason": lambda one, text: one.lock("deal/D-1001", "name", span="1h", reason=text),
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quotey]:
    folder: Path = tmp_path_factory.mktemp("desk")
    with open_quotey(cwd=folder) as one:
        one.sync()
        yield one


class Watcher:
    """Another connection to the same file, which SQLite tells whether anything was committed."""

    def __init__(self, path: str) -> None:
        self._connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)

    def version(self) -> object:
        """Give a number that changes with every commit of somebody else."""
        return self._connection.execute("PRAGMA data_version").get


@pytest.mark.parametrize("saying", SAYINGS)
def test_any_text_is_answered_or_refused_and_a_refusal_changes_nothing(
    desk: Quotey, saying: str
) -> None:
    watcher = Watcher(desk.db_check().path)
    before = watcher.version()
    for title, text in TEXTS.items():
        try:
            SAYINGS[saying](desk, text)
        except QuoteyError as refused:
            assert refused.message, title  # noqa: PT017 - refused or answered
            assert watcher.version() == before, f"{saying} {title}: refused, and something changed"
        before = watcher.version()


@pytest.mark.parametrize("title", TEXTS)
def test_any_text_as_a_wait_is_a_number_or_nothing(title: str) -> None:
    waited = retry_after(TEXTS[title], NOW)
    assert waited is None or timedelta() <= waited <= timedelta(seconds=999_999_999)
    assert http_date(TEXTS[title]) is None


BODIES: dict[str, bytes] = {
    title: text.encode(errors="surrogatepass") for title, text in TEXTS.items()
}
BODIES |= {
    "nan": b'{"a":NaN}', "infinity": b"[Infinity]", "1e400": b"[1e400]",
    "1e999999999": b"[1e999999999]",
    "twice": b'{"a":1,"a":2}', "bom": b"\xef\xbb\xbf{}", "utf-16": "{}".encode("utf-16"),
    "deep": b"[" * 100_000, "open": b'{"a":', "more": b"{}{}", "comma": b"[1,]", "comment": b"{}//",
    "single": b"{'a':1}", "5000 digits": b"[" + b"9" * 5000 + b"]", "html": b"<html></html>",
    "nothing": b"", "null": b"null", "latin": b'{"a":"\xe9"}', "nul": b'{"a":"\x00"}',
}  # fmt: skip


@pytest.mark.parametrize("title", BODIES)
def test_any_body_is_json_to_the_letter_or_unreadable(title: str) -> None:
    try:
        value = read_json(BODIES[title])
    except Unreadable:
        return
    assert same(value, json.loads(BODIES[title], parse_float=Decimal))


def same(ours: object, theirs: object) -> bool:
    """Whether two readers of JSON took the same from it; True is not 1."""
    return repr(ours) == repr(theirs)


@pytest.mark.parametrize("title", TEXTS)
def test_any_text_in_a_mapping_file_is_read_or_all_its_problems_are_told(title: str) -> None:
    quoted = json.dumps(TEXTS[title]).replace("\x7f", "\\u007f")
    for old in ('path = "title"', 'default = "none"', '"%d.%m.%Y"', 'provider = "stub"'):
        text = MAPPING.replace(old.rpartition(" ")[2], quoted, 1)
        try:
            parse_mapping(text, name="mapping.toml")
        except MappingError as refused:
            assert refused.diagnostics or refused.message  # noqa: PT017 - refused or read


def test_all_of_this_fits_into_little_memory() -> None:
    """The whole corpus has run in this process by now, or at least its longest texts."""
    for text in ("x" * 2**20, "\u00e9" * 2**19):
        read_json(json.dumps({"a": text}).encode())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1_000_000
