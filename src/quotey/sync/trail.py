"""The cursors that one reading has come by: a source that turns in a circle is stopped.

Source: reliability 2.C "same cursor returned for ever".
"""

from __future__ import annotations

from hashlib import blake2b

from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.fields import Entity


class Trail:
    """Remembers every cursor of a reading as eight bytes, so that many pages take little room."""

    def __init__(self, entity: Entity, *, patience: int) -> None:
        """Begin; `patience` is how often a page may answer the cursor that it was asked for."""
        self._entity = entity
        self._patience = patience
        self._same = 0
        self._been = set[bytes]()

    def follow(self, asked: str, answered: str, *, more: bool) -> None:
        """Note one page. Raises `RemoteFailure` (permanent) when it leads in a circle."""
        self._been.add(_short(asked))
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
        self._same = 0
        self._been.clear()


def _short(cursor: str) -> bytes:
    return blake2b(cursor.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _stopped(message: str) -> RemoteFailure:
    return RemoteFailure(message, error_class=ErrorClass.PERMANENT)
