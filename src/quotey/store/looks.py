"""Late looks: slots in which a request that was never answered may still land over a newer one.

When a look is due, and what it does with what it sees, is decided elsewhere.
"""

from __future__ import annotations

from datetime import datetime

from quotey.contract.journal import LateLook
from quotey.contract.moments import LONGEST_LEASE
from quotey.store.database import Database
from quotey.store.shapes import Cell, Shape, to_text, to_text_or_none, to_time

LATE_LOOK = Shape(LateLook)


class Looks:
    """One row per slot in doubt. Whatever is sent to or delivered in the slot ends a look's lease.

    So a look that was overtaken can change nothing any more.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def doubt(self, connection: str, slot: str, lane: str) -> None:
        """Note that a request to this slot may still land; a second one adds nothing."""
        params = {"connection": connection, "slot": slot, "lane": lane}
        self._db.write("looks_doubt", params)

    def delivered(self, connection: str, slot: str, operation_id: str, *, due_at: datetime) -> bool:
        """Make a look due after this delivery; False when the slot is not in doubt."""
        params: dict[str, Cell] = {
            "connection": connection,
            "slot": slot,
            "operation_id": operation_id,
            "due_at": to_text(due_at),
        }
        return self._db.write("looks_delivered", params) == 1

    def claim(self, connection: str, now: datetime, until: datetime) -> LateLook | None:
        """Lease the look that is due longest and in whose lane nothing is in flight."""
        params: dict[str, Cell] = {
            "connection": connection,
            "now": to_text(now),
            "too_far": to_text(now + LONGEST_LEASE),
            "until": to_text(until),
        }
        return next(iter(LATE_LOOK.read_all(self._db.write_rows("looks_claim", params))), None)

    def put_off(self, look: LateLook, due_at: datetime | None, *, tries: int) -> bool:
        """Give up the lease until `due_at`, None: the next delivery; False when it is lost."""
        params: dict[str, Cell] = {
            "seq": look.seq,
            "token": look.lease_token,
            "due_at": to_text_or_none(due_at),
            "tries": tries,
        }
        return self._db.write("looks_put_off", params) == 1

    def close(self, look: LateLook) -> bool:
        """End the doubt; False when the lease is lost."""
        params: dict[str, Cell] = {"seq": look.seq, "token": look.lease_token}
        return self._db.write("looks_close", params) == 1

    def next_due(self, connection: str) -> datetime | None:
        """Say when the next look can be taken; None when none can be."""
        [[due]] = self._db.rows("looks_next_due", {"connection": connection})
        return None if due is None else to_time(due)

    def count(self, connection: str, now: datetime | None = None) -> int:
        """Count the looks that are due: by `now`, or ever."""
        params = {"connection": connection, "now": to_text_or_none(now)}
        [[number]] = self._db.rows("looks_count", params)
        return int(number)
