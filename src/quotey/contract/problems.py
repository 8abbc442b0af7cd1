"""Problems of a text file, gathered so that all are told at once, each with its line.

What makes a file wrong is said by the readers (`mapping_parse`, `dataset`); only the telling is
here.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable

from quotey.contract.errors import Diagnostic, Severity

MAX_TEXT = 1_000_000
"""Characters of a TOML file that we read at most."""

KeyPath = tuple[str, ...]
"""Where a value stands in a TOML file: table names, then the key."""

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"^\s*\[\[?\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(rf"^\s*({_DOTTED})\s*=")
_PARTS = re.compile(_PART)
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")


def nearest(word: str, known: Iterable[str]) -> str:
    """Give the known word that was probably meant, or "".

    >>> nearest("stgae", ["stage", "amount"])
    'stage'
    >>> nearest("zzz", ["stage"])
    ''
    """
    found = difflib.get_close_matches(word[:200], list(known), n=1, cutoff=0.6)
    return found[0] if found else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Phrase the near match, or else the whole choice, as a fix.

    >>> did_you_mean("crm_win", ["crm_wins", "local_wins"])
    "Did you mean 'crm_wins'?"
    """
    choice = list(map(str, known))  # a member of an enum is shown as its word
    near = nearest(word, choice)
    return f"Did you mean {near!r}?" if near else f"Known here: {', '.join(choice) or 'none'}."


def _bare(part: str) -> str:
    return part[1:-1] if part[0] in "\"'" else part


def _parts(dotted: str) -> KeyPath:
    return tuple(_bare(part) for part in _PARTS.findall(dotted))


def key_lines(text: str) -> dict[KeyPath, int]:
    r"""Find the line (from 1) on which each table header and key of a TOML text stands.

    Keys inside an inline table are not found; ask for the longest path that is. Lines inside a
    multi-line string may be taken for keys, which does no more harm than a wrong line number.

    >>> key_lines('a = 1\n[deal.fields.stage]\npath = "x"')[("deal", "fields", "stage", "path")]
    3
    """
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_parts(key[1])), number)
    return lines


class Problems:
    """Gathers the problems of one file. `name` is how the user knows the file."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.found: list[Diagnostic] = []
        self._lines = key_lines(text)

    def line_of(self, path: KeyPath) -> int:
        """Give the line of a key, or of the nearest thing around it.

        What is not in the file at all is looked for in line 1, or, within a table, nowhere (0).
        """
        known = (self._lines.get(path[:size]) for size in range(len(path), 0, -1))
        return next((line for line in known if line is not None), int(len(path) <= 1))

    def add(self, code: str, path: KeyPath, message: str, *, fix: str = "", line: int = 0) -> None:
        """Note one problem; `path` is where it stands, `message` a whole sentence."""
        entity = path[0] if len(path) > 1 else ""
        field = path[2] if len(path) > 2 and path[1] == "fields" else ""  # noqa: PLR2004
        self.found.append(
            Diagnostic(
                code=code,
                severity=Severity.ERROR,
                message=message,
                entity=entity,
                field=field,
                line=line or self.line_of(path),
                fix=fix,
            )
        )

    def in_order(self) -> tuple[Diagnostic, ...]:
        """Give what was found, by line."""
        return tuple(sorted(self.found, key=lambda one: one.line))

    def told(self, what: str) -> str:
        """Say all problems in one text: a heading, then one line each."""
        count = len(self.found)
        heading = f"{what} {self.name}: {count} problem{'' if count == 1 else 's'}."
        rows = (
            f"  line {one.line or '?'}: {one.message}{' ' if one.fix else ''}{one.fix}"
            for one in self.in_order()
        )
        return "\n".join((heading, *rows))


def load_toml(text: str, problems: Problems) -> dict[str, object]:
    """Parse TOML; what is not TOML becomes a problem and an empty table."""
    if len(text) > MAX_TEXT:
        problems.add("not_toml", (), f"the file is longer than {MAX_TEXT:,} characters.", line=1)
        return {}
    try:
        text.encode()  # half a surrogate pair could not be hashed later
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        at = _AT_LINE.search(str(error))
        line = int(at[1]) if at else text.count("\n") + 1
        reason = _AT_LINE.sub("", str(error)).strip() or "nested too deeply"
        problems.add("not_toml", (), f"this is not TOML: {reason}.", line=line)
        return {}
