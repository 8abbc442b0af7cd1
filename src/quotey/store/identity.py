"""Who a database file is: its audit key beside it, its instance id in it."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path

from quotey.contract.errors import StoreError
from quotey.store.database import Database
from quotey.store.faults import NOTHING_CHANGED
from quotey.store.files import (
    KEY_BYTES,
    key_path,
    next_key_path,
    read_key,
    take_next_key,
    write_key,
)
from quotey.store.shapes import from_json, to_json

Entropy = Callable[[int], bytes]


class Identity:
    """Who this file is: its audit key (beside it) and its instance id (in it)."""

    def __init__(self, db: Database, entropy: Entropy) -> None:
        self._db = db
        self._entropy = entropy
        self.key = self._settle()
        self.instance_id = self._stored("instance_id") or ""
        self.former = self._former()

    def renew_instance(self) -> str:
        """Take a new instance id and remember the one before. Inside a transaction."""
        self._keep("former_instances", to_json(sorted({*self.former, self.instance_id})))
        self._keep("instance_id", self._fresh_instance())
        self.instance_id = self._stored("instance_id") or ""
        self.former = self._former()
        return self.instance_id

    def still_stands(self) -> bool:
        """Whether the file is still that life of it which was opened: nobody restored meanwhile."""
        return self._stored("instance_id") == self.instance_id

    def _former(self) -> frozenset[str]:
        """Read who this file was before it was restored from a backup."""
        return frozenset(from_json(self._stored("former_instances") or "[]"))

    def _settle(self) -> bytes:
        place = key_path(self._db.path)
        try:
            return self._made_or_found(place)
        except OSError as error:
            raise StoreError(
                f"The audit key {place} cannot be used: {error.strerror}. {NOTHING_CHANGED}"
            ) from error

    def _made_or_found(self, place: Path) -> bytes:
        if self._stored("audit_key_check") is None:
            self._first_time(place)
        expected = self._stored("audit_key_check")
        take_waiting(self._db.path, expected)
        key = read_key(place)
        if key is None or _check(key) != expected:
            raise StoreError(
                f"The audit key {place} is missing or is not this database's. "
                f"{NOTHING_CHANGED} Put back the key that was saved with the database.",
            )
        return key

    def _first_time(self, place: Path) -> None:
        """Make key and instance id; of two processes that come at once the second finds them."""
        with self._db.changing():
            if self._stored("audit_key_check") is None:
                key = read_key(place) or self._entropy(KEY_BYTES)
                write_key(place, key)
                self._keep("audit_key_check", _check(key))
                self._keep("instance_id", self._fresh_instance())

    def _fresh_instance(self) -> str:
        return f"ins_{self._entropy(8).hex()}"

    def _stored(self, name: str) -> str | None:
        row = self._db.row("meta_get", {"name": name})
        return None if row is None else str(row[0])

    def _keep(self, name: str, value: str) -> None:
        self._db.write("meta_put", {"name": name, "value": value})


def take_waiting(path: Path, expected: str | None) -> None:
    """Take the key that waits, if it is the one that the database asks for.

    A restore ended between the database and its key.
    """
    waiting = read_key(next_key_path(path))
    if waiting is not None and _check(waiting) == expected:
        take_next_key(path)


def _check(key: bytes) -> str:
    """Tell a key from another without telling the key."""
    return hmac.digest(key, b"quotey audit key check", "sha256").hex()
