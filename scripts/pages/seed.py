"""The page that shows, clause by clause, how the contract is held: tests and mutants.

Written from `tests/seed/clauses.toml`. A clause without a test, with one that does not exist, or
without a mutant, is a problem; then there is no page.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Protocol

from scripts.pages.markdown import MADE, table

ROOT = Path(__file__).resolve().parents[2]
CLAUSES = ROOT / "tests" / "seed" / "clauses.toml"
MUTANTS = ROOT / "mutants"

SECTIONS = {
    "2": "The adapter boundary",
    "3": "The field mapping",
    "4": "Ownership",
    "5": "Sync and conflicts",
    "6": "Retries and states",
    "7": "Reconciliation and the operator",
    "8": "Offline and demo mode",
    "9": "Handoff",
}
INTRO = """\
Every sentence of the contract, the tests that hold it, and a mutant: a small patch that breaks it
on purpose and turns one of these tests red (`make mutants`). `make lint` fails when a clause has no
test or no mutant.
"""


@dataclass(frozen=True)
class Clause:
    """One `[[clause]]` of the file: its number, its sentence, its tests, the name of its patch."""

    id: str
    text: str
    tests: tuple[str, ...]
    mutant: str


def read_clauses() -> list[Clause]:
    """Read the file, in its order."""
    found = tomllib.loads(CLAUSES.read_text(encoding="utf-8"))["clause"]
    return [Clause(one["id"], one["text"], tuple(one["tests"]), one["mutant"]) for one in found]


def problems(clauses: Iterable[Clause]) -> list[str]:
    """Say what is missing, each in a line."""
    every = list(clauses)
    there = collected({test.split("::")[0] for clause in every for test in clause.tests})
    patches = {path.stem for path in MUTANTS.glob("*.patch")}
    found = [f"{clause.id} has no test" for clause in every if not clause.tests]
    found += [
        f"{clause.id} names a test that does not exist: {test}"
        for clause in every
        for test in clause.tests
        if test not in there
    ]
    found += [
        f"{clause.id} names no mutant that exists: {clause.mutant or '(none)'}"
        for clause in every
        if clause.mutant not in patches
    ]
    return found


def collected(files: set[str]) -> set[str]:
    """Give the ids that pytest finds in these files, and those of their functions and classes."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [*command, *sorted(files)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    ids = {line for line in ran.stdout.splitlines() if "::" in line}
    if not ids:
        raise SystemExit(f"pytest collects nothing: {ran.stdout.strip() or ran.stderr.strip()}")
    whole = {id_.split("[")[0] for id_ in ids}
    return ids | whole | {id_.rpartition("::")[0] for id_ in whole}


def seed_page() -> str:
    """Write the page. Ends the script when a clause is bare."""
    clauses = read_clauses()
    if missing := problems(clauses):
        raise SystemExit("\n".join(["The contract is not held whole:", *missing]))
    mutants = len({clause.mutant for clause in clauses})
    parts = [
        "# The contract, clause by clause\n",
        MADE,
        INTRO,
        f"{len(clauses)} clauses, {mutants} mutants of theirs.\n",
    ]
    for number, title in SECTIONS.items():
        parts.append(f"## {number}. {title}\n")
        rows = [_row(one) for one in clauses if one.id.split(".")[0] == number]
        parts.append(table(("", "clause", "tests", "mutant"), rows))
    return "\n".join(parts)


def _row(clause: Clause) -> tuple[str, ...]:
    tests = "<br>".join(link(test) for test in clause.tests)
    return clause.id, escape(clause.text, quote=False), tests, link_of_mutant(clause.mutant)


def link(test: str) -> str:
    """Write a test as its sentence, with a link to its file."""
    file, _, name = test.partition("::")
    said = (name or Path(file).stem).removeprefix("test_").replace("_", " ")
    return f"[{said}](../../{file})"


def link_of_mutant(name: str) -> str:
    """Write a mutant as its name, with a link to its patch."""
    return f"[{name}](../../mutants/{name}.patch)"


class Held(Protocol):
    """A row of a page that names what holds it."""

    @property
    def id(self) -> str:
        """Its number."""

    @property
    def tests(self) -> tuple[str, ...]:
        """Tests, or files of them."""

    @property
    def mutants(self) -> tuple[str, ...]:
        """The names of patches."""


def not_there(rows: Sequence[Held]) -> list[str]:
    """Name the tests, then the mutants, that do not exist, each in a line with its row."""
    named = {test.split("::")[0] for one in rows for test in one.tests}
    files = {test for test in named if (ROOT / test).is_file()}
    there = collected(files) | files
    patches = {path.stem for path in MUTANTS.glob("*.patch")}
    tests = [f"{one.id}: {test}" for one in rows for test in one.tests if test not in there]
    mutants = [f"{one.id}: {name}" for one in rows for name in one.mutants if name not in patches]
    return [*tests, *mutants]
