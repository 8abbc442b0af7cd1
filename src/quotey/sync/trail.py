"""The cursors that one reading has come by: a source that never comes to an end is stopped.

Source: reliability 2.C "same cursor returned for ever; `has_more` true with empty page".
"""

from __future__ import annotations

from hashlib import blake2b

from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.fields import Entity

MOST_EMPTY = 100_000
"""Pages in a row that promise more and bring nothing, before a source is taken to have no end.

Three would stop honest ones: a recycle bin that cannot be asked by date is walked whole for the few
deletions since the last run, and a page of old ones brings none. It keeps 90 days, a hundred
records a page: ten million would have to be deleted in that time. Whoever does meet this goes on at
the same place with the next run, since each page has moved the cursor.
"""


class Trail:
    """Remembers every cursor of a reading as eight bytes, so that many pages take little room."""

    def __init__(self, entity: Entity, *, patience: int, most_empty: int = MOST_EMPTY) -> None:
        """Begin; `patience` is how often a page may answer the cursor that it was asked for."""
        self._entity = entity
        self._patience = patience
        self._most_empty = most_empty
        self._same = 0
        self._empty = 0
        self._been = set[bytes]()

    def follow(self, asked: str, answered: str, *, brought: int, more: bool) -> None:
        """Note one page, with how many records, failures or ids it `brought`.

        Raises `RemoteFailure` (permanent) when it leads in a circle, or on and on through nothing.
        """
        self._been.add(_short(asked))
        self._empty = self._empty + 1 if more and not brought else 0
        if self._empty >= self._most_empty:
            raise _stopped(
                f"The CRM promises more of {self._entity} and gives nothing: {self._empty} empty "
                "pages in a row. What was read is kept."
            )
        self._same = self._same + 1 if more and answered == asked else 0
        if self._same >= self._patience:
            raise _stopped(f"The CRM answers the same cursor of {self._entity} again and again.")
        if more and answered != asked and _short(answered) in self._been:
            raise _stopped(
                f"The CRM leads in a circle: a page of {self._entity} is followed by one that was "
                "read before in this run. What was read is kept."
            )

    def forget(self) -> None:
        """Begin anew, as after a cursor that was lost."""
        self._same = self._empty = 0
        self._been.clear()


def _short(cursor: str) -> bytes:
    return blake2b(cursor.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _stopped(message: str) -> RemoteFailure:
    return RemoteFailure(message, error_class=ErrorClass.PERMANENT)
