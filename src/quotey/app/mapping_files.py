"""The files of mappings: read whole or refused. What stands in them is the affair of `contract`."""

from __future__ import annotations

from pathlib import Path

from quotey.contract.errors import MappingError

MOST_BYTES = 4_000_001
"""More than a mapping may have: what is longer is cut, and then refused for its length."""


def plain(path: Path) -> Path | None:
    """Give the path of a file, None where there is nothing. Raises MappingError for all else.

    A link that leads nowhere would otherwise quietly let other policies decide.
    """
    if path.is_file():
        return path
    if path.exists() or path.is_symlink():
        told = f"{path.name} is there, but is not a plain file. Nothing was changed."
        raise MappingError(told, next=("quotey crm mapping check",))
    return None


def read_text(path: Path) -> str:
    """Read a mapping file. Raises MappingError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise MappingError(f"{path.name} cannot be read: {why}. Nothing was changed.") from error
