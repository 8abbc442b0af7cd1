"""Somebody with the database file and any SQL, but without the audit key, who changes one thing.

What was changed is told by reading every cell as bytes before and after, without our own code.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Callable
from pathlib import Path

import apsw

EVENT = (
    "seq", "kind", "at", "actor", "correlation_id", "connection", "entity", "entity_id", "mode",
    "body_digest", "prev", "mac",
)  # fmt: skip
TEXTS, BLOBS = EVENT[1:9], EVENT[9:]
BODY = ("seq", "salt", "json")
Content = dict[int, tuple[str, ...]]
"""Each place of the log with the bytes of all its cells."""


class Intruder:
    """One visit to one file; `last` is the newest event when it began."""

    def __init__(self, path: Path, chance: random.Random | None = None) -> None:
        self.path = path
        self.chance = chance or random.Random(0)  # noqa: S311 - chance, not secrecy
        self.db = apsw.Connection(str(path))
        self.db.execute("PRAGMA ignore_check_constraints = ON")
        self.last: int = self.one("SELECT max(seq) FROM audit_event")

    def one(self, sql: str, *values: object) -> int:
        """Read one number."""
        [[found]] = self.db.execute(sql, values).fetchall()
        assert isinstance(found, int)
        return found

    def some(self, *, but: int = 0) -> int:
        """Choose an event, never the last `but`."""
        return self.chance.randint(1, self.last - but)

    def with_body(self) -> int:
        """Choose an event that has its body."""
        rows = [row[0] for row in self.db.execute("SELECT seq FROM audit_body").fetchall()]
        return int(str(self.chance.choice(rows)))

    def run(self, sql: str, *values: object) -> None:
        """Write, past every guard of ours, and leave the guards as they were."""
        kept = self.db.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'audit%'"
        ).fetchall()
        for name, _ in kept:
            self.db.execute(f"DROP TRIGGER {name}")
        self.db.execute(sql, values)
        for _, made in kept:
            self.db.execute(str(made))


def content(path: Path) -> Content:
    """Read every cell of the log as bytes, with its type; no text is decoded."""
    cells = [f"coalesce(typeof({at}) || hex({at}), '')" for at in (f"e.{one}" for one in EVENT)]
    cells += [f"coalesce(typeof({at}) || hex({at}), '')" for at in (f"b.{one}" for one in BODY)]
    cells.append("x.seq IS NOT NULL")
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        rows = db.execute(
            f"SELECT coalesce(e.seq, b.seq, x.seq), {', '.join(cells)} "  # noqa: S608
            "FROM audit_event AS e FULL JOIN audit_body AS b ON b.seq = e.seq "
            "FULL JOIN audit_erasure AS x ON x.seq = coalesce(e.seq, b.seq)"
        ).fetchall()
    finally:
        db.close()
    return {int(str(row[0])): tuple(map(str, row[1:])) for row in rows}


def differences(before: Content, after: Content) -> list[int]:
    """Give the places that are not what they were, in order."""
    places = sorted(before.keys() | after.keys())
    return [at for at in places if before.get(at) != after.get(at)]


def _flipped(value: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(value) * 8)
    changed = bytearray(value)
    changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def _flip(it: Intruder, table: str, column: str, seq: int) -> None:
    [[cell]] = it.db.execute(
        f"SELECT CAST({column} AS BLOB) FROM {table} WHERE seq = ?",  # noqa: S608
        (seq,),
    ).fetchall()
    assert isinstance(cell, bytes)
    value = _flipped(cell, it.chance) if cell else b"x"
    kind = "BLOB" if column in {*BLOBS, "salt"} else "TEXT"
    it.run(f"UPDATE {table} SET {column} = CAST(? AS {kind}) WHERE seq = ?", value, seq)  # noqa: S608


def flip_a_bit_of_an_event(it: Intruder) -> None:
    """One bit of any cell of an event."""
    _flip(it, "audit_event", it.chance.choice(TEXTS + BLOBS), it.some())


def flip_a_bit_of_a_body(it: Intruder) -> None:
    """One bit of what was said, or of its salt."""
    _flip(it, "audit_body", it.chance.choice(("salt", "json")), it.with_body())


def flip_a_bit_of_the_file(it: Intruder) -> None:
    """One bit anywhere in the pages of the log, its empty room among them."""
    tables = ("audit_event", "audit_body", "audit_erasure")
    places = it.db.execute(
        "SELECT pgoffset, pgsize FROM dbstat WHERE name IN (?, ?, ?)", tables
    ).fetchall()
    it.db.close()
    start, size = it.chance.choice(places)
    at = int(str(start)) + it.chance.randrange(int(str(size)))
    with it.path.open("r+b") as file:
        file.seek(at)
        changed = file.read(1)[0] ^ 1 << it.chance.randrange(8)
        file.seek(at)
        file.write(bytes([changed]))


def change_a_word(it: Intruder) -> None:
    """Another actor, time or record."""
    column = it.chance.choice(TEXTS)
    it.run(f"UPDATE audit_event SET {column} = {column} || 'x' WHERE seq = ?", it.some())  # noqa: S608


def change_a_body_and_its_digest(it: Intruder) -> None:
    """Say something else, and make the digest fit."""
    seq, said = it.with_body(), json.dumps({"said": it.chance.randrange(10**9)})
    [[salt]] = it.db.execute("SELECT salt FROM audit_body WHERE seq = ?", (seq,)).fetchall()
    digest = hashlib.sha256(bytes(salt) + said.encode()).digest()  # type: ignore[arg-type]
    it.run("UPDATE audit_body SET json = ? WHERE seq = ?", said, seq)
    it.run("UPDATE audit_event SET body_digest = ? WHERE seq = ?", digest, seq)


def delete_an_event(it: Intruder) -> None:
    """Take an event out, with its body or without."""
    seq = it.some(but=1)
    it.run("DELETE FROM audit_event WHERE seq = ?", seq)
    if it.chance.random() < 0.5:
        it.run("DELETE FROM audit_body WHERE seq = ?", seq)


def delete_an_event_and_close_the_gap(it: Intruder) -> None:
    """Take an event out and number those behind it anew."""
    seq = it.some(but=1)
    for table in ("audit_event", "audit_body", "audit_erasure"):
        it.run(f"DELETE FROM {table} WHERE seq = ?", seq)  # noqa: S608
        _shift(it, table, seq, -1)


def _shift(it: Intruder, table: str, behind: int, by: int) -> None:
    it.run(f"UPDATE {table} SET seq = -(seq + ?) WHERE seq > ?", by, behind)  # noqa: S608
    it.run(f"UPDATE {table} SET seq = -seq WHERE seq < 0")  # noqa: S608


def delete_a_body(it: Intruder) -> None:
    """Take away what was said."""
    it.run("DELETE FROM audit_body WHERE seq = ?", it.with_body())


def delete_a_body_and_call_it_erased(it: Intruder) -> None:
    """Take away what was said as if somebody had asked for it."""
    seq = it.with_body()
    it.run("INSERT INTO audit_erasure VALUES (?)", seq)
    it.run("DELETE FROM audit_body WHERE seq = ?", seq)


def unlock_a_body(it: Intruder) -> None:
    """Name an event as erased, so that an ordinary connection may delete its body later."""
    it.run("INSERT INTO audit_erasure VALUES (?)", it.with_body())


def forget_an_erasure(it: Intruder) -> None:
    """Take a body's name off the list of the erased."""
    it.run(
        "DELETE FROM audit_erasure WHERE seq IN "
        "(SELECT seq FROM audit_erasure ORDER BY random() LIMIT 1)"
    )


def swap_two_events(it: Intruder) -> None:
    """Let two events change places, with their bodies or without."""
    one, two = it.chance.sample(range(1, it.last + 1), 2)
    both = it.chance.random() < 0.5
    for table in ("audit_event", "audit_body", "audit_erasure") if both else ("audit_event",):
        for old, new in ((one, -1), (two, one), (-1, two)):
            it.run(f"UPDATE {table} SET seq = ? WHERE seq = ?", new, old)  # noqa: S608


def swap_two_bodies(it: Intruder) -> None:
    """Let two events say what the other said."""
    one, two = it.with_body(), it.with_body()
    while one == two:
        two = it.with_body()
    for old, new in ((one, -1), (two, one), (-1, two)):
        it.run("UPDATE audit_body SET seq = ? WHERE seq = ?", new, old)


def cut_behind(it: Intruder, seq: int) -> None:
    """Take away everything behind an event."""
    for table in ("audit_body", "audit_erasure", "audit_event"):
        it.run(f"DELETE FROM {table} WHERE seq > ?", seq)  # noqa: S608


def cut_the_tail(it: Intruder) -> None:
    """Take away everything from some event on."""
    cut_behind(it, it.some() - 1)


def repeat_an_event(it: Intruder) -> None:
    """Put an event there a second time, in the middle or at the end, and number on."""
    seq, behind = it.some(), it.chance.choice((it.some(), it.last))
    for table in ("audit_event", "audit_body", "audit_erasure"):
        _shift(it, table, behind, 1)
    source = seq if seq <= behind else seq + 1
    _copy_event(it, source, behind + 1)


def _copy_event(it: Intruder, source: int, to: int) -> None:
    it.run(f"INSERT INTO audit_event SELECT ?, {', '.join(EVENT[1:])} FROM audit_event "  # noqa: S608
           "WHERE seq = ?", to, source)  # fmt: skip
    it.run("INSERT INTO audit_body SELECT ?, salt, json FROM audit_body WHERE seq = ?", to, source)


def add_an_event(it: Intruder) -> None:
    """Say at the end what never happened, chained as well as can be without the key."""
    _copy_event(it, it.some(), it.last + 1)
    _chain_anew(it, it.last + 1)


def rebuild_from_an_event_on(it: Intruder) -> None:
    """Change an event and chain it, and all behind it, with a key of one's own."""
    seq = it.some()
    it.run("UPDATE audit_event SET actor = actor || '!' WHERE seq = ?", seq)
    _chain_anew(it, seq)


def _chain_anew(it: Intruder, start: int) -> None:
    key = it.chance.randbytes(32)
    prev = bytes(32)
    for row in it.db.execute("SELECT * FROM audit_event ORDER BY seq").fetchall():
        meta, digest, mac = row[:9], bytes(row[9]), bytes(row[11])  # type: ignore[arg-type]
        if meta[0] >= start:  # type: ignore[operator]
            said = json.dumps(meta, separators=(",", ":"), ensure_ascii=False).encode()
            mac = hmac.digest(key, said + digest + prev, "sha256")
            it.run("UPDATE audit_event SET prev = ?, mac = ? WHERE seq = ?", prev, mac, meta[0])
        prev = mac


Move = Callable[[Intruder], None]
MOVES: tuple[Move, ...] = (
    flip_a_bit_of_an_event,
    flip_a_bit_of_a_body,
    flip_a_bit_of_the_file,
    change_a_word,
    change_a_body_and_its_digest,
    delete_an_event,
    delete_an_event_and_close_the_gap,
    delete_a_body,
    delete_a_body_and_call_it_erased,
    unlock_a_body,
    forget_an_erasure,
    swap_two_events,
    swap_two_bodies,
    cut_the_tail,
    repeat_an_event,
    add_an_event,
    rebuild_from_an_event_on,
)
