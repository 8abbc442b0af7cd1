"""The command as a process: signals, encodings, pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import apsw
import pytest

from quotey import open_quotey
from quotey.sync.clock import SystemClock

QUOTEY = [sys.executable, "-m", "quotey"]
MEANT = {"QUOTEY_ALLOW_ROOT": "true"}
"""Tests may run as root, which is told on stderr unless it is meant."""


def run(folder: Path, *argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*QUOTEY, *argv],
        cwd=folder,
        env={**os.environ, **MEANT, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def started(folder: Path, *argv: str) -> subprocess.Popen[str]:
    """Begin a command and go on, with both of its streams held."""
    return subprocess.Popen(
        [*QUOTEY, *argv],
        cwd=folder,
        env={**os.environ, **MEANT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_runs_in_an_empty_folder_with_no_configuration(tmp_path: Path) -> None:
    done = run(tmp_path, "crm", "sync")
    assert done.returncode == 3
    assert done.stdout.startswith("stub (offline): nothing leaves this machine\n131 read")
    assert done.stderr == ""
    home = tmp_path / ".quotey"
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "quotey.db").stat().st_mode & 0o777 == 0o600


def test_a_terminal_of_few_signs_gets_the_rest_written_out(tmp_path: Path) -> None:
    (tmp_path / "quotey.toml").write_text('actor = "Zoë"\n', encoding="utf-8")
    run(tmp_path, "crm", "sync")
    done = run(tmp_path, "crm", "audit", "--limit", "1", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "Zo\\xeb" in done.stdout


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_sync_with_130_and_the_next_one_goes_on(
    tmp_path: Path, sign: signal.Signals
) -> None:
    (tmp_path / "quotey.toml").write_text(
        "[connections.main]\nlatency = 0.3\npage_size = 5\n", encoding="utf-8"
    )
    process = started(tmp_path, "crm", "sync")
    _wait_for_a_page(tmp_path)
    process.send_signal(sign)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, ""), err
    assert "nothing is half done" in err
    (tmp_path / "quotey.toml").unlink()
    done = json.loads(run(tmp_path, "crm", "sync", "--json").stdout)
    assert done["exit_code"] == 3
    status = json.loads(run(tmp_path, "crm", "status", "--json").stdout)["data"]
    assert [one["live"] for one in status["entities"]] == [29, 39, 54]


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_sending_cuts_nothing_in_half_and_the_next_sync_sends_the_rest(
    tmp_path: Path, sign: signal.Signals
) -> None:
    run(tmp_path, "crm", "sync")
    listed = json.loads(run(tmp_path, "crm", "deal", "list", "--json").stdout)["data"]["records"]
    deals = [one["crm_ref"] for one in listed if one["crm_ref"]][:6]
    for ref in deals:
        made = run(tmp_path, "quote", "create", ref, "--total", "90")
        assert made.returncode == 0, made.stderr
    (tmp_path / "quotey.toml").write_text("[connections.main]\nlatency = 0.4\n", encoding="utf-8")
    process = started(tmp_path, "crm", "sync")
    _wait_until(lambda: _delivered(tmp_path) >= 1)
    process.send_signal(sign)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, ""), err
    assert _delivered(tmp_path) < len(deals), "it was cut off in the middle"
    (tmp_path / "quotey.toml").unlink()
    deadline = time.monotonic() + 60
    while _delivered(tmp_path) < len(deals):
        assert time.monotonic() < deadline, "the rest was never sent"
        run(tmp_path, "crm", "sync")
    log = json.loads(run(tmp_path, "crm", "stub", "log", "--json").stdout)["data"]
    written = [one["ref"] for one in log["items"] if one["operation"] == "write_quote"]
    assert sorted(written) == sorted(deals), "each once"


def test_a_signal_while_it_still_starts_ends_with_130_and_one_sentence(tmp_path: Path) -> None:
    # What it imports first is interrupted: no signal from outside would meet that moment each time.
    (tmp_path / "cyclopts.py").write_text("raise KeyboardInterrupt\n", encoding="utf-8")
    done = run(tmp_path, "quote", "list")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "Interrupted before anything was done. Nothing was changed.\n"


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_the_process_at_once_and_the_next_sync_settles_what_was_under_way(
    tmp_path: Path, sign: signal.Signals
) -> None:
    """The write is held open, and then the database, so that the first signal has to wait."""
    run(tmp_path, "crm", "sync")
    listed = json.loads(run(tmp_path, "crm", "deal", "list", "--json").stdout)["data"]["records"]
    deal = next(one["crm_ref"] for one in listed if one["crm_ref"])
    assert run(tmp_path, "quote", "create", deal, "--total", "90").returncode == 0
    (tmp_path / "quotey.toml").write_text("[connections.main]\nlatency = 3\n", encoding="utf-8")
    process = started(tmp_path, "crm", "sync", "--entity", "account")
    database = apsw.Connection(str(tmp_path / ".quotey" / "quotey.db"))
    sent = "SELECT 1 FROM outbox WHERE state = 'leased' AND sent_at IS NOT NULL"
    _wait_until(lambda: database.execute(sent).fetchone() is not None)
    with database:
        database.execute("UPDATE outbox SET state = state WHERE 0")
        process.send_signal(sign)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        process.send_signal(sign)
        out, err = process.communicate(timeout=3)
    assert (process.returncode, out, err) == (-sign, "", "")
    database.close()
    (tmp_path / "quotey.toml").unlink()
    with open_quotey(cwd=tmp_path, clock=_Later()) as quotey:
        quotey.sync()
        quotey.sync()
    assert _delivered(tmp_path) == 1
    log = json.loads(run(tmp_path, "crm", "stub", "log", "--json").stdout)["data"]
    assert [one["operation"] for one in log["items"]].count("write_quote") == 1


class _Later(SystemClock):
    """An hour on: leases and waits have ended."""

    def now(self) -> datetime:
        return super().now() + timedelta(hours=1)


def _delivered(folder: Path) -> int:
    told = json.loads(run(folder, "crm", "outbox", "list", "--state", "delivered", "--json").stdout)
    return len(told["data"]["items"])


def _wait_until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not there():
        assert time.monotonic() < deadline, "it never came to that"


def _wait_for_a_page(folder: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        text = run(folder, "crm", "status", "--json").stdout
        if text and json.loads(text)["data"]["entities"][0]["live"]:
            return
    raise AssertionError("no page came in")


def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*QUOTEY, "crm", "--help"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) == 0
    assert b"Traceback" not in err
