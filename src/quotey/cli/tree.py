"""The tree of commands: which words lead to which function, imported only when it is run.

The words of seed 7.2 stand here exactly as they were planned. No command does its work here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TextIO

from cyclopts import App, Parameter

import quotey
from quotey.cli.words import HELP
from quotey.contract.errors import ExitCode

COMMANDS: dict[str, tuple[str, ...]] = {
    "crm": (
        "status",
        "sync",
        "plan",
        "watch",
        "explain",
        "lock",
        "unlock",
        "locks",
        "audit",
        "connect",
        "doctor",
        "simulator",
        "certify",
        "record",
    ),
    "crm reconcile": ("list", "show", "apply", "defer", "undo"),
    "crm outbox": ("list", "show", "retry", "discard"),
    "crm mapping": ("show", "check", "test"),
    "crm lookup": ("account", "contact", "deal"),
    "crm deal": ("list", "show", "create", "update"),
    "crm account": ("list", "show", "update"),
    "crm contact": ("show", "erase"),
    "crm stub": (
        "set",
        "add",
        "delete",
        "merge",
        "fail",
        "define",
        "heal",
        "play",
        "show",
        "log",
        "reset",
    ),
    "quote": ("create", "revise", "publish", "status", "attach", "show", "list"),
    "db": ("check", "backup", "restore", "upgrade"),
}
"""Group of commands to its commands; each is the function `<command>` of `quotey.cli.<module>`."""

ELSEWHERE = {
    "crm simulator": "quotey.cli.crm_simulator",
    "crm certify": "quotey.cli.crm_certify",
    "crm record": "quotey.cli.crm_record",
    "crm connect": "quotey.cli.crm_connection",
    "crm doctor": "quotey.cli.crm_connection",
}
"""Commands whose module is not their group's."""

GROUPS = {
    "crm": "Sync with the CRM, and what it left to decide.",
    "crm reconcile": "Things that only a person can settle.",
    "crm outbox": "Operations that wait to be written to the CRM.",
    "crm mapping": "How contract fields stand in the CRM.",
    "crm lookup": "Find accounts, contacts and deals.",
    "crm deal": "Deals: list, show, create, update.",
    "crm account": "Accounts: list, show, update.",
    "crm contact": "Contacts: show, erase.",
    "crm stub": "Drive the offline CRM: edit its records, make it fail.",
    "quote": "Quotes: they live here, the CRM only gets summaries.",
    "db": "Care of the database.",
}

EXIT_WORDS = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed",
    ExitCode.USAGE: "wrong usage",
    ExitCode.NEEDS_PERSON: "needs a person (open conflicts, refused plan, findings)",
    ExitCode.REAUTH: "re-authenticate",
    ExitCode.MAPPING: "mapping",
    ExitCode.UNREACHABLE: "CRM unreachable or rate-limited, or another sync at work (retry later)",
    ExitCode.DATABASE: "database damaged or too new",
    ExitCode.INTERRUPTED: "interrupted",
}


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A command line, understood: the command's words, its function, its arguments."""

    command: tuple[str, ...]
    function: Callable[..., object]
    args: tuple[object, ...] = ()
    kwargs: dict[str, object] = field(default_factory=dict)
    takes: frozenset[str] = frozenset()

    @property
    def shows_help(self) -> bool:
        """Whether this prints a page and is no command of ours."""
        return "quotey" not in self.takes

    def call(self, **offered: object) -> object:
        """Run the command's function with what it takes of what is offered."""
        taken = {name: value for name, value in offered.items() if name in self.takes}
        return self.function(*self.args, **self.kwargs, **taken)


def build() -> App:
    """Build the tree. Nothing of the commands is imported yet."""
    root = _app("quotey", "Keep quotes here, mirror the CRM, write summaries back.")
    groups = {"": root}
    for words, commands in COMMANDS.items():
        parent, _, name = words.rpartition(" ")
        groups[words] = _app(name, GROUPS[words])
        groups[parent].command(groups[words])
        module = f"quotey.cli.{words.replace(' ', '_')}"
        for command in commands:
            found = ELSEWHERE.get(f"{words} {command}", module)
            groups[words].command(f"{found}:{_function(command)}", name=command)
    return root


def summary_of(words: str) -> str:
    """Give the first line of a command's help; `words` as it is typed, with `quotey`."""
    _, apps, _ = build().parse_commands(words.split()[1:])
    return apps[-1].help.splitlines()[0]


def _app(name: str, text: str) -> App:
    return App(
        name=name,
        help=text,
        help_format="plaintext",
        help_epilogue=epilogue(),
        version=quotey.__version__,
        version_flags=("--version",) if name == "quotey" else (),
        default_parameter=Parameter(negative=(), show_default=False),
    )


def _function(command: str) -> str:
    """Give the function's name; words of Python have an underscore after them."""
    return f"{command}_" if command in ("list", "set") else command


def epilogue() -> str:
    """Write what every help page ends with: the common flags and the exit codes."""
    flags = "\n".join(f"  {flag:18} {text}" for flag, text in HELP)
    codes = "\n".join(f"  {int(code):<4} {words}" for code, words in EXIT_WORDS.items())
    return f"With every command:\n{flags}\n\nExit codes:\n{codes}"


def parse(words: list[str], stdout: TextIO) -> Parsed:
    """Find the command and read its arguments. Raises CycloptsError when they make no sense."""
    root = build()
    command, apps, _ = root.parse_commands(words)
    function, bound, injected = root.parse_args(words, exit_on_error=False, print_error=False)
    if "console" in bound.arguments:
        bound.arguments["console"] = _console(stdout)
    parsed = Parsed(
        command=command,
        function=function,
        args=bound.args,
        kwargs=dict(bound.kwargs),
        takes=frozenset(injected),
    )
    if parsed.shows_help:
        _read_summaries(apps)
    return parsed


def _read_summaries(groups: Iterable[App]) -> None:
    """Import what stands in the groups: their pages would else name commands and say nothing."""
    for group in groups:
        for name in group:
            group[name]


def _console(stdout: TextIO) -> object:
    """Make what a help page is printed on, 100 columns wide when it is not a terminal."""
    from rich.console import Console

    class Page(Console):
        """A console for which a reader that goes away is no failure."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    width = None if stdout.isatty() else 100
    return Page(file=stdout, width=width, highlight=False)
