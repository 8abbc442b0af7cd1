"""Sweeps: the list of ids holds all that lives and nothing else, and an end needs evidence."""

from __future__ import annotations

from pathlib import Path

from quotey.contract.adapter import Sweepable
from quotey.contract.dto import Listed
from quotey.contract.fields import Entity
from quotey.testing.conformance.pages import MANY, end_of
from quotey.testing.conformance.suite import Suite, not_offered
from quotey.testing.world import CALL, World, an_account


def sweepable(world: World) -> Sweepable:
    """Give the adapter as one that can be swept; skip the test when it cannot."""
    if not isinstance(world.adapter, Sweepable):
        not_offered("this adapter cannot list what is there")
    return world.adapter


def list_all(adapter: Sweepable, read_to: str, limit: int = 2) -> list[Listed]:
    """List all accounts, page after page."""
    place, met = "", list[Listed]()
    for _ in range(MANY):
        page = adapter.list_ids(Entity.ACCOUNT, place, read_to=read_to, limit=limit, call=CALL)
        assert len(page.listed) <= limit
        met += page.listed
        place = page.next_place
        if not page.has_more:
            return met
    raise AssertionError("the list never ends")


class SweepConformance(Suite):
    """What `list_ids` and `find_ends` promise, where an adapter has them (reliability R7)."""

    def test_a_list_holds_every_living_record_once(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            adapter, read_to = sweepable(world), end_of(world.adapter, Entity.ACCOUNT)
            refs = {an_account(world, f"Company {number}") for number in range(5)}
            for limit in (1, 2, 50):
                met = [one.crm_ref for one in list_all(adapter, read_to, limit)]
                assert refs <= set(met)
                assert len(met) == len(set(met))

    def test_a_list_says_the_version_that_a_read_says(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref, adapter = an_account(world), sweepable(world)
            world.edit(Entity.ACCOUNT, ref, {"name": "Edited"})
            listed = list_all(adapter, end_of(world.adapter, Entity.ACCOUNT))
            [read] = world.adapter.read_records(Entity.ACCOUNT, (ref,), call=CALL).records
            assert [o.source_version for o in listed if o.crm_ref == ref] == [read.source_version]

    def test_what_was_deleted_is_not_listed_and_its_end_is_proved(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            gone, there, adapter = an_account(world), an_account(world), sweepable(world)
            world.delete(Entity.ACCOUNT, gone)
            read_to = end_of(world.adapter, Entity.ACCOUNT)
            met = {one.crm_ref for one in list_all(adapter, read_to)}
            assert gone not in met
            assert there in met
            ends = adapter.find_ends(Entity.ACCOUNT, (gone, there), read_to=read_to, call=CALL)
            assert [(one.crm_ref, one.deleted) for one in ends.records] == [(gone, True)]
            assert ends.living == {there}

    def test_what_the_next_reading_would_bring_is_not_due(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            adapter, read_to = sweepable(world), end_of(world.adapter, Entity.ACCOUNT)
            ref = an_account(world)
            assert [o.due for o in list_all(adapter, read_to) if o.crm_ref == ref] == [False]
