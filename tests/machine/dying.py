"""`python -m tests.machine.dying COMMITS MODULE WORDS...`: run a module, and die at a commit of it.

The kernel ends the process with SIGKILL, as anybody's kill does, but between the two transactions
that were meant and not somewhere near: the library itself tells that a commit is done.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from itertools import count

import apsw

DATABASE = "quotey.db"
"""Commits to other files count for nothing: the stub's is the CRM, another machine."""


def die_after(commits: int) -> None:
    """End this process once it has committed so often to the database, on any connection."""
    numbers = count(1)

    def heard(event: dict[str, object]) -> None:
        if event["sql"] == "COMMIT" and next(numbers) >= commits:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(connection: apsw.Connection) -> None:
        if connection.filename.endswith(DATABASE):
            connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, heard)

    apsw.connection_hooks.append(watch)


if __name__ == "__main__":
    _, number, module, *words = sys.argv
    die_after(int(number))
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
