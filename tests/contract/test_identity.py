"""Deterministic names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.contract.dto import RemoteRecord
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.identity import canonical_json, content_hash, local_id, payload_digest
from tests.contract.texts import MOMENT, record

NAMES = st.tuples(st.text(max_size=6), st.sampled_from(MIRRORED), st.text(max_size=6))


@given(NAMES, NAMES)
def test_two_records_share_an_id_only_if_they_are_one(
    one: tuple[str, Entity, str], other: tuple[str, Entity, str]
) -> None:
    assert (local_id(*one) == local_id(*other)) == (one == other)


def test_an_id_tells_its_entity() -> None:
    prefixes = [local_id("main", entity, "1").split("_")[0] for entity in MIRRORED]
    assert prefixes == ["acc", "con", "deal"]
    assert all(len(local_id("main", entity, "1").split("_")[1]) == 16 for entity in MIRRORED)


def test_ids_of_what_begins_here_are_not_derived() -> None:
    with pytest.raises(KeyError):
        local_id("main", Entity.QUOTE, "1")


def test_half_a_surrogate_in_an_id_is_named_too() -> None:
    assert local_id("main", Entity.DEAL, "\ud800") != local_id("main", Entity.DEAL, "\ud801")


def _with(**changes: object) -> RemoteRecord:
    base: dict[str, object] = {
        "crm_ref": "1", "source_ts": MOMENT, "source_version": "1", "payload": b"{}",
    }  # fmt: skip
    return RemoteRecord(**{**base, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [{"payload": b"{ }"}, {"deleted": True}, {"merged_into": "2"}],
)
def test_the_content_hash_covers_what_the_record_says(changes: dict[str, object]) -> None:
    assert content_hash("f", _with(**changes)) != content_hash("f", _with())


def test_the_content_hash_covers_the_mapping() -> None:
    assert content_hash("f", record({})) != content_hash("g", record({}))


def test_the_content_hash_does_not_cover_when_it_was_seen() -> None:
    later = _with(source_ts=datetime(2027, 1, 1, tzinfo=UTC), source_version="9")
    assert content_hash("f", later) == content_hash("f", _with())
    assert len(content_hash("f", later)) == 32


@given(st.dictionaries(st.text(max_size=5), st.none() | st.text(max_size=5), max_size=5))
def test_a_payload_digest_does_not_depend_on_order(payload: dict[str, str | None]) -> None:
    backwards = dict(reversed(payload.items()))
    assert payload_digest(payload) == payload_digest(backwards)
    assert canonical_json(payload) == canonical_json(backwards)


# --- what is kept in databases and CRMs must be computed the same for ever ------------------------


def test_what_was_hashed_before_is_hashed_the_same_today() -> None:
    assert local_id("main", Entity.DEAL, "512") == "deal_9e5312e4b9f4dba3"
    assert payload_digest({"b": "1", "a": None}) == (
        "c0b64a022ba8f8b2ad4e308feaab8d7fe4819b005c5171dd8353cb36a7a4b7d8"
    )
    assert content_hash("f", _with()) == "5721ffa09eb49d53cd972f50a78a3471"
    assert content_hash("f", _with(deleted=True, merged_into="2")) == (
        "f76be1f1dc582f22b1e265715c4b4177"
    )


def test_the_content_hash_tells_survivors_apart_even_half_a_surrogate() -> None:
    survivors = (None, "2", "3", "\ud800", "\ud801")
    assert len({content_hash("f", _with(merged_into=one)) for one in survivors}) == 5
