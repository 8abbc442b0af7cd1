"""Faults that the stub is told to show, one queue in its file; how each looks from outside.

What a fault does to a page is in `pages`; when it strikes is decided by the adapter.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum

import apsw
import msgspec

from quotey.adapters.stub.drawer import Drawer
from quotey.contract.errors import (
    Diagnostic,
    ErrorClass,
    MappingError,
    Outcome,
    RemoteFailure,
    Severity,
)

WRITES = ("create_deal", "update_deal", "update_account", "write_quote")
READS = (
    "lookup_account",
    "get_deal",
    "get_quote_marker",
    "sync_incremental",
    "read_records",
    "list_ids",
    "find_ends",
    "search_contacts",
)
OPERATIONS = (*READS, *WRITES)
"""The adapter's operations, by the names that faults are aimed at."""


class FaultKind(StrEnum):
    """What can go wrong, by the issue's own words.

    `timeout_before` and `timeout_after` look alike from outside; only the second has its effect.
    `late_effect` is a quote whose write is not answered and lands when others have been answered.
    `skipped_rows` leaves every second record out of a page and reads on, as a slow index does.
    `auth` stays until the connection is authorised anew.
    """

    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    AUTH = "auth"
    MAPPING_ERROR = "mapping_error"
    PARTIAL_BATCH = "partial_batch"
    DUPLICATE_PAGE = "duplicate_page"
    OUT_OF_ORDER = "out_of_order"
    SKIPPED_ROWS = "skipped_rows"
    LATE_EFFECT = "late_effect"


PAGE_FAULTS = (
    FaultKind.PARTIAL_BATCH,
    FaultKind.DUPLICATE_PAGE,
    FaultKind.OUT_OF_ORDER,
    FaultKind.SKIPPED_ROWS,
)
"""Kinds that spoil a page and raise nothing; other operations let them pass."""

LATER = (*PAGE_FAULTS, FaultKind.TIMEOUT_AFTER, FaultKind.LATE_EFFECT)
"""Kinds that strike while the request is carried out, or after it."""

_AIMED = {
    FaultKind.PARTIAL_BATCH: ("sync_incremental", "read_records"),
    FaultKind.DUPLICATE_PAGE: ("sync_incremental",),
    FaultKind.OUT_OF_ORDER: ("sync_incremental",),
    FaultKind.SKIPPED_ROWS: ("sync_incremental",),
    FaultKind.LATE_EFFECT: ("write_quote",),
}


class FaultSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One fault in the queue: strike `operation` (a glob) `times` times, after `after` calls.

    `retry_after` is the delay in seconds that a rate limit names; None = it names none. `delay` is
    how many further requests are answered before a late effect lands.
    """

    kind: FaultKind
    operation: str = "*"
    times: int = 1
    after: int = 0
    retry_after: float | None = None
    delay: int = 0
    seq: int = 0


class FaultQueue:
    """The faults of one stub file, in the order in which they were told."""

    def __init__(self, drawer: Drawer) -> None:
        self._drawer = drawer

    def add(self, spec: FaultSpec) -> None:
        """Put one more fault at the end."""
        self._drawer.rows(
            "INSERT INTO fault (kind, operation, times, skip, retry_after, delay) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            *(spec.kind.value, spec.operation, spec.times, spec.after, spec.retry_after),
            spec.delay,
        )

    def waiting(self) -> tuple[FaultSpec, ...]:
        """Give the faults that have not struck out yet."""
        return self._matching("")

    def clear(self, kind: FaultKind | None = None) -> None:
        """Forget all faults, or those of one kind."""
        self._drawer.rows("DELETE FROM fault WHERE kind = ?1 OR ?1 IS NULL", kind and kind.value)

    def take(self, operation: str) -> FaultSpec | None:
        """Give the fault that strikes this call, and count it; None when the call is spared.

        A fault that still lets calls pass counts this one and leaves it to the next in line.
        """
        if not self._matching(operation):
            return None
        with self._drawer.transaction():
            for spec in self._matching(operation):
                if spec.after:
                    self._drawer.rows("UPDATE fault SET skip = skip - 1 WHERE seq = ?", spec.seq)
                else:
                    self._count(spec)
                    return spec
        return None

    def _count(self, spec: FaultSpec) -> None:
        if spec.kind is FaultKind.AUTH:
            return
        self._drawer.rows("UPDATE fault SET times = times - 1 WHERE seq = ?", spec.seq)
        self._drawer.rows("DELETE FROM fault WHERE times <= 0")

    def _matching(self, operation: str) -> tuple[FaultSpec, ...]:
        rows = self._drawer.rows(
            "SELECT kind, operation, times, skip, retry_after, delay, seq FROM fault "
            "WHERE ?1 = '' OR ?1 GLOB operation ORDER BY seq",
            operation,
        )
        names = ("kind", "operation", "times", "after", "retry_after", "delay", "seq")
        specs = (msgspec.convert(dict(zip(names, row, strict=True)), FaultSpec) for row in rows)
        return tuple(spec for spec in specs if not operation or _can_strike(spec, operation))


def _can_strike(spec: FaultSpec, operation: str) -> bool:
    return operation in _AIMED.get(spec.kind, OPERATIONS)


def kind_of(fault: FaultSpec | None) -> FaultKind | None:
    """Give the kind of a fault that strikes, None when none does."""
    return fault.kind if fault else None


_SENTENCES = {
    FaultKind.TIMEOUT_BEFORE: "The stub did not answer in time.",
    FaultKind.TIMEOUT_AFTER: "The stub did not answer in time.",
    FaultKind.LATE_EFFECT: "The stub did not answer in time.",
    FaultKind.SERVER_ERROR: "The stub answered 503: it is not available.",
    FaultKind.RATE_LIMITED: "The stub answered 429: too many requests.",
    FaultKind.AUTH: "The stub answered 401: the connection is not authorised.",
    FaultKind.MAPPING_ERROR: "The stub answered 400: it does not know one of the properties.",
}

_CLASSES = {
    FaultKind.SERVER_ERROR: ErrorClass.TRANSIENT,
    FaultKind.RATE_LIMITED: ErrorClass.RATE_LIMIT,
    FaultKind.AUTH: ErrorClass.AUTH,
    FaultKind.MAPPING_ERROR: ErrorClass.MAPPING,
}


def failure_of(spec: FaultSpec, operation: str) -> RemoteFailure:
    """Build what the caller sees of a fault.

    A time-out of a write is `unknown`, whether or not it had its effect: nobody can tell.
    """
    error_class, outcome = _CLASSES.get(spec.kind, ErrorClass.TRANSIENT), Outcome.NOT_APPLIED
    if spec.kind not in _CLASSES and operation in WRITES:
        error_class, outcome = ErrorClass.UNKNOWN, Outcome.UNKNOWN
    delay = None if spec.retry_after is None else timedelta(seconds=spec.retry_after)
    return RemoteFailure(
        f"{_SENTENCES[spec.kind]} ({operation})",
        error_class=error_class,
        outcome=outcome,
        retry_after=delay,
        diagnostics=_diagnostics(spec),
    )


def _diagnostics(spec: FaultSpec) -> tuple[Diagnostic, ...]:
    if spec.kind is not FaultKind.MAPPING_ERROR:
        return ()
    message = "the stub does not know one of the properties (a fault that it was told to show)."
    return (Diagnostic(code="unknown_property", severity=Severity.ERROR, message=message),)


@contextlib.contextmanager
def remote_failures(operation: str) -> Iterator[None]:
    """Turn what can go wrong inside into what a remote call raises; nothing was applied then."""
    try:
        yield
    except MappingError as error:
        raise RemoteFailure(
            f"{error.message} ({operation})",
            error_class=ErrorClass.MAPPING,
            diagnostics=error.diagnostics,
        ) from error
    except apsw.BusyError as error:
        raise _unusable("is held by another process", ErrorClass.TRANSIENT) from error
    except apsw.Error as error:
        raise _unusable(f"cannot be used: {error}", ErrorClass.PERMANENT) from error


def _unusable(why: str, error_class: ErrorClass) -> RemoteFailure:
    return RemoteFailure(
        f"The stub's file {why}. Nothing was changed.",
        error_class=error_class,
        outcome=Outcome.NOT_APPLIED,
    )
