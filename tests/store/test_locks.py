"""Locks stand from `since` to `until`, or until somebody lifts them."""

from __future__ import annotations

import pytest

from quotey.contract.errors import StoreError
from quotey.contract.fields import Entity
from quotey.contract.reconciliation import ConflictType
from quotey.store import Store
from tests.store.make import NOW, deal, item, later, lock

DEAL = Entity.DEAL


def test_a_lock_stands_until_its_end(store: Store) -> None:
    with store.transaction():
        store.locks.put(lock())
        store.locks.put(lock("name", since=later(hours=1)))
    assert store.locks.active(DEAL, ["deal_1", "deal_2"], NOW) == {"deal_1": {"stage": lock()}}
    assert set(store.locks.active(DEAL, ["deal_1"], later(hours=1))["deal_1"]) == {"stage", "name"}
    assert store.locks.active(DEAL, ["deal_1"], later(hours=48)) == {}
    assert store.locks.list(NOW) == (lock(),)


def test_a_lifted_lock_is_given_back_once(store: Store) -> None:
    with store.transaction():
        store.locks.put(lock())
        assert store.locks.end(DEAL, "deal_1", "name", NOW, "bob") is None
        assert store.locks.end(DEAL, "deal_1", "stage", NOW, "bob") == lock()
        assert store.locks.end(DEAL, "deal_1", "stage", NOW, "bob") is None
    assert store.locks.active(DEAL, ["deal_1"], NOW) == {}


def test_an_expired_lock_cannot_be_lifted(store: Store) -> None:
    with store.transaction():
        store.locks.put(lock())
        assert store.locks.end(DEAL, "deal_1", "stage", later(hours=48), "bob") is None


def test_locking_again_takes_the_place_of_the_old_lock(store: Store) -> None:
    renewed = lock(actor="bob", until=later(hours=96))
    with store.transaction():
        store.locks.put(lock())
        store.locks.end(DEAL, "deal_1", "stage", NOW, "ann")
        store.locks.put(renewed)
    assert store.locks.list(NOW) == (renewed,)


def test_a_lock_must_end_after_it_began(store: Store) -> None:
    with pytest.raises(StoreError, match="CHECK"), store.transaction():
        store.locks.put(lock(until=NOW))


def test_records_whose_lock_ended_are_found_while_their_item_is_open(store: Store) -> None:
    with store.transaction():
        store.records.put_many([deal(1), deal(2)])
        store.locks.put(lock())
        store.locks.put(lock(entity_id="deal_2"))
        store.items.record(item())
        store.items.record(item(2, entity_id="deal_2", conflict_type=ConflictType.UNDECIDED_MERGE))
    assert store.locks.ended_with_items("main", NOW) == ()
    assert store.locks.ended_with_items("main", later(hours=48)) == (deal(1),)
    assert store.locks.ended_with_items("other", later(hours=48)) == ()
    with store.transaction():
        store.locks.end(DEAL, "deal_1", "stage", NOW, "ann")
    assert store.locks.ended_with_items("main", NOW) == (deal(1),)
    with store.transaction():
        store.items.resolve("r_1", 1, resolution="crm_wins", at=NOW, actor="ann")
    assert store.locks.ended_with_items("main", NOW) == ()
