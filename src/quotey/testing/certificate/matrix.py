"""The matrix: operation x field x error class, from what was seen while the tests ran.

A cell is there when any candidate was seen in it. Passed: seen in a test that passed. Failed: the
last thing seen in a test that failed. Not offered: others were seen there and this one was not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from quotey.contract.errors import ErrorClass
from quotey.contract.fields import BY_PATH, FIELDS
from quotey.testing.certificate.certificate import Cell, Result, State
from quotey.testing.certificate.recording import OPERATIONS, Seen
from quotey.testing.conformance.suite import Evidence

Place = tuple[str, str, ErrorClass | None]
"""Operation, field ("" for the whole), error class (None: it worked)."""

_FIELD_ORDER = {row.path: place for place, row in enumerate(FIELDS)}
_CLASS_ORDER = {one: place for place, one in enumerate(ErrorClass, start=1)}


class Ended(msgspec.Struct, frozen=True):
    """One test of one candidate: how it ended, what was seen, and which fields were checked."""

    name: str
    result: Result
    seen: tuple[Seen, ...]
    evidence: tuple[Evidence, ...]


def cells_of(ended: Mapping[str, Sequence[Ended]]) -> tuple[Cell, ...]:
    """Gather the cells of all candidates."""
    found = {name: _states(tests) for name, tests in ended.items()}
    places = {place for states in found.values() for place in states}
    return tuple(
        Cell(
            operation=operation,
            field=field,
            error_class=error_class,
            results={
                name: states.get((operation, field, error_class), State.NOT_OFFERED)
                for name, states in found.items()
            },
        )
        for operation, field, error_class in sorted(places, key=_order)
    )


def _states(tests: Sequence[Ended]) -> dict[Place, State]:
    """Give the state of each place that one candidate was seen in; one failure is one too many."""
    states: dict[Place, State] = {}
    for test in tests:
        if test.result.state is State.PASSED:
            for place in _places(test):
                states.setdefault(place, State.PASSED)
    for test in tests:
        if test.result.state is State.FAILED:
            for place in _broken(test):
                states[place] = State.FAILED
    return states


def _places(test: Ended) -> Iterator[Place]:
    for seen in test.seen:
        yield seen.operation, "", seen.error_class
        for field in seen.fields:
            if field in BY_PATH:  # a field that nobody has is refused too, and is no row
                yield seen.operation, field, seen.error_class
    for one in test.evidence:
        yield one.operation, f"{one.entity}.{one.field}", None


def _broken(test: Ended) -> Iterator[Place]:
    """Give the place that a failed test was in last; its last field, where fields were checked."""
    if test.evidence:
        last = test.evidence[-1]
        yield last.operation, f"{last.entity}.{last.field}", None
    elif test.seen:
        yield test.seen[-1].operation, "", test.seen[-1].error_class


def _order(place: Place) -> tuple[int, int, str, int]:
    operation, field, error_class = place
    return (
        OPERATIONS.index(operation),
        _FIELD_ORDER.get(field, len(_FIELD_ORDER)) + 1 if field else 0,
        field,
        _CLASS_ORDER[error_class] if error_class else 0,
    )
