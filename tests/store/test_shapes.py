"""Times, money and JSON in rows; and rows that hold what we never wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.contract.errors import StoreError
from quotey.contract.fields import Entity
from quotey.store import Store, open_store
from quotey.store.shapes import to_cell, to_text, to_time
from tests.store.make import deal, operation

zones = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones)  # noqa: DTZ001


@given(moments, moments)
def test_the_order_of_texts_is_the_order_of_times(one: datetime, other: datetime) -> None:
    assert (to_text(one) < to_text(other)) == (one < other)
    assert to_time(to_text(one)) == one
    assert to_time(to_text(one)).tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, None),
        (True, 1),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.10"), "0.10"),
        (Entity.DEAL, "deal"),
        (b"\x00", b"\x00"),
    ],
)
def test_plain_values_are_kept_in_one_way(value: object, cell: object) -> None:
    assert to_cell(value) == cell


def test_a_float_is_never_kept() -> None:
    with pytest.raises(TypeError, match="No column holds a float"):
        to_cell(0.1)


def read_both(store: Store) -> None:
    store.records.get(Entity.DEAL, "deal_1")
    store.outbox.get("op_1")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE record SET local = '{'",
        "UPDATE record SET local = CAST(x'ff' AS TEXT)",
        "UPDATE record SET source_ts = 'yesterday'",
        "PRAGMA ignore_check_constraints = ON; UPDATE record SET state = 'odd'",
        "PRAGMA ignore_check_constraints = ON; UPDATE outbox SET kind = 'odd'",
        "UPDATE outbox SET due_at = 'soon'",
    ],
)
def test_a_damaged_row_is_a_store_error_that_names_the_check(path: Path, damage: str) -> None:
    with open_store(path, role="desk") as store, store.transaction():
        store.records.put_many([deal()])
        store.outbox.add(operation())
    raw = apsw.Connection(str(path))
    raw.execute(damage)
    raw.close()
    with open_store(path, role="desk") as store:
        with pytest.raises(StoreError, match="row of the database is damaged") as caught:
            read_both(store)
        assert caught.value.next == ("quotey db check",)
