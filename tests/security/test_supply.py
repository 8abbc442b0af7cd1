"""What is installed with us: little, pinned by hash, with a licence that is told (SEC-42)."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
PIN = re.compile(r"^([\w.-]+)==\S+ \\$", re.MULTILINE)
MOST_DIRECT = 10


def name_of(requirement: str) -> str:
    """Give the plain name of a distribution."""
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def pinned(lock: Path) -> set[str]:
    return {name_of(name) for name in PIN.findall(lock.read_text(encoding="utf-8"))}


def test_at_most_ten_packages_are_depended_on() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = {name_of(one) for one in project["dependencies"]}
    assert 0 < len(direct) <= MOST_DIRECT
    installed = {name_of(one) for one in requires("quotey") or () if "extra ==" not in one}
    assert installed == direct
    assert direct <= pinned(ROOT / "requirements.lock")


def entries_of(lock: str) -> list[str]:
    return re.split(r"\n(?=[\w.-]+)", "\n" + lock)[1:]


def bare(lock: str) -> list[str]:
    """Name what is not pinned, or not by a hash."""
    return [
        one.splitlines()[0]
        for one in entries_of(lock)
        if not re.search(r"--hash=sha256:[0-9a-f]{64}", one) or not re.match(r"[\w.-]+==\S", one)
    ]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_package_is_pinned_by_hash(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert entries_of(text)
    assert bare(text) == []


@pytest.mark.parametrize("loose", ["more>=1 \\\n    --hash=sha256:" + "0" * 64, "more==1", "more"])
def test_a_package_that_is_not_pinned_is_seen(loose: str) -> None:
    text = LOCKS[0].read_text(encoding="utf-8")
    assert bare(f"{text.rstrip()}\n{loose}\n") == [loose.splitlines()[0]]


def test_the_licence_of_every_package_at_run_time_is_told() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert licensed(text) == needed("quotey") - {"quotey"}
    assert licensed(text) <= pinned(ROOT / "requirements.lock")


def test_a_licence_that_is_not_told_is_seen() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    without = re.sub(r"^\| msgspec \|.*\n", "", text, flags=re.MULTILINE)
    assert licensed(text) - licensed(without) == {"msgspec"}
    assert licensed(
        re.sub(r"^\| msgspec \|.*", "| msgspec |  |", text, flags=re.MULTILINE)
    ) < licensed(text)


def licensed(text: str) -> set[str]:
    """Give the packages of whose licence the page tells."""
    rows = text.partition("| package |")[2]
    told = re.findall(r"^\| ([\w.-]+) \| ([^|]*) \|$", rows, re.MULTILINE)
    return {name_of(name) for name, words in told if set(name) != {"-"} and words.strip()}


def needed(name: str, known: frozenset[str] = frozenset()) -> set[str]:
    """Give a distribution and all that it needs here, extras left out."""
    found = {name}
    for line in requires(name) or ():
        one = Requirement(line)
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            inner = name_of(one.name)
            if inner not in known | found:
                found |= needed(inner, known | frozenset(found))
    return found
