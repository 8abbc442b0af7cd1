"""The words and signs that page and text share."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from quotey.contract.errors import ErrorClass
from quotey.testing.certificate.certificate import Candidate, Cell, Certificate, State

SIGNS = {State.PASSED: "✓", State.FAILED: "✗", State.NOT_OFFERED: "○"}
MEANINGS = {
    State.PASSED: "passed: the suite saw it, and it was as the contract says",
    State.FAILED: "failed: the suite saw it last before a test failed",
    State.NOT_OFFERED: "not offered: seen of another adapter, not of this one, whose CRM or world "
    "has no such thing",
}
NOTHING = "empty: does not arise here"
TITLE = "Parity of the adapters"
COLUMNS: tuple[ErrorClass | None, ...] = (None, *ErrorClass)
TIERS = {1: "1, conditional write", 2: "2, unique key", 3: "3, search only"}


def column_name(error_class: ErrorClass | None) -> str:
    """Give a column's heading.

    >>> column_name(None), column_name(ErrorClass.RATE_LIMIT)
    ('arrives', 'rate limit')
    """
    return "arrives" if error_class is None else str(error_class).replace("_", " ")


def summary(certificate: Certificate) -> str:
    """Say in a sentence what was found."""
    tests = len(certificate.promises)
    failed = sum(one.failed for one in certificate.candidates)
    offered = sum(one.passed + one.failed for one in certificate.candidates)
    adapters = len(certificate.candidates)
    told = "all of them passed" if not failed else f"{failed} of them failed"
    plural = "adapter" if adapters == 1 else "adapters"
    return (
        f"{tests} tests of the conformance suite on {adapters} {plural}: {offered} were offered, "
        f"{told}."
    )


def declared(candidate: Candidate) -> list[tuple[str, str]]:
    """Give what an adapter says of itself, which the suite has confirmed, and how it was tried."""
    return [
        ("tried on", candidate.world),
        ("tier", TIERS[candidate.tier]),
        ("updates accounts", _yes(candidate.updates_accounts)),
        ("reports deletions", _yes(candidate.reports_deletes)),
        ("records of a page", str(candidate.page_size)),
        ("faults shown", ", ".join(one.replace("_", " ") for one in candidate.faults)),
        ("passed", str(candidate.passed)),
        ("failed", str(candidate.failed)),
        ("not offered", str(candidate.not_offered)),
    ]


def _yes(value: bool) -> str:  # noqa: FBT001 - a value to be worded
    return "yes" if value else "no"


Row = dict[ErrorClass | None, Cell]


def rows(certificate: Certificate) -> Iterator[tuple[str, list[tuple[str, Row]]]]:
    """Give the matrix by operation: its fields ("" is the operation as a whole), cell by cell."""
    for operation, cells in groupby(certificate.cells, key=lambda cell: cell.operation):
        by_field: dict[str, Row] = {}
        for cell in cells:
            by_field.setdefault(cell.field, {})[cell.error_class] = cell
        yield operation, list(by_field.items())
