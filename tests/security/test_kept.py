"""No key of a service lies in what is kept here (SEC-45); `make audit` looks for more kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.audit import OF_CRMS

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "tests", "examples", "scripts", "docs", "mutants")
KEYS = ("pat-" + "na1-01234567-89ab-cdef-0123-456789abcdef", "ak" + "_0123456789abcdefABCDEF")
"""In two parts each: whole ones would be found here."""


def with_keys(root: Path) -> list[str]:
    """Name the files in which something of the shape of a key stands."""
    files = (one for folder in FOLDERS for one in (root / folder).rglob("*") if one.is_file())
    return [
        str(one.relative_to(root))
        for one in files
        if "__pycache__" not in one.parts and OF_CRMS.search(one.read_text(errors="replace"))
    ]


def test_no_file_holds_the_key_of_a_service() -> None:
    assert with_keys(ROOT) == []


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("name", ["src/a.py", "examples/b.json", "tests/deep/er/c.bin"])
def test_a_key_that_lies_there_is_seen(tmp_path: Path, key: str, name: str) -> None:
    place = tmp_path / name
    place.parent.mkdir(parents=True)
    place.write_bytes(b"\xff\n" + f'"key": "{key}",\n'.encode())
    assert with_keys(tmp_path) == [name]
