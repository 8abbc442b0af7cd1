"""Record ids: 15 characters that mind their case, 18 that need not.

Source: crm-semantics.md 1S "Ids", section 9 "SF 18-char".
"""

import re

from quotey.testing.simulators.clock import Dice

_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
# 2S: the database's order of ids is not Python's. Here lower case comes before upper case.
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SORTED = str.maketrans(_ALPHABET, "".join(sorted(_ALPHABET)))
_FORM = re.compile(r"[0-9A-Za-z]{15}([0-9A-Z]{3})?")


def to_18(id_15: str) -> str:
    """The 18-character form of a 15-character id."""
    chunks = (id_15[start : start + 5] for start in (0, 5, 10))
    marks = (sum(1 << j for j, c in enumerate(chunk) if "A" <= c <= "Z") for chunk in chunks)
    return id_15 + "".join(_SUFFIX[mark] for mark in marks)


def normal(text: object) -> str | None:
    """The 18-character form of an id given in either; None when it is no id."""
    if not isinstance(text, str) or not _FORM.fullmatch(text):
        return None
    full = to_18(text[:15])
    return full if text in {full, text[:15]} else None


def order(record_id: str) -> str:
    """A text that sorts where an id stands in the database's order."""
    return record_id[:15].translate(_SORTED)


class IdMaker:
    """Fresh ids by object, each later than the one before in the database's order."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._last: dict[str, int] = {}

    def fresh(self, prefix: str) -> str:
        """The next id of an object, by its three-character prefix."""
        number = self._last.get(prefix, 62**6) + 1 + self._dice.number() % 4001
        self._last[prefix] = number
        text = ""
        for _ in range(9):
            number, digit = divmod(number, 62)
            text = _ALPHABET[digit] + text
        return to_18(f"{prefix}5gS{text}")
