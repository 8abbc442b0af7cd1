"""Client tokens and the undo log: what makes a repeated or regretted command harmless."""

from __future__ import annotations

from quotey.store.database import Database
from quotey.store.shapes import from_json, to_json


class Tokens:
    """The answer that a command gave, by the client's token (reliability CP-2)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def find(self, token: str) -> str | None:
        """Give the answer of the command that carried this token."""
        row = self._db.row("tokens_find", {"token": token})
        return None if row is None else str(row[0])

    def once(self, token: str, answer: str) -> str:
        """Remember an answer; the first one stands for ever and is given back."""
        self._db.write("tokens_add", {"token": token, "answer": answer})
        [[first]] = self._db.rows("tokens_find", {"token": token})
        return str(first)


class Requests:
    """What stood before a resolution, by item id, so that it can be undone."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, item_id: str, before: dict[str, object]) -> None:
        """Remember (JSON values only), in place of an earlier note."""
        self._db.write("requests_put", {"item_id": item_id, "before": to_json(before)})

    def get(self, item_id: str) -> dict[str, object] | None:
        """Give what stood before."""
        row = self._db.row("requests_get", {"item_id": item_id})
        if row is None:
            return None
        before = from_json(row[0])
        assert isinstance(before, dict)
        return before

    def remove(self, item_id: str) -> bool:
        """Forget; False when there was nothing."""
        return self._db.write("requests_remove", {"item_id": item_id}) > 0
