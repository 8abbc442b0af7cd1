"""`python -m tests.machine.as_nobody SCRATCH FOLDER WORDS...`: a command by one who may not write.

Root may write anywhere, so rights are given up first; and because another user may not be allowed
to read this interpreter's own files, the same words are run in SCRATCH before, which loads all.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from quotey.cli.main import main

NOBODY = 65534


def run(scratch: Path, folder: Path, words: list[str]) -> int:
    """Warm up, give up all rights, run."""
    main(words, environ={}, cwd=scratch, stdout=io.StringIO(), stderr=io.StringIO())
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    return main(words, environ={}, cwd=folder, stdout=sys.stdout, stderr=sys.stderr)


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
