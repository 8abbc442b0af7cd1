"""Canaries: keys and people planted everywhere, then every byte searched (G8, SEC-1 to SEC-6).

No key or token may be anywhere. Personal data may be in the tables of the database whose purpose it
is, and in an answer that was asked for it; in no log line, error, recording or other file.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from quotey.adapters import discover
from quotey.app.simulator import data_source
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.secret import shapes
from quotey.testing.names import Simulated
from quotey.testing.simulators.clock import RunningClock
from quotey.testing.simulators.rig import build_rig
from quotey.testing.simulators.server import serve
from tests.canary.echoes import EMAIL, KEY, NAME, PERSONAL, PHONE, SECRETS, TEXTS, WAYS, EchoCore
from tests.cli.terminal import Ran, Terminal

EVERY = [
    ("hubspot", "proxy"),
    ("salesforce", "tools"),
    pytest.param("hubspot", "tools", marks=pytest.mark.soak),
    pytest.param("salesforce", "proxy", marks=pytest.mark.soak),
]

MIRROR = frozenset({"record", "audit_body"})
"""Tables that may hold people: the mirror, and the erasable bodies of what happened to a record."""

OF_A_RECORD = "record."
"""How the kinds of events begin whose body may hold a record's values."""

DATASET = """
as_of = 2026-01-15T09:00:00Z
default_currency = "EUR"

[account]
file = "accounts.csv"
key = "id"

[contact]
file = "contacts.csv"
key = "id"

[contact.references]
account_id = { entity = "account" }

[deal]
file = "deals.csv"
key = "id"

[deal.references]
account_id = { entity = "account" }
"""
FILES = {
    "dataset.toml": DATASET,
    "accounts.csv": "id,name,website,segment,region\nA-1,Plain Works,plain.example,SMB,EMEA\n",
    "contacts.csv": (
        "id,first_name,last_name,email,account_id,title,phone\n"
        f"C-1,{NAME.replace(' ', ',')},{EMAIL},A-1,Buyer,{PHONE}\n"
    ),
    "deals.csv": (
        "id,name,account_id,stage,amount,close_date,currency,owner\n"
        f"D-1,Supply,A-1,prospecting,10.50,2026-09-01,EUR,{NAME}\n"
    ),
}


class Shop(Terminal):
    """Commands at the debug level before a gateway that echoes; keeps all that they printed."""

    def __init__(self, cwd: Path, echo: EchoCore) -> None:
        super().__init__(cwd)
        self.echo = echo
        self.environ["QUOTEY_CONNECTIONS__MAIN__API_KEY"] = KEY
        self.environ["QUOTEY_LOG__LEVEL"] = "debug"
        self.ran: list[tuple[tuple[str, ...], Ran]] = []

    def run(self, *argv: str) -> Ran:
        """Run a command and remember what it said."""
        ran = self(*argv)
        self.ran.append((argv, ran))
        return ran


@contextmanager
def shop(folder: Path, provider: Simulated, transport: str) -> Iterator[Shop]:
    data = folder / "data"
    data.mkdir()
    for name, text in FILES.items():
        (data / name).write_text(text, encoding="utf-8")
    desk = folder / "desk"
    desk.mkdir()
    clock = Terminal(desk).clock
    mapping = parse_mapping(discover()[provider].shipped_mapping(), name="shipped")
    rig = build_rig(provider, mapping, RunningClock(lambda: clock.at), source=data_source(data))
    rig.gateway.add_key(KEY)
    echo = EchoCore(rig.gateway)
    with serve((echo, rig.vendor)) as url:
        settings = {
            "provider": provider,
            "base_url": url,
            "loopback": True,
            "connected_account_id": rig.connected_account_id,
            "user_id": rig.user_id,
            "transport": transport,
            "requests_per_minute": 100000,
            **rig.settings,
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        (desk / "quotey.toml").write_text("\n".join(["[connections.main]", *lines]))
        made = Shop(desk, echo)
        made.clock = clock
        yield made


def all_goes_wrong(quotey: Shop) -> None:
    """Read, quote and write, and between that let everything fail in every way that echoes."""
    assert quotey.run("crm", "sync", "--json").data["entities"][1]["counts"]["created"] == 1
    deal = quotey.json("crm", "lookup", "deal", "Supply")["records"][0]["id"]
    made = quotey.json("quote", "create", deal, "--total", "10")
    quote = made["quote"]["id"]
    for number, (name, way) in enumerate(WAYS.items()):
        for form, text in TEXTS.items():
            quotey.json("quote", "revise", quote, "--total", f"{11 + number}")
            quotey.echo.way, quotey.echo.text = way, text
            before = quotey.echo.echoed
            quotey.run("crm", "sync", *(("--json",) if number % 2 else ()))
            assert quotey.echo.echoed > before, (name, form)
            quotey.run("crm", "doctor", "--json")
            quotey.run("crm", "record", f"bad {name} {form}", "--json")
            quotey.echo.way = None
            quotey.clock.sleep(7200)
            quotey.run("crm", "connect", "--json")
            quotey.run("crm", "status", "--json")


def look_everywhere(quotey: Shop) -> None:
    """Ask for all that was kept of it."""
    for words in (
        *(("crm", "sync"), ("crm", "doctor"), ("crm", "status"), ("crm", "status", "--json")),
        *(("crm", "audit"), ("crm", "audit", "--json"), ("crm", "audit", "--verify")),
        *(("crm", "outbox", "list", "--json"), ("crm", "reconcile", "list", "--json")),
        *(("crm", "record", "whole"), ("crm", "record", "other", "--json")),
        *(("db", "backup", "backup.db"), ("crm", "plan", "--json"), ("crm", "explain", "D-1")),
    ):
        quotey.run(*words)


def holds(content: bytes, canaries: tuple[str, ...]) -> list[str]:
    """Name the canaries that stand in the bytes in any form."""
    return [one for one in canaries if any(form.encode() in content for form in shapes(one))]


@pytest.mark.parametrize(("provider", "transport"), EVERY)
def test_no_canary_gets_out(
    provider: Simulated, transport: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with shop(tmp_path, provider, transport) as quotey:
        all_goes_wrong(quotey)
        look_everywhere(quotey)
    assert [one.code for argv, one in quotey.ran if argv[1:2] == ("record",)][-2:] == [0, 0]
    found: list[object] = []
    for argv, ran in quotey.ran:
        everything = SECRETS + PERSONAL
        found += [(argv, "stdout", one) for one in holds(ran.out.encode(), everything)]
        found += [(argv, "stderr", one) for one in holds(ran.err.encode(), everything)]
    said = "\n".join(record.getMessage() for record in caplog.records).encode()
    found += [("logging", one) for one in holds(said, SECRETS + PERSONAL)]
    for path in (one for one in quotey.cwd.rglob("*") if one.is_file()):
        database = path.suffix in {".db", ".db-wal"}
        unwanted = SECRETS if database else SECRETS + PERSONAL
        found += [(path.name, one) for one in holds(path.read_bytes(), unwanted)]
    for path in quotey.cwd.rglob("*.db"):
        found += [one for one in tables_with(path, PERSONAL) if one[0] not in MIRROR]
    for path in (quotey.cwd / ".quotey" / "quotey.db", quotey.cwd / "backup.db"):
        held = tables_with(path, PERSONAL)
        assert ("record", "local", EMAIL) in held, "the search finds what is there"
        found += [(kind, body) for kind, body in bodies(path) if not kind.startswith(OF_A_RECORD)]
    assert not found, "\n".join(map(str, found))


def tables_with(path: Path, canaries: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Name table, column and canary for all rows of a database."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    names = [str(row[0]) for row in db.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
    found: set[tuple[str, str, str]] = set()
    for table in names:
        rows = db.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - names of our own schema
        for row in rows:
            columns = [one[0] for one in rows.description]
            for column, value in zip(columns, row, strict=True):
                text = value if isinstance(value, bytes) else str(value).encode()
                found |= {(table, column, one) for one in holds(text, canaries)}
    db.close()
    return sorted(found)


def bodies(path: Path) -> list[tuple[str, str]]:
    """Give kind and body of the audit's events in whose body a person is named."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    rows = db.execute("SELECT e.kind, b.json FROM audit_event e JOIN audit_body b USING (seq)")
    found = [(str(kind), str(body)) for kind, body in rows if holds(str(body).encode(), PERSONAL)]
    db.close()
    return found


BROKEN = {
    "contacts.csv": (
        f"C-2,,,{EMAIL},A-1,Buyer,{PHONE}\n"
        f"C-3,Zelda,Canaryfield,zelda.canaryfield(at)canary,A-1,x,{PHONE}\n"
        f"C-4,{NAME} {'x' * 2000},,{EMAIL},A-9,x,\n"
    ),
    "deals.csv": (
        f"D-2,{NAME},A-1,prospecting,{PHONE},{NAME},EUR,{NAME}\n"
        f"D-3,{NAME},,{EMAIL},1,2026-01-01,{NAME},x\n"
    ),
}
ASKED_FOR = ("crm", "audit", "--json")
"""The one answer among these that is asked for what was in a record."""


def test_a_record_that_breaks_the_contract_is_told_of_without_its_values(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name, text in FILES.items():
        (tmp_path / "data" / name).write_text(text + BROKEN.get(name, ""), encoding="utf-8")
    (tmp_path / "quotey.toml").write_text(
        '[log]\nlevel = "debug"\n[connections.main]\nprovider = "stub"\ndataset = "data"\n'
    )
    quotey = Terminal(tmp_path)
    found: list[object] = []
    for argv in (
        *(("crm", "sync", "--json"), ("crm", "sync"), ("crm", "status", "--json"), ASKED_FOR),
        *(("crm", "reconcile", "list", "--each"), ("crm", "plan", "--json"), ("crm", "doctor")),
    ):
        ran = quotey(*argv)
        said = ran.err if argv == ASKED_FOR else ran.out + ran.err
        found += [(argv, one) for one in holds(said.encode(), PERSONAL)]
    held = tables_with(tmp_path / ".quotey" / "quotey.db", PERSONAL)
    found += [one for one in held if one[0] not in MIRROR | {"quarantine"}]
    assert ("quarantine", "payload", EMAIL) in held, "the search finds what is there"
    assert not found, "\n".join(map(str, found))
