"""The syncing side, as a process of its own: a whole Quotey on a gateway, and its memory.

    python -m scripts.complete.syncing FOLDER [--sweep]

FOLDER holds `quotey.toml`; the key comes from the environment. It prints one JSON document.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from quotey.app.facade import open_quotey
from quotey.sync.ports import Progress

EVERY = 25_000
"""Records between two looks at the memory."""

PAGE_KB = os.sysconf("SC_PAGESIZE") // 1024


@dataclass
class Synced:
    """What one sync did: seconds, records read, sweeps by entity, and memory by records done."""

    seconds: float = 0.0
    read: int = 0
    missed: dict[str, int] = field(default_factory=dict)
    listed: int = 0
    ahead: int = 0
    unproven: int = 0
    rejected: int = 0
    failures: list[str] = field(default_factory=list)
    rss_mb: dict[str, float] = field(default_factory=dict)


def sync(folder: Path, environ: dict[str, str], *, sweep: bool = False) -> Synced:
    """Sync once, and watch the memory on the way."""
    synced, marks = Synced(), _Marks()
    start = time.perf_counter()
    with open_quotey(cwd=folder, environ=environ) as quotey:
        report = quotey.sync(sweep=sweep, progress=marks.note)
    synced.seconds = time.perf_counter() - start
    synced.rss_mb = {**marks.rss, "end": rss_mb()}
    synced.failures = [one.warning for one in report.failures]
    for one in report.entities:
        synced.read += one.counts.read
        synced.rejected += one.counts.rejected
        if one.sweep is not None:
            synced.listed += one.sweep.listed
            synced.ahead += one.sweep.ahead
            synced.unproven += one.sweep.unproven
            for cause in ("missing", "stale", "gone"):
                found = getattr(one.sweep, cause)
                synced.missed[cause] = synced.missed.get(cause, 0) + found
    return synced


class _Marks:
    """Memory at every so many records of each step."""

    def __init__(self) -> None:
        self.rss: dict[str, float] = {}
        self._next: dict[tuple[str, str], int] = {}

    def note(self, progress: Progress) -> None:
        key = (progress.step, progress.entity)
        due = self._next.get(key, EVERY)
        if progress.done >= due:
            self.rss[f"{progress.step} {progress.entity} {due // 1000}k"] = rss_mb()
            self._next[key] = due + EVERY


def rss_mb() -> float:
    """Give the memory that this process has in RAM."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * PAGE_KB / 1024, 1)


def main(argv: list[str]) -> int:
    """Sync, print, end."""
    folder, sweep = Path(argv[0]), "--sweep" in argv
    print(json.dumps(asdict(sync(folder, dict(os.environ), sweep=sweep))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
