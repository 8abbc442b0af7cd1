"""Bad input, end to end through the command line: one clear error each, and nothing is changed.

The list is the issue's. What a command refuses leaves every row as it was; what the CRM holds
wrongly is kept out, listed, and holds nothing else up.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from quotey.app.facade import Quotey, open_quotey
from quotey.app.quotes import QuoteTerms
from quotey.contract.errors import QuoteyError
from quotey.store.schema import APPLICATION_ID
from tests.cli.terminal import Ran, Terminal
from tests.machine.as_nobody import NOBODY
from tests.machine.theatre import SPEC

ROOT = Path(__file__).parents[2]

ACCOUNTS = "id,name,website,segment\nA-1,Alder,alder.example,SMB\nA-2,Birch,b.example,SMB\n"
CONTACTS = "id,first_name,last_name,email,account_id\nC-1,Ada,Ash,ada@alder.example,A-1\n"
HEAD = "id,name,account_id,stage,amount,close_date,currency\n"
DEALS = (
    f"{HEAD}D-1,One,A-1,open,100,2026-05-01,EUR\n"
    "D-2,Two,A-2,open,1.234,2026-05-01,KWD\n"
    "D-3,Three,A-2,open,5,2026-05-01,JPY\n"
)


def furnish(folder: Path, *, accounts: str = ACCOUNTS, deals: str = DEALS) -> Path:
    data = folder / "data"
    data.mkdir(exist_ok=True)
    tables = {"accounts.csv": accounts, "contacts.csv": CONTACTS, "deals.csv": deals}
    for name, text in {**tables, "dataset.toml": SPEC}.items():
        (data / name).write_text(text, encoding="utf-8")
    (folder / "quotey.toml").write_text('[connections.main]\ndataset = "data"\n', encoding="utf-8")
    return folder


@pytest.fixture
def shop(tmp_path: Path) -> Terminal:
    """A terminal after a first sync of good data."""
    terminal = Terminal(furnish(tmp_path))
    assert terminal("crm", "sync").code == 0
    return terminal


def rows(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of both databases."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for path in sorted((folder / ".quotey").glob("*.db")):
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        names = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_schema WHERE type='table'")
        ]
        for name in names:
            table = connection.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608 - ours
            found[f"{path.name}.{name}"] = sorted(table, key=repr)
        connection.close()
    return found


def content(folder: Path) -> dict[str, bytes]:
    """Every byte of every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def refused(shop: Terminal, code: int, *words: str) -> Ran:
    """Run what must be refused: nothing on stdout, a clear sentence on stderr, every row kept."""
    before = rows(shop.cwd)
    ran = shop(*words)
    assert ran.code == code, ran
    assert ran.out == "", ran
    assert "Nothing was changed." in ran.err, ran
    assert "Traceback" not in ran.err
    assert rows(shop.cwd) == before
    return ran


# --- files that a person writes -------------------------------------------------------------------


def test_an_unknown_configuration_key_is_named_with_the_one_that_was_meant(tmp_path: Path) -> None:
    shop = Terminal(furnish(tmp_path))
    config = "[conections.main]\ndataset = 'data'\n[limits]\nlease = 9\n"
    (tmp_path / "quotey.toml").write_text(config, encoding="utf-8")
    before = content(tmp_path)
    ran = shop("crm", "sync")
    assert ran.code == 2
    assert "2 problems" in ran.err
    assert "connections.main.dataset" in ran.err
    assert "limits.lease_seconds" in ran.err
    assert content(tmp_path) == before


TEN_ERRORS = """
provider = "stub"
[acount]
x = 1
[account.fields.nme]
path = "n"
[account.fields.name]
path = ""
direction = "sideways"
policy = "nobody_wins"
[deal.fields.amount]
path = "amount"
type = "monney"
strategy = "bestest"
[deal.fields.id]
path = "id"
policy = "crm_wins"
[contact.fields.email]
transform = { kind = "magic" }
[quote]
target = "nowhere"
"""


def test_a_mapping_with_ten_errors_tells_all_ten_and_stops_before_anything(shop: Terminal) -> None:
    (shop.cwd / "mappings").mkdir()
    (shop.cwd / "mappings" / "main.toml").write_text(TEN_ERRORS, encoding="utf-8")
    before = rows(shop.cwd)
    ran = shop("crm", "sync", "--json")
    assert ran.code == 5
    document = ran.document
    problems = [one for one in document["diagnostics"] if one["severity"] == "error"]
    lines = [one["line"] for one in problems]
    assert len(problems) == 10, problems
    assert lines == sorted(lines)
    assert all(line > 0 for line in lines)
    assert "<Entity" not in ran.out
    after = rows(shop.cwd)
    changed = {name for name in after if after[name] != before[name]}
    assert changed <= {f"quotey.db.{name}" for name in ("sync_state", "audit_event", "audit_body")}


def test_a_broken_row_of_a_table_is_one_reject_and_its_neighbours_come_in(tmp_path: Path) -> None:
    broken = f"{DEALS}D-4,Four,A-1\nD-5,Five,A-1,open,5,2026-05-01,EUR\n"
    shop = Terminal(furnish(tmp_path, deals=broken))
    ran = shop("crm", "sync")
    assert ran.code == 3
    assert shop("crm", "deal", "show", "D-5").code == 0
    assert _kept_out(shop) == 1


def test_an_id_that_stands_twice_in_a_table_is_told_and_the_rest_comes_in(tmp_path: Path) -> None:
    twice = f"{ACCOUNTS}A-2,Birch again,b.example,SMB\n"
    shop = Terminal(furnish(tmp_path, accounts=twice))
    assert shop("crm", "sync").code == 3
    assert _kept_out(shop) == 1
    assert len(shop.json("crm", "lookup", "account", "a")["records"]) >= 1
    assert shop("crm", "account", "show", "A-1").code == 0


def _kept_out(shop: Terminal) -> int:
    """Count what is kept out, by the rows and by what a person is shown."""
    quarantined = rows(shop.cwd)["quotey.db.quarantine"]
    items = shop.json("crm", "reconcile", "list", "--each")["items"]
    assert len({item["entity_id"] for item in items}) == len(quarantined)
    return len(quarantined)


# --- amounts, dates, texts ------------------------------------------------------------------------

FORTY = "1234567890123456789012345678901234567890"
BAD_TERMS = [
    ("--total", "NaN"),
    ("--total", "Infinity"),
    ("--total", "1e5"),
    ("--total", FORTY),
    ("--total", f"0.{FORTY}"),
    ("--total", "-1"),
    ("--total", "1.005"),
    ("--total", "1,000.00"),
    ("--total", "\uff11\uff12"),
    ("--total", "5", "--valid-until", "0001-01-01"),
    ("--total", "5", "--valid-until", "9999-12-31"),
    ("--total", "5", "--valid-until", "2026-02-30"),
    ("--total", "5", "--note", "bell\a"),
    ("--total", "5", "--note", "nul\0"),
    ("--total", "5", "--note", "escape\x1b[31m"),
    ("--total", "5", "--currency", "EURO"),
    ("--total", "5", "--currency", "XYZ"),
    ("--total", "5", "--currency", "USD"),
]


@pytest.mark.parametrize("terms", BAD_TERMS, ids=lambda one: ascii(one)[:40])
def test_terms_that_make_no_quote_are_refused(shop: Terminal, terms: tuple[str, ...]) -> None:
    ran = refused(shop, 2, "quote", "create", "D-1", *terms)
    assert not set(ran.err) & {"\a", "\0", "\x1b"}


def test_a_currency_of_three_decimals_takes_three_and_one_of_none_takes_none(
    shop: Terminal,
) -> None:
    assert shop("quote", "create", "D-2", "--total", "1.234").code == 0
    refused(shop, 2, "quote", "create", "D-2", "--total", "1.2345")
    assert shop("quote", "create", "D-3", "--total", "12").code == 0
    refused(shop, 2, "quote", "create", "D-3", "--total", "12.5")


BAD_VALUES = [
    ("amount", "NaN"),
    ("amount", FORTY),
    ("amount", "1e400"),
    ("close_date", "0001-01-01"),
    ("close_date", "9999-12-31"),
    ("close_date", "31/12/2026"),
    ("name", "bell\a"),
    ("name", "escape\x1b[2J"),
    ("name", ""),
    ("name", "x" * 2000),
    ("currency", "EURO"),
    ("account_id", "A-404"),
]


@pytest.mark.parametrize(("field", "value"), BAD_VALUES, ids=lambda one: ascii(one)[:40])
def test_what_the_crm_holds_wrongly_is_kept_out_and_listed_and_holds_nothing_up(
    shop: Terminal, field: str, value: str
) -> None:
    before = shop.json("crm", "deal", "show", "D-1")["record"]["local"]
    _set_there(shop, "D-1", field, value)
    assert shop("crm", "stub", "set", "deal/D-2", "stage=won").code == 0
    ran = shop("crm", "sync")
    assert ran.code == 3, ran
    assert shop.json("crm", "deal", "show", "D-1")["record"]["local"] == before
    assert shop.json("crm", "deal", "show", "D-2")["record"]["local"]["stage"] == "won"
    listed = shop("crm", "reconcile", "list", "--each")
    assert f"deal.{field}" in listed.out
    assert not set(listed.out + ran.out + ran.err) & {"\a", "\x1b"}
    assert _kept_out(shop) == 1


def _set_there(shop: Terminal, ref: str, field: str, value: str) -> None:
    """Write into the CRM what no tool of ours would: past the command line's own checks."""
    with open_quotey(cwd=shop.cwd) as quotey:
        quotey.stub.set("deal", ref, {field: value})


# --- records that go round in a circle ------------------------------------------------------------


def test_records_that_are_merged_in_a_circle_are_answered_and_never_looped_over(
    shop: Terminal,
) -> None:
    """A into B, B brought back into A: whoever is asked answers, and every item can be settled."""
    assert shop("quote", "create", "D-1", "--total", "5").code == 0
    assert shop("quote", "create", "D-2", "--total", "5").code == 0
    for loser, winner in (("D-1", "D-2"), ("D-2", "D-1"), ("D-1", "D-3")):
        assert shop("crm", "stub", "set", f"deal/{loser}", "stage=again").code == 0
        assert shop("crm", "stub", "merge", f"deal/{loser}", f"deal/{winner}").code == 0
        assert shop("crm", "sync").code == 3
        for item in shop.json("crm", "reconcile", "list", "--each")["items"]:
            shop("crm", "reconcile", "apply", item["id"], "--rebind")
        assert shop("crm", "sync").code in (0, 3)
        if loser != "D-1" or winner != "D-3":
            assert shop("crm", "stub", "set", f"deal/{loser}", "stage=back").code == 0
    for ref in ("D-1", "D-2", "D-3"):
        assert shop("crm", "deal", "show", ref).code == 0
        assert shop("crm", "explain", f"deal/{ref}").code == 0
    assert shop("db", "check").code == 0


# --- the database itself --------------------------------------------------------------------------

COMMANDS = (
    ("crm", "status"),
    ("crm", "sync"),
    ("quote", "create", "D-1", "--total", "5"),
    ("db", "check"),
    ("db", "upgrade"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_database_of_a_newer_version_is_left_alone(
    shop: Terminal, words: tuple[str, ...]
) -> None:
    path = shop.cwd / ".quotey" / "quotey.db"
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("PRAGMA user_version = 99")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert connection.pragma("application_id") == APPLICATION_ID
    connection.close()
    before = content(shop.cwd / ".quotey")
    ran = shop(*words)
    assert ran.code == 7, ran
    assert "schema 99" in ran.err
    assert "Nothing was changed." in ran.err
    assert "Next: pip install --upgrade quotey" in ran.err
    assert content(shop.cwd / ".quotey") == before


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    shop = Terminal(furnish(tmp_path))
    (tmp_path / ".quotey").mkdir()
    path = tmp_path / ".quotey" / "quotey.db"
    path.write_bytes(b"This is no database at all. " * 400)
    before = path.read_bytes()
    ran = shop("crm", "sync")
    assert ran.code == 7, ran
    assert "Nothing was changed." in ran.err
    assert path.read_bytes() == before


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """The folder of a shop in which nobody may write any more."""
    folder = tmp_path / "shop"
    folder.mkdir()
    assert Terminal(furnish(folder))("crm", "sync").code == 0
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        path.chmod(0o500 if path.is_dir() else 0o400)
    parents = {parent: parent.stat().st_mode & 0o7777 for parent in tmp_path.parents[:3]}
    for parent in (tmp_path, *parents):
        parent.chmod(parent.stat().st_mode & 0o7777 | 0o011)  # to be walked through
    yield folder
    for parent, mode in parents.items():
        parent.chmod(mode)
    for path in paths:
        path.chmod(0o700 if path.is_dir() else 0o600)


@pytest.mark.parametrize("words", COMMANDS[:3], ids=" ".join)
def test_a_disk_that_cannot_be_written_is_one_clear_error(
    read_only: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    before = content(read_only)
    done = subprocess.run(
        [sys.executable, "-m", "tests.machine.as_nobody", str(scratch), str(read_only), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done
    assert "Nothing was changed." in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert content(read_only) == before


@pytest.mark.parametrize("words", COMMANDS[1:3], ids=" ".join)
def test_a_disk_that_is_full_is_one_clear_error_and_the_next_command_goes_on(
    shop: Terminal, words: tuple[str, ...]
) -> None:
    """No file of this process may grow past its size now: writing fails as on a full disk."""
    home = shop.cwd / ".quotey"
    assert shop("crm", "stub", "set", "deal/D-1", "stage=won").code == 0
    before = rows(shop.cwd)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    done = subprocess.run(
        [sys.executable, "-m", "quotey", *words],
        cwd=shop.cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )
    assert done.returncode == 7, done
    assert "Traceback" not in done.stderr
    kept = ("quotey.db.record", "quotey.db.quote", "quotey.db.quote_version", "quotey.db.outbox")
    after = rows(shop.cwd)
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert home.is_dir()
    assert shop(*words).code == 0
    assert shop("db", "check").code == 0


# --- naughty strings ------------------------------------------------------------------------------

_BUNDLED = [
    "",
    " ",
    "undefined",
    "NULL",
    "null",
    "1;DROP TABLE quote",
    "' OR 1=1 -- 1",
    "<script>alert(1)</script>",
    "%s%s%s%n",
    "../../../etc/passwd%00",
    "田中さんにあげて下さい",
    "\u03a9\u2248\u00e7\u221a\u222b\u02dc\u00b5\u2264\u2265\u00f7",
    "👾 🙇 💁",
    "\u202a\u202atest\u202a",
    "\u202etest",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A",
    "\uff23\uff2f\uff2e",
    "ﷺ",
    "\ufeff",
    "a\nb",
    "a\tb",
    "\x1b[31mred",
    "\x00",
    "\x7f",
    "i̇I",
    "ß",
    "0x0",
    "-0.00",
    "١٢٣",
    "{{7*7}}",
    "=1+1",
    "%",
    "_",
    "\\",
]


def naughty() -> list[str]:
    """The big list of naughty strings where it lies beside the repository, else a small one."""
    path = ROOT.parent / "shared" / "data" / "strings" / "blns.json"
    texts = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else _BUNDLED
    assert isinstance(texts, list)
    return [str(text) for text in texts]


def test_naughty_notes_are_kept_as_they_are_or_refused_whole(shop: Terminal) -> None:
    quote = shop.json("quote", "create", "D-1", "--total", "5")["quote"]["id"]
    with open_quotey(cwd=shop.cwd) as quotey:
        for text in naughty():
            before = quotey.quote_show(quote).quote.current
            refusal = _noted(quotey, quote, text)
            after = quotey.quote_show(quote).quote.current
            if refusal is None:
                assert after.note == text.strip(), text
            else:
                assert "Nothing was changed." in refusal.message, text
                assert after == before, text
    assert shop("quote", "show", quote).code == 0
    assert shop("db", "check").code == 0


def _noted(quotey: Quotey, quote: str, text: str) -> QuoteyError | None:
    """Write a note; gives the refusal, if it was refused."""
    try:
        quotey.quote_revise(quote, QuoteTerms(note=text))
    except QuoteyError as refusal:
        return refusal
    return None


def test_naughty_names_come_in_as_they_are_or_are_kept_out_and_listed(shop: Terminal) -> None:
    texts = naughty()
    with open_quotey(cwd=shop.cwd) as quotey:
        for number, text in enumerate(texts):
            quotey.stub.add(
                "account", f"N-{number}", {"name": text, "segment": "SMB", "website": "n.example"}
            )
        report = quotey.sync()
        assert not report.failures, report
        kept_out = {row[2] for row in rows(shop.cwd)["quotey.db.quarantine"]}
        for number, text in enumerate(texts):
            ref = f"N-{number}"
            if ref in kept_out:
                continue
            record = quotey.account_show(ref).record
            assert record.local["name"] == text.strip(), text
            found = quotey.lookup_account(text.strip()[:200], limit=200)
            assert record.id in {one.id for one in found.records}, text
    assert 0 < len(kept_out) < len(texts) / 2
    listed = shop("crm", "reconcile", "list", "--each", "--limit", "1000")
    assert listed.code in (0, 3)
    assert not set(listed.out) & {"\x1b", "\x00", "\u202e"}


@pytest.mark.parametrize("text", naughty()[::25], ids=ascii)
def test_naughty_words_on_the_command_line_get_a_clear_answer(shop: Terminal, text: str) -> None:
    for words in (
        ("crm", "lookup", "account", text),
        ("crm", "lookup", "contact", text),
        ("crm", "deal", "update", "D-1", f"name={text}"),
        ("quote", "create", "D-1", "--total", "5", "--note", text),
    ):
        ran = shop(*words)
        assert ran.code in (0, 2, 3), (words, ran)
        assert "Traceback" not in ran.err
        assert not set(ran.out + ran.err) & {"\x1b", "\x00", "\u202e"}, words
    assert shop("crm", "sync").code in (0, 3)
