"""Cursors and stamps of both vendors: what such readers are tested for (peers-behaviours.md)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.adapters.composio.cursor import (
    HOUR,
    Cursor,
    Lane,
    at_milliseconds,
    begin,
    end_lane,
    milliseconds,
    read_cursor,
    write_cursor,
)
from quotey.adapters.composio.hubspot.shape import moment as portal_moment
from quotey.adapters.composio.salesforce.shape import moment_of as org_moment
from quotey.adapters.composio.settings import ComposioSettings
from quotey.contract.errors import RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.secret import Secret
from quotey.testing.world import CALL, an_account
from tests.composio.hubspot_world import HubSpotWorld
from tests.composio.meddling import Altering
from tests.composio.test_peers_live import AnyWorld, world

__all__ = ["world"]

NOW = milliseconds(datetime(2026, 3, 10, 12, tzinfo=UTC))
numbers = st.integers(0, 2**53)


def settings(*, overlap: int = 900, full: float = 168) -> ComposioSettings:
    return ComposioSettings(
        api_key=Secret("ak_of_the_test"), overlap_seconds=overlap, full_every_hours=full
    )


def bookmark(hours_ago: float, *, full_hours_ago: float | None = None) -> Cursor:
    read_to = NOW - int(hours_ago * HOUR)
    full = read_to if full_hours_ago is None else NOW - int(full_hours_ago * HOUR)
    return Cursor(read_to=read_to, full_at=full)


# --- 48: the text of a cursor ---------------------------------------------------------------------


@given(st.builds(Cursor, lane=st.sampled_from(Lane), place=st.text(), read_to=numbers, low=numbers))
def test_a_cursor_comes_back_as_it_was_written(cursor: Cursor) -> None:
    assert read_cursor(write_cursor(cursor)) == cursor


@given(st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1)))  # noqa: DTZ001 - made aware below
def test_a_moment_keeps_its_milliseconds(at: datetime) -> None:
    exact = at.replace(tzinfo=UTC, microsecond=at.microsecond // 1000 * 1000)
    assert at_milliseconds(milliseconds(exact)) == exact


@pytest.mark.parametrize("text", ["null", "[]", "7", '"x"', "{", '{"format":2}', '{"lane":"up"}'])
def test_what_is_no_cursor_of_ours_is_refused_and_nothing_is_the_beginning(text: str) -> None:
    with pytest.raises(RemoteFailure):
        read_cursor(text)
    assert read_cursor("") == Cursor()


def test_a_record_without_a_stamp_is_told_and_moves_no_cursor(world: AnyWorld) -> None:
    good, bad = an_account(world, "Good"), an_account(world, "Bad")
    without_a_stamp(world, bad)
    page = world.adapter.sync_incremental(Entity.ACCOUNT, "", limit=9, call=CALL)
    assert [one.crm_ref for one in page.records] == [good]
    assert [(one.crm_ref, one.message) for one in page.failures] == [
        (bad, "it names no moment of its last change")
    ]
    assert read_cursor(page.next_cursor).read_to <= milliseconds(world.clock.now())
    asked = world.adapter.read_records(Entity.ACCOUNT, (good, bad), call=CALL)
    assert [one.crm_ref for one in asked.records] == [good]
    assert [one.crm_ref for one in asked.failures] == [bad]


def without_a_stamp(world: AnyWorld, ref: str) -> None:
    """Let the CRM answer this record without the moment of its last change."""
    gone = ("updatedAt", "hs_lastmodifieddate", "SystemModstamp", "LastModifiedDate")

    def alter(doc: object) -> None:
        whole = doc if isinstance(doc, dict) else {}
        for one in whole.get("results") or whole.get("records") or ():
            if ref in (one.get("id"), one.get("Id")):
                for name in gone:
                    one.pop(name, None)
                    one.get("properties", {}).pop(name, None)

    inner: Any = getattr(world.adapter, "_inner", None)
    place = inner._portal if isinstance(world, HubSpotWorld) else inner._org
    place._caller = Altering(place._caller, alter)


# --- 49, 56: where a run begins -------------------------------------------------------------------


def test_without_a_bookmark_everything_is_read_whatever_the_overlap() -> None:
    for overlap in (0, 900):
        for full in (0, 168):
            begun = begin(Cursor(), NOW, settings(overlap=overlap, full=full))
            assert begun.lane is Lane.FULL


@pytest.mark.parametrize("overlap", [0, 900, 86_400])
@pytest.mark.parametrize("age", [0.5, 24.0, 24 * 900.0])
def test_a_run_begins_at_its_bookmark_less_the_overlap_whatever_its_age(
    overlap: int, age: float
) -> None:
    kept = bookmark(age)
    begun = begin(kept, NOW, settings(overlap=overlap, full=0))
    assert begun.lane is Lane.CHANGES
    assert begun.low == kept.read_to - overlap * 1000
    assert begun.high == NOW - 60_000
    assert end_lane(begun, settings(overlap=overlap, full=0)).read_to >= kept.read_to


def test_a_bookmark_that_is_old_enough_is_not_trusted_alone() -> None:
    assert begin(bookmark(1, full_hours_ago=167), NOW, settings()).lane is Lane.CHANGES
    assert begin(bookmark(1, full_hours_ago=168), NOW, settings()).lane is Lane.FULL


@pytest.mark.parametrize(
    "read",
    [
        lambda: portal_moment("2026-03-10T12:00:00.123Z"),
        lambda: portal_moment("2026-03-10T14:00:00.123+02:00"),
        lambda: org_moment("2026-03-10T12:00:00.123+0000"),
        lambda: org_moment("2026-03-10T05:00:00.123-0700"),
    ],
)
def test_a_moment_with_a_zone_is_the_same_moment(read: object) -> None:
    assert callable(read)
    assert read() == datetime(2026, 3, 10, 12, tzinfo=UTC) + timedelta(milliseconds=123)
