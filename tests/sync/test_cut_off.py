"""What the simulation found: a cut or a pause between two steps of a run leaves nothing untrue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from quotey.contract.errors import StoreBusyError
from quotey.contract.fields import Entity
from quotey.contract.journal import OpState, SyncDirection, SyncPhase
from quotey.store import Store, open_store
from tests.sync.world import make_world


def test_a_store_that_is_busy_once_an_entity_is_read_is_told_as_busy(tmp_path: Path) -> None:
    """Found by seed 0: the note "interrupted" was made of an entity that was at rest already."""
    busy: list[str] = []

    class BusyAfter(Store):
        @contextmanager
        def transaction(self, label: str = "") -> Iterator[None]:
            if label == "look again" and busy:
                raise StoreBusyError("somebody writes")
            if label == "succeed":
                busy.append(label)
            with super().transaction(label):
                yield

    world = make_world(tmp_path)
    orphan = {"name": "Nine", "account_id": "A-9", "stage": "won", "amount": "1", "currency": "EUR"}
    world.crm.add("deal", "D-9", orphan)
    world.sync(entities=(Entity.DEAL,))
    world.crm.add("account", "A-9", {"name": "Nine", "segment": "SMB"})
    world.store.close()
    world.store = _opened(world.home, BusyAfter)
    with pytest.raises(StoreBusyError):
        world.sync()
    assert world.state(Entity.ACCOUNT).phase is SyncPhase.IDLE


def test_an_interrupted_drain_with_nothing_left_to_send_comes_to_rest(tmp_path: Path) -> None:
    """Found by seed 106: the outbound half showed `error` for ever."""
    world = make_world(tmp_path)
    world.sync()
    state = world.store.sync_state.get("main", Entity.QUOTE, SyncDirection.OUTBOUND)
    dead = msgspec.structs.replace(
        state, phase=SyncPhase.SYNCING, epoch=state.epoch + 1, lease_until=world.clock.now()
    )
    with world.store.transaction():
        world.store.sync_state.put(dead)
    world.turn(minutes=2)
    report = world.sync()
    assert report.recovered == 1
    assert world.state(Entity.QUOTE).phase is SyncPhase.IDLE


@pytest.mark.parametrize("kind", ["quote", "edit", "create"])
def test_a_process_that_sleeps_once_it_noted_the_send_does_not_send(
    tmp_path: Path, kind: str
) -> None:
    """Found by seed 13: a write left on a lease that ran out while the process was stopped."""
    world = make_world(tmp_path)
    world.sync()
    deal = world.deal("D-1")
    slept: list[bool] = []

    class SleepsOnce(Store):
        @contextmanager
        def transaction(self, label: str = "") -> Iterator[None]:
            with super().transaction(label):
                yield
            if label == "mark sent" and not slept:
                slept.append(True)
                world.turn(seconds=30)

    if kind == "quote":
        op = world.quote(deal.id)
    elif kind == "edit":
        op = world.edit(Entity.DEAL, "D-1", name="Uno")
    else:
        _, op = world.new_deal("A-1")
    world.store.close()
    world.store = _opened(world.home, SleepsOnce)
    before = len(world.crm.log())
    world.sync()
    left = world.op(op)
    assert (left.state, left.attempts, left.sent_at) == (OpState.QUEUED, 0, None)
    assert len(world.crm.log()) == before
    world.settle_down()
    assert world.op(op).state is OpState.DELIVERED


def _opened(home: Path, kind: type[Store]) -> Store:
    return open_store(home / "quotey.db", role="sync", kind=kind)
