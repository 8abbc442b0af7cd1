"""`python -m tests.machine.later SECONDS WORDS...`: the command line, so many seconds from now.

A killed run holds its entity until its lease ends; its successor in these tests runs on a clock
that is ahead, so that nobody has to wait.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from quotey.app.facade import open_quotey
from quotey.cli.main import main
from quotey.sync.clock import SystemClock


class LaterClock(SystemClock):
    """The machine's clock, set ahead."""

    def __init__(self, seconds: float) -> None:
        self._ahead = timedelta(seconds=seconds)

    def now(self) -> datetime:
        """Give the present moment and what it is ahead."""
        return super().now() + self._ahead


def run(seconds: float, argv: list[str], *, cwd: Path) -> int:
    """Run one command line on a clock that is ahead."""
    return main(
        argv,
        environ=os.environ,
        cwd=cwd,
        stdout=sys.stdout,
        stderr=sys.stderr,
        opener=partial(open_quotey, clock=LaterClock(seconds)),
    )


if __name__ == "__main__":
    sys.exit(run(float(sys.argv[1]), sys.argv[2:], cwd=Path.cwd()))
