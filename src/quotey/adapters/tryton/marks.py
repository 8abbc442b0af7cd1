"""Marks of our own writes, at the end of a text field of the record that was written.

They go into the same request as the values, so that a repeat is known to every process. The mark of
a create stays; of updates the newest are kept. What a person wrote into the field stays before it.
"""

from __future__ import annotations

import hashlib
import re

_TAIL = re.compile(r"(?<!\s)\s*+\[quotey((?: [cu][0-9a-f]{16})*)\]\s*$")
MOST = 12
"""How many marks of updates a record keeps."""


def created(key: str) -> str:
    """Give the mark of a create."""
    return "c" + hashlib.sha256(key.encode()).hexdigest()[:16]


def updated(key: str) -> str:
    """Give the mark of an update."""
    return "u" + hashlib.sha256(key.encode()).hexdigest()[:16]


def marks_of(text: object) -> list[str]:
    """Read the marks of a field, newest first.

    >>> marks_of("PO 7 [quotey u0123456789abcdef]"), marks_of(None)
    (['u0123456789abcdef'], [])
    """
    found = _TAIL.search(text) if isinstance(text, str) else None
    return found[1].split() if found else []


def marked(text: object, mark: str) -> str:
    """Give the text with one mark more.

    >>> marked("PO 7", "u0123456789abcdef")
    'PO 7 [quotey u0123456789abcdef]'
    """
    own = _TAIL.sub("", text) if isinstance(text, str) else ""
    known = [mark, *marks_of(text)]
    first = [one for one in known if one.startswith("c")]
    later = [one for one in known if one.startswith("u")][:MOST]
    return f"{own} [quotey {' '.join([*first, *later])}]".strip()
