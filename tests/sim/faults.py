"""Swarm profiles: each seed draws which faults it has, and how often. Many are off in each.

Every class of fault has a stream of its own, so that switching one off leaves the others alike.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from random import Random
from typing import Any

_LATER = (
    "own_marker",
    "refused",
    "swizzle",
    "policy",
    "hidden",
    "unlisted",
    "second_thoughts",
    "lock",
)
"""Classes with dice of their own, so that the other draws of a seed stay what they were."""
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
    *_LATER,
)


@dataclass(frozen=True)
class Profile:
    """What a seed has in store: `rates` are chances by class of fault; 0 is off.

    `people` and `desk` are the longest waits, in seconds, of those who work in the CRM and of
    operators.
    """

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
    people: float = 30.0
    desk: float = 60.0
    contacts: int = 0
    quotes: int = 1

    def without(self, *classes: str) -> Profile:
        """Switch classes off."""
        return replace(self, rates={**self.rates, **dict.fromkeys(classes, 0.0)})

    def but(self, **rates: float) -> Profile:
        """Give classes other chances: a profile that is aimed at something."""
        return replace(self, rates={**self.rates, **rates})

    def told(self) -> str:
        """Write it as words that `aimed` reads: the whole profile but for its seed."""
        values = {name: value for name, value in asdict(self).items() if name in _SIZES}
        rates = {name: rate for name, rate in self.rates.items() if rate}
        return " ".join(["none", *(f"{name}={value}" for name, value in (values | rates).items())])

    def aimed(self, words: str) -> Profile:
        """Change what the words name: `name=value` sets one thing, `none` takes all that is extra.

        Raises ValueError for a name that no profile has.
        """
        aim = self
        for word in words.split():
            name, _, value = word.partition("=")
            if word == "none":
                aim = replace(aim.without(*aim.rates), contacts=0, quotes=1)
            elif name in _SIZES:
                size: dict[str, Any] = {name: _SIZES[name](value)}
                aim = replace(aim, **size)
            elif name in CLASSES:
                aim = aim.but(**{name: float(value)})
            else:
                raise ValueError(f"A profile has no {word!r}: {', '.join((*_SIZES, *CLASSES))}.")
        return aim


_SIZES: dict[str, type[int | float]] = {
    one.name: float if one.type == "float" else int
    for one in fields(Profile)
    if one.name not in ("seed", "rates")
}
"""What of a profile is a size, and of which kind."""


_HEAVY = {
    "crash_point": 0.012,
    "crash_wait": 0.04,
    "pause": 0.012,
    "disk_full": 0.02,
    "auth": 0.01,
    "refused": 0.03,
    "second_thoughts": 0.6,
}
"""Top chances of what would drown everything else, or is seldom asked; others go up to a sixth."""


def _rate(name: str, dice: Random) -> float:
    top = _HEAVY.get(name, 0.16)
    return round(dice.uniform(0.1, 1.0) * top, 4) if dice.random() < 0.5 else 0.0


def draw(seed: int) -> Profile:
    """Draw the profile of a seed."""
    dice = Random(f"{seed}/profile")  # noqa: S311 - a seed decides
    rates = {name: _rate(name, dice) for name in CLASSES if name not in _LATER}
    for name in _LATER:
        rates[name] = _rate(name, Random(f"{seed}/profile/{name}"))  # noqa: S311
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
        contacts=Random(f"{seed}/profile/contacts").choice([0, 0, 3, 6]),  # noqa: S311
        quotes=Random(f"{seed}/profile/quotes").choice([1, 1, 2, 3]),  # noqa: S311
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
