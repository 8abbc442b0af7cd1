"""What may not stand in our own source (SEC-25, SEC-31), read from its syntax tree."""

from __future__ import annotations

import ast
import re
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


SQL_WORDS = re.compile(
    r"(?i)\b(select|insert into|replace into|update|delete from|pragma|attach|create|drop|alter)\b"
)
MADE = {
    "database.py: f'PRAGMA {name}'",
    "schema.py: f'PRAGMA user_version = {number}'",
    "drawer.py: f'INSERT INTO record ({_COLUMNS}) VALUES ({marks})'",
}
"""What is put together all the same, from a name, a number and question marks of ours."""


def of_constants(node: ast.AST) -> bool:
    """Whether a text holds nothing but constants of its module: those are identifiers of ours."""
    return isinstance(node, ast.JoinedStr) and all(
        isinstance(part.value, ast.Name) and part.value.id.isupper()
        for part in node.values
        if isinstance(part, ast.FormattedValue)
    )


def made_sql(source: str) -> list[str]:
    """Give every text with a word of SQL that is put together, whoever is to run it."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if puts_together(node)
        and not of_constants(node)
        and any(SQL_WORDS.match(text.strip()) for text in texts_in(node))
    ]


def puts_together(node: ast.AST) -> bool:
    """Whether this makes a text out of several."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add | ast.Mod)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in {"format", "format_map", "join", "replace"}
    return isinstance(node, ast.JoinedStr)


def texts_in(node: ast.AST) -> list[str]:
    return [
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]


def test_sql_of_the_store_is_never_put_together() -> None:
    """Values reach SQLite as parameters only, through whichever method they go."""
    speaking = [path for path in FILES if path.parent == ROOT / "store" or speaks_sql(path)]
    assert len(speaking) > len(list((ROOT / "store").glob("*.py"))), "the stub keeps a file, too"
    found = {
        f"{path.name}: {made}"
        for path in speaking
        for made in made_sql(path.read_text(encoding="utf-8"))
    }
    assert found == MADE


def speaks_sql(path: Path) -> bool:
    """Whether a source holds the library of SQLite."""
    return (
        re.search(r"^\s*(import|from) apsw", path.read_text(encoding="utf-8"), re.MULTILINE)
        is not None
    )


@pytest.mark.parametrize(
    "source",
    [
        "db.run(f\"DELETE FROM quote WHERE id = '{key}'\")",
        "db.lines(f'SELECT {_COLUMNS} FROM {table}')",
        "db.lines('SELECT * FROM ' + name)",
        "db.run('UPDATE quote SET id = %s' % key)",
        "run('INSERT INTO quote VALUES ({})'.format(key))",
        "sql = 'SELECT 1'.replace('1', key)",
        "sql = ' '.join(['DELETE FROM quote', key])",
    ],
)
def test_the_reader_sees_sql_that_is_put_together(source: str) -> None:
    assert made_sql(source)
