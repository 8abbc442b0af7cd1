"""Items: an occurrence counts once, an open item is updated and never doubled."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotey.contract.fields import Entity
from quotey.contract.reconciliation import ConflictType, ItemState, Reconciliation
from quotey.store import ItemGroup, Store, open_store
from tests.store.make import NOW, item, later


def record(store: Store, draft: Reconciliation) -> tuple[Reconciliation, bool]:
    with store.transaction():
        return store.items.record(draft)


def resolve(store: Store, id_: str, rev: int, resolution: str = "crm_wins") -> bool:
    with store.transaction():
        return store.items.resolve(id_, rev, resolution=resolution, at=NOW, actor="ann")


def test_a_new_occurrence_opens_an_item_as_drafted(store: Store) -> None:
    draft = item(operation_id="op_1", base_value="b")
    assert record(store, draft) == (draft, True)
    assert store.items.get("r_1") == draft
    assert store.items.get("nobody") is None


def test_the_same_occurrence_counts_once_and_moves_only_the_last_attempt(store: Store) -> None:
    first, _ = record(store, item())
    again, new = record(store, item(2, local_value="other", last_attempt_ts=later(hours=1)))
    assert not new
    assert again == msgspec.structs.replace(first, last_attempt_ts=later(hours=1))


def test_a_new_occurrence_updates_the_open_item_and_keeps_first_seen(store: Store) -> None:
    record(store, item())
    moved = later(hours=1)
    draft = item(2, "2", first_seen_ts=moved, last_attempt_ts=moved, detail="again")
    updated, new = record(store, draft)
    assert new
    assert updated == msgspec.structs.replace(
        draft, id="r_1", first_seen_ts=NOW, occurrences=2, rev=2
    )
    assert len(store.items.list()) == 1


@pytest.mark.parametrize(
    "other",
    [
        item(2, "2", connection="other"),
        item(2, "2", entity_type=Entity.CONTACT),
        item(2, "2", conflict_type=ConflictType.UNDECIDED_MERGE),
        item(2, "1", connection="other"),
        item(2, "1", conflict_type=ConflictType.UNDECIDED_MERGE),
    ],
)
def test_another_connection_entity_or_type_is_another_item(
    store: Store, other: Reconciliation
) -> None:
    record(store, item())
    assert record(store, other) == (other, True)
    assert len(store.items.list()) == 2


def test_trouble_that_was_thought_settled_opens_its_item_again_and_counts_once(
    store: Store,
) -> None:
    """A mapping that is broken, mended and broken again must not keep records out unseen."""
    record(store, item())
    assert resolve(store, "r_1", 1)
    moved = later(hours=1)
    draft = item(2, remote_value="lost", last_attempt_ts=moved, operation_id="op_2")
    seen, told = record(store, draft)
    assert told
    assert seen == msgspec.structs.replace(
        draft, id="r_1", first_seen_ts=NOW, last_attempt_ts=moved, rev=3
    )
    again, told = record(store, item(3))
    assert (again.id, again.rev, told) == ("r_1", 3, False)


def test_a_decision_is_not_taken_back_once_its_trouble_came_again(store: Store) -> None:
    record(store, item())
    resolve(store, "r_1", 1)
    with store.transaction():
        store.requests.put("r_1", {"action": "take_remote"})
    record(store, item(2))
    assert store.requests.get("r_1") is None


def test_after_a_resolution_a_new_occurrence_opens_a_new_item(store: Store) -> None:
    record(store, item())
    resolve(store, "r_1", 1)
    opened, new = record(store, item(2, "2"))
    assert (opened.id, new) == ("r_2", True)
    old, new = record(store, item(3, "1", last_attempt_ts=later(hours=1)))
    assert (old.id, old.last_attempt_ts, new) == ("r_2", later(hours=1), False)


def test_of_two_who_resolve_the_second_hears_that_someone_was_first(store: Store) -> None:
    record(store, item())
    assert resolve(store, "r_1", 1)
    assert not resolve(store, "r_1", 1, "local_wins")
    assert not resolve(store, "r_1", 2, "local_wins")
    found = store.items.get("r_1")
    assert found is not None
    assert (found.resolution, found.resolved_by, found.resolved_at) == ("crm_wins", "ann", NOW)


def test_a_decision_on_values_that_changed_meanwhile_is_refused(store: Store) -> None:
    record(store, item())
    record(store, item(2, "2"))
    assert not resolve(store, "r_1", 1)
    assert resolve(store, "r_1", 2)


def test_a_deferred_item_sleeps_until_its_time(store: Store) -> None:
    record(store, item())
    with store.transaction():
        assert store.items.defer("r_1", 1, later(hours=2))
        assert not store.items.defer("r_1", 1, later(hours=3))
        assert store.items.wake(later(hours=1)) == 0
    assert store.items.list() == ()
    assert [found.id for found in store.items.list(states=[ItemState.DEFERRED])] == ["r_1"]
    assert record(store, item(2, "2"))[0].state == ItemState.DEFERRED
    with store.transaction():
        assert store.items.wake(later(hours=2)) == 1
    assert store.items.list()[0].deferred_until is None


def test_a_resolved_item_is_opened_again_unless_its_place_is_taken(store: Store) -> None:
    record(store, item())
    resolve(store, "r_1", 1)
    with store.transaction():
        assert not store.items.reopen("r_1", 1)
        assert store.items.reopen("r_1", 2)
        assert not store.items.reopen("r_1", 3)
    found = store.items.get("r_1")
    assert found == item(rev=3)
    resolve(store, "r_1", 3)
    record(store, item(2, "2"))
    with store.transaction():
        assert not store.items.reopen("r_1", 4)


def test_items_are_listed_by_filter_and_page(store: Store) -> None:
    drafts = [
        item(n, entity_id=f"deal_{n}", detail="even" if n % 2 == 0 else "odd") for n in range(1, 6)
    ]
    for draft in drafts:
        record(store, draft)
    resolve(store, "r_5", 1)

    def ids(**filters: object) -> list[str]:
        return [found.id for found in store.items.list(**filters)]  # type: ignore[arg-type]

    assert ids() == ["r_1", "r_2", "r_3", "r_4"]
    assert ids(states=list(ItemState)) == [f"r_{n}" for n in range(1, 6)]
    assert ids(detail="even", entity_type=Entity.DEAL, field_name="stage") == ["r_2", "r_4"]
    assert ids(entity_id="deal_3", connection="main") == ["r_3"]
    assert ids(conflict_type=ConflictType.REMOTE_GONE) == []
    assert ids(connection="other") == []
    assert ids(limit=2, after=1) == ["r_2", "r_3"]


def test_items_are_grouped_by_cause_with_the_largest_first(store: Store) -> None:
    for number in range(1, 4):
        moment = NOW - timedelta(hours=number)
        draft = item(number, entity_id=f"d{number}", detail="missing", first_seen_ts=moment)
        record(store, draft)
    record(store, item(9))
    assert store.items.groups("main") == (
        ItemGroup(
            entity_type=Entity.DEAL,
            field_name="stage",
            conflict_type=ConflictType.LOCKED_FIELD_OVERWRITE,
            detail="missing",
            count=3,
            oldest=NOW - timedelta(hours=3),
        ),
        ItemGroup(
            entity_type=Entity.DEAL,
            field_name="stage",
            conflict_type=ConflictType.LOCKED_FIELD_OVERWRITE,
            detail="locked",
            count=1,
            oldest=NOW,
        ),
    )
    assert store.items.groups("other") == ()


def test_open_items_are_found_by_record_and_counted(store: Store) -> None:
    record(store, item(1))
    record(store, item(2, field_name="name", conflict_type=ConflictType.UNDECIDED_MERGE))
    record(store, item(3, entity_id="deal_2"))
    resolve(store, "r_3", 1)
    found = store.items.open_for(Entity.DEAL, ["deal_1", "deal_2"])
    assert {id_: [one.id for one in items] for id_, items in found.items()} == {
        "deal_1": ["r_1", "r_2"]
    }
    assert store.items.counts() == {
        ItemState.OPEN: 2,
        ItemState.DEFERRED: 0,
        ItemState.RESOLVED: 1,
    }
    assert store.items.counts("other")[ItemState.OPEN] == 0


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("12"), st.sampled_from("ABC")), max_size=12))
def test_occurrences_of_an_item_are_the_distinct_keys_seen(
    tmp_path_factory: pytest.TempPathFactory, sightings: list[tuple[str, str]]
) -> None:
    with open_store(tmp_path_factory.mktemp("items") / "quotey.db", role="sync") as store:
        with store.transaction():
            for number, (deal, remote) in enumerate(sightings):
                store.items.record(item(number, remote, entity_id=f"deal_{deal}"))
        for one in store.items.list():
            keys = {remote for deal, remote in sightings if one.entity_id == f"deal_{deal}"}
            assert one.occurrences == len(keys)
