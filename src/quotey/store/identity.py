"""Who a database file is: its audit key beside it, its instance id in it."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path

from quotey.contract.errors import StoreError
from quotey.store.database import Database
from quotey.store.faults import NOTHING_CHANGED
from quotey.store.files import KEY_BYTES, key_path, read_key, write_key

Entropy = Callable[[int], bytes]


class Identity:
    """Who this file is: its audit key (beside it) and its instance id (in it)."""

    def __init__(self, db: Database, entropy: Entropy) -> None:
        self._db = db
        self._entropy = entropy
        self.key = self._settle()
        self.instance_id = self._stored("instance_id") or ""

    def renew_instance(self) -> str:
        """Take a new instance id."""
        self._keep("instance_id", self._fresh_instance())
        self.instance_id = self._stored("instance_id") or ""
        return self.instance_id

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
        key = read_key(place)
        if key is None or _check(key) != self._stored("audit_key_check"):
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


def _check(key: bytes) -> str:
    """Tell a key from another without telling the key."""
    return hmac.digest(key, b"quotey audit key check", "sha256").hex()
