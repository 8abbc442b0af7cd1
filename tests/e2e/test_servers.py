"""The servers of these tests end with the process that started them, however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.server import FOLDER, NO_POSTGRES, PATIENCE, ROOT, postgres_programs

pytestmark = pytest.mark.e2e

SERVE = """
import signal, sys
from tests.e2e.server import on_postgres, on_sqlite, postgres_programs
# What was started in the background ignores Ctrl-C, and hands that down.
signal.signal(signal.SIGINT, signal.default_int_handler)
programs = postgres_programs()
with on_postgres(programs) if sys.argv[1] == "postgresql" else on_sqlite() as tryton:
    print(tryton.url, flush=True)
    sys.stdin.read()
"""


def servers_of(process: subprocess.Popen[str]) -> set[str]:
    """Name the programs that run on a process's folder."""
    mine, found = f"{FOLDER}{process.pid}-".encode(), set()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue  # it has just ended
        if any(mine in word for word in words):
            found.add(Path(words[0].decode()).name)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_no_server_is_left_behind(database: str, how: signal.Signals) -> None:
    if database == "postgresql" and postgres_programs() is None:
        pytest.skip(NO_POSTGRES)
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, database],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        assert len(servers_of(process)) == (2 if database == "postgresql" else 1)
        process.send_signal(how)
        process.wait(PATIENCE)
        end = time.monotonic() + PATIENCE
        while left := servers_of(process):
            assert time.monotonic() < end, f"still there: {left}"
            time.sleep(0.1)
