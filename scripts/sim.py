"""Play the simulation: random worlds with faults, and promises that must hold (tests/sim).

    python scripts/sim.py --seeds 200           200 seeds, another 200 on every commit
    python scripts/sim.py --seed 106            one seed, with its page when it fails
    python scripts/sim.py --aim copies          profiles aimed at something (tests/sim/aims.toml)
    python scripts/sim.py --part 3 --record     the third part of the long run, into the proof

Seeds rotate with the commit, so that every day looks at others; `--base` fixes where they begin.
A failing seed is made small and told on one page. With `--record` the figures are written into
docs/reference/proof/, those of a part into a file of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.sim.aims import aims  # noqa: E402 - found by the path above
from tests.sim.book import seeds as booked  # noqa: E402
from tests.sim.faults import Profile, draw  # noqa: E402
from tests.sim.probes import missed, table  # noqa: E402
from tests.sim.run import Ensemble, run  # noqa: E402
from tests.sim.shrink import page, shrink  # noqa: E402

PROOF = ROOT / "docs" / "reference" / "proof"
PART = 2500
"""Seeds of one part of the long run: less than an hour on two cores."""
ENOUGH = 1000
"""From so many seeds on, every named path must have been reached."""


def main(words: list[str]) -> int:
    """Play, tell, and end with 1 when a promise was broken or a path was never reached."""
    asked = _asked(words)
    chosen, aim = _chosen(asked), _words(asked)
    told = _progress(len(chosen))
    found = run(chosen, words=aim, processes=asked.processes, told=told)
    figures, reached = found.figures(), table(found.outcomes)
    print(json.dumps(figures, indent=2))
    never = missed(reached, 1) if len(chosen) >= ENOUGH else []
    for name, count in reached.items():
        print(f"  {count:7} {name}")
    for seed in found.differing:
        print(f"seed {seed} is another play in another process (G7)")
    if asked.record:
        _record(found, reached, asked)
    _tell_failures(found, aim, shrinking=not asked.no_shrink)
    for name in never:
        print(f"never reached: {name}")
    return 1 if found.failures or found.differing or never else 0


def _asked(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Play the simulation.")
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds")
    parser.add_argument("--seed", type=int, help="one seed only")
    parser.add_argument("--base", type=int, help="the first seed; by default from the commit")
    parser.add_argument("--part", type=int, help=f"one part of the long run: {PART} seeds")
    parser.add_argument("--aim", choices=aims(), help="aim all profiles: tests/sim/aims.toml")
    parser.add_argument("--profile", default="", help="words that change what a seed draws")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--no-shrink", action="store_true", help="do not make failures small")
    parser.add_argument("--record", action="store_true", help="write the figures into the proof")
    return parser.parse_args(words)


def asked_profile(words: list[str]) -> Profile:
    """Give the profile that a command line with one seed plays."""
    asked = _asked(words)
    return draw(asked.seed).aimed(_words(asked))


def _words(asked: argparse.Namespace) -> str:
    """Give the words that aim all profiles."""
    return aims()[asked.aim].words if asked.aim else str(asked.profile)


def _chosen(asked: argparse.Namespace) -> list[int]:
    """Give the seeds: one, a part, or the book and fresh ones."""
    if asked.seed is not None:
        return [asked.seed]
    base = _base() if asked.base is None else asked.base
    if asked.aim:
        return list(range(asked.base or 0, (asked.base or 0) + asked.seeds))
    if asked.part is not None:
        begin = base + asked.part * PART
        return list(range(begin, begin + PART))
    return [*booked(), *range(base, base + asked.seeds)]


def _progress(total: int) -> Callable[[int, int], None]:
    """Give what tells, now and then, how far it is; on standard error, apart from the figures."""

    def told(done: int, broken: int) -> None:
        if done % 100 == 0 or done == total:
            print(f"{done:,} of {total:,} worlds played, {broken} broken", file=sys.stderr)

    return told


def _base() -> int:
    """Give where seeds begin for this commit; 10,000 apart, so that days do not meet."""
    told = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return (int(told.stdout[:8] or "0", 16) + 1) * 100_000


def _tell_failures(found: Ensemble, aim: str, *, shrinking: bool) -> None:
    for outcome in found.failures[:5]:
        profile = draw(outcome.seed).aimed(aim)
        if shrinking:
            profile, outcome = shrink(profile, outcome.law)  # noqa: PLW2901 - the smaller one
        print(f"\n{page(profile, outcome)}")


def _record(found: Ensemble, reached: dict[str, int], asked: argparse.Namespace) -> None:
    """Write the figures of this run; the page of proofs is made from them."""
    base = f'SIM_ARGS="--base {_base() if asked.base is None else asked.base}"'
    part = asked.part
    told = {
        "name": "simulated worlds" if part is None else f"simulated worlds, part {part}",
        "command": f"make sim SEEDS={asked.seeds} {base}"
        if part is None
        else f"make soak PART={part} {base}",
        **found.figures(),
        "rare_paths_reached": f"{sum(map(bool, reached.values()))} of {len(reached)}",
    }
    proof = PROOF / ("sim.json" if part is None else f"sim-part-{part}.json")
    proof.parent.mkdir(parents=True, exist_ok=True)
    proof.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
