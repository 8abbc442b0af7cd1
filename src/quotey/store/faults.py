"""What a fault of the database library means to us. Nothing of `apsw` leaves this room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from quotey.contract.errors import StoreBusyError, StoreError, UsageError

NOTHING_CHANGED = "Nothing was changed."
_CHECK = ("quotey db check",)
_SENTENCES: tuple[tuple[type[apsw.Error], str], ...] = (
    (apsw.FullError, "The disk is full, or the database may not grow any further"),
    (apsw.NotADBError, "The file is not a database"),
    (apsw.CorruptError, "The database is damaged"),
    (apsw.ReadOnlyError, "The database cannot be written"),
    (apsw.CantOpenError, "The database cannot be opened"),
    (apsw.IOError, "The disk failed to read or write"),
    (apsw.AuthError, "This part of Quotey may not write there"),
    (apsw.ConstraintError, "The change breaks a rule of the database"),
)


class DamagedError(StoreError):
    """What stands in the file cannot be read as what we wrote."""


def explained(
    error: apsw.Error | UnicodeEncodeError, path: Path
) -> StoreError | StoreBusyError | UsageError:
    """Say in our words what the library met."""
    if isinstance(error, UnicodeEncodeError):
        return no_text(error)
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return StoreBusyError(
            f"Another process is writing to {path} for longer than we wait. {NOTHING_CHANGED}"
        )
    for kind, sentence in _SENTENCES:
        if isinstance(error, kind):
            told = f"{sentence} ({error}): {path}. {NOTHING_CHANGED}"
            damaged = kind is apsw.CorruptError
            return DamagedError(told, next=_CHECK) if damaged else StoreError(told)
    return StoreError(f"The database failed ({error}): {path}. {NOTHING_CHANGED}")


def in_doubt(error: apsw.IOError, path: Path) -> StoreError:
    """Say that a commit failed in the middle: what was written may be found by the next start.

    SQLite takes it back in memory, but a sync that failed says nothing of what is on the disk.
    Source: reliability D7.
    """
    return StoreError(
        f"The disk failed while a change was made to last ({error}): {path}. It may have been kept "
        "or not; look before you repeat it.",
        next=_CHECK,
    )


def damaged_row(error: Exception) -> DamagedError:
    """Say that a row holds what we never wrote."""
    told = f"A row of the database is damaged ({error}). {NOTHING_CHANGED}"
    return DamagedError(told, next=_CHECK)


def no_text(error: UnicodeEncodeError) -> UsageError:
    """Say that a text is not Unicode: it can neither be kept nor looked for."""
    half = f"U+{ord(error.object[error.start]):04X}"
    return UsageError(
        f"A text holds half a surrogate pair ({half}), which is no character. {NOTHING_CHANGED}"
    )


@contextmanager
def in_our_words(path: Path) -> Iterator[None]:
    """Raise StoreError or StoreBusyError in place of the library's errors, chained."""
    try:
        yield
    except apsw.Error as error:
        raise explained(error, path) from error
