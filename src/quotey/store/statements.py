"""Reads the named SQL statements under `sql/`. The statements themselves live there, not here."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (?P<name>[a-z_]+)$", re.MULTILINE)


@cache
def statements() -> dict[str, str]:
    """Give every statement of `sql/*.sql` by the name in its `-- name:` line.

    ValueError when a name stands twice (our bug).
    """
    found: dict[str, str] = {}
    for entry in sorted(files(__package__).joinpath("sql").iterdir(), key=lambda path: path.name):
        if entry.name.endswith(".sql"):
            _, *parts = _NAME.split(entry.read_text("utf-8"))
            for name, text in zip(parts[::2], parts[1::2], strict=True):
                if name in found:
                    raise ValueError(f"The statement {name} stands twice under sql/.")
                found[name] = text.strip()
    return found


@cache
def migrations() -> tuple[str, ...]:
    """Give the scripts `sql/migrations/0001.sql`, 0002 …, in order; their count is the version."""
    folder = files(__package__).joinpath("sql", "migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    assert names == [f"{number:04}.sql" for number in range(1, len(names) + 1)]
    return tuple(folder.joinpath(name).read_text("utf-8") for name in names)
