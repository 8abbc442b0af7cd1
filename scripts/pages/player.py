"""Plays a page of the docs in a folder, as a reader would, and says where it is not true.

The commands run in-process on a clock that stands; Python and other commands run as they are.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from quotey.app.facade import open_quotey
from quotey.cli.main import main
from quotey.testing.clock import VirtualClock
from scripts.pages.steps import DOTS, EmptyFolder, Execute, Run, Step, Wait, WriteFile, steps_of

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ID = re.compile(r"\b(r|q|op|c|ins|acc|con|deal)_[0-9a-f]{8}(?:[0-9a-f]{8})?\b")
BLOT = re.compile(r"\b[0-9a-f]{32,128}\b")
"""Digests and signatures hold keys of the installation: only their presence can be compared."""
HOME = "/srv/quotey"
"""Where the reader of a page is: what stands for the folder in which it is played."""

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Difference:
    """A command of which the page does not tell the truth."""

    command: str
    line: int
    promised: str
    came: str

    def __str__(self) -> str:
        head = f"line {self.line + 1}: $ {self.command}"
        return f"{head}\n--- page\n{self.promised}\n--- run\n{self.came}"


@dataclass
class Player:
    """Takes the steps of one page in one folder. `came` holds what each command printed."""

    folder: Path
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START))
    names: dict[str, object] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    came: dict[int, str] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    _printed: list[str] = field(default_factory=list)

    def play(self, text: str) -> list[Difference]:
        """Take every step; give what is not as the page says."""
        for step in steps_of(text):
            self._take(step)
        return self.differences

    def _take(self, step: Step) -> None:
        match step:
            case WriteFile(path, content):
                (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / path).write_text(content, encoding="utf-8")
            case Run():
                self._run(step)
            case Execute(source, line):
                self._execute(source, line)
            case Wait(span):
                self.clock.advance(timedelta(**{UNITS[span[-1]]: int(span[:-1])}))
            case EmptyFolder():
                shutil.rmtree(self.folder)
                self.folder.mkdir()

    def _run(self, step: Run) -> None:
        command = ID.sub(lambda found: self._known(found[0]), step.command)
        code, printed = self._quotey(command) if step.is_quotey else self._bash(command)
        printed = printed.replace(str(self.folder), HOME)
        self.came[step.line] = printed
        lines = printed.splitlines()
        if code != step.exit_code:
            self._differ(step, f"exit {step.exit_code}", f"exit {code}\n{printed}")
        if step.shown and not self._is_shown(step.shown, lines):
            self._differ(step, "\n".join(step.shown), printed)
        self._printed.append(printed)

    def _quotey(self, command: str) -> tuple[int, str]:
        printed = io.StringIO()
        code = main(
            shlex.split(command)[1:],
            environ={"USER": "kim"},
            cwd=self.folder,
            stdout=printed,
            stderr=printed,
            opener=partial(open_quotey, clock=self.clock, jitter=lambda: 0.5),
        )
        return code, printed.getvalue()

    def _bash(self, command: str) -> tuple[int, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env={
                "PATH": path,
                "USER": "kim",
                "HOME": str(self.folder),
                "QUOTEY_ALLOW_ROOT": "true",  # a reader is not root
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout

    def _execute(self, source: str, line: int) -> None:
        # The blank lines make a traceback name the line of the page.
        code = compile("\n" * line + source, "page", "exec")
        with chdir(self.folder), redirect_stdout(io.StringIO()):
            exec(code, self.names)  # noqa: S102 - our own pages

    def _known(self, shown: str) -> str:
        """Give the id of this run for an id of the page.

        One that the page never showed stands for the first of its kind in the newest output.
        """
        if shown not in self.ids:
            kind = shown.partition("_")[0]
            found = [one[0] for printed in self._printed[::-1] for one in _of_kind(kind, printed)]
            self.ids[shown] = found[0] if found else shown
        return self.ids[shown]

    def _is_shown(self, shown: Sequence[str], lines: Sequence[str]) -> bool:
        pairs = matched([pattern_of(line) for line in shown], lines)
        if pairs is None:
            return False
        for number, line in pairs:
            there, here = ID.findall(shown[number]), ID.findall(line)
            assert len(there) <= len(here), "the pattern of a line holds its ids"
            theirs = [one[0] for one in ID.finditer(shown[number])]
            ours = [one[0] for one in ID.finditer(line)]
            self.ids.update(zip(theirs, ours, strict=False))
        return True

    def _differ(self, step: Run, promised: str, came: str) -> None:
        self.differences.append(Difference(step.command, step.line, promised, came))


def _of_kind(kind: str, printed: str) -> Iterator[re.Match[str]]:
    return (found for found in ID.finditer(printed) if found[1] == kind)


def pattern_of(line: str) -> Callable[[str], bool] | None:
    """Give the test of one shown line; None for a line that stands for any lines."""
    if line.strip() == DOTS:
        return None
    start = plain(line.removesuffix(DOTS))
    if line.endswith(DOTS):
        return lambda came: plain(came).startswith(start)
    return lambda came: plain(came) == start


def plain(line: str) -> str:
    """Give a line without what differs from run to run: ids and digests."""
    without = ID.sub(lambda found: f"{found[1]}_ID", line)
    return BLOT.sub("DIGEST", without).rstrip()


def matched(
    patterns: Sequence[Callable[[str], bool] | None], lines: Sequence[str]
) -> list[tuple[int, str]] | None:
    """Pair the shown lines with those that came; None when they do not fit."""
    found: list[tuple[int, str]] = []
    place = 0
    anywhere = False
    for number, fits in enumerate(patterns):
        if fits is None:
            anywhere = True
            continue
        reach = range(place, len(lines)) if anywhere else range(place, min(place + 1, len(lines)))
        place = next((at for at in reach if fits(lines[at])), -1) + 1
        if not place:
            return None
        found.append((number, lines[place - 1]))
        anywhere = False
    return found if anywhere or place == len(lines) else None
