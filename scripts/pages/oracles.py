"""The part of a page that names every oracle of the simulation, with the mutants that prove it.

An oracle is a function of `tests/sim` that says `Broken`; its first line says what must hold. A
mutant names the one that sees it in its header (`# oracle: name`). One that no mutant proves, or a
mutant that names none that there is, is a problem; then there is no page.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import msgspec

from scripts.pages.markdown import table
from scripts.pages.seed import MUTANTS, ROOT

SIMULATION = ROOT / "tests" / "sim"
NAMED = re.compile(r"^# oracle: *(\w+)$", re.MULTILINE)

INTRO = """\
## What the simulation watches for

Random worlds with faults are played through ([tests/sim](../../tests/sim)); these oracles judge
them, by what people were told and what the CRM saw. Each mutant was seen by the oracle beside it,
with one fixed seed, and `make mutants` repeats that.
"""


class Oracle(msgspec.Struct, frozen=True):
    """A function that judges, what must hold, and where it stands."""

    name: str
    law: str
    file: str


def oracles_part() -> str:
    """Write the part. Ends the script when an oracle or a mutant stands alone."""
    oracles, proofs = read_oracles(), _proofs()
    if problems := [*_unproved(oracles, proofs), *_blind(oracles, proofs)]:
        raise SystemExit("\n".join(problems))
    rows = [(one.law, _linked(one), _mutants(proofs[one.name])) for one in oracles]
    return f"{INTRO}\n{table(('what must hold', 'oracle', 'proved to fail by'), rows)}"


def read_oracles() -> list[Oracle]:
    """Find the functions that judge, in the order of their files."""
    return [
        oracle
        for path in sorted(SIMULATION.glob("*.py"))
        if not path.name.startswith("test_")
        for oracle in _oracles_of(path.name, ast.parse(path.read_text("utf-8")))
    ]


def _oracles_of(file: str, tree: ast.Module) -> Iterator[Oracle]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and (_judges(node) or node.name == ELSEWHERE):
            law = (ast.get_docstring(node) or "").partition("\n")[0]
            yield Oracle(node.name.strip("_"), law, file)


ELSEWHERE = "another_play_elsewhere"
"""The one that judges many plays together and says no `Broken`."""


def _judges(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and ast.unparse(node.exc.func) == "Broken"
        for node in ast.walk(function)
    )


def _proofs() -> dict[str, list[str]]:
    """Give the mutants by the oracle that their header names."""
    proofs: dict[str, list[str]] = {}
    for path in sorted(MUTANTS.glob("*.patch")):
        for name in NAMED.findall(path.read_text("utf-8")):
            proofs.setdefault(name, []).append(path.stem)
    return proofs


def _unproved(oracles: list[Oracle], proofs: dict[str, list[str]]) -> list[str]:
    return [
        f"No mutant proves that {one.name} can fail." for one in oracles if not proofs.get(one.name)
    ]


def _blind(oracles: list[Oracle], proofs: dict[str, list[str]]) -> list[str]:
    known = {one.name for one in oracles}
    return [
        f"There is no oracle {name}: {mutants}"
        for name, mutants in proofs.items()
        if name not in known
    ]


def _linked(one: Oracle) -> str:
    return f"[{one.name.replace('_', ' ')}](../../tests/sim/{one.file})"


def _mutants(names: list[str]) -> str:
    return "<br>".join(
        f"[{name.removeprefix('simulated_')}](../../mutants/{name}.patch)" for name in names
    )
