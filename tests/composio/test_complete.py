"""A CRM of 5,000 records that is edited while it is read: in the end nothing is missing or old.

The large one is `make bench`. The oracle reads the vendor's own store and the mirror's file.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from quotey.testing.names import Simulated
from scripts.bench_complete import problems
from scripts.complete.play import Played, play
from scripts.complete.syncing import Synced, sync

RECORDS = 5_000


def here(folder: Path, environ: dict[str, str], sweep: bool) -> Synced:
    """Sync in this process; the large one has a process for it."""
    return sync(folder, environ, sweep=sweep)


@pytest.mark.parametrize("provider", ["hubspot", "salesforce"])
def test_whatever_reading_misses_the_sweep_brings_in_and_counts(
    provider: Simulated, tmp_path: Path
) -> None:
    played = play(provider, RECORDS, tmp_path, here)
    much_was_going_on(played)
    reading_misses_only_what_no_window_could_show(played)
    the_sweep_counts_what_the_oracle_found(played)
    a_sweep_under_fire_loses_nothing_and_calls_nothing_missed(played)
    assert problems(played) == []


def much_was_going_on(played: Played) -> None:
    assert played.changes["edits"] > 1_500
    assert played.changes["creates"] > 20
    assert played.changes["archives"] > 20


def reading_misses_only_what_no_window_could_show(played: Played) -> None:
    late = sum(played.changes[name] for name in ("too_late", "purges", "restores"))
    assert 0 < played.missed.wrong <= late
    assert played.missed.missing
    assert played.missed.stale


def the_sweep_counts_what_the_oracle_found(played: Played) -> None:
    missed = played.missed
    assert played.syncs["sweep"].missed == {
        "missing": len(missed.missing),
        "stale": len(missed.stale),
        "gone": len(missed.ghosts),
    }
    assert played.swept.wrong == 0


def a_sweep_under_fire_loses_nothing_and_calls_nothing_missed(played: Played) -> None:
    assert played.syncs["sweep under fire"].ahead > 0
    assert sum(played.syncs["sweep under fire"].missed.values()) == 0
    assert played.under_fire.wrong == 0
