"""How an answer looks on a terminal: lines, aligned columns, colour only where it is wanted.

Nothing is wrapped or cut, so that a piped answer keeps every id. No rule is applied here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.cells import cell_len

from quotey.contract.moments import moment as written
from quotey.contract.visible import written_out

STYLES = {"": "", "bold": "\x1b[1m", "dim": "\x1b[2m", "warn": "\x1b[33m", "bad": "\x1b[31m"}
GAP = "  "


def safe(value: object) -> str:
    r"""Give a value as text in which control and bidi signs are written out, never sent.

    >>> print(safe("a" + chr(27) + "[31m"))
    a\x1b[31m
    """
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return moment(value)
    return written_out(str(value))


def moment(at: datetime | None) -> str:
    """Give a time as everywhere; a dash for none.

    >>> moment(None)
    '-'
    """
    return "-" if at is None else written(at)


class Screen:
    """Gathers lines; `text` gives them, with or without colour."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []

    def line(self, text: str = "", style: str = "") -> None:
        """Add one line; what is unsafe in it is written out."""
        self._lines.append((safe(text), style))

    def pairs(self, rows: Iterable[tuple[str, object]]) -> None:
        """Add label and value in two columns."""
        kept = [(label, safe(value)) for label, value in rows]
        width = max((cell_len(label) for label, _ in kept), default=0)
        for label, value in kept:
            self._lines.append((f"{_padded(label, width)}{GAP}{value}".rstrip(), ""))

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Add aligned columns under their heads; columns of numbers stand to the right."""
        cells = [[safe(value) for value in row] for row in rows]
        right = [_all_numbers([row[i] for row in cells]) for i in range(len(heads))]
        grid = [list(heads), *cells]
        widths = [max(cell_len(row[i]) for row in grid) for i in range(len(heads))]
        for number, row in enumerate(grid):
            columns = zip(row, widths, right, strict=True)
            text = GAP.join(
                _padded(cell, width, right=is_right) for cell, width, is_right in columns
            )
            self._lines.append((text.rstrip(), "" if number else "dim"))

    def text(self, *, colour: bool) -> str:
        """Give the whole screen, each line ended."""
        return "".join(f"{_styled(line, style, colour=colour)}\n" for line, style in self._lines)


def _padded(text: str, width: int, *, right: bool = False) -> str:
    blank = " " * (width - cell_len(text))
    return f"{blank}{text}" if right else f"{text}{blank}"


def _all_numbers(column: list[str]) -> bool:
    """Whether these are figures, some of them perhaps missing."""
    figures = [cell for cell in column if cell != "-"]
    return bool(figures) and all(re.fullmatch(r"[+-]?[\d,]+(\.\d+)?", cell) for cell in figures)


def _styled(text: str, style: str, *, colour: bool) -> str:
    return f"{STYLES[style]}{text}\x1b[0m" if colour and STYLES[style] and text else text
