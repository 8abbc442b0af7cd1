"""The last look before anything is written: whether what had to be hidden is still there.

It knows nothing of how the documents were concealed: it takes the bytes as a stranger would, with
what is percent-encoded or in base64 unpacked (guarantee G8).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import unquote

import msgspec

from quotey.contract.secret import shapes
from quotey.wire.pseudonyms import EMAIL

_PACKED = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_PHONE = re.compile(r"\+?\(?\d[\d\s().-]{5,}\d")
_LETTERS = re.compile(r"[^\W\d_]+")
_LOGIN = re.compile(r"(?i)\b(?:bearer|basic)\s+[\w.~+/=-]{8,}|://[^/@\s\"]+:[^/@\s\"]+@")
SHORTEST_PHONE = 7
SHORTEST_SECRET = 4
DEEPEST = 2
"""So many layers of packing are taken off."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What must not be there: secrets, digits of phones, pairs of words of names.

    `addresses` are the e-mail addresses that we have made ourselves, in lower case; no other may
    be there.
    """

    secrets: frozenset[str]
    addresses: frozenset[str]
    phones: frozenset[str] = frozenset()
    names: frozenset[tuple[str, str]] = frozenset()


def digits_of(phones: set[str]) -> frozenset[str]:
    """Give the digits of phone numbers, of those that are long enough to be told from others."""
    found = {"".join(filter(str.isdecimal, one)) for one in phones}
    return frozenset(one for one in found if len(one) >= SHORTEST_PHONE)


def pairs_of(names: set[str]) -> frozenset[tuple[str, str]]:
    """Give the pairs of neighbouring words of names.

    >>> sorted(pairs_of({"Ann Mary Smith", "Bo"}))
    [('ann', 'mary'), ('mary', 'smith')]
    """
    return frozenset(pair for name in names for pair in pairwise(_words(name)))


def leaks(content: bytes, known: Known) -> tuple[str, ...]:
    """Name the kinds of what is left in a text that must not be; empty when there is none."""
    text = content.decode("utf-8", "replace")
    found = {kind for layer in _layers(text, DEEPEST) for kind in _in_plain(layer, known)}
    secrets = [one for one in known.secrets if len(one) >= SHORTEST_SECRET]
    if any(form in text for secret in secrets for form in shapes(secret)):
        found.add("a secret")
    return tuple(sorted(found))


def _in_plain(text: str, known: Known) -> Iterator[str]:
    if any(secret in text for secret in known.secrets if len(secret) >= SHORTEST_SECRET):
        yield "a secret"
    if any(_is_foreign(one[0], known) for one in EMAIL.finditer(text)):
        yield "an e-mail address"
    if any("".join(filter(str.isdecimal, one)) in known.phones for one in _PHONE.findall(text)):
        yield "a phone number"
    if known.names and any(pair in known.names for pair in pairwise(_words(text))):
        yield "a person's name"
    if _LOGIN.search(text):
        yield "a secret"


def _is_foreign(address: str, known: Known) -> bool:
    domain = address.rpartition("@")[2]
    return "." in domain and address.casefold() not in known.addresses


def _words(text: str) -> list[str]:
    return [one.casefold() for one in _LETTERS.findall(text)]


def _layers(text: str, deep: int) -> Iterator[str]:
    """Give a text and all that is packed in it."""
    yield text
    if not deep:
        return
    if "%" in text:
        yield from _layers(unquote(text), deep - 1)
    for packed in _PACKED.findall(text):
        inner = unpacked_text(packed)
        if inner:
            yield from _layers(inner, deep - 1)


def unpacked_text(packed: str) -> str:
    """Unpack base64 of either alphabet; "" for what is none, or no text."""
    standard = packed.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        inner = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return inner if inner.isprintable() else ""
