"""Making a failing seed small: fewer faults, fewer records, less time, as long as the law breaks.

Every class of fault has a stream of chance of its own, so that what is left over stays alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from tests.sim.faults import Profile, draw
from tests.sim.play import Outcome, play

TRIES = 60
"""Plays that shrinking may cost."""
LINES = 60
"""Lines of a trace that fit on one page."""


def shrink(profile: Profile, law: str) -> tuple[Profile, Outcome]:
    """Give the smallest profile found that still breaks the same law, and its play."""
    best, outcome, tries = profile, play(profile), 1
    improved = True
    while improved and tries < TRIES:
        improved = False
        for smaller in _smaller(best):
            tries += 1
            found = play(smaller)
            if found.law == law:
                best, outcome, improved = smaller, found, True
                break
            if tries >= TRIES:
                break
    return best, outcome


def _smaller(profile: Profile) -> Iterator[Profile]:
    """Give profiles with a little less, the greatest step first."""
    if profile.seconds > 60:
        yield replace(profile, seconds=profile.seconds / 2)
    for name, rate in profile.rates.items():
        if rate:
            yield profile.without(name)
    if profile.deals > 1:
        yield replace(profile, deals=max(1, profile.deals // 2))
    if profile.pullers:
        yield replace(profile, pullers=0)
    if profile.workers > 1:
        yield replace(profile, workers=profile.workers - 1)
    if profile.commands > 2:
        yield replace(profile, commands=profile.commands // 2)


def page(profile: Profile, outcome: Outcome) -> str:
    """Write the one page that tells a failure: what was played, and what happened last.

    A line has virtual time, process, and what it did or heard; the last is the oracle's. Readings
    are only counted, because most of a long play is nothing else.
    """
    head = [
        f"seed {profile.seed} breaks {outcome.law} ({outcome.oracle or 'an assertion'})",
        outcome.seen[:600],
        f"again: {again(profile)}",
        "",
    ]
    lines = _without_readings(outcome.trace)
    return "\n".join([*head, *(line[:160] for line in lines[-LINES:])])


def again(profile: Profile) -> str:
    """Give the command that plays this very profile, made small or not."""
    command = f"make sim SEED={profile.seed}"
    if profile == draw(profile.seed):
        return command
    return f"{command} SIM_ARGS='--profile \"{profile.told()}\"'"


def _without_readings(trace: list[str]) -> list[str]:
    """Put a line that counts them in place of readings that follow each other."""
    told: list[str] = []
    for is_reading, lines in groupby(trace, key=lambda line: "sync_incremental" in line):
        some = list(lines)
        told += [f"{'':22}({len(some)} readings)"] if is_reading else some
    return told
