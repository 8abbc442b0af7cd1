"""Whoever runs it as root is told so, once, and where a program does not read it (SEC-33)."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from quotey.cli.main import main

MEANT = {"QUOTEY_ALLOW_ROOT": "true"}


def ran(
    folder: Path, *argv: str, is_root: bool = True, environ: dict[str, str] | None = None
) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = main(
        list(argv), environ=environ or {}, cwd=folder, stdout=out, stderr=err, is_root=is_root
    )
    return code, out.getvalue(), err.getvalue()


def test_root_is_told_once_on_stderr_and_the_command_is_done(tmp_path: Path) -> None:
    code, out, err = ran(tmp_path, "crm", "sync")
    assert code == 3
    assert err.count("runs as root") == 1
    assert "allow_root" in err
    assert "root" not in out


def test_a_document_stays_one_document(tmp_path: Path) -> None:
    _, out, err = ran(tmp_path, "crm", "status", "--json")
    assert json.loads(out)["ok"] is True
    assert err.count("runs as root") == 1


def test_any_other_user_is_told_nothing(tmp_path: Path) -> None:
    assert ran(tmp_path, "crm", "status", is_root=False)[2] == ""


def test_root_that_is_meant_is_told_nothing(tmp_path: Path) -> None:
    assert ran(tmp_path, "crm", "status", environ=MEANT)[2] == ""
    (tmp_path / "quotey.toml").write_text("allow_root = true\n", encoding="utf-8")
    assert ran(tmp_path, "crm", "status")[2] == ""


@pytest.mark.parametrize("meant", [False, True])
def test_a_process_looks_whose_it_is(tmp_path: Path, meant: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "quotey", "crm", "status"],
        cwd=tmp_path,
        env={**os.environ, **(MEANT if meant else {})},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("runs as root" in done.stderr) is (os.geteuid() == 0 and not meant)
