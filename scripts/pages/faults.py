"""The pages of what can go wrong: crash points and faults, and the demands of security.

Written from `tests/faults.toml` and `tests/security.toml`. A row names the tests that let it
happen, or says why it is not ours; a demand of security also says how its tests were seen to
fail. A row that names a test or a mutant that does not exist is a problem; then there is no page.
"""

from __future__ import annotations

import tomllib
from html import escape

import msgspec

from scripts.pages.markdown import MADE, table
from scripts.pages.seed import ROOT, link, link_of_mutant, not_there

FAULTS, SECURITY = ROOT / "tests" / "faults.toml", ROOT / "tests" / "security.toml"

FAULTS_INTRO = """\
Where a process may die, what a network, a CRM, a disk, a clock or another process may do, and the
test that lets it happen. Where a mutant is named, a small patch that switches the protection off,
these tests were seen to fail with it. What is promised then is in
[what is promised](../explanation/guarantees.md), what the machines have counted in
[proof](proof.md).
"""
SECURITY_INTRO = """\
Each demand, the tests that hold it, and how those were seen to fail: by a mutant, a small patch
that switches the protection off (`make mutants`), or by a control beside the test. What is
protected from whom is in [SECURITY.md](../../SECURITY.md).
"""


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[row]]`: tests, or `not_ours` with the reason; `red` tells of a control in words."""

    id: str
    what: str
    tests: tuple[str, ...] = ()
    mutants: tuple[str, ...] = ()
    red: str = ""
    not_ours: str = ""


def read_rows(text: str) -> list[Row]:
    """Read a file's rows, in their order."""
    return msgspec.convert(tomllib.loads(text)["row"], list[Row])


def lacks(rows: list[Row], *, seen_red: bool) -> list[str]:
    """Say what is missing, each in a line; with `seen_red` also who was never seen to fail."""
    found = not_there(rows)
    found += [f"{row.id}: no test" for row in rows if bool(row.tests) is bool(row.not_ours)]
    if seen_red:
        found += [
            f"{row.id}: never seen to fail"
            for row in rows
            if row.tests and not (row.mutants or row.red)
        ]
    return found


def faults_page() -> str:
    """Write the page of crash points and faults."""
    rows = _checked(FAULTS.read_text(encoding="utf-8"), seen_red=False)
    cells = [(row.id, escape(row.what, quote=False), _tests(row), _red(row)) for row in rows]
    heads = ("", "what happens", "tried by", "seen to fail by")
    return f"# Faults\n\n{MADE}\n{FAULTS_INTRO}\n{table(heads, cells)}"


def security_page() -> str:
    """Write the page of the demands of security."""
    rows = _checked(SECURITY.read_text(encoding="utf-8"), seen_red=True)
    cells = [(row.id, escape(row.what, quote=False), _tests(row), _red(row)) for row in rows]
    heads = ("", "demand", "held by", "seen to fail by")
    return f"# Security, demand by demand\n\n{MADE}\n{SECURITY_INTRO}\n{table(heads, cells)}"


def _checked(text: str, *, seen_red: bool) -> list[Row]:
    rows = read_rows(text)
    if missing := lacks(rows, seen_red=seen_red):
        raise SystemExit("\n".join(["These rows name what does not exist:", *missing]))
    return rows


def _tests(row: Row) -> str:
    if row.not_ours:
        return f"*not here:* {escape(row.not_ours, quote=False)}"
    return "<br>".join(link(test) for test in row.tests)


def _red(row: Row) -> str:
    control = [escape(row.red, quote=False)] if row.red else []
    return "<br>".join([*map(link_of_mutant, row.mutants), *control])
