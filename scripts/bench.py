"""Measure the boundary against the raw floor, side by side in one run.

    python scripts/bench.py                      20,000 deals, 3 rounds
    python scripts/bench.py --deals 100000       more of them
    python scripts/bench.py --json               one document instead of a table

Figures are CPU seconds of this process, as ratios: a machine's speed drifts, a ratio of two things
done in turn does not. *Floor* is the least that any sync must do: the same pages, decoded into
typed records and upserted into a plain SQLite table, 1,000 a transaction, synchronous=FULL. *Naive*
is the script that one writes first: `json`, a row at a time, no policy, no audit.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import NamedTuple, cast

import apsw
import msgspec
import structlog

import quotey
from quotey.adapters import discover
from quotey.contract.adapter import Capabilities, CrmAdapter, Tier
from quotey.contract.dto import CrmSyncResultDto, RemoteRecord
from quotey.contract.fields import Entity
from quotey.contract.mapping_file import parse_mapping
from quotey.desk.quote_checks import QuoteTerms
from quotey.store.store import open_store
from quotey.sync.clock import SystemClock
from quotey.sync.engine import run
from quotey.sync.ports import Ports

PAGE = 1_000
ACCOUNTS = 1_000
START = datetime(2026, 1, 1, tzinfo=UTC)
STAGES = ("prospecting", "qualification", "negotiation", "won")
FILLER = "x" * 400  # brings a payload to about the 730 bytes of a real one


class Goal(NamedTuple):
    """A figure, what it is held against, and the most that it may be."""

    name: str
    goal: float


GOALS = (
    Goal("first load / floor", 2.0),
    Goal("unchanged re-sync / floor", 1.15),
    Goal("1 % changed / floor", 1.15),
    Goal("first load / naive", 1.0),
    Goal("enqueue p50 / bare commit p50", 1.3),
)


class PagesAdapter:
    """A CRM that is nothing but ready pages: what is measured is our side alone."""

    provider = "stub"
    is_stub = True
    capabilities = Capabilities(
        tier=Tier.CONDITIONAL_WRITE, updates_accounts=True, reports_deletes=True, page_size=PAGE
    )

    def __init__(self, records: dict[Entity, list[RemoteRecord]]) -> None:
        self.records = records

    def sync_incremental(self, entity: Entity, cursor: str, **_: object) -> CrmSyncResultDto:
        """Give the page that starts at the cursor."""
        rows, start = self.records.get(entity, []), int(cursor.rpartition(":")[2] or 0)
        page = tuple(rows[start : start + PAGE])
        return CrmSyncResultDto(
            entity=entity,
            source_provider="stub",
            source_ts=START,
            records=page,
            next_cursor=f"at:{start + len(page)}",
            has_more=start + PAGE < len(rows),
        )

    def close(self) -> None:
        """Nothing to give back."""


class FloorDeal(msgspec.Struct):
    """What the floor decodes: the typed fields and nothing more."""

    id: str
    name: str
    account_id: str
    stage: str
    amount: str
    close_date: str
    currency: str
    owner: str


def payload(n: int, amount: int) -> bytes:
    """Make one deal of the stub's shape."""
    return msgspec.json.encode(
        {
            "id": f"D-{n:07}",
            "name": f"Deal number {n}",
            "account_id": f"A-{n % ACCOUNTS:05}",
            "stage": STAGES[n % 4],
            "amount": f"{amount}.50",
            "close_date": "2026-09-30",
            "currency": "EUR",
            "owner": f"Agent {n % 35}",
            "note": FILLER,
        }
    )


def deal(n: int, revision: int = 1) -> RemoteRecord:
    """Make one remote deal at a revision; a later revision has another amount."""
    return RemoteRecord(
        crm_ref=f"D-{n:07}",
        source_ts=START + timedelta(seconds=revision),
        source_version=f"{revision:012}",
        payload=payload(n, 1_000 + n + revision),
    )


def account(n: int) -> RemoteRecord:
    """Make one remote account."""
    row = {"id": f"A-{n:05}", "name": f"Account {n}", "website": f"a{n}.example", "segment": "SMB"}
    return RemoteRecord(
        crm_ref=f"A-{n:05}",
        source_ts=START,
        source_version="000000000001",
        payload=msgspec.json.encode(row),
    )


def cpu(work: Callable[[], object]) -> float:
    """Time work in CPU seconds of this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def floor(path: Path, rows: list[RemoteRecord]) -> None:
    """Decode and upsert, 1,000 a transaction; nothing else."""
    db = _bare(path)
    decoder = msgspec.json.Decoder(FloorDeal)
    for start in range(0, len(rows), PAGE):
        page = [(decoder.decode(row.payload), row) for row in rows[start : start + PAGE]]
        with db:
            db.executemany(
                "INSERT OR REPLACE INTO deal VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                [
                    (
                        d.id,
                        d.name,
                        d.account_id,
                        d.stage,
                        d.amount,
                        d.close_date,
                        d.currency,
                        d.owner,
                        r.source_version,
                        r.source_ts.isoformat(),
                        "main",
                        "live",
                    )
                    for d, r in page
                ],
            )
    db.close()


def naive(path: Path, rows: list[RemoteRecord]) -> None:
    """Do what one writes first: json, one row at a time, a transaction a page."""
    db = _bare(path)
    for start in range(0, len(rows), PAGE):
        with db:
            for row in rows[start : start + PAGE]:
                record = json.loads(row.payload)
                db.execute(
                    "INSERT OR REPLACE INTO deal VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                    (
                        record["id"],
                        record["name"],
                        record["account_id"],
                        record["stage"],
                        str(Decimal(record["amount"])),
                        record["close_date"],
                        record["currency"],
                        record["owner"],
                        row.source_version,
                        row.source_ts.isoformat(),
                        "main",
                        "x",
                    ),
                )
    db.close()


def _bare(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path))
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", 2)
    columns = ", ".join(f"c{n} TEXT" for n in range(11))
    db.execute(f"CREATE TABLE IF NOT EXISTS deal (id TEXT PRIMARY KEY, {columns}) WITHOUT ROWID")
    return db


def sync(home: Path, records: dict[Entity, list[RemoteRecord]]) -> float:
    """Run the engine over the pages, in CPU seconds."""
    provider = discover()["stub"]
    mapping = parse_mapping(provider.shipped_mapping(), name="stub.toml")
    with open_store(home / "quotey.db", role="sync") as store:
        ports = Ports(
            store=store,
            adapter=cast("CrmAdapter", PagesAdapter(records)),
            mapping=mapping,
            clock=SystemClock(),
        )
        return cpu(lambda: run(ports, correlation_id="c_bench", actor="bench"))


def inbound(deals: int) -> dict[str, float]:
    """Measure one round: first load, unchanged, 1 % changed, beside floor and naive."""
    accounts = [account(n) for n in range(ACCOUNTS)]
    first = [deal(n) for n in range(deals)]
    again = [deal(n, 1 if n % 100 else 2) for n in range(deals)]
    with tempfile.TemporaryDirectory(prefix="quotey-bench-") as folder:
        home = Path(folder)
        base = cpu(lambda: floor(home / "floor.db", first))
        script = cpu(lambda: naive(home / "naive.db", first))
        sync(home, {Entity.ACCOUNT: accounts})
        load = sync(home, {Entity.DEAL: first})
        unchanged = sync(home, {Entity.DEAL: [*first, *first]})
        changed = sync(home, {Entity.DEAL: [*first, *first, *again]})
    return {
        "first load / floor": load / base,
        "unchanged re-sync / floor": unchanged / base,
        "1 % changed / floor": changed / base,
        "first load / naive": load / script,
        "records per CPU second, first load": deals / load,
    }


def enqueue(count: int = 300) -> dict[str, float]:
    """Measure a quote command's commit beside a bare FULL commit, in turn; medians of wall time."""
    with tempfile.TemporaryDirectory(prefix="quotey-bench-") as folder:
        home = Path(folder)
        with quotey.open_quotey(home=home, cwd=home, environ={}) as desk:
            desk.sync()
            deal_id = desk.lookup_deal("a", limit=1).records[0].id
            bare = _bare(home / "bare.db")
            ours, theirs = [], []
            for n in range(count):
                start = time.perf_counter()
                desk.quote_create(deal_id, QuoteTerms(total=str(100 + n)))
                ours.append(time.perf_counter() - start)
                start = time.perf_counter()
                with bare:
                    bare.execute("INSERT INTO deal (id) VALUES (?)", (str(n),))
                theirs.append(time.perf_counter() - start)
    return {
        "enqueue p50 / bare commit p50": median(ours) / median(theirs),
        "enqueue p50 in ms": median(ours) * 1000,
    }


def main(argv: list[str]) -> int:
    """Measure, print, and say which goal is missed. Exit 0 whatever the figures are."""
    parser = argparse.ArgumentParser(description="Measure the boundary against the raw floor.")
    parser.add_argument("--deals", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    rounds = [inbound(options.deals) for _ in range(options.rounds)]
    figures = {name: median(one[name] for one in rounds) for name in rounds[0]} | enqueue()
    if options.json:
        print(json.dumps(figures))
        return 0
    goals = {goal.name: goal.goal for goal in GOALS}
    for name, figure in figures.items():
        goal = goals.get(name)
        verdict = "" if goal is None else f"goal {goal:<5} {'met' if figure <= goal else 'MISSED'}"
        print(f"{name:38} {figure:>12,.2f}   {verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
