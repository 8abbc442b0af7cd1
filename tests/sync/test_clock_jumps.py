"""Our own clock is set forward or back: nobody waits for a moment that only the old one knew (2.C).

Cursors are the provider's moments and ids, so a jump of ours does not touch them.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from quotey.contract.fields import Entity
from quotey.contract.journal import OpState
from quotey.contract.moments import LONGEST_LEASE
from quotey.sync import pull, push
from tests.sync.world import World

DAY = timedelta(days=1)
JUMPS = pytest.mark.parametrize("jump", [-400 * DAY, -DAY, DAY], ids=["year", "back", "forward"])


def test_a_clock_that_is_set_back_does_not_lengthen_what_the_crm_asked_for(synced: World) -> None:
    synced.crm.fail("rate_limited", operation="sync_incremental", retry_after=120, times=2)
    assert synced.sync().exit_code == 6
    synced.clock.advance(-DAY)
    assert synced.sync().exit_code == 6, "it is asked again, and asks for patience again"
    assert synced.sync().exit_code == 6
    synced.turn(seconds=121)
    assert synced.sync().exit_code == 0


def test_within_its_cap_a_penalty_is_kept_whatever_the_clock_did(synced: World) -> None:
    synced.crm.fail("rate_limited", operation="sync_incremental", retry_after=600)
    synced.sync()
    synced.clock.advance(-timedelta(minutes=10))
    assert synced.sync().exit_code == 6


@JUMPS
def test_a_run_that_died_before_the_jump_is_taken_over(synced: World, jump: timedelta) -> None:
    pull.start(synced.run(), Entity.ACCOUNT)
    synced.restart()
    synced.clock.advance(jump)
    report = synced.sync()
    assert (report.recovered, report.exit_code) == (1, 0)


@JUMPS
def test_an_operation_whose_worker_died_before_the_jump_is_sent(
    synced: World, jump: timedelta
) -> None:
    op = synced.quote(synced.deal("D-1").id)
    synced.clock.advance(timedelta(seconds=1))
    push.claim(synced.run())
    synced.restart()
    synced.clock.advance(jump)
    synced.sync()
    synced.clock.advance(-jump)
    synced.settle_down()
    assert synced.op(op).state is OpState.DELIVERED
    assert synced.effects("write_quote") == 1


def test_a_lease_of_any_length_that_may_be_set_is_believed(synced: World) -> None:
    pull.start(synced.run(), Entity.ACCOUNT)
    synced.clock.advance(timedelta(seconds=40) - LONGEST_LEASE)
    assert synced.sync().recovered == 0


@JUMPS
def test_what_changes_over_there_is_read_all_the_same(synced: World, jump: timedelta) -> None:
    synced.clock.advance(jump)
    synced.crm.set("deal", "D-1", {"stage": "won"})
    assert synced.sync().exit_code == 0
    assert synced.deal("D-1").local["stage"] == "won"
