"""A terminal for tests: the command line in-process, with the real stub and real files."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from quotey.app.facade import open_quotey
from quotey.cli.main import main

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still until somebody sleeps."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=max(0.0, seconds))


class Ran(NamedTuple):
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on stdout."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def data(self) -> Any:  # noqa: ANN401 - a document holds anything
        """What the document answers."""
        return self.document["data"]


class Tty(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


class Terminal:
    """Runs commands in one folder; ids count up, the clock stands."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        self.clock = Clock()
        self.environ: dict[str, str] = {"USER": "kim"}
        self._made = 0

    def ids(self, prefix: str) -> str:
        """Make the next id."""
        self._made += 1
        return f"{prefix}_{self._made:016x}"

    def __call__(self, *argv: str, tty: bool = False) -> Ran:
        """Run one command line."""
        stream: Callable[[], io.StringIO] = Tty if tty else io.StringIO
        out, err = stream(), stream()
        code = main(
            list(argv),
            environ=self.environ,
            cwd=self.cwd,
            stdout=out,
            stderr=err,
            opener=partial(open_quotey, clock=self.clock, ids=self.ids, jitter=lambda: 0.5),
        )
        return Ran(code, out.getvalue(), err.getvalue())

    def json(self, *argv: str) -> Any:  # noqa: ANN401 - a document holds anything
        """Run a command with --json and give its data."""
        return self(*argv, "--json").data
