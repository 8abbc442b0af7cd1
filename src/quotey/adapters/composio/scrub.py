"""Taking personal data out of a vendor's message before it goes anywhere (guarantee G8).

What is left is for a person who has to mend something: codes, property names, ids.
"""

from __future__ import annotations

import re

LONGEST = 240

_VALUES = (
    (re.compile(r"[^\s@\"'<>{}=,;]+@[^\s@\"'<>{},;]+"), "(e-mail)"),
    (re.compile(r"value=[^}]*"), "value=(hidden)"),
    (re.compile(r"\[label:.*", re.DOTALL), "(options)"),
    (re.compile(r"(?i)bearer\s+\S+"), "(hidden)"),
    (re.compile(r"\+?\d[\d\s().-]{8,}\d"), "(number)"),
)


def scrubbed(message: object) -> str:
    """Give a vendor's message in one line, without values of records.

    >>> scrubbed("Cannot set propertyName=quotey_key, value=Q-1} for ann@example.com")
    'Cannot set propertyName=quotey_key, value=(hidden)} for (e-mail)'
    """
    text = " ".join(message.split()) if isinstance(message, str) else ""
    if "<html" in text.lower() or "<!doctype" in text.lower():
        return "a web page"
    for pattern, stand_in in _VALUES:
        text = pattern.sub(stand_in, text)
    return text[:LONGEST]
