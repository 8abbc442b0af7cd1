"""The audit log: an append-only chain of events, with bodies that can be erased."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from quotey.contract.errors import RefusedError
from quotey.contract.journal import AuditEvent
from quotey.store.chain import ERASED, START, ChainHead, ChainReport, Seal, Walk
from quotey.store.database import Database
from quotey.store.faults import NOTHING_CHANGED, DamagedError
from quotey.store.shapes import Cell, Shape, to_json

EVENT = Shape(AuditEvent, "body")
_NEWEST = (1 << 63) - 1
_STRIDE = 1000


class Audit:
    """Events; `seq` has no gaps."""

    def __init__(self, db: Database, seal: Seal) -> None:
        self._db = db
        self._seal = seal

    def append(self, events: Sequence[AuditEvent]) -> None:
        """Append in order, in the caller's transaction; the `seq` of the events is ignored."""
        seq, mac = self._last()
        links = self._seal.link(seq, mac, events)
        self._db.write_many("audit_add", links.events)
        self._db.write_many("audit_add_body", links.bodies)

    def list(
        self,
        *,
        entity: str | None = None,
        entity_id: str | None = None,
        correlation_id: str | None = None,
        kind: str | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> tuple[AuditEvent, ...]:
        """Give events, newest first; `before` is the last `seq` of the page before.

        `kind` may end in `*`. The body of an erased event is `{"erased": true}`.
        """
        params: dict[str, Cell] = {
            "entity": entity,
            "entity_id": entity_id,
            "correlation_id": correlation_id,
            "kind": kind or "*",
            "limit": limit,
            "before": _NEWEST if before is None else before,
        }
        name = "audit_list_of" if entity_id else "audit_list"
        return EVENT.read_all(self._db.rows(name, params))

    def verify(self, known: ChainHead | None = None) -> ChainReport:
        """Walk the whole chain; with a head kept elsewhere, a cut-off tail is found too."""
        return verify(self._db, self._seal, known)

    def head(self) -> ChainHead:
        """Give the newest link."""
        seq, mac = self._last()
        return ChainHead(seq=seq, mac=mac.hex() if seq else "")

    def erase(
        self,
        seqs: Sequence[int],
        *,
        at: datetime,
        actor: str,
        correlation_id: str,
        reason: str,
        mode: str = "stub",
    ) -> int:
        """Delete the bodies of these events and append an event that says so; give how many.

        Those that have no body any more are passed over. RefusedError for the event of an erasure:
        it is what tells an erased body from a stolen one.
        """
        rows = self._db.rows("audit_kinds", {"seqs": to_json(tuple(seqs))})
        if any(kind == ERASED for _, kind in rows):
            raise RefusedError(f"The record of an erasure cannot be erased. {NOTHING_CHANGED}")
        found = [seq for seq, _ in rows]
        if found:
            named = {"seqs": to_json(found)}
            self._db.write("audit_name_erased", named)
            self._db.write("audit_erase", named)
            event = AuditEvent(
                kind=ERASED,
                at=at,
                actor=actor,
                correlation_id=correlation_id,
                mode=mode,
                body={"seqs": found, "reason": reason},
            )
            self.append([event])
        return len(found)

    def _last(self) -> tuple[int, bytes]:
        row = self._db.row("audit_head")
        return (0, START) if row is None else (row[0], row[1])


def verify(db: Database, seal: Seal, known: ChainHead | None = None) -> ChainReport:
    """Walk the chain of any database of ours, a backup for one."""
    walk = Walk(seal, known)
    if _walked(db, walk, _STRIDE):
        return walk.report((), None)
    [[stray]] = db.rows("audit_stray_bodies")
    erased = [seq for (seq,) in db.rows("audit_erasures")]
    return walk.report(erased, stray)


def _walked(db: Database, walk: Walk, stride: int) -> bool:
    """Take so many events at a time; where they cannot be read, one by one up to the damage."""
    try:
        while rows := db.rows("audit_walk", (walk.seq, stride)):
            if not all(map(walk.step, rows)):
                return True
    except DamagedError as damage:
        return walk.stopped_by(damage.message) if stride == 1 else _walked(db, walk, 1)
    return False
