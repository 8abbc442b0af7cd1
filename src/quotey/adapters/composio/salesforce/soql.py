r"""Writing SOQL: literals are escaped here and nowhere else.

Source: crm-semantics 2S "SOQL" (escape `\`, then `'`), 1L (in LIKE also `%` and `_`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

_PLAIN = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_ESCAPES = str.maketrans(_PLAIN)
_LIKE_ESCAPES = str.maketrans({**_PLAIN, "%": "\\%", "_": "\\_"})


class Select(msgspec.Struct, frozen=True, kw_only=True):
    """One query. `where` are conditions that all have to hold."""

    fields: Sequence[str]
    of: str
    where: Sequence[str] = ()
    by_id: bool = False
    limit: int = 0

    def text(self) -> str:
        """Give it as it is sent.

        >>> Select(fields=("Id", "Name"), of="Account", where=("IsDeleted = false",)).text()
        'SELECT Id, Name FROM Account WHERE IsDeleted = false'
        """
        parts = ["SELECT", ", ".join(self.fields), "FROM", self.of]
        if self.where:
            parts += ["WHERE", " AND ".join(self.where)]
        if self.by_id:
            parts.append("ORDER BY Id")
        if self.limit:
            parts.append(f"LIMIT {self.limit}")
        return " ".join(parts)


def quoted(text: str) -> str:
    r"""Write a text literal.

    >>> print(quoted("O'Hara \\ Co"))
    'O\'Hara \\ Co'
    """
    return f"'{text.translate(_ESCAPES)}'"


def containing(words: Iterable[str]) -> str:
    r"""Write a LIKE pattern that these words stand in, one after the other.

    >>> print(containing(["50%", "o'f_f"]))
    '%50\%%o\'f\_f%'
    """
    return f"'%{'%'.join(word.translate(_LIKE_ESCAPES) for word in words)}%'"


def moment(at: datetime) -> str:
    """Write a moment in whole seconds, rounded down; it stands without quotes.

    >>> moment(datetime(2026, 3, 10, 21, 10, 8, 999, tzinfo=UTC))
    '2026-03-10T21:10:08Z'
    """
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def one_of(field: str, refs: Iterable[str]) -> str:
    """Write that a field is one of these texts.

    >>> one_of("Id", ["a", "b"])
    "Id IN ('a', 'b')"
    """
    return f"{field} IN ({', '.join(map(quoted, refs))})"
