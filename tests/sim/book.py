"""The seed book: seeds that once failed and now run for ever."""

from __future__ import annotations

import tomllib
from pathlib import Path

PLACE = Path(__file__).with_name("seeds.toml")


def seeds() -> dict[int, str]:
    """Give the numbers in the book, each with what it found."""
    with PLACE.open("rb") as file:
        return {int(one["number"]): str(one["why"]) for one in tomllib.load(file)["seed"]}
