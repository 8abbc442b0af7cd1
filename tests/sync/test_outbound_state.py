"""The outbound half of `crm_sync_state`: what makes it an error, and what does not."""

from __future__ import annotations

from quotey.contract.errors import ErrorClass
from quotey.contract.fields import Entity
from quotey.contract.journal import SyncDirection, SyncPhase
from quotey.sync import push, states
from tests.sync.bent import bend, failing, watched
from tests.sync.world import World


def test_with_nothing_to_send_it_is_never_taken_into_work(synced: World) -> None:
    assert synced.state(Entity.QUOTE).epoch == 0


def test_a_drain_leaves_it_idle_with_its_figures(synced: World) -> None:
    synced.quote(synced.deal("D-1").id)
    synced.sync()
    state = synced.state(Entity.QUOTE)
    assert (state.phase, state.counts.delivered) == (SyncPhase.IDLE, 1)
    assert state.succeeded_at is not None


def test_a_failed_operation_is_no_error_of_it(synced: World) -> None:
    synced.quote(synced.deal("D-1").id)
    synced.crm.fail("mapping_error", operation="write_quote")
    synced.sync()
    assert synced.state(Entity.QUOTE).phase is SyncPhase.IDLE


def test_an_auth_stop_is(synced: World) -> None:
    synced.quote(synced.deal("D-1").id)
    synced.crm.fail("auth", operation="write_quote")
    synced.sync()
    state = synced.state(Entity.QUOTE)
    assert (state.phase, state.error_class) == (SyncPhase.ERROR, ErrorClass.AUTH)


def test_a_crm_that_is_down_is(synced: World) -> None:
    for number in range(6):
        synced.new_deal("A-1", f"N{number}")
    synced.adapter = bend(synced.stub, create_deal=failing(ErrorClass.TRANSIENT))
    synced.sync()
    assert synced.state(Entity.QUOTE).phase is SyncPhase.ERROR
    synced.adapter = synced.stub
    synced.settle_down()
    assert synced.state(Entity.QUOTE).phase is SyncPhase.IDLE


def test_two_drains_beside_each_other_do_no_harm(synced: World) -> None:
    op = synced.quote(synced.deal("D-1").id)
    held = states.take(synced.run(), Entity.QUOTE, SyncDirection.OUTBOUND)
    push.drain(synced.run())
    assert synced.op(op).state == "delivered"
    assert synced.state(Entity.QUOTE) == held


def test_a_drain_that_died_is_found_by_its_lease(synced: World) -> None:
    states.take(synced.run(), Entity.QUOTE, SyncDirection.OUTBOUND)
    synced.restart()
    synced.turn(seconds=41)
    assert synced.sync().recovered == 1
    state = synced.state(Entity.QUOTE)
    assert (state.phase, state.error) == (SyncPhase.IDLE, ""), "the same sync made up for it"


def test_a_long_drain_keeps_its_lease(synced: World) -> None:
    for ref in ("D-1", "D-2", "D-3"):
        synced.quote(synced.deal(ref).id)
    run = synced.run()
    before = synced.state(Entity.QUOTE).epoch

    def slow(name: object = None) -> None:
        synced.turn(seconds=8)

    synced.adapter = watched(synced.stub, slow)
    push.drain(synced.run())
    state = synced.state(Entity.QUOTE)
    assert run.correlation_id != state.correlation_id
    assert (state.phase, state.epoch) == (SyncPhase.IDLE, before + 1)
    assert state.counts.delivered == 3


def test_a_drain_that_was_taken_over_does_not_touch_the_state_again(synced: World) -> None:
    synced.quote(synced.deal("D-1").id)

    def stolen(_name: str) -> None:
        synced.turn(seconds=21)
        with synced.store.transaction():
            state = synced.state(Entity.QUOTE)
            if state.phase is SyncPhase.SYNCING:
                states.interrupted(synced.run(), state)

    synced.adapter = watched(synced.stub, stolen)
    push.drain(synced.run())
    assert synced.state(Entity.QUOTE).error == "interrupted"
