"""The stub's file: rights, other people's files, crashes, two processes at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from quotey.adapters.stub.drawer import Drawer, Stored
from quotey.contract.errors import ErrorClass, RemoteFailure, StoreError
from quotey.contract.fields import Entity
from quotey.testing.world import CALL
from tests.adapters.stub_world import open_stub, open_stub_tools

SCRIPT_HEAD = """
import sys
from pathlib import Path
from decimal import Decimal
from quotey.contract.fields import Entity
from quotey.testing.world import CALL, deal_data
from tests.adapters.stub_world import open_stub
home = Path(sys.argv[1])
adapter = open_stub(home)
"""


def start(script: str, *words: str) -> subprocess.Popen[str]:
    """Start a Python process with the stub open on `home` (the first word)."""
    text = SCRIPT_HEAD + textwrap.dedent(script)
    here = Path(__file__).parents[2]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(here / "src"), str(here)))}
    return subprocess.Popen(
        [sys.executable, "-c", text, *words], stdout=subprocess.PIPE, text=True, env=environ
    )


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    adapter = open_stub(home)
    adapter.update_deal("D-1003", {"amount": None}, key="k", call=CALL)
    modes = {path.name: path.stat().st_mode & 0o777 for path in home.iterdir()}
    assert modes["stub-main.db"] == 0o600
    assert set(modes.values()) == {0o600}
    assert home.stat().st_mode & 0o777 == 0o700
    adapter.close()


def test_state_lives_on_between_openings(tmp_path: Path) -> None:
    first = open_stub(tmp_path)
    first.update_deal("D-1003", {"name": "Renamed"}, key="k", call=CALL)
    first.close()
    second = open_stub(tmp_path)
    deal = second.get_deal("D-1003", call=CALL)
    assert deal is not None
    assert deal.name == "Renamed"
    second.close()


def test_each_connection_has_a_file_of_its_own(tmp_path: Path) -> None:
    open_stub(tmp_path).close()
    assert [path.name for path in tmp_path.glob("*.db")] == ["stub-main.db"]


def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "stub-main.db"
    path.write_bytes(b"this is no database at all" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"stub-main\.db cannot be used"):
        open_stub(tmp_path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "stub-main.db"
    with apsw.Connection(str(path)) as db:
        db.execute("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a stub's file"):
        open_stub(tmp_path)
    assert path.read_bytes() == before


def test_a_file_of_the_first_format_is_brought_up_to_date(tmp_path: Path) -> None:
    open_stub(tmp_path).close()
    [path] = tmp_path.glob("stub-*.db")
    db = apsw.Connection(str(path))
    db.execute("DROP TABLE late; ALTER TABLE fault DROP COLUMN delay; PRAGMA user_version = 1")
    db.close()
    with closing(open_stub_tools(tmp_path)) as tools:
        assert tools.fail("late_effect").delay > 0
        assert tools.land() == 0


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    open_stub(tmp_path).close()
    db = apsw.Connection(str(tmp_path / "stub-main.db"))
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="another version"):
        open_stub(tmp_path)


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="cannot be used"):
        open_stub(tmp_path / "home")


def test_a_closed_adapter_raises_remote_failures_only(tmp_path: Path) -> None:
    adapter = open_stub(tmp_path)
    adapter.close()
    with pytest.raises(RemoteFailure) as caught:
        adapter.get_deal("D-1003", call=CALL)
    assert caught.value.error_class is ErrorClass.PERMANENT


def test_a_file_that_is_held_too_long_is_transient(tmp_path: Path) -> None:
    adapter, tools = open_stub(tmp_path), open_stub_tools(tmp_path)
    adapter._drawer._db.set_busy_timeout(1)
    with tools._drawer.transaction(), pytest.raises(RemoteFailure) as caught:
        adapter.update_deal("D-1003", {"amount": None}, key="k", call=CALL)
    assert caught.value.error_class is ErrorClass.TRANSIENT
    adapter.close()
    tools.close()


def test_a_change_that_fails_halfway_leaves_nothing(tmp_path: Path) -> None:
    open_stub(tmp_path).close()
    drawer = Drawer(tmp_path / "stub-main.db")
    before = drawer.revision
    stored = drawer.get(Entity.DEAL, "D-1003")
    assert stored is not None
    with pytest.raises(ZeroDivisionError):
        put_and_break(drawer, stored)
    assert drawer.revision == before
    assert drawer.past(Entity.DEAL, "D-1003") == []
    drawer.close()


def put_and_break(drawer: Drawer, stored: Stored) -> None:
    with drawer.transaction():
        drawer.put(stored)
        raise ZeroDivisionError


def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    script = """
        name = sys.argv[2]
        for number in range(25):
            data = deal_data(name=f"{name} {number}")
            adapter.create_deal("A-1001", data, key=f"{name} {number}", call=CALL)
            adapter.create_deal("A-1001", deal_data(), key=f"shared {number}", call=CALL)
        print("done")
    """
    both = [start(script, str(tmp_path), name) for name in ("one", "two")]
    assert [process.communicate(timeout=60)[0].strip() for process in both] == ["done", "done"]
    tools = open_stub_tools(tmp_path)
    made = [one for one in tools.log() if one.operation == "create_deal"]
    assert len(made) == 75
    assert len({one.ref for one in made}) == 75
    assert len({one.revision for one in made}) == 75
    tools.close()


def test_two_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    script = 'print(len(adapter.sync_incremental(Entity.DEAL, "", limit=100, call=CALL).records))'
    many = [start(script, str(tmp_path)) for _ in range(3)]
    assert [process.communicate(timeout=60)[0].strip() for process in many] == ["60"] * 3


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    script = """
        number = 0
        while True:
            number += 1
            data = deal_data(name=f"Deal {number}")
            made = adapter.create_deal("A-1001", data, key=f"key {number}", call=CALL)
            print(made.crm_ref, flush=True)
    """
    process = start(script, str(tmp_path))
    assert process.stdout is not None
    answered = [process.stdout.readline().strip() for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    answered += process.communicate(timeout=60)[0].split()
    tools = open_stub_tools(tmp_path)
    made = [one.ref for one in tools.log() if one.operation == "create_deal"]
    assert answered == made[: len(answered)]
    assert len(made) <= len(answered) + 1
    assert tools._drawer.rows("PRAGMA integrity_check") == [("ok",)]
    tools.close()
