"""Named rare paths: seeds that never reach one of them prove less than they seem to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.sim.faults import CLASSES
from tests.sim.play import Outcome

WANTED = (
    *(f"fault {name}" for name in CLASSES),
    "a contact moved to a new account",
    "a contact was deleted",
    "a field was locked",
    "a met marker was replaced",
    "a decision was taken back",
    "a paused process was overtaken",
    "a late update landed over a newer edit",
    "a person's value was overwritten",
    "a person's value was overwritten unseen (N2)",
    "a person set a value by hand",
    "a policy was changed",
    "a run ended",
    "a run was cut off by its store",
    "an item was put off",
    "an operator dropped an operation",
    "an operator retried",
    "an operator settled an item",
    "another quote was published",
    "authorised again",
    "foreign marker",
    "late landing",
    "late landing over a newer version",
    "penalty stored",
    "poison",
    "repaired",
    "sent again",
    "several processes were stopped at once",
    "told of a foreign marker",
)


def table(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Count how often each named path was reached by all plays together."""
    counted: Counter[str] = Counter()
    for outcome in outcomes:
        counted.update(outcome.probes)
    return {name: counted[name] for name in WANTED}


def missed(reached: dict[str, int], least: int) -> list[str]:
    """Name the paths that were reached less often than they must be."""
    return [name for name, count in reached.items() if count < least]
