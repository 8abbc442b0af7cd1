"""Pages: nothing is skipped, nothing is lost, whatever moves while somebody reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec

from quotey.contract.adapter import CrmAdapter
from quotey.contract.dto import CrmSyncResultDto, RemoteRecord
from quotey.contract.fields import Entity
from quotey.contract.mapper import Mapped
from quotey.testing.conformance.suite import Suite, not_offered
from quotey.testing.world import CALL, MOMENT, World, a_deal, an_account, read

NO_DELETES = "this CRM does not report what is gone"
MANY = 500
"""More pages than a suite's little CRM can have: whoever reads on for ever is stopped here."""


def pages(
    adapter: CrmAdapter, entity: Entity, cursor: str = "", limit: int = 2
) -> Iterator[CrmSyncResultDto]:
    """Read page after page until the end."""
    for _ in range(MANY):
        page = adapter.sync_incremental(entity, cursor, limit=limit, call=CALL)
        assert page.entity is entity
        assert len(page.records) + len(page.failures) <= limit
        yield page
        cursor = page.next_cursor
        if not page.has_more:
            return
    raise AssertionError("the pages never end")


def records(
    adapter: CrmAdapter, entity: Entity, cursor: str = "", limit: int = 2
) -> list[RemoteRecord]:
    """Read all records from a cursor on."""
    return [one for page in pages(adapter, entity, cursor, limit) for one in page.records]


def end_of(adapter: CrmAdapter, entity: Entity) -> str:
    """Read to the end and give the cursor there."""
    return list(pages(adapter, entity, limit=50))[-1].next_cursor


class PageConformance(Suite):
    """What `sync_incremental` and `read_records` promise (design section 6, reliability 2.C)."""

    def test_paging_meets_every_record_whatever_the_size_of_a_page(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            refs = {an_account(world, f"Company {number}") for number in range(7)}
            for limit in (1, 2, 3, 7, 50):
                met = [one.crm_ref for one in records(world.adapter, Entity.ACCOUNT, limit=limit)]
                assert refs <= set(met)
                assert len(met) == len(set(met))

    def test_records_of_the_same_moment_are_all_met(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            values = {"name": "Twin", "segment": "smb"}
            refs = {world.add(Entity.ACCOUNT, values, at=MOMENT) for _ in range(6)}
            met = {one.crm_ref for one in records(world.adapter, Entity.ACCOUNT)}
            assert refs <= met

    def test_the_last_cursor_has_nothing_behind_it(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            an_account(world)
            cursor = end_of(world.adapter, Entity.ACCOUNT)
            page = world.adapter.sync_incremental(Entity.ACCOUNT, cursor, limit=9, call=CALL)
            assert page.complete
            assert not page.has_more
            assert page.records == ()

    def test_the_same_cursor_gives_the_same_page(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            for _ in range(3):
                an_account(world)
            first, again = (
                adapter.sync_incremental(Entity.ACCOUNT, "", limit=2, call=CALL)
                for adapter in (world.adapter, world.reopen())
            )
            assert first.records == again.records
            assert first.next_cursor == again.next_cursor

    def test_a_change_after_the_cursor_is_met(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = an_account(world)
            cursor = end_of(world.adapter, Entity.ACCOUNT)
            world.edit(Entity.ACCOUNT, ref, {"name": "Renamed Ltd"})
            changed = {one.crm_ref: one for one in records(world.adapter, Entity.ACCOUNT, cursor)}
            found = read(world, Entity.ACCOUNT, changed[ref])
            assert isinstance(found, Mapped)
            assert found.values["name"] == "Renamed Ltd"

    def test_what_is_edited_while_paging_is_met_with_its_last_values(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            refs = [an_account(world, f"Company {number}") for number in range(6)]
            touches = [[ref] for ref in refs]
            met = _read_while_touched(world, 2, touches)
            held = world.adapter.read_records(Entity.ACCOUNT, tuple(refs), call=CALL)
            assert {one.crm_ref: one.payload for one in held.records} == {
                ref: met.get(ref) for ref in refs
            }

    def test_any_edits_between_any_pages_lose_nothing(self, tmp_path: Path) -> None:
        from hypothesis import HealthCheck, given, settings
        from hypothesis import strategies as st

        with self.world(tmp_path) as world:
            refs = [an_account(world, f"Company {number}") for number in range(5)]
            touches = st.lists(st.lists(st.sampled_from(refs), max_size=3), max_size=6)

            @settings(
                max_examples=15,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=[HealthCheck.function_scoped_fixture],
            )
            @given(limit=st.integers(1, 4), touches=touches)
            def lose_nothing(limit: int, touches: list[list[str]]) -> None:
                met = _read_while_touched(world, limit, touches)
                held = world.adapter.read_records(Entity.ACCOUNT, tuple(refs), call=CALL)
                assert {one.crm_ref: met.get(one.crm_ref) for one in held.records} == {
                    one.crm_ref: one.payload for one in held.records
                }

            lose_nothing()

    def test_a_deletion_is_reported(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            if not world.adapter.capabilities.reports_deletes:
                not_offered(NO_DELETES)
            ref = a_deal(world)
            cursor = end_of(world.adapter, Entity.DEAL)
            world.delete(Entity.DEAL, ref)
            gone = [one for one in records(world.adapter, Entity.DEAL, cursor) if one.deleted]
            assert [one.crm_ref for one in gone] == [ref]

    def test_a_merge_names_the_survivor(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            if not world.adapter.capabilities.reports_deletes:
                not_offered(NO_DELETES)
            loser, winner = an_account(world, "Loser"), an_account(world, "Winner")
            cursor = end_of(world.adapter, Entity.ACCOUNT)
            survivor = world.merge(Entity.ACCOUNT, loser, winner) or winner
            met = {one.crm_ref: one for one in records(world.adapter, Entity.ACCOUNT, cursor)}
            assert met[loser].merged_into == survivor

    def test_records_are_read_as_they_are_now(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            first, second = a_deal(world), a_deal(world)
            world.edit(Entity.DEAL, first, {"name": "Edited"})
            asked = (second, "no-such-deal", first, second)
            page = world.adapter.read_records(Entity.DEAL, asked, call=CALL)
            assert sorted(one.crm_ref for one in page.records) == sorted({first, second})
            assert page.failures == ()
            edited = next(one for one in page.records if one.crm_ref == first)
            found = read(world, Entity.DEAL, edited)
            assert isinstance(found, Mapped)
            assert found.values["name"] == "Edited"

    def test_a_full_read_names_each_record_once_by_a_key_and_dates_it(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            a_deal(world)
            for entity in (Entity.ACCOUNT, Entity.DEAL):
                met = records(world.adapter, entity)
                keys = [one.crm_ref for one in met]
                assert met
                assert all(keys)
                assert len(keys) == len(set(keys))
                assert {one.source_ts.utcoffset() for one in met} == {timedelta(0)}
                assert all(one.source_version for one in met)

    def test_reading_no_records_reads_none(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            assert world.adapter.read_records(Entity.DEAL, (), call=CALL).records == ()

    def test_a_payload_is_a_json_object_and_a_version_grows(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = a_deal(world)
            before = world.adapter.read_records(Entity.DEAL, (ref,), call=CALL).records[0]
            world.edit(Entity.DEAL, ref, {"name": "Edited"})
            after = world.adapter.read_records(Entity.DEAL, (ref,), call=CALL).records[0]
            assert isinstance(msgspec.json.decode(after.payload), dict)
            assert before.payload != after.payload
            assert (before.source_version, before.source_ts) < (
                after.source_version,
                after.source_ts,
            )

    def test_an_unchanged_record_has_the_same_payload_to_the_byte(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = a_deal(world)
            first = world.adapter.read_records(Entity.DEAL, (ref,), call=CALL).records[0]
            again = world.reopen().read_records(Entity.DEAL, (ref,), call=CALL).records[0]
            assert first == again


def _read_while_touched(world: World, limit: int, touches: list[list[str]]) -> dict[str, bytes]:
    """Read from the beginning, editing some records after each page, then the rest."""
    met: dict[str, bytes] = {}
    plan = iter(touches)
    cursor = ""
    for page in pages(world.adapter, Entity.ACCOUNT, limit=limit):
        met |= {one.crm_ref: one.payload for one in page.records}
        cursor = page.next_cursor
        for number, ref in enumerate(next(plan, [])):
            name = f"Touched {len(met)} {number}"
            world.edit(Entity.ACCOUNT, ref, {"name": name})
    rest = records(world.adapter, Entity.ACCOUNT, cursor, limit)
    return met | {one.crm_ref: one.payload for one in rest}
