"""Lanes, leases and the fence: nothing goes out twice, out of order, or without its token."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import ClassVar

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from quotey.contract.errors import ErrorClass, StoreError
from quotey.contract.fields import Entity
from quotey.contract.journal import PENDING, Hold, Operation, OpState
from quotey.store import Store
from tests.store.make import LEASE, NOW, later, operation

IN_FLIGHT = (OpState.LEASED, OpState.UNKNOWN)
MOVED_TO = (
    OpState.QUEUED,
    OpState.HELD,
    OpState.DEAD,
    OpState.DISCARDED,
    OpState.SUPERSEDED,
)

EARLIER = later(days=-1)


def add(store: Store, *ops: Operation) -> None:
    with store.transaction():
        for op in ops:
            store.outbox.add(op)


def claim(store: Store, limit: int = 1, **delta: float) -> list[str]:
    with store.transaction():
        now = later(**delta)
        return [op.id for op in store.outbox.claim("main", now, now + LEASE, limit)]


def settle(store: Store, id_: str, token: int, state: OpState, **changes: object) -> bool:
    with store.transaction():
        return store.outbox.settle(id_, token, state=state, at=NOW, **changes)  # type: ignore[arg-type]


def get(store: Store, id_: str) -> Operation:
    found = store.outbox.get(id_)
    assert found is not None
    return found


def test_an_operation_is_read_back_as_it_was_added(store: Store) -> None:
    op = operation(replaces="q_0", payload={"b": None, "a": "x"}, actor="ann", fingerprint="f")
    with store.transaction():
        assert store.outbox.add(op) == 1
    found = get(store, "op_1")
    assert (found.payload, found.replaces, found.state) == (op.payload, "q_0", OpState.QUEUED)
    assert store.outbox.by_key("key-1") == found
    assert store.outbox.get("nobody") is None
    assert store.outbox.by_key("nothing") is None


@pytest.mark.parametrize("twin", [operation(2, key="key-1"), operation(2, id="op_1")])
def test_an_id_or_an_idempotency_key_is_never_used_twice(store: Store, twin: Operation) -> None:
    add(store, operation())
    with pytest.raises(StoreError, match="UNIQUE"):
        add(store, twin)


def test_only_the_first_pending_operation_of_a_lane_is_claimed(store: Store) -> None:
    add(store, operation(1), operation(2), operation(3, lane="deal/deal_2"))
    assert claim(store, limit=10) == ["op_1", "op_3"]
    assert claim(store, limit=10) == []
    settle(store, "op_1", 1, OpState.DELIVERED)
    assert claim(store, limit=10) == ["op_2"]


def test_a_claim_takes_a_lease_with_a_new_token(store: Store) -> None:
    add(store, operation())
    with store.transaction():
        (op,) = store.outbox.claim("main", NOW, NOW + LEASE)
    assert (op.state, op.lease_token, op.lease_until) == (OpState.LEASED, 1, NOW + LEASE)
    assert op.attempts == 0


def test_what_is_not_due_is_not_claimed_and_holds_its_lane(store: Store) -> None:
    add(store, operation(1, due_at=later(minutes=5)), operation(2))
    assert claim(store) == []
    assert store.outbox.next_due("main") == later(minutes=5)
    assert claim(store, minutes=5) == ["op_1"]
    assert store.outbox.next_due("main") is None


def test_another_connections_operations_are_left_alone(store: Store) -> None:
    add(store, operation(1, connection="other"))
    assert claim(store) == []
    assert store.outbox.next_due("main") is None


@pytest.mark.parametrize("hold", Hold)
def test_a_held_operation_blocks_its_lane_only(store: Store, hold: Hold) -> None:
    add(store, operation(1), operation(2), operation(3, lane="deal/deal_2"))
    with store.transaction():
        store.outbox.set_state(["op_1"], OpState.HELD, at=NOW, hold=hold)
    assert claim(store, limit=10) == ["op_3"]
    with store.transaction():
        assert store.outbox.release("main", hold) == 1
    assert claim(store, limit=10) == ["op_1"]


def test_an_unknown_outcome_blocks_its_lane_until_it_is_looked_at(store: Store) -> None:
    add(store, operation(1), operation(2))
    claim(store)
    with store.transaction():
        assert store.outbox.mark_sent("op_1", 1, NOW)
    assert settle(store, "op_1", 1, OpState.UNKNOWN, due_at=later(seconds=30))
    assert claim(store) == []
    with store.transaction():
        (op,) = store.outbox.claim("main", later(seconds=30), later(seconds=70))
    assert (op.id, op.lease_token, op.sent_at) == ("op_1", 2, NOW)


def test_two_operations_of_a_lane_are_never_in_flight(store: Store) -> None:
    add(store, operation(1), operation(2))
    claim(store)
    with pytest.raises(StoreError, match="UNIQUE"), store.transaction():
        store._db.run(
            f"UPDATE outbox SET state = 'leased', lease_until = '{NOW}' WHERE id = 'op_2'"  # noqa: S608
        )


def test_a_request_is_counted_when_it_may_leave(store: Store) -> None:
    add(store, operation())
    claim(store)
    with store.transaction():
        assert store.outbox.mark_sent("op_1", 1, later(seconds=1))
        assert store.outbox.mark_sent("op_1", 1, later(seconds=2))
    op = get(store, "op_1")
    assert (op.attempts, op.first_sent_at, op.sent_at) == (2, later(seconds=1), later(seconds=2))


def test_without_the_current_token_nothing_is_sent_renewed_or_settled(store: Store) -> None:
    add(store, operation())
    claim(store)
    with store.transaction():
        (lost,) = store.outbox.expired("main", NOW + LEASE)
        store.outbox.settle("op_1", lost.lease_token, state=OpState.QUEUED, at=NOW)
    claim(store)
    before = get(store, "op_1")
    with store.transaction():
        assert not store.outbox.mark_sent("op_1", 1, NOW)
        assert not store.outbox.renew("op_1", 1, later(hours=1))
        assert not store.outbox.settle("op_1", 1, state=OpState.DELIVERED, at=NOW)
        assert not store.outbox.settle("nobody", 1, state=OpState.DELIVERED, at=NOW)
    assert get(store, "op_1") == before
    assert settle(store, "op_1", 2, OpState.DELIVERED)
    assert not settle(store, "op_1", 2, OpState.DELIVERED)


def test_a_lease_is_renewed_and_expires_at_its_end(store: Store) -> None:
    add(store, operation())
    claim(store)
    with store.transaction():
        assert store.outbox.renew("op_1", 1, later(minutes=2))
    assert store.outbox.expired("main", NOW + LEASE) == ()
    assert [op.id for op in store.outbox.expired("main", later(minutes=2))] == ["op_1"]


def test_settling_writes_what_is_known_of_the_failure(store: Store) -> None:
    add(store, operation())
    claim(store)
    with store.transaction():
        store.outbox.mark_sent("op_1", 1, NOW)
    assert settle(
        store, "op_1", 1, OpState.QUEUED,
        due_at=later(seconds=8), error_class=ErrorClass.TRANSIENT, error="503", sent_at=None,
        fingerprint="f2",
    )  # fmt: skip
    op = get(store, "op_1")
    assert (op.due_at, op.error_class, op.error) == (
        later(seconds=8),
        ErrorClass.TRANSIENT,
        "503",
    )
    assert (op.sent_at, op.first_sent_at, op.attempts) == (None, NOW, 1)
    assert (op.lease_until, op.finished_at, op.fingerprint) == (None, None, "f2")


@pytest.mark.parametrize("state", [state for state in OpState if state not in PENDING])
def test_a_final_state_has_its_end_and_frees_the_lane(store: Store, state: OpState) -> None:
    add(store, operation(1), operation(2))
    claim(store)
    assert settle(store, "op_1", 1, state)
    assert get(store, "op_1").finished_at == NOW
    assert claim(store) == ["op_2"]


@pytest.mark.parametrize(
    "broken",
    [
        operation(hold=Hold.AUTH),
        operation(state=OpState.HELD),
        operation(state=OpState.LEASED),
        operation(lease_until=NOW),
        operation(state=OpState.UNKNOWN),
        operation(sent_at=NOW),
        operation(state=OpState.DELIVERED),
        operation(finished_at=NOW),
        operation(attempts=-1),
    ],
)
def test_the_schema_refuses_a_row_that_contradicts_itself(store: Store, broken: Operation) -> None:
    with pytest.raises(StoreError, match="CHECK"):
        add(store, broken)


def test_a_lease_token_only_grows(store: Store) -> None:
    add(store, operation())
    claim(store)
    with pytest.raises(StoreError, match="only grows"), store.transaction():
        store._db.run("UPDATE outbox SET lease_token = 0")


def test_an_operation_is_never_deleted(store: Store) -> None:
    add(store, operation())
    with pytest.raises(StoreError, match="never deleted"):
        store._db.run("DELETE FROM outbox")


def test_a_leased_operation_is_not_moved_past_its_holder(store: Store) -> None:
    add(store, operation(1), operation(2))
    claim(store)
    with store.transaction():
        assert store.outbox.set_state(["op_1", "op_2"], OpState.SUPERSEDED, at=NOW) == 1
    assert get(store, "op_1").state == OpState.LEASED


def test_an_operation_that_comes_back_takes_its_old_place(store: Store) -> None:
    add(store, operation(1), operation(2))
    with store.transaction():
        store.outbox.set_state(["op_1"], OpState.DEAD, at=NOW)
        assert [op.id for op in store.outbox.pending("main", "deal/deal_1")] == ["op_2"]
        store.outbox.set_state(["op_1"], OpState.QUEUED, at=NOW, replaces="q_9")
    assert get(store, "op_1").replaces == "q_9"
    assert get(store, "op_1").finished_at is None
    assert claim(store) == ["op_1"]


def test_release_by_fingerprint_lets_go_only_of_what_another_mapping_held(store: Store) -> None:
    lanes = (operation(n, lane=f"deal/{n}", fingerprint=f"f{n}") for n in (1, 2))
    add(store, *lanes)
    with store.transaction():
        store.outbox.set_state(["op_1", "op_2"], OpState.HELD, at=NOW, hold=Hold.MAPPING)
        assert store.outbox.release("main", Hold.AUTH) == 0
        assert store.outbox.release("main", Hold.MAPPING, "f1") == 1
    assert (get(store, "op_1").state, get(store, "op_2").state) == (OpState.HELD, OpState.QUEUED)


def test_values_in_flight_are_those_sent_and_not_settled(store: Store) -> None:
    add(
        store,
        operation(1, payload={"name": "A", "amount": None}),
        operation(2, payload={"name": "B"}),
        operation(3, lane="deal/deal_2", entity_id="deal_2"),
    )
    assert store.outbox.in_flight_values("main", Entity.DEAL, ["deal_1"]) == {}
    claim(store)
    with store.transaction():
        store.outbox.mark_sent("op_1", 1, NOW)
    assert store.outbox.in_flight_values("main", Entity.DEAL, ["deal_1", "deal_2"]) == {
        "deal_1": {"name": ("A",), "amount": (None,)}
    }
    settle(store, "op_1", 1, OpState.DELIVERED)
    assert store.outbox.in_flight_values("main", Entity.DEAL, ["deal_1"]) == {}


def test_values_that_may_still_land_are_of_updates_that_one_answer_did_not_end(
    store: Store,
) -> None:
    def landing(since: datetime = NOW) -> object:
        return store.outbox.may_land_values("main", Entity.DEAL, {"deal_1": since})

    ends = [(1, OpState.DELIVERED), (2, OpState.DELIVERED), (1, OpState.SUPERSEDED)]
    for n, (attempts, state) in enumerate(ends, start=1):
        ended = operation(n, payload={"name": f"v{n}"}, attempts=attempts, state=state)
        add(store, msgspec.structs.replace(ended, first_sent_at=NOW, finished_at=NOW))
    assert landing() == {"deal_1": {"name": ("v2", "v3")}}
    assert landing(NOW + timedelta(seconds=1)) == {}
    assert store.outbox.may_land_values("main", Entity.ACCOUNT, {"deal_1": NOW}) == {}


def test_what_waits_is_found_by_lane_and_by_record(store: Store) -> None:
    quote = operation(2, entity=Entity.QUOTE, entity_id="q_1")
    add(store, operation(1), quote, operation(3, lane="deal/x", entity_id="x"))
    assert [op.id for op in store.outbox.pending("main", "deal/deal_1")] == ["op_1", "op_2"]
    assert [op.id for op in store.outbox.pending_for(Entity.QUOTE, "q_1")] == ["op_2"]
    assert store.outbox.pending_for(Entity.DEAL, "q_1") == ()


def test_operations_are_listed_by_filter_and_page(store: Store) -> None:
    add(store, *(operation(n, lane=f"deal/{n % 2}", entity_id=f"d{n}") for n in range(1, 6)))
    with store.transaction():
        store.outbox.set_state(["op_2"], OpState.DISCARDED, at=NOW)

    def ids(**filters: object) -> list[str]:
        return [op.id for op in store.outbox.list("main", **filters)]  # type: ignore[arg-type]

    assert ids() == [f"op_{n}" for n in range(1, 6)]
    assert ids(states=[OpState.DISCARDED]) == ["op_2"]
    assert ids(lane="deal/0") == ["op_2", "op_4"]
    assert ids(entity=Entity.DEAL, entity_id="d3") == ["op_3"]
    assert ids(limit=2) == ["op_1", "op_2"]
    assert ids(limit=2, after=2) == ["op_3", "op_4"]


def test_operations_are_counted_by_state(store: Store) -> None:
    add(store, *(operation(n, lane=f"deal/{n}") for n in range(1, 4)))
    with store.transaction():
        store.outbox.set_state(["op_1"], OpState.SUPERSEDED, at=NOW)
    counts = store.outbox.counts("main")
    assert counts[OpState.QUEUED] == 2
    assert counts[OpState.DEAD] == 0
    assert OpState.SUPERSEDED not in counts
    assert store.outbox.counts("main", settled=True)[OpState.SUPERSEDED] == 1
    assert set(store.outbox.counts("other", settled=True)) == set(OpState)


def test_claiming_and_counting_use_the_partial_indexes(store: Store) -> None:
    for name, index in (
        ("outbox_claim", "outbox_due"),
        ("outbox_next_due", "outbox_due"),
        ("outbox_pending", "outbox_pending"),
        ("outbox_pending_for", "outbox_pending_for"),
        ("outbox_in_flight", "outbox_pending_for"),
        ("outbox_may_land", "outbox_may_land"),
        ("outbox_count_unsettled", "outbox_unsettled"),
        ("outbox_release", "outbox_unsettled"),
        ("outbox_expired", "outbox_one_in_flight"),
    ):
        sql = store._db._sql[name]
        named = dict.fromkeys(
            ("connection", "now", "until", "limit", "lane", "entity", "entity_id", "wanted", "hold",
             "fingerprint", "too_far"), "x",
        )  # fmt: skip
        plan = store._db.connection.execute(f"EXPLAIN QUERY PLAN {sql}", named).fetchall()
        assert any(index in str(step) for step in plan), (name, plan)


class Lanes(RuleBasedStateMachine):
    """Any sequence of moves, against a model that knows only the promises of a lane."""

    store: ClassVar[Store]
    runs: ClassVar[Iterator[int]] = count(1)

    def __init__(self) -> None:
        super().__init__()
        self.connection = f"run {next(Lanes.runs)}"
        self.model: dict[str, OpState] = {}
        self.tokens: dict[str, int] = {}

    def now(self) -> list[Operation]:
        return list(self.store.outbox.list(self.connection, limit=1000))

    @rule(lane=st.sampled_from(["a", "b"]))
    def queue(self, lane: str) -> None:
        id_ = f"{self.connection} op {len(self.model)}"
        add(self.store, operation(lane=lane, connection=self.connection, id=id_, key=id_))
        self.model[id_] = OpState.QUEUED

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        turns = self.turns()
        with self.store.transaction():
            claimed = self.store.outbox.claim(self.connection, NOW, NOW + LEASE, limit)
        due = [id_ for id_ in turns if self.model[id_] in (OpState.QUEUED, OpState.UNKNOWN)]
        assert len(claimed) == min(limit, len(due))
        assert {op.id for op in claimed} <= set(due)
        for op in claimed:
            self.model[op.id] = OpState.LEASED
            self.tokens[op.id] = self.tokens.get(op.id, 0) + 1
            with self.store.transaction():
                assert self.store.outbox.mark_sent(op.id, self.tokens[op.id], NOW)

    @precondition(lambda self: OpState.LEASED in self.model.values())
    @rule(data=st.data(), stale=st.booleans())
    def settle(self, data: st.DataObject, *, stale: bool) -> None:
        leased = [id_ for id_, state in self.model.items() if state == OpState.LEASED]
        id_ = data.draw(st.sampled_from(leased))
        state = data.draw(st.sampled_from([s for s in OpState if s != OpState.LEASED]))
        hold = Hold.OPERATOR if state == OpState.HELD else None
        done = settle(self.store, id_, self.tokens[id_] - stale, state, hold=hold)
        assert done is not stale
        if done:
            self.model[id_] = state

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.model)))
        state = data.draw(st.sampled_from(MOVED_TO))
        hold = Hold.OPERATOR if state == OpState.HELD else None
        with self.store.transaction():
            moved = self.store.outbox.set_state([id_], state, at=NOW, hold=hold)
        assert moved == (self.model[id_] != OpState.LEASED)
        if moved:
            self.model[id_] = state

    def turns(self) -> set[str]:
        found: dict[str, str] = {}
        pending = [op for op in self.now() if op.state in PENDING]
        for op in sorted(pending, key=lambda op: (op.state not in IN_FLIGHT, op.seq)):
            found.setdefault(op.lane, op.id)
        return set(found.values())

    @invariant()
    def the_rows_are_what_the_moves_say(self) -> None:
        assert {op.id: op.state for op in self.now()} == self.model

    @invariant()
    def each_lane_has_one_operation_whose_turn_it_is(self) -> None:
        rows = self.store._db.connection.execute(
            "SELECT id FROM outbox WHERE head = 1 AND connection = ?", (self.connection,)
        )
        assert {id_ for (id_,) in rows} == self.turns()


def test_any_sequence_of_moves_keeps_lanes_in_order_and_one_in_flight(store: Store) -> None:
    Lanes.store = store
    run_state_machine_as_test(Lanes, settings=settings(max_examples=60, stateful_step_count=30))


def steps_of_a_claim(store: Store) -> int:
    """Count steps of SQLite's virtual machine: unlike seconds they are the same on every run."""
    steps = count()
    store._db.connection.set_progress_handler(lambda: bool(next(steps) < 0), 1)
    assert claim(store) == ["op_9999"]
    store._db.connection.set_progress_handler(None)
    return next(steps)


def test_a_claim_costs_the_same_however_much_is_done_or_waits_behind_held_lanes(
    store: Store,
) -> None:
    last = operation(9999, lane="deal/last")
    add(store, last)
    alone = steps_of_a_claim(store)
    settle(store, "op_9999", 1, OpState.QUEUED)
    with store.transaction():
        for number in range(0, 900, 3):
            for offset in range(3):
                store.outbox.add(operation(number + offset, lane=f"deal/{number}", due_at=EARLIER))
        held, done = zip(*((f"op_{n}", f"op_{n + 2}") for n in range(0, 900, 3)), strict=True)
        store.outbox.set_state(held, OpState.HELD, at=NOW, hold=Hold.PARENT)
        store.outbox.set_state(done, OpState.SUPERSEDED, at=NOW)
    assert steps_of_a_claim(store) == alone
