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


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_package_is_pinned_by_hash(lock: Path) -> None:
    entries = re.split(r"\n(?=[\w.-]+)", "\n" + lock.read_text(encoding="utf-8"))[1:]
    assert entries
    bare = [
        one.splitlines()[0] for one in entries if "--hash=sha256:" not in one or "==" not in one
    ]
    assert bare == []


def test_the_licence_of_every_package_at_run_time_is_told() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    told = re.findall(
        r"^\| ([\w.-]+) \| ([^|]+) \|$", text.partition("| package |")[2], re.MULTILINE
    )
    assert all(licence.strip() for _, licence in told)
    listed = {name_of(name) for name, _ in told if set(name) != {"-"}}
    assert listed == needed("quotey") - {"quotey"}
    assert listed <= pinned(ROOT / "requirements.lock")


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
