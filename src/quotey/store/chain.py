"""How the links of the audit chain are made and checked. Pure; rows come and go elsewhere.

`body_digest` = sha256(salt + json); `mac` = HMAC-SHA256(key, JSON of the row's meta and body digest
+ the mac before). So a body can be erased and the chain still holds, while whoever has the file but
not the key can change nothing unnoticed. Source: design section 9, reliability G12.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from quotey.contract.journal import AuditEvent
from quotey.store.shapes import Row, from_json, to_json, to_text

START = bytes(32)
"""The mac before the first link."""

ERASED = "audit.erased"
"""The kind of event whose body names the events that lost their bodies."""

_SALT_BYTES = 16
_encode = msgspec.json.Encoder().encode


class ChainHead(msgspec.Struct, frozen=True, kw_only=True):
    """The newest link, to be kept elsewhere; seq 0 is the empty chain. `mac` is hex."""

    seq: int
    mac: str

    def __str__(self) -> str:
        """Write it in one word, to be written down.

        >>> str(ChainHead(seq=7, mac="a1b2"))
        '7:a1b2'
        """
        return f"{self.seq}:{self.mac}"


class ChainReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `verify` found. `broken_at` is the first wrong position, None when all is well.

    `events` counts links that hold, up to there; `erased` those of them without a body.
    """

    ok: bool
    events: int
    head: ChainHead
    erased: int = 0
    broken_at: int | None = None
    problem: str = ""


class Links(NamedTuple):
    """New rows of `audit_event` and `audit_body`, as cells in the order of their statements."""

    events: list[Row]
    bodies: list[Row]


class Seal:
    """The audit key at work."""

    def __init__(self, key: bytes) -> None:
        # A copy of a keyed hash costs two thirds of setting the key anew.
        self._keyed = hmac.new(key, digestmod="sha256")
        self._salted = hashlib.blake2b(key=key, digest_size=_SALT_BYTES)

    def salt(self, seq: int) -> bytes:
        """Give the salt of a body: not to be guessed without the key, the same with it."""
        salted = self._salted.copy()
        salted.update(b"salt%d" % seq)
        return salted.digest()

    def mac(self, meta: Row, digest: bytes, prev: bytes) -> bytes:
        """Give what says that nothing of this link, or before it, was changed."""
        keyed = self._keyed.copy()
        keyed.update(_encode(meta) + digest + prev)
        return keyed.digest()

    def link(self, seq: int, prev: bytes, events: Sequence[AuditEvent]) -> Links:
        """Chain events behind the link (`seq`, `prev`)."""
        links = Links([], [])
        at, time = None, ""
        for event in events:
            seq += 1
            if event.at is not at:
                at, time = event.at, to_text(event.at)
            meta = _meta(seq, time, event)
            salt, body = self.salt(seq), to_json(event.body)
            digest = digest_of(salt, body)
            mac = self.mac(meta, digest, prev)
            links.events.append((*meta, digest, prev, mac))
            links.bodies.append((seq, salt, body))
            prev = mac
        return links


def digest_of(salt: bytes, body: str) -> bytes:
    """Give the digest of a body, salted so that a short body cannot be guessed from it."""
    return hashlib.sha256(salt + body.encode()).digest()


def _problem_of_body(row: Row) -> str:
    """Hold what an event says against its digest; nothing is said of one that was erased."""
    kind, digest, salt, body = row[1], row[9], row[12], row[13]
    if body is None and salt is None:
        return "the record of an erasure has lost its body" if kind == ERASED else ""
    if not (isinstance(salt, bytes) and isinstance(body, str)) or digest_of(salt, body) != digest:
        return "the body was changed"
    return ""


def _meta(seq: int, time: str, event: AuditEvent) -> Row:
    return (
        seq,
        event.kind,
        time,
        event.actor,
        event.correlation_id,
        event.connection,
        event.entity,
        event.entity_id,
        event.mode,
    )


class Walk:
    """Checks links one after the other; `problem` is set at the first that does not hold."""

    def __init__(self, seal: Seal, known: ChainHead | None) -> None:
        self._seal = seal
        self._known = known
        self._missing: dict[int, None] = {}
        self._erased: set[int] = set()
        self.seq = 0
        self.mac = START
        self.broken_at: int | None = None
        self.problem = ""

    def step(self, row: Row) -> bool:
        """Take a row (the event's columns, then salt and json or None); False stops the walk."""
        meta, (digest, prev, mac, _, body) = row[:9], row[9:]
        problem = self._problem_of(meta, digest, prev, mac) or _problem_of_body(row)
        if problem:
            return self._stop(self.seq + 1, problem)
        self.seq, self.mac = meta[0], mac
        if body is None:
            self._missing[meta[0]] = None
        elif meta[1] == ERASED:
            self._erased.update(from_json(body)["seqs"])
        return self._meets_known()

    def stopped_by(self, damage: str) -> bool:
        """Note that the next event cannot be read, and why; True, as of a walk that stopped."""
        return not self._stop(self.seq + 1, f"the event cannot be read: {damage}")

    def report(self, erasures: Sequence[int], stray: int | None) -> ChainReport:
        """Give the report once the rows are over.

        `erasures` are the events whose bodies the database let go; `stray` is the first body
        without an event.
        """
        if not self.problem:
            self._check_end()
        if not self.problem and stray is not None:
            self._stop(stray, "a body stands there without an event")
        if not self.problem and (wrong := self._erased.symmetric_difference(erasures)):
            self._stop(min(wrong), "the list of erasures differs from the events that tell of them")
        return ChainReport(
            ok=not self.problem,
            events=self.seq,
            head=ChainHead(seq=self.seq, mac=self.mac.hex() if self.seq else ""),
            erased=len(self._missing),
            broken_at=self.broken_at,
            problem=self.problem,
        )

    def _problem_of(self, meta: Row, digest: bytes, prev: bytes, mac: bytes) -> str:
        if meta[0] != self.seq + 1:
            return "an event is missing"
        if not all(isinstance(cell, bytes) for cell in (digest, prev, mac)):
            return "the event was changed"
        if prev != self.mac:
            return "the event does not follow the one before"
        if not hmac.compare_digest(self._seal.mac(meta, digest, prev), mac):
            return "the event was changed"
        return ""

    def _meets_known(self) -> bool:
        known = self._known
        if known is not None and known.seq == self.seq and known.mac != self.mac.hex():
            return self._stop(self.seq, "the event differs from the head that was kept elsewhere")
        return True

    def _check_end(self) -> None:
        lost = next((seq for seq in self._missing if seq not in self._erased), None)
        if self._known is not None and self._known.seq > self.seq:
            self._stop(self.seq + 1, "the tail is cut off: a head that was kept elsewhere is newer")
        elif lost is not None:
            self._stop(lost, "the body is missing and no erasure names it")

    def _stop(self, seq: int, problem: str) -> bool:
        self.broken_at, self.problem = seq, problem
        return False
