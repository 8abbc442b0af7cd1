"""The demo reaches no network, and what is of the demo never goes to a real CRM (SEC-44)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from quotey.app.facade import open_quotey
from quotey.contract.errors import ErrorClass, ExitCode
from quotey.desk.quote_checks import QuoteTerms
from tests.disk.market import opened

WATCHED = """
import os
import sys

def refuse(event, words):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto")):
        print(f"reached for the network: {event} {words}", file=sys.stderr, flush=True)
        os._exit(9)

sys.addaudithook(refuse)
"""
DAY = """
from pathlib import Path
from quotey.cli.main import main
world = {"environ": {}, "cwd": Path.cwd(), "stdout": sys.stdout, "stderr": sys.stderr}
for line in %r:
    code = main(line.split(), **world)
    assert code in (0, 3), (line, code)
rooms = ("quotey.wire", "httpx2", "httpcore2")
print("LOADED", [name for name in sys.modules if name.startswith(rooms)], file=sys.stderr)
"""
COMMANDS = [
    "crm sync", "crm status", "crm doctor", "quote create D-1001 --total 5", "crm sync --sweep",
    "crm plan", "crm lookup account blue", "crm reconcile list", "crm watch --rounds 1",
]  # fmt: skip


def played(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WATCHED + code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_day_with_the_demo_reaches_for_no_network_and_has_nothing_to_reach_it_with(
    tmp_path: Path,
) -> None:
    done = played(tmp_path, DAY % COMMANDS)
    assert done.returncode == 0, done.stderr
    assert "LOADED []" in done.stderr
    assert done.stdout.startswith("stub (offline): nothing leaves this machine")


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        """from quotey.wire import Door, Request
Door(frozenset({"crm.example"})).send(
    Request(method="GET", url="https://crm.example/", timeout=1.0))""",
    ],
)
def test_whoever_reaches_for_the_network_is_seen(tmp_path: Path, code: str) -> None:
    done = played(tmp_path, code)
    assert done.returncode == 9
    assert "reached for the network" in done.stderr


def test_what_the_demo_left_is_never_sent_to_a_real_crm(ram: Path) -> None:
    """The same home and the same name of the connection, but another CRM."""
    with opened(ram) as market:
        live = (ram / "quotey.toml").read_text()
        (ram / "quotey.toml").write_text(
            '[connections.main]\nprovider = "stub"\ndataset = "data"\n', encoding="utf-8"
        )
        with open_quotey(cwd=ram, environ={}) as quotey:
            quotey.sync()
            deal = quotey.deal_list(limit=1).records[0].id
            quotey.quote_create(deal, QuoteTerms(total="777"))
        (ram / "quotey.toml").write_text(live, encoding="utf-8")
        with market.here() as quotey:
            report = quotey.sync()
            [failure] = report.failures
        assert report.exit_code == ExitCode.NEEDS_PERSON
        assert failure.error_class is ErrorClass.PERMANENT
        assert "was begun with stub" in failure.warning
        assert market.rig.vendor.log == []
