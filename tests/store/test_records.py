"""The mirror: what is put is what is found, by every road; bindings never change."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.contract.errors import StoreError
from quotey.contract.fields import Entity
from quotey.contract.journal import MirrorRecord, RecordState
from quotey.store import Known, Store
from quotey.store.records import _cells, read_record
from tests.store.make import NOW, deal, later

DEAL = Entity.DEAL

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
canonical = st.dictionaries(st.sampled_from(["name", "stage", "x_é"]), st.none() | text)
moment = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
records = st.builds(
    MirrorRecord,
    connection=text,
    entity=st.sampled_from([Entity.ACCOUNT, Entity.CONTACT, Entity.DEAL]),
    id=text,
    crm_ref=st.none() | text,
    local=canonical,
    base=canonical,
    remote=canonical,
    local_version=st.integers(1, 2**60),
    local_ts=st.dictionaries(text, moment),
    source_ts=st.none() | moment,
    source_version=text,
    content_hash=text,
    extras=st.dictionaries(text, st.none() | text | st.lists(text)),
    state=st.sampled_from(RecordState),
)


@given(records)
def test_any_record_is_read_back_as_it_was_written(record: MirrorRecord) -> None:
    assert read_record(_cells(record)[:-1]) == record


def put(store: Store, *rows: MirrorRecord) -> None:
    with store.transaction():
        store.records.put_many(rows)


def test_a_record_is_found_by_id_and_by_ref(store: Store) -> None:
    record = deal(
        local={"name": "Ours", "stage": None},
        base={"name": "Theirs"},
        remote={"name": "Newer"},
        local_ts={"name": NOW},
        extras={"owner": {"id": 7}},
        local_version=4,
    )
    put(store, record)
    assert store.records.get(DEAL, "deal_1") == record
    assert store.records.get_many(DEAL, ["deal_1", "nobody"]) == {"deal_1": record}
    assert store.records.by_refs("main", DEAL, ["D1", "D9"]) == {"D1": record}
    assert store.records.ids_of("main", DEAL, ["D9", "D1"]) == {"D1": "deal_1"}
    assert store.records.hashes("main", DEAL, ["D1", "D9"]) == {
        "D1": Known("deal_1", "hash-1", "1", RecordState.LIVE)
    }


def test_an_id_is_found_only_under_its_entity_and_a_ref_under_its_connection(store: Store) -> None:
    put(store, deal())
    assert store.records.get(Entity.ACCOUNT, "deal_1") is None
    assert store.records.by_refs("other", DEAL, ["D1"]) == {}
    assert store.records.hashes("main", Entity.CONTACT, ["D1"]) == {}


def test_two_connections_may_hold_the_same_ref(store: Store) -> None:
    put(store, deal(1), deal(2, connection="other", crm_ref="D1"))
    assert store.records.ids_of("main", DEAL, ["D1"]) == {"D1": "deal_1"}
    assert store.records.ids_of("other", DEAL, ["D1"]) == {"D1": "deal_2"}


def test_putting_again_replaces_values(store: Store) -> None:
    put(store, deal())
    newer = deal(local={"name": "New"}, state=RecordState.GONE, local_version=2)
    put(store, newer)
    assert store.records.get(DEAL, "deal_1") == newer
    assert store.records.count("main", DEAL) == 1


def test_local_and_base_that_are_equal_are_not_the_same_dictionary(store: Store) -> None:
    put(store, deal())
    found = store.records.get(DEAL, "deal_1")
    assert found is not None
    assert found.local == found.base
    assert found.local is not found.base


def test_putting_a_ref_binds_a_record_that_had_none(store: Store) -> None:
    put(store, deal(crm_ref=None))
    put(store, deal(2), deal(crm_ref="D1", local_version=2))
    assert store.records.by_refs("main", DEAL, ["D1"]) == {"D1": deal(local_version=2)}


def test_binding_twice_is_harmless(store: Store) -> None:
    put(store, deal(crm_ref=None))
    for _ in range(2):
        with store.transaction():
            store.records.bind("main", DEAL, "deal_1", "D1")
    assert store.records.ids_of("main", DEAL, ["D1"]) == {"D1": "deal_1"}


@pytest.mark.parametrize(
    "changed",
    [
        deal(crm_ref="D7"),
        deal(crm_ref=None),
        deal(connection="other"),
        deal(entity=Entity.ACCOUNT),
        deal(2, crm_ref="D1"),
    ],
)
def test_a_binding_never_changes(store: Store, changed: MirrorRecord) -> None:
    put(store, deal())
    with pytest.raises(StoreError):
        put(store, deal(3), changed)
    assert store.records.get(DEAL, "deal_1") == deal()
    assert store.records.count("main", DEAL) == 1


def test_bind_refuses_what_is_bound_elsewhere_or_not_there(store: Store) -> None:
    put(store, deal(1), deal(2, crm_ref=None))
    for id_, ref in (("deal_1", "D2"), ("deal_2", "D1"), ("nobody", "D3")):
        with pytest.raises(StoreError), store.transaction():
            store.records.bind("main", DEAL, id_, ref)


def test_an_alias_wins_over_a_binding_and_the_newest_is_written_to(store: Store) -> None:
    put(store, deal(1), deal(2))
    with store.transaction():
        store.records.alias("main", DEAL, "D2", "deal_1")
        store.records.alias("main", DEAL, "OLD", "deal_1")
    assert store.records.ids_of("main", DEAL, ["D1", "D2", "OLD"]) == {
        "D1": "deal_1",
        "D2": "deal_1",
        "OLD": "deal_1",
    }
    assert store.records.by_refs("main", DEAL, ["D2"]) == {"D2": deal(1)}
    assert store.records.hashes("main", DEAL, ["D2"])["D2"].id == "deal_1"
    assert store.records.ref_of(DEAL, "deal_1") == "OLD"
    assert store.records.ref_of(DEAL, "deal_2") == "D2"
    with store.transaction():
        store.records.alias("main", DEAL, "OLD", "deal_2")
    assert store.records.ids_of("main", DEAL, ["OLD"]) == {"OLD": "deal_2"}


def test_the_ref_of_an_unbound_or_unknown_record_is_none(store: Store) -> None:
    put(store, deal(crm_ref=None))
    assert store.records.ref_of(DEAL, "deal_1") is None
    assert store.records.ref_of(DEAL, "nobody") is None


def account(number: int, name: str, **values: str | None) -> MirrorRecord:
    local = {"name": name, **values}
    return msgspec.structs.replace(
        deal(number), entity=Entity.ACCOUNT, id=f"acc_{number}", local=local
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("acme", ["acc_1", "acc_3"]),
        ("ACME", ["acc_1", "acc_3"]),
        ("acme.example", ["acc_1"]),
        ("STRASSE", ["acc_2"]),
        ("straße", ["acc_2"]),
        ("cafe\u0301", ["acc_2"]),
        ("CAFÉ", ["acc_2"]),
        ("100%", ["acc_4"]),
        ("_", ["acc_4"]),
        ("%", ["acc_4"]),
        ("nobody", []),
    ],
)
def test_search_finds_parts_of_name_and_domain_whatever_the_case(
    store: Store, text: str, found: list[str]
) -> None:
    put(
        store,
        account(1, "Acme", domain="acme.example"),
        account(2, "Café Straße", domain=None),
        account(3, "The Acme Group"),
        account(4, "100%_sure"),
    )
    hits = store.records.search("main", Entity.ACCOUNT, text, 10)
    assert [hit.id for hit in hits] == found


def test_search_leaves_gone_records_out_and_keeps_to_its_limit(store: Store) -> None:
    put(store, *(account(number, f"Acme {number}") for number in range(5)))
    put(store, msgspec.structs.replace(account(0, "Acme 0"), state=RecordState.GONE))
    hits = store.records.search("main", Entity.ACCOUNT, "acme", 2)
    assert [hit.id for hit in hits] == ["acc_1", "acc_2"]


def test_listing_pages_through_all_by_id(store: Store) -> None:
    put(store, *(deal(number) for number in range(1, 6)), deal(9, connection="other"))
    first = store.records.list("main", DEAL, 3)
    rest = store.records.list("main", DEAL, 3, after=first[-1].id)
    assert [record.id for record in (*first, *rest)] == [f"deal_{n}" for n in range(1, 6)]


def test_records_are_counted_by_state(store: Store) -> None:
    put(store, deal(1), deal(2), deal(3, state=RecordState.GONE), deal(4, connection="other"))
    assert store.records.count("main", DEAL) == 3
    assert store.records.count_by_state("main", DEAL) == {
        RecordState.LIVE: 2,
        RecordState.GONE: 1,
    }


def test_a_mirrored_record_is_never_deleted(store: Store) -> None:
    put(store, deal())
    with pytest.raises(StoreError, match="never deleted"):
        store._db.run("DELETE FROM record")


def test_a_page_of_a_thousand_is_one_statement_each_way(store: Store) -> None:
    page = [deal(number, source_ts=later(seconds=number)) for number in range(1000)]
    put(store, *page)
    refs = [str(record.crm_ref) for record in page]
    assert list(store.records.by_refs("main", DEAL, refs).values()) == page
    assert len(store.records.hashes("main", DEAL, refs)) == 1000
