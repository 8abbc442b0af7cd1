"""Whatever somebody without the audit key changes in the log is found, and the place is named.

Source: reliability G12. `AUDIT_MUTATIONS` and `AUDIT_LOGS` say how often.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import pytest

from quotey.contract.errors import StoreError
from quotey.store import ChainHead, ChainReport, open_store
from quotey.store import database as database_settings
from tests.disk import day
from tests.disk.powercut import Disk, Recorder
from tests.disk.tampering import (
    EVENT,
    MOVES,
    Content,
    Intruder,
    Move,
    content,
    cut_behind,
    differences,
    flip_a_bit_of_the_file,
)
from tests.disk.vfs import watched
from tests.proof import keep, size

MUTATIONS = size("AUDIT_MUTATIONS", every_run=340, soak=10_000)
LOGS = size("AUDIT_LOGS", every_run=60, soak=1000)
COMMAND = (
    f"AUDIT_MUTATIONS={MUTATIONS} AUDIT_LOGS={LOGS} KEEP_PROOF=1 "
    "pytest tests/disk/test_tampering.py"
)
ERASED = (3, 7, 20)
"""Events of the day whose bodies were erased by the erase command."""


@dataclass
class Log:
    """A day's log, its last head, and every cell of it; a copy of the home is broken each time."""

    home: Path
    head: ChainHead
    cells: Content

    def copied(self) -> Path:
        """Give the database of a fresh copy."""
        copy = self.home.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        return shutil.copytree(self.home, copy) / "quotey.db"

    def head_at(self, seq: int) -> ChainHead:
        """Give the head as it was when this event was the newest."""
        mac = self.cells[seq][EVENT.index("mac")].removeprefix("blob")
        return ChainHead(seq=seq, mac=mac.lower())


def worked(folder: Path) -> Log:
    """Work for a day."""
    office = day.opened(folder)
    day.work(office, lambda _told: None)
    database = office.home / "quotey.db"
    return Log(office.home, verified(database, None).head, content(database))


@pytest.fixture
def log(ram: Path) -> Log:
    """A day's log, of which some bodies were erased afterwards."""
    home = worked(ram).home
    database = home / "quotey.db"
    with open_store(database, role="admin") as store, store.transaction():
        erased = store.audit.erase(
            ERASED, at=day.START, actor="ann", correlation_id="c", reason="asked"
        )
    assert erased == len(ERASED)
    return Log(home, verified(database, None).head, content(database))


def verified(database: Path, known: ChainHead | None) -> ChainReport:
    with open_store(database, role="desk") as store:
        return store.audit.verify(known)


@dataclass
class Tried:
    """What came of the mutations; `harmless`: the bit was in empty room, no cell changed."""

    named: int = 0
    called_damaged: int = 0
    harmless: int = 0
    undetected: int = 0
    misnamed: int = 0
    false_alarms: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    where: list[str] = field(default_factory=list)


def test_any_single_change_of_the_log_is_found_and_its_place_is_named(log: Log) -> None:
    chance, tried, turn = random.Random(12), Tried(), 0  # noqa: S311 - chance, not secrecy
    while tried.named + tried.called_damaged < MUTATIONS:
        move = MOVES[turn % len(MOVES)]
        turn += 1
        _tamper_once(log, move, chance, tried)
        assert not tried.where, tried.where
    assert set(tried.kinds) == {move.__name__ for move in MOVES}
    keep(
        "audit-tampering",
        COMMAND,
        mutations=tried.named + tried.called_damaged,
        kinds=len(tried.kinds),
        place_named=tried.named,
        file_called_damaged=tried.called_damaged,
        bits_in_empty_room=tried.harmless,
        undetected=tried.undetected,
        misnamed=tried.misnamed,
        false_alarms=tried.false_alarms,
    )


def _tamper_once(log: Log, move: Move, chance: random.Random, tried: Tried) -> None:
    database = log.copied()
    intruder = Intruder(database, chance)
    move(intruder)
    intruder.db.close()
    changed = _changed(log, database)
    found = _found(database, log.head)
    tried.kinds[move.__name__] += 1
    if changed == []:
        assert move is flip_a_bit_of_the_file, f"{move.__name__} changed nothing"
        tried.harmless += 1
        tried.false_alarms += found is not None
    elif found is None:
        tried.undetected += 1
    elif changed is None:
        tried.called_damaged += 1
    else:
        # A bit of the file may move a row: then the place that it left is as right as the new one.
        right = changed if move is flip_a_bit_of_the_file else changed[:1]
        tried.named += found in right
        tried.misnamed += found not in right
    if tried.false_alarms or tried.undetected or tried.misnamed:
        tried.where.append(f"{move.__name__}: changed {changed}, found {found}")


def _changed(log: Log, database: Path) -> list[int] | None:
    """Give the places that differ; None when even SQLite cannot read the file any more."""
    try:
        return differences(log.cells, content(database))
    except apsw.Error:
        return None


def _found(database: Path, head: ChainHead) -> int | str | None:
    """Give the place that is named, or what is said of the file; None when all seems well."""
    try:
        return verified(database, head).broken_at
    except StoreError as error:
        return error.message


def test_a_cut_of_the_newest_events_is_seen_up_to_the_newest_head_that_was_noted(
    ram: Path,
) -> None:
    """By nature: a log that ends early is whole to whoever noted nothing of what came later."""
    log = worked(ram)
    for last in range(1, log.head.seq):
        database = log.copied()
        intruder = Intruder(database)
        cut_behind(intruder, last)
        intruder.db.close()
        assert verified(database, None).ok, last
        assert verified(database, log.head_at(last)).ok, last
        report = verified(database, log.head_at(last + 1))
        assert (report.ok, report.broken_at) == (False, last + 1)
        assert "cut off" in report.problem


def test_a_log_that_a_power_cut_ended_is_whole_up_to_what_was_told(ram: Path) -> None:
    """No false alarm: every log that a cut leaves is whole, and holds the head noted before it."""
    reports = cut_often(ram, LOGS)
    alarms = [report for report in reports if not report.ok]
    assert alarms == []
    different = len({report.events for report in reports})
    assert different > 10, "all logs are alike"
    keep(
        "audit-clean-logs",
        COMMAND,
        logs=len(reports),
        different=different,
        false_alarms=len(alarms),
    )


def test_a_noted_head_shows_what_a_disk_that_is_not_waited_for_has_lost(
    ram: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: were nothing noticed here, it would notice nothing there."""
    unsafe = tuple(one.replace("= FULL", "= NORMAL") for one in database_settings._PRAGMAS)
    monkeypatch.setattr(database_settings, "_PRAGMAS", unsafe)
    problems = Counter(report.problem for report in cut_often(ram, 100))
    assert set(problems) == {"", "the tail is cut off: a head that was kept elsewhere is newer"}


def cut_often(folder: Path, number: int) -> list[ChainReport]:
    """Cut the power at so many places of a day; give what the head noted last says of each log."""
    before, recorder = _recorded(folder)
    chance = random.Random(13)  # noqa: S311 - chance, not secrecy
    places = sorted(chance.randrange(1, len(recorder.steps) + 1) for _ in range(number))
    disk, done, reports = Disk.of(before), 0, []
    for place in places:
        for step in recorder.steps[done:place]:
            disk.take(step)
        done = place
        after = folder / "after"
        disk.write(after, chance, spared=day.STUB)
        noted = next((told for told in reversed(disk.told) if isinstance(told, ChainHead)), None)
        reports.append(verified(after / "quotey.db", noted))
        shutil.rmtree(after)
    return reports


def _recorded(folder: Path) -> tuple[Path, Recorder]:
    """Work for a day and note the head of the log whenever a command has answered."""
    office = day.opened(folder)
    before = shutil.copytree(office.home, folder / "before")
    recorder = Recorder()

    def note(_told: object) -> None:
        recorder.acknowledge(verified(office.home / "quotey.db", None).head)

    with watched(recorder):
        day.work(office, note)
    return before, recorder
