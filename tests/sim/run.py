"""Many plays: on several processes, some of them twice elsewhere; figures, failures, the record."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.sim.faults import draw
from tests.sim.play import Outcome, play

ROOT = Path(__file__).resolve().parents[2]
AGAIN = 20
"""One in so many seeds is played again in another process (5 %)."""
ELSEWHERE = {"PYTHONHASHSEED": "4711", "TZ": "Pacific/Chatham", "LC_ALL": "C"}


@dataclass
class Ensemble:
    """What came of many seeds."""

    outcomes: list[Outcome] = field(default_factory=list)
    differing: list[int] = field(default_factory=list)
    replayed: int = 0
    cpu_seconds: float = 0.0

    @property
    def failures(self) -> list[Outcome]:
        """Give the plays in which a law was broken."""
        return [one for one in self.outcomes if one.law]

    def figures(self) -> dict[str, float | int]:
        """Give the figures of a record."""
        total = self.outcomes
        broken = [one.law for one in self.failures]
        minutes = max(self.cpu_seconds / 60, 1e-9)
        return {
            "seeds": len(total),
            "events": sum(one.events for one in total),
            "virtual_hours": round(sum(one.seconds for one in total) / 3600, 1),
            "crashes": sum(one.crashes for one in total),
            "acknowledged_versions": sum(one.acknowledged for one in total),
            "acknowledged_edits": sum(one.edits for one in total),
            "quote_sends": sum(one.sends for one in total),
            "crm_revisions": sum(one.revisions for one in total),
            "lost": sum(law in ("G2a", "G3", "G4") for law in broken),
            "doubled": sum(law in ("G2b", "G14") for law in broken),
            "reordered": sum(law in ("G5", "G6") for law in broken),
            "stalled": broken.count("liveness"),
            "failures": len(broken) + len(self.differing),
            "replayed_elsewhere": self.replayed,
            "differing": len(self.differing),
            "seeds_per_cpu_minute": round(len(total) / minutes, 1),
            "events_per_cpu_second": round(sum(one.events for one in total) / (minutes * 60)),
        }


def _one(words: str, seed: int) -> tuple[Outcome, float]:
    """Play one seed; a play that failed keeps its trace, the others need none."""
    began = time.process_time()
    outcome = play(draw(seed).aimed(words))
    kept = outcome if outcome.law else replace(outcome, trace=[])
    return kept, time.process_time() - began


def run(
    seeds: Sequence[int],
    *,
    words: str = "",
    processes: int = 1,
    again: int = AGAIN,
    told: Callable[[int, int], None] = lambda _done, _broken: None,
) -> Ensemble:
    """Play these seeds; every `again`-th is played elsewhere too and must agree to the byte.

    `words` aim their profiles at something. `told` hears after each play how many are done, and how
    many of them broke a law.
    """
    found = Ensemble()
    for outcome, cpu in _all(seeds, words, processes):
        found.outcomes.append(outcome)
        found.cpu_seconds += cpu
        told(len(found.outcomes), len(found.failures))
    twice = seeds[::again] if again else []
    found.replayed = len(twice)
    digests = {one.seed: one.digest for one in found.outcomes}
    found.differing = another_play_elsewhere({seed: digests[seed] for seed in twice}, words)
    return found


def another_play_elsewhere(digests: dict[int, str], words: str = "") -> list[int]:
    """Name the seeds that are another play in another process (G7)."""
    there = elsewhere(tuple(digests), words)
    return [seed for seed, digest in there.items() if digest != digests[seed]]


def _all(seeds: Sequence[int], words: str, processes: int) -> Iterable[tuple[Outcome, float]]:
    one = partial(_one, words)
    if processes == 1 or len(seeds) == 1:
        yield from map(one, seeds)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(one, seeds, chunksize=4)


def elsewhere(seeds: Sequence[int], words: str = "") -> dict[int, str]:
    """Play seeds in another process with another hash seed and time zone; gives their digests."""
    if not seeds:
        return {}
    command = [sys.executable, "-m", "tests.sim.run", words, *map(str, seeds)]
    env = {**os.environ, **ELSEWHERE}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    return {int(seed): digest for seed, digest in lines}


if __name__ == "__main__":
    for number in sys.argv[2:]:
        print(number, play(draw(int(number)).aimed(sys.argv[1])).digest)  # noqa: T201 - this is the answer
