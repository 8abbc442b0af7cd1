"""Record ids: 15 characters that mind their case, or 18 that need not.

Source: crm-semantics 1S "Ids", section 9 "SF 18-char".
"""

from __future__ import annotations

import re

SHORT = 15
CHUNK = 5
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_FORM = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


def canonical_id(text: str) -> str | None:
    """Give the 18 characters of an id, however it is written; None for what is no id.

    Where a long id lost its case as a whole, the last three characters tell what it was.

    >>> canonical_id("001D000000IqhSL"), canonical_id("001d000000iqhsliaz")
    ('001D000000IqhSLIAZ', '001D000000IqhSLIAZ')
    >>> canonical_id("001D000000IqhSLIAA"), canonical_id("no-such-id")
    (None, None)
    """
    if not _FORM.fullmatch(text):
        return None
    short, suffix = text[:SHORT], text[SHORT:].upper()
    if not suffix or _suffix(short) == suffix:
        return short + _suffix(short)
    return _restored(short, suffix) if text in (text.lower(), text.upper()) else None


def _restored(short: str, suffix: str) -> str | None:
    marks = [_SUFFIX.find(mark) for mark in suffix]
    cased = "".join(
        _cased(char, marks[at // CHUNK] >> at % CHUNK & 1) for at, char in enumerate(short)
    )
    return cased + suffix if -1 not in marks and _suffix(cased) == suffix else None


def _cased(char: str, is_upper: int) -> str:
    return char.upper() if is_upper else char.lower()


def _suffix(short: str) -> str:
    chunks = (short[start : start + CHUNK] for start in range(0, SHORT, CHUNK))
    marks = (sum("A" <= char <= "Z" and 1 << at for at, char in enumerate(one)) for one in chunks)
    return "".join(_SUFFIX[mark] for mark in marks)
