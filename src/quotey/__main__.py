"""The quotey command."""

from __future__ import annotations

import sys

EARLY = "Interrupted before anything was done. Nothing was changed.\n"


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        from quotey.cli.main import run
    except KeyboardInterrupt:  # the door that tells of failures is not there yet
        sys.stderr.write(EARLY)
        sys.exit(130)
    sys.exit(run())


if __name__ == "__main__":
    main()
