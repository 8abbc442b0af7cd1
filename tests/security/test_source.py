"""What may not stand in our own source (SEC-25, SEC-31), read from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import quotey

ROOT = Path(quotey.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
NEVER = {"eval", "exec", "compile", "__import__"}
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "yaml", "dill", "sqlite3"}
STARTING = {"subprocess", "multiprocessing", "pty"}
"""Modules by which a child process would begin, which inherits the environment and its keys."""


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def faults(source: str) -> list[str]:
    """Name what is unsafe in a source: code made from text, objects made from bytes, shells."""
    tree = ast.parse(source)
    found = [name_of(call) for call in calls(tree) if name_of(call) in NEVER]
    for node in ast.walk(tree):
        never = UNSAFE_MODULES | STARTING
        if isinstance(node, ast.Import):
            found += [one.name for one in node.names if one.name.split(".")[0] in never]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in never:
            found.append(node.module or "")
    found += [
        "shell"
        for call in calls(tree)
        for word in call.keywords
        if word.arg == "shell"
        and not (isinstance(word.value, ast.Constant) and not word.value.value)
    ]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_makes_code_or_objects_from_what_it_is_given(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "import pickle",
        "from yaml import load",
        "run('x', shell=True)",
        "import sqlite3",
        "import subprocess",
    ],
)
def test_the_reader_sees_what_is_unsafe(source: str) -> None:
    assert faults(source)


def writes_tables(source: str) -> bool:
    """Whether a source makes a file that a spreadsheet would open, and so run formulas from."""
    words = {"writer", "DictWriter", "to_csv", "Workbook"}
    return any(
        isinstance(call.func, ast.Attribute) and call.func.attr in words
        for call in calls(ast.parse(source))
    )


def test_nothing_of_ours_writes_tables_for_spreadsheets() -> None:
    """There is no export yet. Whoever adds one guards its cells (SEC-29), and then this test."""
    assert writes_tables("csv.DictWriter(file, names)")
    found = [str(path) for path in FILES if writes_tables(path.read_text(encoding="utf-8"))]
    assert found == []


MADE = {"database.py": {"f'PRAGMA {name}'"}}
"""What is put together all the same, from names of ours that no user can give."""


def test_sql_of_the_store_is_never_put_together() -> None:
    """Values reach SQLite as parameters only."""
    for path in (ROOT / "store").rglob("*.py"):
        for call in calls(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call.func, ast.Attribute) and call.func.attr in {
                "execute",
                "executemany",
            }:
                first = call.args[0] if call.args else None
                made = isinstance(first, ast.JoinedStr | ast.BinOp) and ast.unparse(first)
                assert not made or made in MADE.get(path.name, ()), f"{path}:{call.lineno}"
