"""The guard against mass changes raises no false alarm (law 11)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from quotey.contract.dto import CrmSyncResultDto, ItemFailure
from quotey.contract.fields import Entity
from quotey.contract.journal import RecordState
from quotey.contract.reconciliation import ConflictType
from quotey.sync import pull
from tests.sync.bent import bend, then
from tests.sync.world import World, make_world


def deals(count: int) -> str:
    rows = (f"D-{n},Deal {n},A-1,won,1.00,2026-05-01,EUR" for n in range(1, count + 1))
    return "id,name,account_id,stage,amount,close_date,currency\n" + "\n".join(rows) + "\n"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    """Forty deals that were never read."""
    world = make_world(tmp_path, page_size=10, deals=deals(40))
    yield world
    world.close()


@pytest.fixture
def crowd(fresh: World) -> World:
    assert fresh.sync().exit_code == 0
    return fresh


def nobody_was_asked(world: World) -> None:
    assert world.items(ConflictType.MASS_CHANGE) == ()


def test_a_first_load_asks_nobody(crowd: World) -> None:
    nobody_was_asked(crowd)


def test_a_first_load_that_was_cut_off_and_goes_on_asks_nobody(fresh: World) -> None:
    fresh.sync(entities=(Entity.ACCOUNT,))
    reading = pull.start(fresh.run(), Entity.DEAL)
    for _ in range(3):
        pull.apply_page(fresh.run(), reading, pull.read_page(fresh.run(), reading))
    for number in range(1, 31):
        fresh.crm.set("deal", f"D-{number}", {"stage": "lost"})
    fresh.restart()
    fresh.turn(seconds=41)
    assert fresh.sync().exit_code == 0
    nobody_was_asked(fresh)


def test_few_records_may_all_go(tmp_path: Path) -> None:
    world = make_world(tmp_path, deals=deals(5))
    world.sync()
    for number in range(1, 6):
        world.crm.delete("deal", f"D-{number}")
    assert world.sync().exit_code == 0
    nobody_was_asked(world)
    world.close()


def test_a_data_set_that_is_reset_asks_nobody(crowd: World) -> None:
    for number in range(1, 31):
        crowd.crm.set("deal", f"D-{number}", {"stage": "lost"})
    for number in range(41, 46):
        crowd.crm.add("deal", f"D-{number}", {"name": "More", "account_id": "A-1", "stage": "won"})
    crowd.sync()
    crowd.crm.reset()
    report = crowd.sync()
    assert (report.exit_code, report.entities[2].counts.gone) == (0, 5)
    nobody_was_asked(crowd)


def test_a_stub_file_that_is_made_anew_asks_nobody(crowd: World) -> None:
    for number in range(1, 31):
        crowd.crm.set("deal", f"D-{number}", {"stage": "lost"})
    crowd.sync()
    crowd.close()
    for file in crowd.home.glob("stub-*"):
        file.unlink()
    crowd.open()
    assert crowd.sync().exit_code == 0
    nobody_was_asked(crowd)


def test_records_that_change_twice_while_they_are_read_ask_nobody(crowd: World) -> None:
    def change_again(page: CrmSyncResultDto) -> CrmSyncResultDto:
        for one in page.records if page.entity is Entity.DEAL else ():
            if crowd.remote("deal", one.crm_ref)["stage"] == "lost":
                crowd.crm.set("deal", one.crm_ref, {"stage": "won"})
        return page

    for number in range(1, 41):
        crowd.crm.set("deal", f"D-{number}", {"stage": "lost"})
    crowd.adapter = bend(
        crowd.stub, sync_incremental=then(crowd.stub.sync_incremental, change_again)
    )
    report = crowd.sync()
    assert (report.exit_code, report.entities[2].counts.updated) == (0, 80)
    nobody_was_asked(crowd)


def test_a_source_that_can_give_no_record_whole_has_not_answered_none(crowd: World) -> None:
    mapping = crowd.mapping.entities[Entity.DEAL]
    changed = msgspec.structs.replace(mapping, fingerprint="another")
    crowd.mapping = msgspec.structs.replace(
        crowd.mapping, entities=crowd.mapping.entities | {Entity.DEAL: changed}
    )

    def spoil(page: CrmSyncResultDto) -> CrmSyncResultDto:
        if page.entity is not Entity.DEAL:
            return page
        unread = tuple(ItemFailure(crm_ref=one.crm_ref, message="no") for one in page.records)
        return msgspec.structs.replace(page, records=(), failures=unread)

    crowd.adapter = bend(crowd.stub, sync_incremental=then(crowd.stub.sync_incremental, spoil))
    assert crowd.sync().entities[2].counts.rejected == 40
    nobody_was_asked(crowd)


def test_what_was_deleted_in_bulk_is_asked_about_and_nothing_of_it_is_done(crowd: World) -> None:
    for number in range(1, 11):
        crowd.crm.delete("deal", f"D-{number}")
    assert crowd.sync().exit_code == 3
    assert crowd.store.records.count_by_state("main", Entity.DEAL)[RecordState.GONE] == 0
    assert len(crowd.items(ConflictType.MASS_CHANGE)) == 1
