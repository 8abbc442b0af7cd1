"""Notes that processes share: nobody's change is lost, a crash leaves what was, and it is cheap."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from quotey.contract.errors import StoreBusyError, StoreError
from quotey.contract.shared import Notes
from quotey.store import Place, SharedNotes

EACH = 400

WORKER = """
import sys
from pathlib import Path
from tests.store.test_shared import add, notes_at
notes = notes_at(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    notes.change(("n",), add)
"""
DIES = """
import os, sys
from pathlib import Path
from tests.store.test_shared import notes_at
notes_at(Path(sys.argv[1])).change(("n",), lambda notes: os._exit(9))
"""


def notes_at(folder: Path) -> SharedNotes:
    return SharedNotes(folder / "shared.db", now=float, sleep=lambda _s: None, place=Place())


def add(notes: Notes) -> tuple[Notes, int]:
    number = int(notes.get("n", "0")) + 1
    return {"n": str(number)}, number


def value(notes: SharedNotes) -> str:
    return notes.change(("n",), lambda found: ({}, found.get("n", "")))


def started(script: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_and_threads_lose_no_change(tmp_path: Path) -> None:
    workers = [started(WORKER, str(tmp_path), str(EACH)) for _ in range(2)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    notes = notes_at(tmp_path)
    threads = [
        Thread(target=lambda: [notes.change(("n",), add) for _ in range(EACH)]) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for worker in workers:
        worker.communicate("go\n", timeout=60)
        assert worker.returncode == 0
    for thread in threads:
        thread.join()
    assert value(notes) == str(4 * EACH)


def test_one_that_dies_in_a_change_leaves_what_was_there_and_blocks_nobody(tmp_path: Path) -> None:
    notes = notes_at(tmp_path)
    notes.change(("n",), add)
    dying = started(DIES, str(tmp_path))
    dying.communicate(timeout=60)
    assert dying.returncode == 9
    assert notes.change(("n",), add) == 2


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    notes = notes_at(tmp_path)

    def fail(_notes: Notes) -> tuple[Notes, None]:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        notes.change(("n",), fail)
    assert notes.change(("n",), add) == 1


def test_only_the_names_asked_for_are_seen(tmp_path: Path) -> None:
    notes = notes_at(tmp_path)
    notes.change((), lambda _none: ({"a": "1", "b": "2"}, None))
    assert notes.change(("a", "c"), lambda found: ({}, dict(found))) == {"a": "1"}


def test_only_the_owner_can_read_the_file_and_it_is_made_late(tmp_path: Path) -> None:
    notes = notes_at(tmp_path)
    assert not (tmp_path / "shared.db").exists()
    notes.change(("n",), add)
    assert (tmp_path / "shared.db").stat().st_mode & 0o077 == 0
    notes.close()
    notes.close()
    assert value(notes) == "1"


def test_a_file_that_is_none_of_ours_is_told(tmp_path: Path) -> None:
    (tmp_path / "shared.db").write_bytes(os.urandom(4096))
    with pytest.raises(StoreError, match=r"shared\.db"):
        notes_at(tmp_path).change(("n",), add)


def test_one_that_holds_the_file_for_too_long_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quotey.store.shared.PATIENCE", 0.02)
    holder, waiter = notes_at(tmp_path), notes_at(tmp_path)
    assert value(waiter) == ""

    def wait(_notes: Notes) -> tuple[Notes, None]:
        with pytest.raises(StoreBusyError):
            waiter.change(("n",), add)
        return {}, None

    holder.change(("n",), wait)


def test_a_change_costs_less_than_a_millisecond(tmp_path: Path) -> None:
    notes = notes_at(tmp_path)
    value(notes)
    took = []
    for _ in range(300):
        begun = time.perf_counter()
        notes.change(("n",), add)
        took.append(time.perf_counter() - begun)
    assert statistics.median(took) < 0.001
