"""Whatever Quotey writes is its owner's alone, whatever the umask (SEC-32)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal

DAY = (
    "crm sync",
    "quote create D-1001 --total 5",
    "crm sync --sweep",
    "db backup kept/one.db",
    "db restore kept/one.db",
    "crm status",
)


@pytest.mark.parametrize("mask", [0, 0o022])
def test_every_file_of_a_day_is_the_owners_alone(tmp_path: Path, mask: int) -> None:
    quotey = Terminal(tmp_path)
    before = os.umask(mask)
    try:
        for line in DAY:
            assert quotey(*line.split()).code in {0, 3}, line
    finally:
        os.umask(before)
    made = {path.relative_to(tmp_path): path for path in tmp_path.rglob("*")}
    names = {str(name) for name in made}
    assert names > {".quotey/quotey.db", ".quotey/quotey.key", "kept/one.db", "kept/one.key"}
    assert any("replaced" in name for name in names)
    open_to_others = {
        str(name): oct(path.stat().st_mode) for name, path in made.items()
        if path.stat().st_mode & 0o077
    }  # fmt: skip
    assert open_to_others == {}
