"""A folder with configuration and data, and real processes that work in it.

What the parent was told is kept by the parent; what the CRM saw is read from the stub's own file.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from quotey.adapters.stub import PROVIDER, StubSettings, StubTools
from quotey.contract.mapping_file import parse_mapping
from quotey.store import open_store
from tests.machine.theatre import SPEC

ROOT = Path(__file__).parents[2]
PATHS = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
"""Where processes of these tests find the code: beside the tests, also where that is a copy of the
tree that a mutant was planted in, and not where something else is installed."""
PLAIN = (sys.executable, "-m", "quotey")
DEALS = 24

CONFIG = """
[connections.main]
provider = "stub"
dataset = "data"
page_size = 4
latency = {latency}
"""


def furnish(folder: Path, *, latency: float) -> Path:
    """Write configuration and data set."""
    data = folder / "data"
    data.mkdir()
    accounts = [f"A-{n},Account {n},a{n}.example,SMB" for n in range(1, 9)]
    contacts = [f"C-{n},Con,Tact {n},c{n}@a.example,A-{n}" for n in range(1, 9)]
    deals = [
        f"D-{n},Deal {n},A-{n % 8 + 1},open,{n}00.00,2026-05-01,EUR" for n in range(1, DEALS + 1)
    ]
    tables = {
        "accounts.csv": ["id,name,website,segment", *accounts],
        "contacts.csv": ["id,first_name,last_name,email,account_id", *contacts],
        "deals.csv": ["id,name,account_id,stage,amount,close_date,currency", *deals],
    }
    for name, lines in tables.items():
        (data / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (data / "dataset.toml").write_text(SPEC, encoding="utf-8")
    (folder / "quotey.toml").write_text(CONFIG.format(latency=latency), encoding="utf-8")
    return folder


FIRST = 8
"""How many die at a commit before anybody dies at any moment."""
AT_A_COMMIT = 0.5
"""How often somebody does so later."""


@dataclass
class Shop:
    """The folder, what its users were told, and how far ahead its clock is."""

    folder: Path
    seconds: float = 0.0
    told: dict[tuple[str, int], str] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    patience: dict[str, float] = field(default_factory=dict)
    """By command, the longest that one is left alive now, in seconds."""
    commits: Counter[str] = field(default_factory=Counter)
    """By command, the commit at which one has died last; 0 when that one had fewer."""

    @property
    def database(self) -> Path:
        """The database file."""
        return self.folder / ".quotey" / "quotey.db"

    # --- processes ------------------------------------------------------------------------------

    def start(self, *argv: str, plain: bool = False, dies_at: int = 0) -> subprocess.Popen[str]:
        """Start a command; unless `plain`, on a clock that is ahead. 0 = it dies at no commit."""
        later = ("tests.machine.later", str(self.seconds))
        ahead = ("tests.machine.dying", str(dies_at), *later) if dies_at else later
        return subprocess.Popen(
            [*(PLAIN if plain else (sys.executable, "-m", *ahead)), *argv],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": PATHS},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *argv: str, plain: bool = False) -> tuple[int, dict[str, Any]]:
        """Run a command to its end; gives its exit code and its document."""
        process = self.start(*argv, "--json", plain=plain)
        out, err = process.communicate(timeout=120)
        assert out, (argv, process.returncode, err)
        document = json.loads(out)
        assert isinstance(document, dict)
        return process.returncode, document

    def kill(self, chance: random.Random, *argv: str) -> bool:
        """Start a command and kill it; False when it had ended before.

        The first all die at commits of their own, at their first, their second and so on, and then
        every second, so that what belongs in one commit is seen apart where it is in two. Others
        die at any moment; who was killed gets longer next time, so that on a busy machine too some
        come far.
        """
        name = argv[0]
        if self.kills.total() < FIRST or chance.random() < AT_A_COMMIT:
            self.commits[name] += 1
            process = self.start(*argv, "--json", dies_at=self.commits[name])
            killed = self._heard(process, argv)
            self.commits[name] *= killed
        else:
            patience = self.patience.get(name, 1.0)
            process = self.start(*argv, "--json")
            with suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0.05, patience))
            process.send_signal(signal.SIGKILL)
            killed = self._heard(process, argv)
            self.patience[name] = patience * (1.2 if killed else 0.8)
        return killed

    def _heard(self, process: subprocess.Popen[str], argv: tuple[str, ...]) -> bool:
        """Hear out who was to be killed; whether that came in time."""
        out, err = process.communicate(timeout=60)
        killed = process.returncode == -signal.SIGKILL
        assert killed or process.returncode in (0, 3, 6), (argv, process.returncode, out, err)
        if killed:
            self.kills[argv[0]] += 1
        else:
            self.acknowledge(json.loads(out))
        return killed

    def acknowledge(self, document: dict[str, Any]) -> None:
        """Remember a quote version that a command has acknowledged."""
        quote = (document["data"] or {}).get("quote")
        if quote is not None:
            current = quote["current"]
            self.told[quote["id"], current["version"]] = current["total"]

    # --- looking --------------------------------------------------------------------------------

    def rows(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        """Read the database as another program does."""
        connection = apsw.Connection(str(self.database), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return list(connection.execute(sql, values))
        finally:
            connection.close()

    @contextmanager
    def crm(self) -> Iterator[StubTools]:
        """Stand on the CRM's side."""
        settings = StubSettings(dataset=self.folder / "data", page_size=4)
        mapping = parse_mapping(PROVIDER.shipped_mapping(settings), name="stub.toml")
        assert PROVIDER.tools is not None
        tools = PROVIDER.tools(settings, mapping, "main", home=self.database.parent)
        try:
            yield tools
        finally:
            tools.close()

    def written(self) -> Counter[tuple[str, int]]:
        """Count the effects of each quote version that the CRM saw."""
        with self.crm() as crm:
            return Counter(
                (effect.quote_id, effect.version)
                for effect in crm.log()
                if effect.operation == "write_quote"
            )

    def keyed(self) -> Counter[str]:
        """Count the effects of each idempotency key."""
        with self.crm() as crm:
            return Counter(effect.key for effect in crm.log() if effect.key)

    def check(self) -> None:
        """Hold what is true after any kill: whole file, whole chain, every quote, no double."""
        if not self.database.exists():
            return
        assert self.rows("PRAGMA integrity_check") == [("ok",)]
        assert self.rows("PRAGMA foreign_key_check") == []
        with open_store(self.database, role="sync") as store:
            assert store.audit.verify().ok
        assert not self.lost(), f"acknowledged {self.lost()} is not there"
        assert all(count == 1 for count in self.written().values()), self.written()
        assert all(count == 1 for count in self.keyed().values()), self.keyed()

    def lost(self) -> set[tuple[str, int]]:
        """Give the quote versions that were acknowledged and are not there as they were."""
        rows = self.rows("SELECT quote_id, version, total FROM quote_version")
        kept = {(quote, version): total for quote, version, total in rows}
        return {key for key, total in self.told.items() if kept.get(key) != total}

    def sync_until_done(self, *, plain: bool = False) -> None:
        """Sync until nothing waits; nothing else is done for it."""
        document: dict[str, Any] = {}
        for _ in range(8):
            self.seconds += 60
            code, document = self.run("crm", "sync", plain=plain)
            data = document["data"]
            if not data["waiting"] and not data["failures"]:
                assert code in (0, 3), document
                return
        raise AssertionError(f"it does not come to rest: {document}")

    def nothing_is_left(self) -> None:
        """Hold that all is delivered and mirrored, and that a further sync changes nothing."""
        assert (
            self.rows("SELECT * FROM outbox WHERE state NOT IN ('delivered', 'superseded')") == []
        )
        published = self.rows(
            "SELECT q.id, max(v.version) FROM quote AS q JOIN quote_version AS v "
            "ON v.quote_id = q.id WHERE q.published = 1 GROUP BY q.id"
        )
        written = self.written()
        for quote, version in published:
            assert written[quote, version] == 1, (quote, version)
        self.both_sides_agree()
        self.run("crm", "sync")  # sees its own last writes come back
        before = self._picture()
        self.run("crm", "sync")
        assert self._picture() == before, "a sync with nothing to do did something"

    def both_sides_agree(self) -> None:
        """Hold that every deal is here as it is there, in what only the CRM changes (G3)."""
        rows = self.rows("SELECT crm_ref, local FROM record WHERE entity = 'deal'")
        with self.crm() as crm:
            there = {deal.ref: deal.payload["stage"] for deal in crm.list("deal", limit=1000)}
        assert {ref: json.loads(local)["stage"] for ref, local in rows} == there
        missed = self.rows("SELECT entity, examples FROM sweep WHERE missed_total > 0")
        assert not missed, f"a sweep had to bring what reading had missed: {missed}"

    def _picture(self) -> object:
        return self.rows("SELECT * FROM record ORDER BY id"), self.written()
