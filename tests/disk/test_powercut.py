"""The power is cut at any write: what was acknowledged is there, and the file is whole.

The same machine must see the loss where the database is told not to wait for the disk; otherwise
it would see nothing at all.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from quotey.store import database
from tests.disk import day
from tests.proof import keep, size

CUTS = size("POWER_CUTS", every_run=1000, soak=20_000)
COMMAND = f"POWER_CUTS={CUTS} KEEP_PROOF=1 pytest tests/disk/test_powercut.py"


def test_a_power_cut_loses_nothing_that_was_acknowledged(ram: Path) -> None:
    cuts = day.cut_often(ram, CUTS, seed=11, rests=CUTS // 25)
    keep(
        "power-cuts",
        COMMAND,
        runs=cuts.cuts,
        cuts=cuts.cuts,
        acknowledged=cuts.acknowledged,
        lost=cuts.lost,
        corrupt=cuts.corrupt,
        went_on_to_the_end=cuts.came_to_rest,
        mode="WAL, synchronous=FULL",
    )
    assert (cuts.lost, cuts.corrupt) == (0, 0)
    assert cuts.acknowledged == 13
    assert cuts.came_to_rest == len(range(0, CUTS, CUTS // 25))


def test_the_day_that_is_cut_is_full_of_checkpoints_and_closings(ram: Path) -> None:
    """What is cut in the test above: the log is carried into the file, and taken away, often."""
    _before, recorder = day.record(ram)
    carried = [step for step in recorder.steps if (step.kind, step.name) == ("write", "quotey.db")]
    taken_away = [step for step in recorder.steps if step.kind == "delete"]
    assert len(carried) > 100
    assert len([step for step in taken_away if step.name == "quotey.db-wal"]) > 5


@pytest.mark.parametrize(("mode", "corrupts"), [("NORMAL", False), ("OFF", True)])
def test_the_machine_sees_the_loss_where_the_disk_is_not_waited_for(
    ram: Path, monkeypatch: pytest.MonkeyPatch, mode: str, corrupts: bool
) -> None:
    unsafe = tuple(
        f"PRAGMA synchronous = {mode}" if "synchronous" in one else one for one in database._PRAGMAS
    )
    monkeypatch.setattr(database, "_PRAGMAS", unsafe)
    cuts = day.cut_often(ram, 200, seed=12)
    keep(
        f"power-cuts-{mode.lower()}",
        COMMAND,
        runs=cuts.cuts,
        cuts=cuts.cuts,
        acknowledged=cuts.acknowledged,
        lost=cuts.lost,
        corrupt=cuts.corrupt,
        mode=f"negative control: WAL, synchronous={mode}; loss must be seen",
    )
    assert cuts.lost > 0
    assert (cuts.corrupt > 0) is corrupts
