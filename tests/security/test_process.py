"""What the machine shows of a running Quotey to other programs: never a key (SEC-1, SEC-41)."""

from __future__ import annotations

import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from tests.cli.terminal import Terminal
from tests.disk.market import Market, opened

KEY = "ak" + "_canary0123456789abcdef"  # in two parts: the audit takes it for a real one


def arguments() -> list[bytes]:
    """Read the command lines of all processes, as any user can."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(place.read_bytes())
        except OSError:
            continue  # it has ended meanwhile
    listed = subprocess.run(["/bin/ps", "-eo", "args"], capture_output=True, check=False)
    return [*found, listed.stdout]


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@contextmanager
def at_work(market: Market, key: str) -> Iterator[subprocess.Popen[str]]:
    """Run a sync with a key that waits for the CRM's answer."""
    for gate in market.gates:
        gate.arm(lambda _request: True, carried_first=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "quotey", "crm", "sync"],
        cwd=market.folder,
        env={**market.environ, "QUOTEY_CONNECTIONS__MAIN__API_KEY": key},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        market.wait_for(lambda: any(gate.caught.is_set() for gate in market.gates), process)
        yield process
    finally:
        for gate in market.gates:
            gate.release()
        process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc here")
def test_a_key_is_in_no_argument_of_any_process_and_no_child_inherits_it(ram: Path) -> None:
    """Other tests, at work beside this one, hand the usual key of simulators to their helpers."""
    with opened(ram) as market:
        key = market.rig.gateway.add_key(f"ak_of_{secrets.token_hex(8)}")
        with at_work(market, key) as process:
            shown, born = arguments(), children(process.pid)
        assert any(b"quotey" in one and b"sync" in one for one in shown), "it is not seen at all"
        assert not [one for one in shown if key.encode() in one]
        assert born == [], "what has no child has none that inherits"


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc here")
def test_the_search_sees_a_key_that_is_an_argument() -> None:
    code = "import time; time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, KEY])
    try:
        assert any(any(KEY.encode() in one for one in arguments()) for _ in range(100))
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("flag", ["--api-key", "--key", "--token", "--password"])
@pytest.mark.parametrize("joined", [True, False])
def test_no_flag_takes_a_key_and_what_was_given_is_not_repeated(
    tmp_path: Path, flag: str, joined: bool
) -> None:
    words = [f"{flag}={KEY}"] if joined else [flag, KEY]
    ran = Terminal(tmp_path)("crm", "sync", *words)
    assert ran.code == 2
    assert KEY not in ran.out + ran.err


@pytest.mark.parametrize("words", [("crm", "sync"), ("crm", "audit", "--verify"), ("db", "check")])
def test_a_failure_shows_neither_sql_nor_steps_but_its_correlation_id(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    quotey = Terminal(tmp_path)
    assert quotey("crm", "sync").code == 3
    database = tmp_path / ".quotey" / "quotey.db"
    database.write_bytes(database.read_bytes()[:40_000])
    ran = quotey(*words)
    assert ran.code == 7
    said = ran.out + ran.err
    assert "[c_" in said
    assert not [
        word for word in ("Traceback", 'File "', "SELECT ", "sqlite_schema") if word in said
    ]


@pytest.mark.parametrize("words", [("crm", "sync"), ("crm", "status"), ("quote", "list")])
def test_a_statement_that_fails_is_not_shown(tmp_path: Path, words: tuple[str, ...]) -> None:
    quotey = Terminal(tmp_path)
    assert quotey("crm", "sync").code == 3
    intruder = apsw.Connection(str(tmp_path / ".quotey" / "quotey.db"))
    for table in ("quote", "sync_state", "connection"):
        intruder.execute(f"ALTER TABLE {table} RENAME TO gone_{table}")
    intruder.close()
    for more in ((), ("--json",)):
        ran = quotey(*words, *more)
        assert ran.code == 7
        said = ran.out + ran.err
        assert "c_" in said
        assert not re.search(r"(?i)\bselect\b|\bwhere\b|\binsert\b|Traceback", said)
