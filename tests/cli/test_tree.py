"""Every command has help, an example that can be typed, and its place in the reference."""

from __future__ import annotations

import ast
import io
import re
import shlex
from pathlib import Path

import pytest

from quotey.cli.tree import COMMANDS, EXIT_WORDS, parse, summary_of
from quotey.cli.words import HELP, split_common
from quotey.contract.errors import ExitCode
from scripts.error_words import CODES
from scripts.generate_docs import PAGES, every_command, help_of
from tests.cli.terminal import Terminal

ROOT = Path(__file__).parents[2]
EVERY = list(every_command())
SEED_COMMANDS = (
    "quotey crm status",
    "quotey crm sync",
    "quotey crm reconcile list",
    "quotey crm reconcile apply",
)


@pytest.mark.parametrize("words", SEED_COMMANDS)
def test_the_four_commands_of_the_seed_keep_their_words(words: str) -> None:
    assert words in EVERY


@pytest.mark.parametrize("group", COMMANDS)
def test_the_page_of_a_group_says_what_each_command_does(group: str) -> None:
    out = io.StringIO()
    parse([*group.split(), "--help"], out).call()
    page = " ".join(out.getvalue().replace("│", " ").split())
    for command in COMMANDS[group]:
        summary = " ".join(summary_of(f"quotey {group} {command}").split())
        assert f" {command} {summary}" in page


@pytest.mark.parametrize("words", EVERY)
def test_every_command_has_help_and_an_example(words: str) -> None:
    page = help_of(words)
    examples = re.findall(r"^\$ (quotey .*)$", page, re.MULTILINE)
    assert page.startswith(f"Usage: {words}")
    assert examples, "an example"
    for example in examples:
        assert example.startswith(words)
        _, rest = split_common(shlex.split(example)[1:])
        parsed = parse(rest, io.StringIO())
        assert not parsed.shows_help
        assert "quotey " + " ".join(parsed.command) == words


@pytest.mark.parametrize("words", EVERY)
def test_every_command_is_documented(words: str) -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert f"\n### {words}\n" in page


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_pages_are_fresh(name: str) -> None:
    page = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert page == PAGES[name](), "run `make docs`"


def test_every_exit_code_has_its_words() -> None:
    assert set(EXIT_WORDS) == set(ExitCode)


@pytest.mark.parametrize("argv", [(), ("crm",), ("--help",), ("crm", "sync", "--help")])
def test_help_ends_with_common_flags_and_exit_codes(
    quotey: Terminal, argv: tuple[str, ...]
) -> None:
    ran = quotey(*argv)
    assert ran.code == 0
    assert all(flag in ran.out for flag, _ in HELP)
    assert all(text in ran.out for text in EXIT_WORDS.values())
    assert not list(quotey.cwd.iterdir()), "help opens nothing"


def test_the_version_is_told(quotey: Terminal) -> None:
    assert quotey("--version").out.strip() == "0.1.0"


WRAPPERS = ("problem", "_problem", "note", "_note", "add", "_error")


def codes() -> set[str]:
    """Every code of a diagnostic that stands in the source."""
    found: set[str] = set()
    for path in (ROOT / "src" / "quotey").rglob("*.py"):
        if "testing" not in path.parts:
            calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))))
            found.update(code for node in calls if (code := _code(node, path.stem)))
    return found


def _code(node: ast.AST, module: str) -> str | None:
    if not isinstance(node, ast.Call):
        return None
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name not in (*WRAPPERS, "Diagnostic"):
        return None
    given = [word.value for word in node.keywords if word.arg == "code"]
    if not given and name in WRAPPERS and module not in ("carry", "items"):
        given = node.args[:1]
    code = given[0].value if given and isinstance(given[0], ast.Constant) else None
    if not isinstance(code, str) or not re.fullmatch(r"[a-z][a-z_.]+", code):
        return None
    return f"config.{code}" if module == "reading" else code


NO_DIAGNOSTIC = {"interrupted", "unexpected", "currency", "lines", "total", "note"}
"""Codes of errors, and first arguments of wrappers that take the field first."""


def test_every_code_of_a_diagnostic_is_in_the_reference() -> None:
    listed = {code for code, *_ in CODES}
    assert codes() - NO_DIAGNOSTIC - listed == set()


def test_what_the_demo_meets_is_in_the_reference(synced: Terminal) -> None:
    listed = {code for code, *_ in CODES}
    for item in synced.json("crm", "reconcile", "list", "--each")["items"]:
        shown = synced("crm", "reconcile", "show", item["id"], "--json").document
        assert {one["code"] for one in shown["diagnostics"]} <= listed


def hints() -> list[str]:
    """Every `quotey …` that stands as text in the source: hints, docstrings, remedies."""
    found: set[str] = set()
    for path in (ROOT / "src" / "quotey").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found.update(re.findall(r"[\"'`]quotey ((?:crm|quote|db) [a-z]+(?: [a-z]+)?)", text))
    return sorted(found)


@pytest.mark.parametrize("hint", hints())
def test_no_hint_names_a_command_that_does_not_exist(hint: str) -> None:
    groups = [group for group in COMMANDS if f"{hint} ".startswith(f"{group} ")]
    if hint in COMMANDS:
        return
    group = max(groups, key=len)
    name = hint.removeprefix(f"{group} ").split()[0]
    assert name in COMMANDS[group]
