"""The demo is a program like any other: it must work on other data than it was written on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCENES = ("schema_mapping_mismatch", "locked_field_overwrite", "stale_outbound_write", "kill -9")


def test_the_demo_runs_on_another_data_set_and_with_another_seed(tmp_path: Path) -> None:
    words = [
        "--dataset",
        str(ROOT / "examples" / "own-folder"),
        "--seed",
        "7",
        "--keep",
        str(tmp_path),
    ]
    played = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert played.returncode == 0, played.stdout[-3000:]
    assert [scene for scene in SCENES if scene not in played.stdout] == []
    assert "is whole" in played.stdout
