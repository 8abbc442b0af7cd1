"""Read a large CRM that is edited meanwhile, and have an oracle say what the mirror lacks.

    python scripts/bench_complete.py                          200,000 records, both vendors
    python scripts/bench_complete.py --records 20000          fewer of them
    python scripts/bench_complete.py --provider salesforce    one vendor
    python scripts/bench_complete.py --json                   one document instead of a table

Over real HTTP, with the simulated vendor and gateway in this process and the syncing side in
another, whose memory is looked at on the way. It ends with 1 when a record is missing, stale or a
ghost after the sweep, when the sweep counts something else than the oracle found, or when memory
grows by more than `GROWTH` between 50,000 records and the last.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from quotey.testing.names import Simulated  # noqa: E402 - found from the root
from scripts.complete.play import Played, play  # noqa: E402
from scripts.complete.syncing import Synced  # noqa: E402

PROVIDERS: tuple[Simulated, ...] = ("hubspot", "salesforce")
GROWTH = 8.0
"""Megabytes by which the syncing side may grow from 50,000 records to the last."""


def in_a_process(folder: Path, environ: dict[str, str], sweep: bool) -> Synced:  # noqa: FBT001 - a port of the play
    """Sync in a process of its own."""
    command = [sys.executable, "-m", "scripts.complete.syncing", str(folder)]
    done = subprocess.run(
        command + ["--sweep"] * sweep,
        cwd=ROOT,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        check=True,
    )
    return Synced(**json.loads(done.stdout))


def growth(played: Played) -> float:
    """Give by how many megabytes memory grew from 50,000 records to the last, at most."""
    grown = 0.0
    for synced in played.syncs.values():
        points = {name: mb for name, mb in synced.rss_mb.items() if name.endswith("0k")}
        start = next((mb for name, mb in points.items() if name.endswith(" 50k")), None)
        if start is not None:
            grown = max(grown, *(mb - start for mb in (*points.values(), synced.rss_mb["end"])))
    return grown


def problems(played: Played) -> list[str]:
    """Say what is not as it was promised."""
    sweep = played.syncs["sweep"]
    counted = sum(sweep.missed.values())
    told = [f"{name}: {why}" for name, one in played.syncs.items() for why in one.failures]
    if played.swept.wrong:
        told.append(f"after the sweep: {played.swept}")
    if played.under_fire.wrong:
        told.append(f"after a sweep under fire and one reading: {played.under_fire}")
    if counted != played.missed.wrong:
        told.append(f"the sweep counted {counted} where the oracle had found {played.missed}")
    if not played.missed.wrong:
        told.append("nothing was missed, so that nothing is proved")
    if (grown := growth(played)) > GROWTH:
        told.append(f"memory grew by {grown} MB")
    return told


def show(played: Played) -> None:
    """Print one play as tables."""
    print(f"\n{played.provider}: {played.records:,} records, then {played.changes}")
    for name, synced in played.syncs.items():
        pace = (synced.listed or synced.read) / synced.seconds
        swept = f"  missed {synced.missed}, ahead {synced.ahead}" if synced.listed else ""
        print(f"  {name:18} {synced.read:>9,} read {synced.seconds:>8.1f} s {pace:>9,.0f}/s{swept}")
    print(f"  before the sweep   {played.missed}")
    print(f"  after the sweep    {played.swept}")
    print(f"  under fire         {played.under_fire}")
    for name in ("first load", "sweep"):
        points = ", ".join(f"{at} {mb:.0f}" for at, mb in played.syncs[name].rss_mb.items())
        print(f"  MB, {name}: {points}")
    print(f"  grew from 50k to the last by {growth(played):.1f} MB (at most {GROWTH:.0f})")


def main(argv: list[str]) -> int:
    """Play, print, and end with 1 when a promise is not kept."""
    parser = argparse.ArgumentParser(description="Prove that reading is complete.")
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--provider", choices=PROVIDERS, action="append")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    broken = 0
    for provider in options.provider or PROVIDERS:
        with tempfile.TemporaryDirectory(prefix="quotey-complete-") as folder:
            played = play(provider, options.records, Path(folder), in_a_process)
        found = problems(played)
        broken += bool(found)
        if options.json:
            print(json.dumps({**asdict(played), "problems": found}))
            continue
        show(played)
        for problem in found:
            print(f"  NOT KEPT: {problem}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
