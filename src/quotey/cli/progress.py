"""Signs of life during long work: one line on stderr that rewrites itself, on a terminal only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TextIO

from cyclopts import Parameter

from quotey.app.reports import Progress
from quotey.cli.screen import safe

Show = Annotated[Callable[[Progress], None] | None, Parameter(parse=False)]
"""Handed in by `main`; never an argument of the command line."""

Tell = Annotated[Callable[[str], None], Parameter(parse=False)]
"""Says what must be read at once, terminal or not; handed in by `main`."""

WIPE = "\r\x1b[2K"


def progress_on(stderr: TextIO) -> Callable[[Progress], None]:
    """Give what shows progress; nothing is shown when nobody sits in front of it."""
    if not stderr.isatty():
        return lambda _progress: None

    def show(progress: Progress) -> None:
        stderr.write(f"{WIPE}{line(progress)}\r")
        stderr.flush()

    return show


def line(progress: Progress) -> str:
    """Say one step in a line.

    >>> line(Progress(step="read", entity="deal", done=1200))
    'read deal: 1,200'
    """
    what = f"{progress.step} {progress.entity}".strip()
    return safe(f"{what}: {progress.done:,}" if progress.done else what)


def tell_on(stderr: TextIO) -> Callable[[str], None]:
    """Give what says a sentence at once, before the answer is there."""

    def tell(text: str) -> None:
        stderr.write("".join(f"{safe(line)}\n" for line in text.split("\n")))
        stderr.flush()

    return tell
