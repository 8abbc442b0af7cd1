"""A value that must never be shown: tokens, keys, passwords (guarantee G8).

Where secrets come from is the affair of `quotey.config`; adapters only take them.
"""

from __future__ import annotations

import re

SECRET_TEXT = re.compile(
    r"(?i)\b(?:bearer|basic)\s+[\w.~+/=-]+|(?<=://)[^/@\s]+(?=@)|(?<=token=)[^&\s]+|(?<=key=)[^&\s]+"
)
"""Parts of a text that look like a secret, whosever it is."""


def without_secrets(text: str) -> str:
    """Give the text with what looks like a secret hidden.

    >>> without_secrets("Authorization: Bearer ak_1 at https://u:p@crm.example?token=t")
    'Authorization: (hidden) at https://(hidden)@crm.example?token=(hidden)'
    """
    return SECRET_TEXT.sub("(hidden)", text)


class Secret:
    """Holds a secret and hides it from `repr`, `str`, logs and tracebacks.

    >>> Secret("hunter2")
    Secret(hidden)
    >>> f"{Secret('hunter2')}"
    'hidden'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the secret itself, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __str__(self) -> str:
        return "hidden"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
