"""Writing quotes out: the guard, the proof, lost answers, partial success, fences."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from quotey.contract.dto import MarkerReading, MarkerState, RemoteWrite
from quotey.contract.errors import ErrorClass, Outcome
from quotey.contract.fields import Entity
from quotey.contract.journal import Hold, Operation, OpKind, OpState
from quotey.contract.reconciliation import ConflictType, ItemState
from quotey.sync import push
from quotey.sync.push_quote import marker_of
from quotey.sync.recover import recover
from tests.sync.bent import Op, answering, bend, failing, first, then
from tests.sync.world import World

FOREIGN = {
    "quote_id": "q_theirs",
    "quote_version": "7",
    "quotey_instance_id": "another",
    "quotey_payload_digest": "0" * 64,
}


def queued(world: World, total: str = "90") -> Operation:
    return world.quote(world.deal("D-1").id, total)


def marker(world: World, op: Operation, **changes: object) -> dict[str, str | None]:
    """Give a deal's marker properties as this operation would leave them."""
    ours = msgspec.structs.replace(marker_of(world.run(), op), **changes)
    return {
        "quote_id": ours.quote_id,
        "quote_version": str(ours.version),
        "quotey_instance_id": ours.instance_id,
        "quotey_payload_digest": ours.payload_digest,
    }


def test_a_quote_is_written_with_its_marker_and_read_back(synced: World) -> None:
    op = queued(synced)
    report = synced.sync()
    assert report.outbound.delivered == 1
    assert synced.op(op).state is OpState.DELIVERED
    there = synced.remote("deal", "D-1")
    assert there["quote_total"] == 90
    assert there["quotey_payload_digest"] == op.digest
    assert len(synced.events("operation.delivered")) == 1


def test_versions_of_one_deal_go_out_in_order(synced: World) -> None:
    first = queued(synced)
    synced.quote(synced.deal("D-1").id, "80", quote_id=first.entity_id)
    synced.sync()
    written = [e.version for e in synced.crm.log() if e.operation == "write_quote"]
    assert written == [1, 2]


def test_a_newer_version_there_makes_a_conflict_that_is_never_sent_again(synced: World) -> None:
    op = queued(synced)
    synced.crm.set("deal", "D-1", marker(synced, op, version=9))
    report = synced.sync()
    assert report.exit_code == 3
    assert synced.op(op).state is OpState.CONFLICT
    [item] = synced.items()
    assert item.conflict_type is ConflictType.STALE_OUTBOUND_WRITE
    assert (item.detail, item.local_value) == ("newer_version", "1")
    assert synced.effects("write_quote") == 0
    synced.turn(days=4)
    synced.sync()
    assert synced.effects("write_quote") == 0
    assert len(synced.items()) == 1


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"payload_digest": "f" * 64}, "version_reused"),
        ({"instance_id": "another"}, "other_quote"),
        ({"quote_id": "q_theirs"}, "other_quote"),
    ],
)
def test_a_marker_that_is_not_wholly_ours_is_never_overwritten(
    synced: World, changes: dict[str, str], detail: str
) -> None:
    op = queued(synced)
    synced.crm.set("deal", "D-1", marker(synced, op, **changes))
    synced.sync()
    assert [item.detail for item in synced.items()] == [detail]
    assert synced.effects("write_quote") == 0


def test_a_person_may_let_one_quote_replace_another(synced: World) -> None:
    synced.crm.set("deal", "D-1", FOREIGN)
    op = synced.quote(synced.deal("D-1").id, replaces="another/q_theirs")
    synced.sync()
    assert synced.op(op).state is OpState.DELIVERED
    [event] = synced.events("operation.replaces_other")
    assert '"quote_id":"q_theirs"' in str(event.body["loser"])


def test_what_a_copy_of_us_left_is_audited_before_a_newer_version_takes_its_place(
    synced: World,
) -> None:
    """Its number is older, so it may go; its payload was never ours, so nobody knew of it."""
    first = queued(synced)
    synced.sync()
    synced.quote(synced.deal("D-1").id, "80", quote_id=first.entity_id)
    synced.sync()
    assert synced.events("operation.replaces_other") == ()
    copied = marker(synced, first, version=2, payload_digest="c" * 64)
    synced.crm.set("deal", "D-1", copied)
    newest = synced.quote(synced.deal("D-1").id, "70", quote_id=first.entity_id)
    synced.crm.fail("timeout_before", operation="write_quote")
    synced.settle_down()
    assert synced.op(newest).state is OpState.DELIVERED
    first_told = synced.events("operation.replaces_other")[0]
    assert (first_told.body["operation"], "c" * 64 in str(first_told.body["loser"])) == (
        newest.id,
        True,
    )


@pytest.mark.parametrize("error_class", [ErrorClass.TRANSIENT, ErrorClass.PERMANENT])
def test_a_look_that_fails_never_means_that_there_is_no_marker(
    synced: World, error_class: ErrorClass
) -> None:
    op = queued(synced)
    synced.adapter = bend(synced.stub, get_quote_marker=failing(error_class))
    synced.sync()
    assert synced.effects("write_quote") == 0
    assert synced.op(op).state in (OpState.QUEUED, OpState.HELD)
    assert synced.op(op).attempts == 0


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after"])
def test_an_answer_that_was_lost_is_looked_for_before_anything_is_sent_again(
    synced: World, fault: str
) -> None:
    op = queued(synced)
    synced.crm.fail(fault, operation="write_quote")
    report = synced.sync()
    assert synced.op(op).state is OpState.UNKNOWN
    assert report.exit_code == 6
    synced.settle_down()
    assert synced.op(op).state is OpState.DELIVERED
    assert synced.effects("write_quote") == 1


def test_what_landed_unseen_is_settled_with_an_audit_event_and_a_closed_task(
    synced: World,
) -> None:
    op = queued(synced)
    synced.crm.fail("timeout_after", operation="write_quote")
    synced.sync()
    synced.turn(minutes=1)
    report = synced.sync()
    [event] = synced.events("operation.compensated")
    assert event.body["operation"] == op.id
    assert event.body["ordered_by"] == op.correlation_id
    [task] = synced.items(ConflictType.PARTIAL_SUCCESS, state=ItemState.RESOLVED)
    assert task.operation_id == op.id
    assert task.correlation_id == report.correlation_id
    assert synced.items() == ()


def test_a_marker_of_ours_that_we_never_sent_leaves_its_task_open(synced: World) -> None:
    op = queued(synced)
    synced.crm.set("deal", "D-1", marker(synced, op))
    report = synced.sync()
    assert report.exit_code == 3
    assert synced.op(op).state is OpState.DELIVERED
    assert [task.conflict_type for task in synced.items()] == [ConflictType.PARTIAL_SUCCESS]
    assert synced.effects("write_quote") == 0


def test_a_success_without_the_marker_read_back_is_not_delivered(synced: World) -> None:
    op = queued(synced)
    synced.adapter = bend(
        synced.stub,
        get_quote_marker=answering(MarkerReading(state=MarkerState.NONE, token="0")),
        write_quote=answering(
            RemoteWrite(crm_ref="D-1", source_ts=synced.clock.now(), source_version="9")
        ),
    )
    synced.sync()
    assert synced.op(op).state is OpState.UNKNOWN


def test_what_lacks_a_step_is_not_delivered_until_it_was_sent_again(synced: World) -> None:
    op, done = queued(synced), list[str]()

    def with_its_step(reading: MarkerReading) -> MarkerReading:
        whole = reading.marker is None or len(done) > 1
        return msgspec.structs.replace(reading, unfinished=not whole)

    synced.adapter = bend(
        synced.stub,
        get_quote_marker=then(synced.stub.get_quote_marker, with_its_step),
        write_quote=first(lambda: done.append("sent"), synced.stub.write_quote),
    )
    synced.sync()
    assert synced.op(op).state is OpState.UNKNOWN
    synced.settle_down()
    assert synced.op(op).state is OpState.DELIVERED
    assert done == ["sent", "sent"]
    assert synced.effects("write_quote") == 1


def test_a_read_back_that_fails_leaves_the_outcome_unknown(synced: World) -> None:
    op = queued(synced)
    synced.crm.fail("server_error", operation="get_quote_marker", after=1)
    synced.sync()
    assert synced.op(op).state is OpState.UNKNOWN
    synced.settle_down()
    assert synced.op(op).state is OpState.DELIVERED
    assert synced.effects("write_quote") == 1


def test_a_slot_that_moved_between_look_and_write_is_judged_anew(synced: World) -> None:
    op = queued(synced)

    def meddled(reading: MarkerReading) -> MarkerReading:
        synced.crm.set("deal", "D-1", FOREIGN)
        return reading

    meddling = then(synced.stub.get_quote_marker, meddled)
    synced.adapter = bend(synced.stub, get_quote_marker=meddling)
    synced.sync()
    synced.adapter = synced.stub
    assert synced.op(op).state is OpState.QUEUED
    synced.settle_down()
    assert synced.op(op).state is OpState.CONFLICT
    assert synced.remote("deal", "D-1")["quote_id"] == "q_theirs"


def test_a_write_that_another_deal_answered_is_a_matter_of_identity(synced: World) -> None:
    op = queued(synced)

    synced.adapter = bend(
        synced.stub,
        write_quote=then(
            synced.stub.write_quote, lambda written: msgspec.structs.replace(written, crm_ref="D-2")
        ),
    )
    synced.sync()
    assert synced.op(op).state is OpState.CONFLICT
    assert [item.conflict_type for item in synced.items()] == [ConflictType.IDENTITY_MISMATCH]


@pytest.mark.parametrize("pulled", [True, False], ids=["pulled", "not yet pulled"])
def test_a_quote_of_a_deal_that_is_gone_is_never_written(synced: World, pulled: bool) -> None:
    synced.crm.delete("deal", "D-1")
    if pulled:
        synced.sync()
    op = queued(synced)
    push.drain(synced.run())
    assert synced.op(op).state is OpState.CONFLICT
    assert ConflictType.REMOTE_GONE in {item.conflict_type for item in synced.items()}
    assert synced.effects("create_deal") == 0


def test_a_mapping_failure_is_held_and_released_by_another_mapping(synced: World) -> None:
    op = queued(synced)
    synced.crm.fail("mapping_error", operation="write_quote")
    report = synced.sync()
    held = synced.op(op)
    assert (held.state, held.hold) == (OpState.HELD, Hold.MAPPING)
    assert held.fingerprint == synced.mapping.fingerprint
    assert held.attempts == 0
    assert synced.items(ConflictType.SCHEMA_MAPPING_MISMATCH) != ()
    assert report.failures[0].error_class is ErrorClass.MAPPING
    synced.sync()
    assert synced.op(op).state is OpState.HELD
    synced.mapping = msgspec.structs.replace(synced.mapping, fingerprint="mended")
    report = synced.sync()
    assert report.released == 1
    assert synced.op(op).state is OpState.DELIVERED
    assert synced.items(ConflictType.SCHEMA_MAPPING_MISMATCH) == ()


def test_a_refusal_for_good_waits_for_a_person(synced: World) -> None:
    op = queued(synced)
    synced.adapter = bend(synced.stub, write_quote=failing(ErrorClass.PERMANENT))
    report = synced.sync()
    assert report.exit_code == 3
    assert synced.op(op).hold is Hold.OPERATOR
    assert len(synced.items(ConflictType.ATTEMPTS_EXHAUSTED)) == 1


def refused_once(world: World, error_class: ErrorClass, meanwhile: Callable[[], object]) -> Op:
    """Give a write that is refused once, while `meanwhile` happens, and goes on from then."""
    refusals = iter([first(meanwhile, failing(error_class))])

    def write(*args: object, **kwargs: object) -> object:
        op: Op = next(refusals, world.stub.write_quote)
        return op(*args, **kwargs)

    return write


@pytest.mark.parametrize("error_class", [ErrorClass.MAPPING, ErrorClass.PERMANENT])
def test_a_version_that_is_published_while_the_one_before_is_refused_goes_out(
    synced: World, error_class: ErrorClass
) -> None:
    older = queued(synced)
    newer: list[Operation] = []

    def publish() -> None:
        newer.append(synced.quote(synced.deal("D-1").id, "80", quote_id=older.entity_id))

    synced.adapter = bend(synced.stub, write_quote=refused_once(synced, error_class, publish))
    report = synced.sync()
    assert (report.exit_code, report.outbound.superseded, report.outbound.delivered) == (0, 1, 1)
    assert synced.op(older).state is OpState.SUPERSEDED
    assert synced.op(newer[0]).state is OpState.DELIVERED
    assert synced.remote("deal", "D-1")["quote_total"] == 80
    assert synced.items() == ()
    [held], [gone] = synced.events("operation.held"), synced.events("operation.superseded")
    assert held.body["message"] == "bent"
    assert (gone.body["operation"], gone.body["was"]) == (older.id, "held")
    assert gone.body["why"] == f"taken over by {newer[0].id}"
    assert gone.body["payload"] == older.payload


def test_the_quote_that_replaces_a_refused_one_goes_out_with_its_leave(synced: World) -> None:
    stands = queued(synced)
    synced.sync()
    deal = synced.deal("D-1").id
    refused = synced.quote(deal, "70", replaces=stands.entity_id)
    newer: list[Operation] = []

    def publish() -> None:
        newer.append(synced.quote(deal, "60", replaces=refused.entity_id))

    write = refused_once(synced, ErrorClass.MAPPING, publish)
    synced.adapter = bend(synced.stub, write_quote=write)
    assert synced.sync().exit_code == 0
    assert synced.op(newer[0]).state is OpState.DELIVERED
    assert synced.op(newer[0]).replaces == stands.entity_id
    assert synced.remote("deal", "D-1")["quote_total"] == 60


def test_a_refusal_that_meets_the_newer_version_too_is_asked_about_once(synced: World) -> None:
    older = queued(synced)
    newer: list[Operation] = []

    def publish() -> None:
        if not newer:
            newer.append(synced.quote(synced.deal("D-1").id, "80", quote_id=older.entity_id))

    refusing = first(publish, failing(ErrorClass.MAPPING))
    synced.adapter = bend(synced.stub, write_quote=refusing)
    assert synced.sync().exit_code != 0
    assert synced.op(older).state is OpState.SUPERSEDED
    held = synced.op(newer[0])
    assert (held.state, held.hold) == (OpState.HELD, Hold.MAPPING)
    [item] = synced.items()
    assert item.operation_id == held.id


def test_a_write_that_may_have_landed_before_it_was_refused_keeps_its_place(
    synced: World,
) -> None:
    older = queued(synced)
    newer: list[Operation] = []
    unsure = failing(ErrorClass.UNKNOWN, Outcome.UNKNOWN)
    synced.adapter = bend(synced.stub, write_quote=unsure)
    synced.sync()

    def publish() -> None:
        newer.append(synced.quote(synced.deal("D-1").id, "80", quote_id=older.entity_id))

    write = refused_once(synced, ErrorClass.MAPPING, publish)
    synced.adapter = bend(synced.stub, write_quote=write)
    synced.turn(hours=5)
    synced.sync()
    assert (synced.op(older).state, synced.op(older).hold) == (OpState.HELD, Hold.MAPPING)
    assert synced.op(newer[0]).state is OpState.QUEUED
    assert len(synced.items()) == 1


def test_attempts_are_bounded_and_end_dead_with_an_item(synced: World) -> None:
    op = queued(synced)
    synced.adapter = bend(synced.stub, write_quote=failing(ErrorClass.TRANSIENT))
    for _ in range(20):
        synced.sync()
        synced.turn(hours=5)
    ended = synced.op(op)
    assert ended.state is OpState.DEAD
    assert ended.attempts <= 12
    assert len(synced.items(ConflictType.ATTEMPTS_EXHAUSTED)) == 1


def test_an_outcome_that_stays_unknown_ends_as_an_item(synced: World) -> None:
    op = queued(synced)
    synced.adapter = bend(
        synced.stub,
        write_quote=failing(ErrorClass.UNKNOWN, Outcome.UNKNOWN),
    )
    for _ in range(40):
        synced.sync()
        synced.turn(hours=6)
    assert synced.op(op).state is OpState.DEAD
    [item] = synced.items()
    assert item.conflict_type in (ConflictType.UNKNOWN_OUTCOME, ConflictType.ATTEMPTS_EXHAUSTED)


def test_a_blocked_deal_never_blocks_another(synced: World) -> None:
    synced.crm.set("deal", "D-1", FOREIGN)
    stuck = queued(synced)
    free = [synced.quote(synced.deal(ref).id) for ref in ("D-2", "D-3")]
    synced.sync()
    assert synced.op(stuck).state is OpState.CONFLICT
    assert {synced.op(op).state for op in free} == {OpState.DELIVERED}


def test_a_worker_that_lost_its_lease_sends_nothing(synced: World) -> None:
    queued(synced)
    run = synced.run()
    zombie = push.claim(run)
    assert zombie is not None
    synced.turn(seconds=60)
    synced.sync()
    ended = push.push_one(run, zombie)
    assert ended.state is None
    assert synced.effects("write_quote") == 1
    assert len(synced.events("operation.late_result")) == 1


def test_a_result_that_comes_after_the_lease_is_audited_and_changes_nothing(
    synced: World,
) -> None:
    op = queued(synced)

    def slow(written: RemoteWrite) -> RemoteWrite:
        synced.turn(seconds=60)
        synced.adapter = synced.stub
        recover(synced.run())
        push.drain(synced.run())
        return written

    synced.adapter = bend(synced.stub, write_quote=then(synced.stub.write_quote, slow))
    synced.sync()
    assert synced.op(op).state is OpState.DELIVERED
    assert len(synced.events("operation.compensated")) == 1
    assert len(synced.events("operation.late_result")) == 1
    assert synced.effects("write_quote") == 1


def test_no_request_is_started_that_could_outlive_the_lease(synced: World) -> None:
    op = queued(synced)

    slow = first(lambda: synced.turn(seconds=21), synced.stub.get_quote_marker)
    synced.adapter = bend(synced.stub, get_quote_marker=slow)
    push.drain(synced.run(), max_ops=1)
    assert synced.op(op).state is OpState.QUEUED
    assert synced.op(op).attempts == 0
    assert synced.effects("write_quote") == 0


def test_an_operation_whose_worker_died_unsent_is_simply_queued_again(synced: World) -> None:
    op = queued(synced)
    push.claim(synced.run())
    synced.restart()
    synced.turn(seconds=41)
    assert synced.sync().recovered == 1
    assert synced.op(op).state is OpState.DELIVERED
    assert synced.op(op).attempts == 1
    assert synced.events("operation.compensated") == ()


def test_a_live_lease_is_left_alone(synced: World) -> None:
    op = queued(synced)
    push.claim(synced.run())
    report = synced.sync()
    assert report.recovered == 0
    assert synced.op(op).state is OpState.LEASED


def test_five_failures_in_a_row_for_want_of_a_crm_stop_the_drain(synced: World) -> None:
    deal_ids = [synced.new_deal("A-1", f"N{n}")[0] for n in range(8)]
    assert len(deal_ids) == 8
    synced.adapter = bend(synced.stub, create_deal=failing(ErrorClass.TRANSIENT))
    report = synced.sync()
    assert report.outbound.retried == 5
    assert report.waiting == 8


def test_a_lease_that_was_lost_while_looking_sends_nothing(synced: World) -> None:
    op = queued(synced)

    def stolen(reading: MarkerReading) -> MarkerReading:
        now = synced.clock.now()
        with synced.store.transaction():
            held = synced.op(op)
            synced.store.outbox.settle(
                op.id, held.lease_token, state=OpState.QUEUED, at=now, due_at=now
            )
            synced.store.outbox.claim("main", now, synced.run().lease_until())
        return reading

    synced.adapter = bend(synced.stub, get_quote_marker=then(synced.stub.get_quote_marker, stolen))
    push.drain(synced.run(), max_ops=1)
    assert synced.effects("write_quote") == 0
    assert synced.op(op).attempts == 0
    [late] = synced.events("operation.late_result")
    assert "before anything was sent" in str(late.body["why"])


def test_a_quote_goes_out_with_its_validity_and_its_attachment(synced: World) -> None:
    deal_id = synced.deal("D-1").id
    payload = {
        "id": "q_full",
        "version": "1",
        "status": "sent",
        "total": "90.50",
        "currency": "EUR",
        "valid_until": "2026-12-31",
        "attachment_ref": "offers/one.pdf",
        "attachment_sha256": "a" * 64,
        "attachment_bytes": "12",
        "deal_id": deal_id,
    }
    op = synced.operation(
        OpKind.WRITE_QUOTE, Entity.QUOTE, "q_full", 1, dict(payload), lane=f"deal/{deal_id}"
    )
    with synced.desk.transaction():
        synced.desk.outbox.add(op)
    synced.sync()
    there = synced.remote("deal", "D-1")
    assert synced.op(op).state is OpState.DELIVERED
    assert (there["quote_valid_until"], there["quote_attachment"]) == (
        "2026-12-31",
        "offers/one.pdf",
    )


def test_a_quote_held_for_its_deal_goes_once_the_deal_is_bound(synced: World) -> None:
    id_, create = synced.new_deal("A-1")
    quote = synced.quote(id_)
    now = synced.clock.now()
    with synced.desk.transaction():
        synced.desk.outbox.set_state([create.id], OpState.DISCARDED, at=now)
    synced.sync()
    assert synced.op(quote).hold is Hold.PARENT
    synced.crm.add(
        "deal", "D-9", {"name": "N", "account_id": "A-1", "stage": "won", "currency": "EUR"}
    )
    with synced.desk.transaction():
        synced.desk.records.bind("main", Entity.DEAL, id_, "D-9")
    assert synced.sync().released == 1
    assert synced.op(quote).state is OpState.DELIVERED
    assert synced.remote("deal", "D-9")["quote_id"] == quote.entity_id


def test_a_crm_that_is_too_slow_for_every_lease_stops_the_drain(synced: World) -> None:
    op = queued(synced)
    slow = first(lambda: synced.turn(seconds=21), synced.stub.get_quote_marker)
    synced.adapter = bend(synced.stub, get_quote_marker=slow)
    report = synced.sync()
    assert report.exit_code == 6
    assert report.outbound.retried <= 5
    assert synced.op(op).attempts == 0
