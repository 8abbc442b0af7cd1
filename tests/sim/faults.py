"""Swarm profiles: each seed draws which faults it has, and how often. Many are off in each.

Every class of fault has a stream of its own, so that switching one off leaves the others alike.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Any

CLASSES = (
    "lost_request",
    "lost_reply",
    "late_effect",
    "error_before",
    "error_after",
    "rate_limit",
    "auth",
    "cut_page",
    "duplicate_page",
    "stale_replica",
    "index_lag",
    "crash_point",
    "crash_wait",
    "pause",
    "disk_full",
    "busy",
    "foreign_marker",
    "foreign_edit",
    "delete",
    "merge",
    "poison",
    "skew",
)


@dataclass(frozen=True)
class Profile:
    """What a seed has in store: `rates` are chances by class of fault; 0 is off."""

    seed: int
    tier: int
    deals: int
    commands: int
    seconds: float
    workers: int
    pullers: int
    page_size: int
    lag: float
    rates: dict[str, float]

    def without(self, *classes: str) -> Profile:
        """Switch classes off."""
        return replace(self, rates={**self.rates, **dict.fromkeys(classes, 0.0)})

    def but(self, **rates: float) -> Profile:
        """Give classes other chances: a profile that is aimed at something."""
        return replace(self, rates={**self.rates, **rates})

    def told(self) -> dict[str, Any]:
        """Give it as plain values, for a trace."""
        values = asdict(self)
        values["rates"] = {key: rate for key, rate in self.rates.items() if rate}
        return values


_HEAVY = {"crash_point": 0.012, "crash_wait": 0.04, "pause": 0.012, "disk_full": 0.02, "auth": 0.01}
"""Top chances of what would drown everything else; all others go up to a sixth."""


def draw(seed: int) -> Profile:
    """Draw the profile of a seed."""
    dice = Random(f"{seed}/profile")  # noqa: S311 - a seed decides
    rates = {}
    for name in CLASSES:
        top = _HEAVY.get(name, 0.16)
        rates[name] = round(dice.uniform(0.1, 1.0) * top, 4) if dice.random() < 0.5 else 0.0
    return Profile(
        seed=seed,
        tier=dice.choice([1, 1, 2, 2, 3]),
        deals=dice.choice([2, 4, 8, 14]),
        commands=dice.choice([15, 30, 50]),
        seconds=dice.choice([150.0, 300.0, 500.0]),
        workers=dice.choice([1, 2, 2, 3]),
        pullers=dice.choice([0, 1, 2]),
        page_size=dice.choice([2, 3, 5]),
        lag=dice.choice([5.0, 20.0, 60.0]),
        rates=rates,
    )


class Dice:
    """Chance by class of fault; `calm` switches all of them off (the liveness phase)."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.calm = False
        self.hits: dict[str, int] = {}
        self._streams: dict[str, Random] = {}

    def stream(self, name: str) -> Random:
        """Give the stream of one purpose."""
        if name not in self._streams:
            self._streams[name] = Random(f"{self.profile.seed}/{name}")  # noqa: S311
        return self._streams[name]

    def strikes(self, name: str) -> bool:
        """Whether this fault happens here."""
        struck = self.stream(name).random() < self.profile.rates[name] and not self.calm
        if struck:
            self.hits[name] = self.hits.get(name, 0) + 1
        return struck

    def between(self, name: str, low: float, high: float) -> float:
        """Draw a span from the stream of a purpose."""
        return self.stream(name).uniform(low, high)
