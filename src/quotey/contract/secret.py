"""A value that must never be shown: tokens, keys, passwords (guarantee G8).

Where secrets come from is the affair of `quotey.config`; adapters only take them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hmac import compare_digest

SECRET_TEXT = re.compile(
    r"(?i)\b(?:bearer|basic)\s+[\w.~+/=-]+|(?<=://)[^/@\s]+(?=@)|(?<=token=)[^&\s]+|(?<=key=)[^&\s]+"
    r"|\bpat-[a-z]{2}\d-[\w-]+|\bwhsec_[\w+/=-]+|\b(?:ak|sk)_[\w+/=-]{8,}"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
)
"""Parts of a text that look like a secret, whosever it is."""


def without_secrets(text: str) -> str:
    """Give the text with what looks like a secret hidden.

    >>> without_secrets("Authorization: Bearer ak_1 at https://u:p@crm.example?token=t")
    'Authorization: (hidden) at https://(hidden)@crm.example?token=(hidden)'
    """
    return SECRET_TEXT.sub("(hidden)", text)


def shapes(secret: str) -> tuple[str, ...]:
    """Give the forms in which a secret may come back: as it is, in a URL, and in base64.

    Inside a longer base64 text it may begin at any of three places; what does not depend on its
    neighbours there is given.
    """
    packed = (
        b64encode(b"\0" * shift + secret.encode()).decode()[skip:]
        for shift, skip in ((0, 0), (1, 2), (2, 3))
    )
    inner = [text.rstrip("=")[: len(text.rstrip("=")) - 1] for text in packed]
    url_safe = [text.replace("+", "-").replace("/", "_") for text in inner]
    whole = b64encode(secret.encode()).decode()
    forms = (secret, _in_a_url(secret), whole, *inner, *url_safe)
    return tuple(dict.fromkeys(filter(None, forms)))


def _in_a_url(text: str) -> str:
    return re.sub(rb"[^\w.~-]", lambda found: b"%%%02X" % found[0][0], text.encode()).decode()


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

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: object) -> Secret:
        return self

    def __reduce__(self) -> str:
        raise TypeError("A secret is not written into bytes.")

    def __eq__(self, other: object) -> bool:
        # How long it takes tells nothing of where two differ (reliability SEC-2).
        return isinstance(other, Secret) and compare_digest(_bytes(other), _bytes(self))

    def __hash__(self) -> int:
        return hash(self._value)


def _bytes(secret: Secret) -> bytes:
    return secret.reveal().encode("utf-8", "surrogatepass")
