"""What a command gives back: the value, how to draw it, and how the command ends.

Emitting it, as text or as JSON, is the affair of `quotey.cli.main`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quotey.app.facade import Quotey
from quotey.cli.screen import Screen
from quotey.contract.errors import Diagnostic, ExitCode

Folder = Annotated[Path, Parameter(parse=False)]
"""The working directory that relative paths count from; handed in by `main`."""

Injected = Annotated[Quotey, Parameter(parse=False)]
"""The façade, handed in by `main`; never an argument of the command line."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One command's answer. `draw` fills a screen; it is not called under `--json`.

    `schema` names another command when the answer is that command's (`sync --dry-run` is a plan).
    `then` goes on after the answer is printed, until it is interrupted: what serves was asked to
    stop, which is no failure. `banner` stands in for the first line when the answer is about
    something else than the connection.
    """

    data: object
    draw: Callable[[Screen], None]
    exit_code: int = ExitCode.DONE
    next: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    schema: tuple[str, ...] | None = None
    then: Callable[[], None] | None = None
    banner: str = ""
