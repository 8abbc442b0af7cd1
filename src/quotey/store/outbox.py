"""The outbox: operations that wait to be written to a CRM, in lanes.

Whether a move is legal is decided elsewhere; here a row's shape is checked and the fence holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import UNSET, UnsetType

from quotey.contract.errors import ErrorClass
from quotey.contract.fields import Entity
from quotey.contract.journal import PENDING, Hold, Operation, OpState
from quotey.contract.moments import LONGEST_LEASE
from quotey.store.database import Database
from quotey.store.shapes import (
    Cell,
    Shape,
    from_json,
    texts,
    to_json,
    to_text,
    to_text_or_none,
    to_time,
)

OPERATION = Shape(Operation, "payload")
_SETTLED = (OpState.DELIVERED, OpState.SUPERSEDED, OpState.DISCARDED)


class Outbox:
    """Operations. Only the first pending one of a lane can be claimed, one at a time."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, op: Operation) -> int:
        """Queue it (its `seq` is ignored) and give its place. StoreError when id or key exists."""
        [[seq]] = self._db.write_rows("outbox_add", OPERATION.write(op))
        return int(seq)

    def get(self, id_: str) -> Operation | None:
        """Give one operation."""
        return next(iter(self._read("outbox_get", id=id_)), None)

    def by_key(self, key: str) -> Operation | None:
        """Give the operation with this idempotency key."""
        return next(iter(self._read("outbox_by_key", key=key)), None)

    def pending(self, connection: str, lane: str) -> tuple[Operation, ...]:
        """Give what waits in a lane, in order."""
        return self._read("outbox_pending", connection=connection, lane=lane)

    def pending_for(self, entity: Entity, entity_id: str) -> tuple[Operation, ...]:
        """Give what waits for one record or quote, in order."""
        return self._read("outbox_pending_for", entity=entity, entity_id=entity_id)

    def in_flight_values(
        self, connection: str, entity: Entity, ids: Sequence[str]
    ) -> dict[str, dict[str, tuple[str | None, ...]]]:
        """Give by id and field the values that were sent (`sent_at`) and are not settled."""
        return self._values("outbox_in_flight", connection, entity, texts(ids))

    def may_land_values(
        self, connection: str, entity: Entity, since: Mapping[str, datetime]
    ) -> dict[str, dict[str, tuple[str | None, ...]]]:
        """Give by id and field the values of updates that ended, `since` by id, and may still land.

        A request of theirs was never answered, or not as the last one was: they were sent more than
        once, or ended without a delivery. Source: reliability G13.
        """
        wanted = to_json({id_: to_text(at) for id_, at in since.items()})
        return self._values("outbox_may_land", connection, entity, wanted)

    def _values(
        self, statement: str, connection: str, entity: Entity, wanted: str
    ) -> dict[str, dict[str, tuple[str | None, ...]]]:
        params = {"connection": connection, "entity": entity, "wanted": wanted}
        found: dict[str, dict[str, tuple[str | None, ...]]] = defaultdict(
            lambda: defaultdict(tuple)
        )
        for id_, payload in self._db.rows(statement, params):
            for field, value in from_json(payload).items():
                found[id_][field] += (value,)
        return {id_: dict(values) for id_, values in found.items()}

    def claim(
        self, connection: str, now: datetime, until: datetime, limit: int = 1
    ) -> tuple[Operation, ...]:
        """Lease what is due at the head of its lane: `queued`, or `unknown` for its verification.

        The lease token grows by one. `sent_at` still tells whether an earlier request may have
        left. Attempts are counted by `mark_sent`.
        """
        params: dict[str, Cell] = {
            "connection": connection,
            "now": to_text(now),
            "until": to_text(until),
            "limit": limit,
        }
        claimed = OPERATION.read_all(self._db.write_rows("outbox_claim", params))
        return tuple(sorted(claimed, key=lambda op: (op.due_at, op.seq)))

    def renew(self, id_: str, token: int, until: datetime) -> bool:
        """Hold a lease for longer; False when the token is no longer held."""
        params: dict[str, Cell] = {"id": id_, "token": token, "until": to_text(until)}
        return self._db.write("outbox_renew", params) == 1

    def mark_sent(self, id_: str, token: int, at: datetime) -> bool:
        """Note, before the request leaves, that it may leave: attempts + 1, `sent_at`.

        False when the token is no longer held: then nothing may be sent.
        """
        params: dict[str, Cell] = {"id": id_, "token": token, "at": to_text(at)}
        return self._db.write("outbox_mark_sent", params) == 1

    def settle(  # noqa: PLR0913 - one column each
        self,
        id_: str,
        token: int,
        *,
        state: OpState,
        at: datetime,
        due_at: datetime | None = None,
        hold: Hold | None = None,
        error_class: ErrorClass | None = None,
        error: str = "",
        fingerprint: str | None = None,
        sent_at: datetime | None | UnsetType = UNSET,
        unburn: bool = False,
    ) -> bool:
        """Give up a lease with this result; False when the token is no longer held.

        `at` becomes `finished_at` in a final state. None keeps `due_at` and `fingerprint`.
        `sent_at=None` says that nothing is in flight any more (known not applied); left out, it
        stays. `unburn` takes back the attempt that `mark_sent` counted: auth stops and rate waits
        burn none. Source: reliability 6.
        """
        keep = isinstance(sent_at, UnsetType)
        params: dict[str, Cell] = {
            "id": id_,
            "token": token,
            "state": state,
            "finished_at": _end_of(state, at),
            "due_at": to_text_or_none(due_at),
            "hold": hold,
            "error_class": error_class,
            "error": error,
            "fingerprint": fingerprint,
            "keep_sent_at": int(keep),
            "unburnt": int(unburn),
            "sent_at": None if isinstance(sent_at, UnsetType) else to_text_or_none(sent_at),
        }
        return self._db.write("outbox_settle", params) == 1

    def expired(self, connection: str, now: datetime) -> tuple[Operation, ...]:
        """Give operations whose lease ran out; `settle` them with the token that they carry.

        Also those that seem leased for longer than any lease lasts (`moments.is_ahead`).
        """
        too_far = to_text(now + LONGEST_LEASE)
        return self._read(
            "outbox_expired", connection=connection, now=to_text(now), too_far=too_far
        )

    def set_state(  # noqa: PLR0913 - one column each
        self,
        ids: Sequence[str],
        state: OpState,
        *,
        at: datetime,
        due_at: datetime | None = None,
        hold: Hold | None = None,
        error_class: ErrorClass | None = None,
        error: str = "",
        replaces: str | None = None,
    ) -> int:
        """Move operations that nobody has leased; give how many. Leased ones are left alone.

        None keeps `due_at` and `replaces`; `error` and `error_class` are always replaced.
        """
        params: dict[str, Cell] = {
            "ids": texts(ids),
            "state": state,
            "finished_at": _end_of(state, at),
            "due_at": to_text_or_none(due_at),
            "hold": hold,
            "error_class": error_class,
            "error": error,
            "replaces": replaces,
        }
        return self._db.write("outbox_set_state", params)

    def release(self, connection: str, hold: Hold, fingerprint: str | None = None) -> int:
        """Queue again what was held for this reason; with a fingerprint, only what had another."""
        params = {"connection": connection, "hold": hold, "fingerprint": fingerprint}
        return self._db.write("outbox_release", params)

    def counts(self, connection: str, *, settled: bool = False) -> dict[OpState, int]:
        """Count by state; every state counted is a key.

        Delivered, superseded and discarded are counted only when `settled`: that reads them all.
        """
        counted = [state for state in OpState if settled or state not in _SETTLED]
        rows = self._db.rows("outbox_count_unsettled", {"connection": connection})
        if settled:
            rows += self._db.rows("outbox_count_settled", {"connection": connection})
        return dict.fromkeys(counted, 0) | {OpState(state): number for state, number in rows}

    def next_due(self, connection: str) -> datetime | None:
        """Say when the next head of a lane is due; None when none is queued or unknown."""
        row = self._db.row("outbox_next_due", {"connection": connection})
        return None if row is None else to_time(row[0])

    def doubt_pending(self, at: datetime) -> int:
        """Note of all that waits that it may have been sent; give how many were thought not to be.

        For a restored backup: what waits in it, its former life may have sent since.
        """
        return self._db.write("outbox_doubt_pending", {"at": to_text(at)})

    def list(
        self,
        connection: str,
        *,
        states: Sequence[OpState] = (),
        entity: Entity | None = None,
        entity_id: str | None = None,
        lane: str | None = None,
        limit: int = 100,
        after: int = 0,
    ) -> tuple[Operation, ...]:
        """Give operations in order of their place; `after` is the last `seq` of the page before."""
        return self._read(
            "outbox_list",
            connection=connection,
            states=texts(states),
            entity=entity,
            entity_id=entity_id,
            lane=lane,
            limit=limit,
            after=after,
        )

    def _read(self, name: str, **params: Cell) -> tuple[Operation, ...]:
        return OPERATION.read_all(self._db.rows(name, params))


def _end_of(state: OpState, at: datetime) -> str | None:
    return None if state in PENDING else to_text(at)
