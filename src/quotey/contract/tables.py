"""Reads the tables of a parsed TOML file by type; what does not fit becomes a problem.

Every reader answers with a usable value, so that reading goes on and finds the next problem too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TypeVar

from quotey.contract.problems import KeyPath, Problems, did_you_mean

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

_WORDS = {
    bool: "true or false",
    str: "a text in quotes",
    int: "a whole number",
    dict: "a table",
    list: "a list",
}


class Table:
    """One table of the file and where it stands; remembers nothing but its problems."""

    def __init__(self, problems: Problems, path: KeyPath, content: dict[str, object]) -> None:
        self.problems = problems
        self.path = path
        self.content = content

    def __contains__(self, key: str) -> bool:
        return key in self.content

    def problem(self, code: str, key: str, message: str, *, fix: str = "") -> None:
        """Note a problem of this table, or of one key of it."""
        path = (*self.path, key) if key else self.path
        where = ".".join(path) or "the file"
        self.problems.add(code, path, f"{where} {message}", fix=fix)

    def text(self, key: str, default: str = "") -> str:
        """Read a text."""
        value = self.content.get(key, default)
        return value if isinstance(value, str) else self._wrong(key, str, default)

    def needed_text(self, key: str, fix: str) -> str:
        """Read a text that must be there and not be blank."""
        value = self.text(key)
        if not value.strip() and isinstance(self.content.get(key, ""), str):
            at, what = (key, "must not be blank.") if key in self else ("", f"needs {key!r}.")
            self.problem("missing_key", at, what, fix=fix)
        return value

    def plain(self, key: str) -> str:
        """Read a text or a whole number, as text; "" when it is absent."""
        value = self.content.get(key, "")
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value) if abs(value) < 10**18 else self._wrong(key, str, "")
        return self.text(key)

    def flag(self, key: str, *, default: bool) -> bool:
        """Read true or false."""
        value = self.content.get(key, default)
        return value if isinstance(value, bool) else self._wrong(key, bool, default)

    def whole(self, key: str, default: int) -> int:
        """Read a whole number (`true` is none)."""
        value = self.content.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return self._wrong(key, int, default)

    def choice(self, key: str, kind: type[E], default: E) -> E:
        """Read one word of a closed list."""
        return self.choice_or_none(key, kind) or default

    def choice_or_none(self, key: str, kind: type[E]) -> E | None:
        """Read one word of a closed list; None when it is absent or not of the list."""
        if key not in self:
            return None
        word = self.content[key]
        known = [str(one) for one in kind]
        if isinstance(word, str) and word in known:
            return kind(word)
        fix = did_you_mean(word if isinstance(word, str) else "", known)
        self.problem("unknown_word", key, f"cannot be {_shown(word)}.", fix=fix)
        return None

    def table(self, key: str) -> Table:
        """Read a table within this one; an absent one is empty."""
        value = self.content.get(key, {})
        inner = value if isinstance(value, dict) else self._wrong(key, dict, {})
        return Table(self.problems, (*self.path, key), inner)

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Read all keys of this table as tables."""
        for key in self.content:
            yield key, self.table(key)

    def items(self, key: str) -> list[object]:
        """Read a list of anything; an absent one is empty."""
        value = self.content.get(key, [])
        return value if isinstance(value, list) else self._wrong(key, list, [])

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts."""
        values = self.items(key)
        if any(not isinstance(value, str) for value in values):
            self.problem("wrong_type", key, "must hold only texts in quotes.")
        return tuple(value for value in values if isinstance(value, str))

    def words(self) -> dict[str, str]:
        """Read all keys of this table that are texts; the others are problems."""
        return {key: self.text(key) for key in self.content if self._is_text(key)}

    def only(self, known: Iterable[str]) -> None:
        """Note every key that is not one of these."""
        names = list(known)
        for key in self.content:
            if key not in names:
                fix = did_you_mean(key, names)
                self.problem("unknown_key", key, "is not a key that is known here.", fix=fix)

    def _is_text(self, key: str) -> bool:
        return isinstance(self.content[key], str) or self._wrong(key, str, default=False)

    def _wrong(self, key: str, kind: type, default: T) -> T:
        shown = _shown(self.content[key])
        self.problem("wrong_type", key, f"must be {_WORDS[kind]}, not {shown}.")
        return default


def _shown(value: object) -> str:
    """Show a value of the file, short enough for a message."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a hexadecimal number of thousands of digits
        return "that"
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004
