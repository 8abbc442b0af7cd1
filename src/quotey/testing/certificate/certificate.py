"""A certificate as values, and its JSON. It holds no time, so that the same findings are the same.

How it is filled is in `running`, how it looks in `page` and `text`.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from quotey.contract.errors import ErrorClass

FORMAT = "quotey.certificate/1"


class State(StrEnum):
    """What became of a test, or of one cell of the matrix."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_OFFERED = "not_offered"


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one candidate made of one test; `reason` says why it failed or is not offered."""

    state: State
    reason: str = ""


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """One test of the suite, which is one sentence of the contract, and each candidate's result."""

    part: str
    name: str
    sentence: str
    results: dict[str, Result]


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One meeting of operation, field and error class.

    `field` is "" for the operation as a whole; `error_class` is None where the value arrived.
    """

    operation: str
    field: str
    error_class: ErrorClass | None
    results: dict[str, State]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One adapter that was tried, on which `world`, and what it says of itself."""

    name: str
    world: str
    tier: int
    updates_accounts: bool
    reports_deletes: bool
    page_size: int
    faults: tuple[str, ...]
    passed: int
    failed: int
    not_offered: int


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document; new keys may come, none change. `promises` are all tests of the suite."""

    format: str = FORMAT
    quotey: str
    candidates: tuple[Candidate, ...]
    promises: tuple[Promise, ...]
    cells: tuple[Cell, ...]

    @property
    def findings(self) -> tuple[tuple[str, Promise, Result], ...]:
        """What failed: candidate, test, result."""
        return tuple(
            (name, promise, result)
            for promise in self.promises
            for name, result in promise.results.items()
            if result.state is State.FAILED
        )


def write_certificate(certificate: Certificate) -> str:
    """Give the JSON of a certificate."""
    return msgspec.json.format(msgspec.json.encode(certificate), indent=1).decode() + "\n"


def read_certificate(text: str) -> Certificate:
    """Read the JSON of a certificate. Raises msgspec.ValidationError when it is none."""
    return msgspec.json.decode(text, type=Certificate)
