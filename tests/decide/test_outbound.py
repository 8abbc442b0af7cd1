"""The version guard, superseding, and the next version."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.contract.dto import MarkerReading, MarkerState, QuoteMarker
from quotey.contract.fields import Entity
from quotey.contract.identity import payload_digest
from quotey.contract.journal import Hold, Operation, OpKind, OpState
from quotey.decide.outbound import (
    AlreadyThere,
    Guard,
    Order,
    Send,
    Stale,
    absorb,
    guard_writeback,
    loser,
    next_version,
    overtakes,
    recognised,
    superseded_by,
    takes_over,
    write_of,
)
from tests.decide.build import NOW, mirror, operation


def marker(
    version: int = 2, quote: str = "q_1", instance: str = "i_1", digest: str = "d"
) -> QuoteMarker:
    return QuoteMarker(instance_id=instance, quote_id=quote, version=version, payload_digest=digest)


def guard(there: QuoteMarker, replaces: str | None = None) -> Guard:
    reading = MarkerReading(state=MarkerState.OURS, marker=there)
    return guard_writeback(marker(), reading, replaces)


def test_an_empty_slot_is_written() -> None:
    assert guard_writeback(marker(), MarkerReading(state=MarkerState.NONE), None) == Send()


def test_an_older_version_of_the_same_quote_is_replaced() -> None:
    assert guard(marker(1)) == Send()


def test_a_retry_finds_its_own_write_already_there() -> None:
    assert guard(marker(2)) == AlreadyThere()


def test_our_own_write_that_lacks_a_step_is_sent_again() -> None:
    reading = MarkerReading(state=MarkerState.OURS, marker=marker(2), unfinished=True)
    assert guard_writeback(marker(), reading, None) == Send()


def test_a_newer_version_there_makes_ours_stale() -> None:
    assert guard(marker(3)) == Stale("newer_version", marker(3))


def test_the_same_version_with_another_payload_is_a_conflict_and_no_success() -> None:
    other = marker(2, digest="other")
    assert guard(other) == Stale("version_reused", other)


def test_another_quote_is_never_overwritten_without_a_person() -> None:
    assert guard(marker(1, quote="q_2")) == Stale("other_quote", marker(1, quote="q_2"))


def test_the_same_quote_of_another_instance_is_another_quote() -> None:
    there = marker(1, instance="i_2")
    assert guard(there) == Stale("other_quote", there)


def test_the_same_number_and_digest_from_another_instance_is_not_ours() -> None:
    there = marker(2, instance="i_2")
    assert guard(there) == Stale("other_quote", there)


def test_a_quote_that_a_person_named_may_be_replaced() -> None:
    assert guard(marker(9, quote="q_2"), replaces="q_2") == Send()


def test_another_instances_quote_may_be_replaced_when_named_in_full() -> None:
    assert guard(marker(9, quote="q_2", instance="i_2"), replaces="i_2/q_2") == Send()


@pytest.mark.parametrize("replaces", ["q_2", "i_1/q_2", "q_3", None])
def test_naming_another_instances_quote_by_halves_is_not_enough(replaces: str | None) -> None:
    there = marker(9, quote="q_2", instance="i_2")
    assert guard(there, replaces) == Stale("other_quote", there)


def test_a_leave_to_replace_another_quote_is_no_leave_to_write_over_a_newer_version() -> None:
    assert guard(marker(3), replaces="q_1") == Stale("newer_version", marker(3))


@pytest.mark.parametrize("state", [MarkerState.FOREIGN, MarkerState.OURS])
@pytest.mark.parametrize("replaces", [None, "q_2"])
def test_what_is_no_marker_is_foreign_and_stays(state: MarkerState, replaces: str | None) -> None:
    reading = MarkerReading(state=state, raw="typed by hand")
    assert guard_writeback(marker(), reading, replaces) == Stale("foreign")


@pytest.mark.parametrize(
    ("there", "known", "ends"),
    [
        (marker(1, instance="i_0"), {(1, "d")}, Send()),
        (marker(2, instance="i_0"), {(1, "d"), (2, "d")}, AlreadyThere()),
        (marker(1, instance="i_0"), {(1, "other"), (2, "d")}, None),
        (marker(9, instance="i_0"), {(1, "d")}, None),
        (marker(1, instance="i_9"), {(1, "d")}, None),
        (marker(1, instance="i_0", quote="q_2"), {(1, "d")}, None),
    ],
    ids=["older", "the same", "another digest", "after the backup", "a stranger", "another quote"],
)
def test_what_an_earlier_life_wrote_is_ours_as_far_as_it_is_remembered(
    there: QuoteMarker, known: set[tuple[int, str]], ends: Guard | None
) -> None:
    reading = MarkerReading(state=MarkerState.OURS, marker=there, token="t")
    seen = recognised(marker(), reading, {"i_0"}, known)
    assert guard_writeback(marker(), seen, None) == (ends or Stale("other_quote", there))
    assert seen.token == "t"


@pytest.mark.parametrize("state", [MarkerState.NONE, MarkerState.FOREIGN])
def test_where_no_marker_is_nothing_is_remembered(state: MarkerState) -> None:
    reading = MarkerReading(state=state)
    assert recognised(marker(), reading, {"i_0"}, {(1, "d")}) is reading


markers = st.builds(
    marker,
    version=st.integers(1, 4),
    quote=st.sampled_from(("q_1", "q_2")),
    instance=st.sampled_from(("i_1", "i_2")),
    digest=st.sampled_from(("d", "e")),
)
readings = st.one_of(
    st.builds(
        MarkerReading, state=st.just(MarkerState.OURS), marker=markers, unfinished=st.booleans()
    ),
    st.builds(MarkerReading, state=st.sampled_from(MarkerState)),
)
leaves = st.sampled_from((None, "q_1", "q_2", "i_2/q_1", "i_2/q_2"))


@given(markers, readings, leaves)
def test_the_guard_never_sends_over_a_newer_or_foreign_marker(
    ours: QuoteMarker, reading: MarkerReading, replaces: str | None
) -> None:
    verdict, there = guard_writeback(ours, reading, replaces), reading.marker
    if isinstance(verdict, Send):
        assert reading.state is not MarkerState.FOREIGN
        if there is not None and (there.instance_id, there.quote_id) == (
            ours.instance_id,
            ours.quote_id,
        ):
            assert there.version < ours.version or (there == ours and reading.unfinished)
        elif there is not None:
            assert replaces in (there.quote_id, f"{there.instance_id}/{there.quote_id}")


@given(markers, readings, leaves)
def test_only_the_very_same_and_finished_marker_is_already_there(
    ours: QuoteMarker, reading: MarkerReading, replaces: str | None
) -> None:
    verdict = guard_writeback(ours, reading, replaces)
    whole = reading.marker == ours and not reading.unfinished
    assert isinstance(verdict, AlreadyThere) == whole


# --- superseding ---------------------------------------------------------------------------------

NEW = operation(seq=0, id="op_new", version=3)


def old(**more: object) -> Operation:
    return operation(**({"id": "op_old", "version": 2} | more))


def test_a_newer_version_supersedes_queued_older_ones_in_order() -> None:
    waiting = (old(id="op_b", seq=2, version=2), old(id="op_a", seq=1, version=1))
    assert superseded_by(NEW, waiting) == ("op_a", "op_b")


def test_a_held_operation_that_was_never_sent_is_superseded_too() -> None:
    assert superseded_by(NEW, (old(state=OpState.HELD),)) == ("op_old",)


@pytest.mark.parametrize(
    "sent",
    [
        {"state": OpState.LEASED},
        {"state": OpState.UNKNOWN},
        {"state": OpState.DELIVERED},
        {"sent_at": NOW},
        {"state": OpState.HELD, "sent_at": NOW},
    ],
)
def test_what_may_have_landed_is_never_superseded(sent: dict[str, object]) -> None:
    assert superseded_by(NEW, (old(**sent),)) == ()


@pytest.mark.parametrize("state", [OpState.QUEUED, OpState.HELD])
def test_what_was_sent_and_refused_for_certain_is_superseded(state: OpState) -> None:
    """Else a write that the CRM refuses would stop the very revision that mends it (G6)."""
    refused = old(state=state, attempts=1, first_sent_at=NOW)
    assert superseded_by(NEW, (refused,)) == ("op_old",)


@pytest.mark.parametrize(
    "other",
    [
        {"version": 3},
        {"version": 4},
        {"entity_id": "q_2"},
        {"lane": "deal/deal_2"},
        {"connection": "second"},
        {"kind": OpKind.UPDATE_DEAL, "entity": Entity.DEAL, "entity_id": "deal_1"},
        {"id": "op_new"},
    ],
)
def test_what_is_not_an_older_version_of_the_same_quote_stays(other: dict[str, object]) -> None:
    assert superseded_by(NEW, (old(**other),)) == ()


def test_an_operation_that_comes_after_is_never_superseded() -> None:
    stored = msgspec.structs.replace(NEW, seq=5)
    assert superseded_by(stored, (old(seq=6),)) == ()


def test_a_quote_that_this_one_replaces_is_superseded() -> None:
    switched = msgspec.structs.replace(NEW, replaces="q_2")
    assert superseded_by(switched, (old(entity_id="q_2", version=9),)) == ("op_old",)


def test_a_create_never_supersedes_and_is_never_superseded() -> None:
    create = operation(kind=OpKind.CREATE_DEAL, entity=Entity.DEAL, entity_id="deal_1")
    again = msgspec.structs.replace(create, id="op_2", seq=0, version=2)
    assert superseded_by(again, (create,)) == ()


def update(seq: int, payload: dict[str, str | None], **more: object) -> Operation:
    whole: dict[str, object] = {
        "seq": seq,
        "id": f"op_{seq}",
        "kind": OpKind.UPDATE_DEAL,
        "entity": Entity.DEAL,
        "entity_id": "deal_1",
        "payload": payload,
    }
    return operation(**(whole | more))


def test_updates_of_one_record_merge_their_fields_and_the_newest_value_wins() -> None:
    waiting = (update(2, {"name": "b", "stage": "x"}), update(1, {"name": "a", "amount": "1"}))
    merged = absorb(update(0, {"stage": None}, id="op_new"), waiting)
    assert merged.payload == {"name": "b", "amount": "1", "stage": None}
    assert merged.digest == payload_digest(merged.payload)


def test_an_update_that_was_sent_is_not_absorbed() -> None:
    waiting = (update(1, {"name": "a"}, attempts=1, sent_at=NOW),)
    assert absorb(update(0, {"stage": "x"}, id="op_new"), waiting).payload == {"stage": "x"}


def test_updates_of_two_records_stay_apart() -> None:
    new = update(0, {"name": "a"}, id="op_new")
    assert superseded_by(new, (update(1, {"name": "b"}, entity_id="deal_2"),)) == ()


def test_a_quote_takes_over_what_the_oldest_unsent_one_was_allowed_to_replace() -> None:
    waiting = (old(seq=2, id="op_2"), old(seq=1, version=1, replaces="q_9"))
    made = absorb(NEW, waiting)
    assert (made.replaces, made.payload) == ("q_9", NEW.payload)


def test_a_quote_that_supersedes_nothing_keeps_its_own_leave() -> None:
    named = msgspec.structs.replace(NEW, replaces="q_9")
    assert absorb(named, ()) == named


def refused(**more: object) -> Operation:
    return old(**({"state": OpState.HELD, "hold": Hold.MAPPING, "seq": 1} | more))


WAITS = msgspec.structs.replace(NEW, seq=2)


@pytest.mark.parametrize("hold", [Hold.MAPPING, Hold.OPERATOR])
def test_a_newer_version_takes_over_what_was_refused_for_certain(hold: Hold) -> None:
    gone = refused(hold=hold, replaces="q_9")
    taken = takes_over(gone, (gone, WAITS))
    assert taken == msgspec.structs.replace(WAITS, replaces="q_9")


def test_a_quote_takes_over_the_refused_one_that_it_replaces() -> None:
    gone = refused(entity_id="q_2", version=9)
    switched = msgspec.structs.replace(WAITS, replaces="q_2")
    assert takes_over(gone, (gone, switched)) == switched


def test_the_first_that_may_takes_over_so_that_the_order_stays() -> None:
    later = msgspec.structs.replace(WAITS, id="op_later", seq=3, version=4)
    taken = takes_over(refused(), (later, WAITS))
    assert taken is not None
    assert taken.id == "op_new"


@pytest.mark.parametrize(
    "held",
    [
        {"sent_at": NOW},
        {"hold": Hold.AUTH},
        {"hold": Hold.PARENT},
        {"hold": None, "state": OpState.CONFLICT},
        {"entity_id": "q_2"},
        {"version": 3},
        {"seq": 3},
    ],
)
def test_what_may_have_landed_or_goes_by_itself_or_is_another_keeps_its_place(
    held: dict[str, object],
) -> None:
    gone = refused(**held)
    assert takes_over(gone, (gone, WAITS)) is None


def test_a_newer_write_that_may_have_landed_takes_nothing_over() -> None:
    assert takes_over(refused(), (msgspec.structs.replace(WAITS, sent_at=NOW),)) is None


def test_updates_and_creates_never_give_way() -> None:
    held = {"state": OpState.HELD, "hold": Hold.OPERATOR}
    assert takes_over(update(1, {"name": "a"}, **held), (update(2, {"name": "b"}),)) is None
    create = {"kind": OpKind.CREATE_DEAL, **held}
    assert takes_over(update(1, {}, **create), (update(2, {}, kind=OpKind.CREATE_DEAL),)) is None


@pytest.mark.parametrize(
    ("there", "lost"),
    [
        (None, False),
        ({}, False),
        ({"payload_digest": "of a copy"}, True),
        ({"version": 9}, True),
        ({"instance_id": "inst_b"}, True),
    ],
)
def test_what_goes_and_was_never_sent_by_us_is_named(
    there: dict[str, object] | None, lost: bool
) -> None:
    ours = QuoteMarker(instance_id="inst_a", quote_id="q_1", version=1, payload_digest="d1")
    stands = msgspec.structs.replace(ours, **there) if there is not None else None
    state = MarkerState.OURS if stands else MarkerState.NONE
    reading = MarkerReading(state=state, marker=stands)
    assert loser(reading, "inst_a", {(1, "d1")}) == (stands if lost else None)


@given(st.integers(1, 10**6), st.one_of(st.none(), st.integers(0, 10**6)))
def test_a_revision_is_above_ours_and_above_the_markers(local: int, there: int | None) -> None:
    assert next_version(local, there) == max(local, 0 if there is None else there) + 1


def test_two_writes_of_one_version_differ_by_their_key_and_wait_in_one_lane() -> None:
    def ordered(id_: str) -> Operation:
        order = Order(id=id_, instance="i_1", now=NOW, actor="ann", correlation_id="c_1")
        return write_of(deal, OpKind.UPDATE_DEAL, {"stage": "won", "name": "One"}, order)

    deal = mirror(local_version=4)
    one, two = ordered("op_1"), ordered("op_2")
    assert one.key == f"i_1/update_deal/{deal.id}/4/op_1"
    assert (one.key == two.key, one.lane == two.lane) == (False, True)
    assert (one.version, list(one.payload), one.digest) == (4, ["name", "stage"], two.digest)
    assert (one.state, one.due_at, one.actor) == (OpState.QUEUED, NOW, "ann")


# --- overtaking ----------------------------------------------------------------------------------


def edit(**more: object) -> Operation:
    deal = {"kind": OpKind.UPDATE_DEAL, "entity": Entity.DEAL, "entity_id": "deal_1"}
    return operation(**(deal | {"seq": 5, "payload": {"amount": "1", "name": "Uno"}} | more))


@pytest.mark.parametrize(("version", "overtaken"), [(1, True), (2, True), (3, False), (4, False)])
def test_a_version_overtakes_the_older_ones_of_its_quote(version: int, overtaken: bool) -> None:
    assert overtakes(NEW, old(version=version)) is overtaken


@pytest.mark.parametrize(
    "other",
    [{"entity_id": "q_2"}, {"kind": OpKind.UPDATE_DEAL}, {"entity": Entity.DEAL}],
)
def test_nothing_of_another_record_is_overtaken(other: dict[str, object]) -> None:
    assert not overtakes(NEW, old(**other))


@pytest.mark.parametrize(
    ("earlier", "overtaken"),
    [
        ({"seq": 4}, True),
        ({"seq": 4, "payload": {"amount": "2"}}, True),
        ({"seq": 4, "payload": {"amount": "2", "stage": "won"}}, False),
        ({"seq": 5}, False),
        ({"seq": 6}, False),
        ({"seq": 4, "entity_id": "deal_2"}, False),
    ],
)
def test_an_update_overtakes_earlier_ones_of_fields_that_it_writes_too(
    earlier: dict[str, object], overtaken: bool
) -> None:
    assert overtakes(edit(), edit(id="op_old", **earlier)) is overtaken
