"""Late looks: due after a delivery to a slot in doubt, leased, and never forgotten half-way."""

from __future__ import annotations

from quotey.contract.journal import LateLook, OpState
from quotey.store import Store
from tests.store.make import LEASE, NOW, later, operation

LANE = "deal/deal_1"


def due(store: Store) -> None:
    """Put one slot in doubt and make its look due in 90 seconds."""
    with store.transaction():
        if store.outbox.get("op_1") is None:
            store.outbox.add(operation(1, state=OpState.DELIVERED, finished_at=NOW))
        store.looks.doubt("main", LANE, LANE)
        assert store.looks.delivered("main", LANE, "op_1", due_at=later(seconds=90))


def claim(store: Store, seconds: float = 90) -> LateLook | None:
    with store.transaction():
        at = later(seconds=seconds)
        return store.looks.claim("main", at, at + LEASE)


def leased(store: Store, seconds: float = 90) -> LateLook:
    look = claim(store, seconds)
    assert look is not None
    return look


def test_a_slot_that_is_not_in_doubt_gets_no_look(store: Store) -> None:
    with store.transaction():
        store.outbox.add(operation(1))
        assert not store.looks.delivered("main", LANE, "op_1", due_at=NOW)
    assert store.looks.next_due("main") is None
    assert store.looks.count("main") == 0


def test_a_doubt_alone_is_not_due(store: Store) -> None:
    with store.transaction():
        store.looks.doubt("main", LANE, LANE)
    assert (store.looks.count("main"), store.looks.next_due("main")) == (0, None)
    assert claim(store, 10_000) is None


def test_a_look_is_due_after_a_delivery_and_then_leased_once(store: Store) -> None:
    due(store)
    assert store.looks.next_due("main") == later(seconds=90)
    assert claim(store, 89) is None
    assert store.looks.count("main", later(seconds=89)) == 0
    assert store.looks.count("main", later(seconds=90)) == 1
    look = leased(store)
    assert (look.slot, look.lane, look.operation_id, look.tries) == (LANE, LANE, "op_1", 0)
    assert claim(store) is None
    assert store.looks.next_due("main") == look.lease_until
    assert store.looks.count("main") == 1


def test_another_connection_has_its_own(store: Store) -> None:
    due(store)
    assert store.looks.count("other") == 0
    with store.transaction():
        assert store.looks.claim("other", later(hours=1), later(hours=2)) is None


def test_a_look_whose_worker_died_is_leased_again_and_fences_the_first(store: Store) -> None:
    due(store)
    first = leased(store)
    second = leased(store, 90 + LEASE.total_seconds())
    assert second.lease_token > first.lease_token
    with store.transaction():
        assert not store.looks.close(first)
        assert not store.looks.put_off(first, NOW, tries=1)
        assert store.looks.close(second)
    assert store.looks.count("main") == 0


def test_a_new_doubt_or_delivery_ends_the_lease_of_a_look(store: Store) -> None:
    due(store)
    for overtake in (
        lambda: store.looks.doubt("main", LANE, LANE),
        lambda: store.looks.delivered("main", LANE, "op_1", due_at=later(seconds=90)),
    ):
        look = leased(store)
        with store.transaction():
            overtake()
            assert not store.looks.close(look)
        assert store.looks.count("main") == 1


def test_no_look_is_taken_while_something_is_in_flight_in_its_lane(store: Store) -> None:
    due(store)
    with store.transaction():
        store.outbox.add(operation(2))
        store.outbox.claim("main", NOW, NOW + LEASE)
    assert (claim(store), store.looks.next_due("main")) == (None, None)
    assert store.looks.count("main") == 1


def test_a_look_can_be_put_off_to_a_time_or_to_the_next_delivery(store: Store) -> None:
    due(store)
    with store.transaction():
        assert store.looks.put_off(leased_inside(store), later(minutes=5), tries=3)
    assert store.looks.next_due("main") == later(minutes=5)
    with store.transaction():
        assert store.looks.put_off(leased_inside(store, 300), None, tries=4)
    assert store.looks.count("main") == 0
    due(store)
    assert leased(store).tries == 4


def leased_inside(store: Store, seconds: float = 90) -> LateLook:
    at = later(seconds=seconds)
    look = store.looks.claim("main", at, at + LEASE)
    assert look is not None
    return look


def test_another_operation_delivered_begins_the_tries_anew(store: Store) -> None:
    due(store)
    with store.transaction():
        store.looks.put_off(leased_inside(store), later(minutes=5), tries=3)
        store.outbox.add(operation(2, state=OpState.DELIVERED, finished_at=NOW))
        store.looks.delivered("main", LANE, "op_2", due_at=later(seconds=90))
    assert (leased(store).operation_id, leased(store, 300).tries) == ("op_2", 0)
