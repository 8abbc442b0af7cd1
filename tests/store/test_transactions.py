"""All of it or nothing, and what happens when the disk or another process says no."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from quotey.contract.errors import StoreBusyError, StoreError
from quotey.contract.fields import Entity
from quotey.store import Store, open_store
from tests.store.make import deal, event


class Stopped(BaseException):
    """The process ends here."""


def write_and_stop(store: Store) -> None:
    store.records.put_many([deal()])
    store.audit.append([event()])
    raise Stopped


def write_too_much(store: Store) -> None:
    store.audit.append([event(2)])
    store.records.put_many([deal(number) for number in range(2, 2000)])


def test_an_error_inside_undoes_everything(store: Store) -> None:
    with pytest.raises(Stopped), store.transaction():
        write_and_stop(store)
    assert store.records.get(Entity.DEAL, "deal_1") is None
    assert store.audit.head().seq == 0
    assert not store.in_transaction


def test_transactions_do_not_nest(store: Store) -> None:
    with pytest.raises(RuntimeError, match="do not nest"), store.transaction(), store.transaction():
        pass
    with pytest.raises(RuntimeError, match="do not nest"), store.snapshot(), store.transaction():
        pass
    with store.transaction():
        assert store.in_transaction


def test_a_writer_outside_of_a_transaction_is_our_bug(store: Store) -> None:
    with pytest.raises(RuntimeError, match="records_put was called outside"):
        store.records.put_many([deal()])
    with pytest.raises(RuntimeError, match="outside"), store.snapshot():
        store.audit.append([event()])


def test_a_snapshot_does_not_see_what_others_commit(store: Store, path: Path) -> None:
    with open_store(path, role="sync") as other, store.snapshot():
        with other.transaction():
            other.records.put_many([deal()])
        assert store.records.get(Entity.DEAL, "deal_1") is None
    assert store.records.get(Entity.DEAL, "deal_1") == deal()


def test_a_second_writer_gives_up_after_a_while_and_says_so(store: Store, path: Path) -> None:
    with open_store(path, role="desk") as other, other.transaction():
        with pytest.raises(StoreBusyError, match="Another process is writing") as caught:
            store.transaction().__enter__()
        assert caught.value.code == "storage_busy"
        assert isinstance(caught.value.__cause__, apsw.BusyError)
    with store.transaction():
        store.records.put_many([deal()])


def test_reading_never_waits_for_a_writer(store: Store, path: Path) -> None:
    with open_store(path, role="desk") as other, other.transaction():
        other.records.put_many([deal()])
        assert store.records.get(Entity.DEAL, "deal_1") is None


def test_a_full_disk_leaves_nothing_half_done(path: Path) -> None:
    with open_store(path, role="admin") as store:
        with store.transaction():
            store.records.put_many([deal()])
            store.audit.append([event()])
        pages = store._db.pragma("page_count")
        assert isinstance(pages, int)
        store._db.pragma(f"max_page_count = {pages}")
        with pytest.raises(StoreError, match="disk is full"), store.transaction():
            write_too_much(store)
        assert store.audit.head().seq == 1
        assert store.records.count("main", Entity.DEAL) == 1
        store._db.pragma("max_page_count = 100000")
        with store.transaction():
            store.records.put_many([deal(2)])
        assert store.admin.check() == ()


def test_an_upgrade_by_another_process_stops_the_old_one(store: Store, path: Path) -> None:
    with open_store(path, role="admin") as admin:
        admin._db.run("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="was upgraded while this was running"):
        store.transaction().__enter__()


class StopsBefore(Store):
    def _commit(self, label: str) -> None:
        if label == "stop":
            raise Stopped
        super()._commit(label)


def test_a_harness_can_stop_before_a_commit(path: Path) -> None:
    with open_store(path, role="desk", kind=StopsBefore) as store:
        with store.transaction("go"):
            store.records.put_many([deal(1)])
        with pytest.raises(Stopped), store.transaction("stop"):
            store.records.put_many([deal(2)])
        assert store.records.count("main", Entity.DEAL) == 1


def test_nothing_of_the_library_leaves_the_room(store: Store) -> None:
    with pytest.raises(StoreError) as caught, store.transaction():
        store.records.alias("main", Entity.DEAL, "D9", "nobody")
    assert isinstance(caught.value.__cause__, apsw.ConstraintError)
    store.close()
    with pytest.raises(StoreError):
        store.records.get(Entity.DEAL, "deal_1")
