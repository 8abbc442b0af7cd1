"""Reads a page of the docs into the steps that a reader would take: files, commands, Python.

Nothing is run here; `player` does that.

What a page may hold:

    `some/file.toml`:               the line before a block of toml, json, csv or sh names the file
    ```toml ... ```                 that the block is then written to
    ```console                      `$ quotey ...` is run, in-process; other commands go to bash.
    $ quotey crm sync  # exit 3     The exit code is 0 unless the page says so. Lines below are what
    …                               it prints; none: not shown. A line `…` stands for any lines, a
    ```                             `…` at the end of a line for the rest of it.
    ```python ... ```               is executed
    <!-- $ quotey ... -->           is run where the reader need not see it
    <!-- wait 25h -->               lets the clock of the commands go on
    <!-- an empty folder -->        begins again in one
    <!-- not run: why -->           leaves out the block that follows
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

DOTS = "…"
FENCE = re.compile(
    r"(?:^[^\n]*`(?P<file>[\w./-]+)`[^`\n]*:\n\n)?^```(?P<language>\w+)\n(?P<body>.*?)^```$"
    r"|^<!-- (?P<aside>(?:\$ |wait |an empty folder|not run)[^\n]*?) ?-->$",
    re.MULTILINE | re.DOTALL,
)
FILES = ("toml", "json", "csv", "sh")
EXIT = re.compile(r"\s+# exit (\d+)$")


@dataclass(frozen=True)
class WriteFile:
    """A file that the page shows and the reader writes."""

    path: str
    text: str


@dataclass(frozen=True)
class Run:
    """A command, the exit code that the page promises, and the lines that it shows, if any.

    `line` is the number of the command's line in the page, the first is 0.
    """

    command: str
    exit_code: int
    line: int
    shown: tuple[str, ...] = field(default=())

    @property
    def is_quotey(self) -> bool:
        """Whether it can be run in-process."""
        return self.command.split(" ", 1)[0] == "quotey"


@dataclass(frozen=True)
class Execute:
    """A block of Python."""

    source: str
    line: int


@dataclass(frozen=True)
class Wait:
    """Time that goes by, as `25h`."""

    span: str


@dataclass(frozen=True)
class EmptyFolder:
    """The page begins again in an empty folder."""


Step = WriteFile | Run | Execute | Wait | EmptyFolder


def steps_of(text: str) -> Iterator[Step]:
    """Give the steps of a page in their order."""
    skips = False
    for found in FENCE.finditer(text):
        if skips or (found["aside"] or "").startswith("not run"):
            skips = not skips
        elif found["aside"]:
            yield _aside(found["aside"], _line(text, found.start()))
        elif found["language"] == "console":
            yield from _commands(found["body"], _line(text, found.start("body")))
        elif found["language"] == "python":
            yield Execute(found["body"], _line(text, found.start("body")))
        elif found["language"] in FILES and found["file"]:
            yield WriteFile(found["file"], found["body"])


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place)


def _aside(text: str, line: int) -> Step:
    word, _, rest = text.partition(" ")
    if word == "$":
        return _command(rest, line)
    return Wait(rest) if word == "wait" else EmptyFolder()


def _commands(body: str, line: int) -> Iterator[Run]:
    found: list[Run] = []
    for number, text in enumerate(body.splitlines(), line):
        if text.startswith("$ "):
            found.append(_command(text[2:], number))
        elif found:
            last = found.pop()
            found.append(Run(last.command, last.exit_code, last.line, (*last.shown, text)))
    yield from found


def _command(text: str, line: int) -> Run:
    promised = EXIT.search(text)
    code = int(promised[1]) if promised else 0
    return Run(EXIT.sub("", text), code, line)
