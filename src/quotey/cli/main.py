"""Runs one command line: words in, text or JSON out, an exit code back.

stdout gets the answer, stderr the talk. What a command does lives in its own module.
"""

from __future__ import annotations

import contextlib
import io
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from cyclopts import CycloptsError

from quotey.app.banner import banner
from quotey.app.envelope import (
    Envelope,
    encode,
    error_body,
    exit_code_of,
    full,
    schema_name,
)
from quotey.app.facade import Quotey, open_quotey
from quotey.app.ids import new_correlation_id
from quotey.cli.answer import Answer
from quotey.cli.progress import progress_on, tell_on
from quotey.cli.screen import Screen
from quotey.cli.tree import Parsed, parse
from quotey.cli.words import Common, split_common
from quotey.config import load_settings
from quotey.contract.errors import Diagnostic, ExitCode, QuoteyError, UsageError

AS_ROOT = (
    "Quotey runs as root, so that a fault in it could reach the whole machine. Run it as a user of "
    "its own, or set `allow_root = true` (QUOTEY_ALLOW_ROOT) if root is meant."
)
"""Told once by a command, on stderr (reliability SEC-33)."""


def main(
    argv: list[str],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    stdout: TextIO,
    stderr: TextIO,
    opener: Callable[..., Quotey] = open_quotey,
    is_root: bool = False,
) -> int:
    """Run one command line and give its exit code (design section 7). Raises nothing.

    Everything it needs of the world comes in as an argument, so that tests run it in-process;
    `opener` may bring another clock and other ids, `is_root` says whose process this is.
    """
    turn = _Turn(environ, cwd, stdout, stderr, opener, is_root)
    try:
        return turn.run(argv)
    except BrokenPipeError:
        return int(ExitCode.DONE)
    except KeyboardInterrupt as error:
        return turn.fail(error) if turn.told is None else turn.told
    except Exception as error:  # noqa: BLE001 - the last door: it is told
        return turn.fail(error)


@dataclass
class _Turn:
    """One invocation: what is known so far, for whoever has to report a failure."""

    environ: Mapping[str, str]
    cwd: Path
    stdout: TextIO
    stderr: TextIO
    opener: Callable[..., Quotey]
    is_root: bool
    common: Common = field(default_factory=Common)
    command: tuple[str, ...] = ()
    quotey: Quotey | None = None
    told: int | None = None
    """The exit code of the answer that was given; an interrupt after it undoes nothing."""

    def __post_init__(self) -> None:
        self.correlation_id = new_correlation_id()

    def run(self, argv: list[str]) -> int:
        """Split, parse, ask the façade, emit."""
        self.common = Common(as_json="--json" in argv, debug="--debug" in argv)
        self.common, words = split_common(argv)
        parsed = self._parse(words)
        if parsed.shows_help:
            parsed.call()
            return int(ExitCode.DONE)
        with self._open() as quotey:
            self.quotey = quotey
            if self.is_root and not quotey.settings.allow_root:
                tell_on(self.stderr)(AS_ROOT)
            answer = parsed.call(
                quotey=quotey,
                progress=progress_on(self.stderr),
                cwd=self.cwd,
                tell=tell_on(self.stderr),
            )
            assert isinstance(answer, Answer), "every command gives an Answer"
            self.emit(answer, quotey)
            self.told = int(answer.exit_code)
            self._go_on(answer)
        return int(answer.exit_code)

    def _go_on(self, answer: Answer) -> None:
        """Do what follows the printed answer; being told to stop is its end, and no failure."""
        if answer.then is not None:
            self.stdout.flush()
            with contextlib.suppress(KeyboardInterrupt):
                answer.then()

    def _parse(self, words: list[str]) -> Parsed:
        try:
            parsed = parse(words, self.stdout)
        except CycloptsError as error:
            self.command = tuple(getattr(error, "command_chain", None) or ())
            helping = " ".join(("quotey", *self.command, "--help"))
            sentence = str(error).strip().replace("\n", " ")
            raise UsageError(f"{sentence} Nothing was changed.", next=(helping,)) from error
        self.command = parsed.command
        return parsed

    def _open(self) -> Quotey:
        flags = {
            "home": str(self.cwd / self.common.home) if self.common.home else None,
            "connection": self.common.connection,
            "log.level": "debug" if self.common.debug else None,
            "demo": "true" if self.common.demo else None,
        }
        settings = load_settings(
            environ=self.environ,
            cwd=self.cwd,
            config=Path(self.common.config) if self.common.config else None,
            flags={key: value for key, value in flags.items() if value is not None},
        )
        return self.opener(settings, correlation_id=self.correlation_id, log_to=self.stderr)

    def emit(self, answer: Answer, quotey: Quotey) -> None:
        """Print the answer: one JSON document, or the banner and the screen."""
        code = int(answer.exit_code)
        if self.common.as_json:
            self.command = answer.schema or self.command
            self._document(
                ok=code == ExitCode.DONE,
                exit_code=code,
                data=answer.data,
                diagnostics=tuple(full(one) for one in answer.diagnostics),
                next=answer.next,
            )
            return
        screen = Screen()
        screen.line(answer.banner or banner(quotey), style="bold")
        answer.draw(screen)
        draw_next(screen, answer.next)
        self.stdout.write(screen.text(colour=self._colour(self.stdout)))

    def fail(self, error: BaseException) -> int:
        """Report a failure in the words of seed 7.3; give its exit code."""
        code = int(exit_code_of(error))
        if self.common.debug:
            self.stderr.write("".join(traceback.format_exception(error)))
        known = error if isinstance(error, QuoteyError) else QuoteyError("")
        if self.common.as_json:
            self._document(
                ok=False,
                exit_code=code,
                data=None,
                diagnostics=tuple(full(one) for one in known.diagnostics),
                next=known.next,
                error=error_body(error),
            )
            return code
        screen = Screen()
        screen.line(banner(self.quotey), style="bold")
        draw_failure(screen, error, known, self.correlation_id)
        self.stderr.write(screen.text(colour=self._colour(self.stderr)))
        return code

    def _document(self, **parts: object) -> None:
        envelope = Envelope(
            schema=schema_name(self.command),
            mode=self.quotey.mode if self.quotey else None,
            provider=self.quotey.provider if self.quotey else None,
            correlation_id=self.correlation_id,
            **parts,  # type: ignore[arg-type]
        )
        self.stdout.write(f"{encode(envelope)}\n")

    def _colour(self, stream: TextIO) -> bool:
        wanted = not (self.common.no_colour or self.environ.get("NO_COLOR"))
        return wanted and stream.isatty() and self.environ.get("TERM") != "dumb"


def draw_failure(
    screen: Screen, error: BaseException, known: QuoteyError, correlation_id: str
) -> None:
    """Draw what happened, every problem found, the correlation id, and the next command."""
    # Of several lines the first says what happened; the problems follow one by one.
    said = error_body(error).message.partition("\n")[0]
    screen.line(f"{said}  [{correlation_id}]", style="bad")
    for problem in known.diagnostics:
        if problem.fix or problem.message not in said:
            screen.line(f"  {_problem(problem)}")
    draw_next(screen, known.next)


def draw_next(screen: Screen, commands: tuple[str, ...]) -> None:
    """Draw the commands that come next, ready to be copied."""
    for number, command in enumerate(commands):
        screen.line(f"{'Next:' if number == 0 else '     '} {command}")


def _problem(problem: Diagnostic) -> str:
    """Say one problem in a line: where, what, how to mend it."""
    line = f"line {problem.line}" if problem.line else ""
    field = ".".join(part for part in (problem.entity, problem.field) if part)
    named = "" if field and field in problem.message else field
    where = " ".join(part for part in (line, named) if part)
    fix = f"  {problem.fix}" if problem.fix else ""
    return f"{where}: {problem.message}{fix}" if where else f"{problem.message}{fix}"


def run() -> int:
    """Run the command line of this process; a termination ends it as an interrupt does."""
    import os
    import signal

    _end_on_signals()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a sign that it cannot show is written out
            stream.reconfigure(errors="backslashreplace")
    code = main(
        sys.argv[1:],
        environ=os.environ,
        cwd=Path.cwd(),
        stdout=sys.stdout,
        stderr=sys.stderr,
        is_root=hasattr(os, "geteuid") and os.geteuid() == 0,
    )
    try:
        sys.stdout.flush()
    except (BrokenPipeError, KeyboardInterrupt) as ended:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = int(ExitCode.INTERRUPTED) if isinstance(ended, KeyboardInterrupt) else code
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # all is said; only the interpreter has to end
    return code


def _end_on_signals() -> None:
    """Let the first signal end the command in good order, and the second one the process, at once.

    What the first has begun may have to wait, as for a busy database. The second is a crash, which
    the next sync makes good (reliability CP-24). Who is started with interrupts ignored, as in the
    background of a shell, goes on ignoring them.
    """
    import signal

    ours = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        ours.append(signal.SIGINT)

    def stop(_number: int, _frame: object) -> None:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)
        raise KeyboardInterrupt

    for each in ours:
        signal.signal(each, stop)
