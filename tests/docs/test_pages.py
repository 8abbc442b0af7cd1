"""What the README and the how-to pages show can be typed, and comes as it is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.pages.player import Player, matched, pattern_of
from scripts.pages.steps import Execute, Run, WriteFile, steps_of

ROOT = Path(__file__).parents[2]
PLAYED = [ROOT / "README.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PLAYED, ids=name)
def test_every_step_of_the_page_comes_as_it_is_shown(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    differences = Player(folder).play(page.read_text(encoding="utf-8"))
    assert not differences, "\n\n".join(map(str, differences))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_of_the_page_leads_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


def test_every_page_is_in_the_map() -> None:
    index = ROOT / "docs" / "index.md"
    listed = {
        (index.parent / target).resolve()
        for target, _ in LINK.findall(index.read_text(encoding="utf-8"))
    }
    pages = {page for page in PAGES if (ROOT / "docs") in page.parents and page != index}
    assert pages <= listed, sorted(map(name, pages - listed))


def test_a_page_is_read_into_its_steps() -> None:
    page = (
        "Write `a/b.toml`:\n\n```toml\nx = 1\n```\n\n```console\n$ quotey x  # exit 3\nout\n```\n"
    )
    page += "\n```python\nx = 1\n```\n\n```toml\nnot = 'written'\n```\n"
    wrote, ran, executed = steps_of(page)
    assert wrote == WriteFile("a/b.toml", "x = 1\n")
    assert ran == Run("quotey x", 3, 7, ("out",))
    assert executed == Execute("x = 1\n", 12)


@pytest.mark.parametrize(
    ("shown", "came", "fits"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a"], ["a", "b"], False),
        (["a", "b"], ["a"], False),
        (["a", "…"], ["a", "b", "c"], True),
        (["…", "c"], ["a", "b", "c"], True),
        (["…", "b"], ["a", "b", "c"], False),
        (["…"], [], True),
        (["id r_0123456789abcdef, …"], ["id r_fedcba9876543210, and more"], True),
        (["id r_0123456789abcdef"], ["id q_fedcba9876543210"], False),
    ],
)
def test_shown_lines_are_held_against_those_that_came(
    shown: list[str], came: list[str], fits: bool
) -> None:
    assert (matched([pattern_of(line) for line in shown], came) is not None) is fits


def test_a_wrong_exit_code_and_a_wrong_output_are_both_told(tmp_path: Path) -> None:
    page = "```console\n$ quotey crm locks  # exit 5\nnonsense\n```\n"
    first, second = Player(tmp_path).play(page)
    assert (first.promised, first.came.split("\n")[0]) == ("exit 5", "exit 0")
    assert second.promised == "nonsense"
