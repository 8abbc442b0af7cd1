"""The figures of a machine, kept as a page's source when they are asked for.

`KEEP_PROOF=1 pytest …` writes docs/reference/proof/<name>.json; otherwise nothing is written.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "docs" / "reference" / "proof"


def keep(name: str, command: str, **figures: int | str) -> None:
    """Keep the figures of one run under a name; `command` is what makes them again."""
    if not os.environ.get("KEEP_PROOF"):
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    proof = {"name": name, "command": command, **figures}
    text = json.dumps(proof, indent=2) + "\n"
    (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


def size(name: str, *, every_run: int, soak: int) -> int:
    """Give how often to try: in every run, with `make soak`, or as the environment says."""
    usual = soak if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else every_run
    return int(os.environ.get(name, usual))
