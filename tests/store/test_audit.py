"""The audit tells the truth: whatever is changed, removed, added or swapped is found (G12)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import apsw
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quotey.contract.errors import RefusedError, StoreError
from quotey.contract.journal import AuditEvent
from quotey.store import ChainHead, Store, open_store
from tests.store.make import NOW, event

SIZE = 6
NOT_TEXT = cast("str", None)


def append(store: Store, *events: AuditEvent) -> None:
    with store.transaction():
        store.audit.append(events)


def erase(store: Store, *seqs: int) -> int:
    with store.transaction():
        return store.audit.erase(
            seqs, at=NOW, actor="ann", correlation_id="c_e", reason="asked to", mode="live"
        )


def test_an_empty_chain_holds(store: Store) -> None:
    assert store.audit.head() == ChainHead(seq=0, mac="")
    report = store.audit.verify()
    assert (report.ok, report.events) == (True, 0)


def test_events_are_read_newest_first_with_their_place(store: Store) -> None:
    append(store, event(1, body={"b": {"x": None}, "a": [1, "ü"]}), event(2, mode="live"))
    append(store, event(3))
    newest, middle, oldest = store.audit.list()
    assert [newest.seq, middle.seq, oldest.seq] == [3, 2, 1]
    assert oldest == event(1, body={"b": {"x": None}, "a": [1, "ü"]}, seq=1)
    assert middle.mode == "live"
    assert store.audit.verify().events == 3


def test_events_are_found_by_entity_run_and_kind(store: Store) -> None:
    append(
        store,
        event(1),
        event(2, kind="record.created"),
        event(2, kind="operation.delivered", correlation_id="c_1"),
        event(3, entity="", entity_id=""),
    )

    def seqs(**filters: object) -> list[int]:
        return [found.seq for found in store.audit.list(**filters)]  # type: ignore[arg-type]

    assert seqs(entity="deal", entity_id="deal_2") == [3, 2]
    assert seqs(entity_id="deal_2", kind="record.*") == [2]
    assert seqs(entity="contact", entity_id="deal_2") == []
    assert seqs(correlation_id="c_1") == [3, 1]
    assert seqs(kind="record.*") == [4, 2, 1]
    assert seqs(kind="record.updated", entity="deal") == [1]
    assert seqs(limit=2) == [4, 3]
    assert seqs(limit=2, before=3) == [2, 1]


def test_the_same_events_make_the_same_bytes(tmp_path: Path) -> None:
    heads = []
    for name in ("a", "b"):
        with open_store(tmp_path / name / "q.db", role="sync", entropy=bytes) as store:
            append(store, event(1), event(2))
            heads.append(store.audit.head())
    assert heads[0] == heads[1]


def test_a_rolled_back_append_leaves_no_gap(store: Store) -> None:
    append(store, event(1))
    with pytest.raises(StoreError), store.transaction():
        store.audit.append([event(2), event(3, kind=NOT_TEXT)])
    append(store, event(3))
    assert [found.seq for found in store.audit.list()] == [2, 1]
    assert store.audit.verify().ok


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET actor = 'nobody'",
        "DELETE FROM audit_event",
        "UPDATE audit_body SET json = '{}'",
        "DELETE FROM audit_body",
        "REPLACE INTO audit_event SELECT * FROM audit_event",
        "REPLACE INTO audit_body SELECT * FROM audit_body",
    ],
)
def test_the_audit_is_append_only(store: Store, statement: str) -> None:
    append(store, event(1))
    with pytest.raises(StoreError, match="append-only"):
        store._db.run(statement)


def test_a_body_is_erased_by_the_erase_command_only_and_the_chain_holds(store: Store) -> None:
    append(store, event(1), event(2), event(3))
    assert erase(store, 1, 3, 99) == 2
    newest, third, second, first = store.audit.list()
    assert (first.body, third.body) == ({"erased": True}, {"erased": True})
    assert second.body == {"number": 2}
    assert newest == AuditEvent(
        kind="audit.erased",
        at=NOW,
        actor="ann",
        correlation_id="c_e",
        mode="live",
        body={"seqs": [1, 3], "reason": "asked to"},
        seq=4,
    )
    report = store.audit.verify()
    assert (report.ok, report.events, report.erased) == (True, 4, 2)
    with pytest.raises(StoreError, match="append-only"):
        store._db.run("DELETE FROM audit_erasure")


def test_erasing_again_changes_nothing(store: Store) -> None:
    append(store, event(1))
    erase(store, 1)
    head = store.audit.head()
    assert erase(store, 1) == 0
    assert store.audit.head() == head


def test_the_record_of_an_erasure_cannot_be_erased(store: Store) -> None:
    append(store, event(1))
    erase(store, 1)
    with pytest.raises(RefusedError):
        erase(store, 2)


def test_nothing_of_an_erased_body_stays_in_the_file(path: Path) -> None:
    with open_store(path, role="admin") as store:
        append(store, event(1, body={"name": "Erika Mustermann"}), event(2))
        store._db.run("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"Mustermann" in path.read_bytes()
        erase(store, 1)
        store._db.run("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"Mustermann" not in path.read_bytes()


Tamper = Callable[[apsw.Connection, int], object]

TAMPERS: dict[str, Tamper] = {
    "change an actor": lambda db, n: db.execute(
        "UPDATE audit_event SET actor = actor || 'x' WHERE seq = ?", (n,)
    ),
    "change a time": lambda db, n: db.execute(
        "UPDATE audit_event SET at = replace(at, '2026', '2025') WHERE seq = ?", (n,)
    ),
    "move text between columns": lambda db, n: db.execute(
        "UPDATE audit_event SET kind = '', actor = kind || actor WHERE seq = ?", (n,)
    ),
    "change a body": lambda db, n: db.execute(
        "UPDATE audit_body SET json = '{\"number\":0}' WHERE seq = ?", (n,)
    ),
    "change a body and its digest": lambda db, n: db.execute(
        "UPDATE audit_event SET body_digest = randomblob(32) WHERE seq = ?", (n,)
    ),
    "change a salt": lambda db, n: db.execute(
        "UPDATE audit_body SET salt = randomblob(16) WHERE seq = ?", (n,)
    ),
    "remove a body": lambda db, n: db.execute("DELETE FROM audit_body WHERE seq = ?", (n,)),
    "remove a body and call it erased": lambda db, n: (
        db.execute("DELETE FROM audit_body WHERE seq = ?", (n,)),
        db.execute("INSERT INTO audit_erasure (seq) VALUES (?)", (n,)),
    ),
    "change a mac": lambda db, n: db.execute(
        "UPDATE audit_event SET mac = randomblob(32) WHERE seq = ?", (n,)
    ),
    "swap the bodies of two": lambda db, n: (
        db.execute("UPDATE audit_body SET seq = -1 WHERE seq = ?", (n,)),
        db.execute("UPDATE audit_body SET seq = ?1 WHERE seq = ?1 % 6 + 1", (n,)),
        db.execute("UPDATE audit_body SET seq = ?1 % 6 + 1 WHERE seq = -1", (n,)),
    ),
}


def without_guards(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path))
    db.execute("PRAGMA foreign_keys = OFF")
    for (name,) in db.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'audit%'"
    ).fetchall():
        db.execute(f"DROP TRIGGER {name}")
    return db


@pytest.fixture
def chain(path: Path) -> Path:
    with open_store(path, role="desk") as store:
        append(store, *(event(n, actor=f"actor {n}") for n in range(1, SIZE + 1)))
    return path


@pytest.mark.parametrize("number", range(1, SIZE + 1))
@pytest.mark.parametrize("tamper", TAMPERS)
def test_whatever_is_changed_behind_our_back_is_found_and_named(
    chain: Path, tamper: str, number: int
) -> None:
    db = without_guards(chain)
    TAMPERS[tamper](db, number)
    db.close()
    with open_store(chain, role="desk") as store:
        report = store.audit.verify()
    assert not report.ok
    expected = {number, number % SIZE + 1} if tamper == "swap the bodies of two" else {number}
    assert report.broken_at in expected
    assert report.problem


def rewrite(chain: Path, order: list[int]) -> None:
    """Keep these links, in this order, numbered anew."""
    db = without_guards(chain)
    events = db.execute("SELECT * FROM audit_event ORDER BY seq").fetchall()
    bodies = db.execute("SELECT * FROM audit_body ORDER BY seq").fetchall()
    db.execute("DELETE FROM audit_body; DELETE FROM audit_event")
    for seq, old in enumerate(order, start=1):
        event_cells, body_cells = (seq, *events[old - 1][1:]), (seq, *bodies[old - 1][1:])
        db.execute(f"INSERT INTO audit_event VALUES ({','.join('?' * 12)})", event_cells)  # noqa: S608
        db.execute("INSERT INTO audit_body VALUES (?, ?, ?)", body_cells)
    db.close()


@settings(max_examples=40)
@given(order=st.lists(st.integers(1, SIZE), max_size=SIZE + 2))
def test_links_taken_out_swapped_or_doubled_are_found(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    assume(order != list(range(1, len(order) + 1)))
    path = tmp_path_factory.mktemp("chain") / "quotey.db"
    with open_store(path, role="desk") as store:
        append(store, *(event(n) for n in range(1, SIZE + 1)))
    rewrite(path, order)
    first_wrong = next(n for n, old in enumerate(order, start=1) if n != old)
    with open_store(path, role="desk") as store:
        assert store.audit.verify().broken_at == first_wrong


def test_a_missing_link_is_named(chain: Path) -> None:
    db = without_guards(chain)
    db.execute("DELETE FROM audit_event WHERE seq = 3")
    db.close()
    with open_store(chain, role="desk") as store:
        report = store.audit.verify()
    assert (report.broken_at, report.problem) == (3, "an event is missing")
    assert report.head.seq == 2


def test_a_cut_off_tail_is_found_with_a_head_kept_elsewhere(chain: Path) -> None:
    with open_store(chain, role="desk") as store:
        head = store.audit.head()
        assert store.audit.verify(head).ok
    rewrite(chain, [1, 2, 3, 4])
    with open_store(chain, role="desk") as store:
        assert store.audit.verify().ok
        report = store.audit.verify(head)
    assert (report.ok, report.broken_at) == (False, 5)
    assert "cut off" in report.problem


def test_a_chain_rebuilt_with_the_key_differs_from_a_head_kept_elsewhere(chain: Path) -> None:
    with open_store(chain, role="desk") as store:
        head = store.audit.head()
    rewrite(chain, [])
    with open_store(chain, role="desk") as store:
        append(store, *(event(n, actor="someone else") for n in range(1, SIZE + 2)))
        assert store.audit.verify().ok
        report = store.audit.verify(head)
    assert (report.ok, report.broken_at) == (False, SIZE)


def test_a_body_without_an_event_is_found(chain: Path) -> None:
    db = without_guards(chain)
    db.execute("INSERT INTO audit_body VALUES (99, x'00', '{}')")
    db.close()
    with open_store(chain, role="desk") as store:
        assert store.audit.verify().broken_at == 99


def test_a_long_chain_is_walked_in_steps(store: Store) -> None:
    append(store, *(event(n) for n in range(2500)))
    assert store.audit.verify(store.audit.head()).events == 2500
