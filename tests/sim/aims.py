"""Profiles that are aimed at something: what a swarm of random profiles reaches too seldom.

Each is words for `Profile.aimed`, over what a seed draws. The engine must keep every promise under
all of them; the mutants that name a test of `test_aims.py` break one there.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

PLACE = Path(__file__).with_name("aims.toml")


@dataclass(frozen=True)
class Aim:
    """One `[[aim]]` of the file: its words, why it is there, and the seeds that the tests play."""

    name: str
    words: str
    why: str
    seeds: tuple[int, ...]


def aims() -> dict[str, Aim]:
    """Read the file, in its order."""
    with PLACE.open("rb") as file:
        found = tomllib.load(file)["aim"]
    return {one["name"]: Aim(**{**one, "seeds": tuple(one["seeds"])}) for one in found}
