"""Stand-ins for values that nobody may see: of the same shape, the same for the same value.

They are made with a key: who has it could guess values and compare, nobody else can. What is
replaced and what is kept is said in `concealing`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from decimal import Decimal
from urllib.parse import urlsplit

from quotey.contract.values import as_text

SYLLABLES = tuple(consonant + vowel for consonant in "bcdfghjklmnprstvwxyz" for vowel in "aeiou")
"""A hundred; five of them make ten thousand million words, so that two values seldom meet."""

DOMAIN = ".example"
"""Where no mail is ever delivered (RFC 2606)."""

_PART = r"[^\s@<>\"'(),;:\[\]\\{}=|/?&]"
# It begins where such a part begins, so that a long text without @ is walked once (SEC-31).
EMAIL = re.compile(rf"(?<!{_PART}){_PART}++@{_PART}++")
_LINK = re.compile(r"https?://[^\s\"'<>]+")
_WORD = re.compile(r"[^\W_]+")
_ACCOUNT = re.compile(r"([a-z]{1,6}[_-]).+")
SHORT = 3
LONGEST_LOCAL = 64
"""What stands before the @ is no longer (RFC 5321)."""


class Pseudonyms:
    """Makes stand-ins with a key. `addresses` are the e-mail addresses that it has made."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.addresses: set[str] = set()

    def text(self, text: str) -> str:
        """Replace every word, address and number of a text; spaces and signs stay.

        >>> Pseudonyms(b"k").text("Ann SMITH") == Pseudonyms(b"k").text("Ann SMITH")
        True
        """
        parts: list[str] = []
        place = 0
        for found in re.finditer(f"{_LINK.pattern}|{EMAIL.pattern}", text):
            parts.append(self.words(text[place : found.start()]))
            parts.append(self.url(found[0]) if "://" in found[0] else self.email(found[0]))
            place = found.end()
        return "".join((*parts, self.words(text[place:])))

    def words(self, text: str) -> str:
        """Replace every word and every number of a text, each for itself."""
        return _WORD.sub(lambda found: self._word(found[0]), text)

    def email(self, text: str) -> str:
        """Replace an address: the same domain stays the same domain; a text that is none too."""
        local, at, domain = text.rpartition("@")
        if not at or not local:
            return self.words(text)
        name = self.words(local)
        if len(name) > LONGEST_LOCAL:
            name = self._word(local)
        made = f"{name}@{self.domain(domain)}"
        self.addresses.add(made.casefold())
        return made

    def domain(self, text: str) -> str:
        """Replace a host name.

        >>> Pseudonyms(b"k").domain("www.Acme.com") == "www." + Pseudonyms(b"k").domain("acme.com")
        True
        """
        host = text.casefold().rstrip(".")
        www = "www." if host.startswith("www.") else ""
        return f"{www}{self._syllables(host.removeprefix('www.'), 5)}{DOMAIN}"

    def url(self, text: str) -> str:
        """Replace host and path of an address; what names no host is taken for words."""
        try:
            parts = urlsplit(text if "://" in text else f"//{text}")
        except ValueError:
            return self.words(text)
        if "." not in parts.netloc or "@" in parts.netloc:
            return self.words(text.replace("@", " "))
        scheme = f"{parts.scheme}://" if parts.scheme else ""
        rest = parts.path + (f"?{parts.query}" if parts.query else "")
        return f"{scheme}{self.domain(parts.netloc)}{self.words(rest)}"

    def phone(self, text: str) -> str:
        """Replace the digits of a number; written in another way it gets the same ones."""
        digits = "".join(char for char in text if char.isdecimal())
        made = iter(self._digits(digits))
        swapped = "".join(next(made) if char.isdecimal() else char for char in text)
        return re.sub(r"[^\W\d_]+", lambda found: self._word(found[0]), swapped)

    def number(self, value: int | Decimal) -> int | Decimal:
        """Replace the digits of a number; sign and places stay."""
        text = as_text(value) if isinstance(value, Decimal) else str(value)
        made = re.sub(r"\d+", lambda found: self._digits(found[0]), text)
        return Decimal(made) if "." in made else int(made)

    def opaque(self, text: str) -> str:
        """Replace an id that opens something; a short prefix such as `ca_` stays."""
        start = _ACCOUNT.fullmatch(text)
        return f"{start[1] if start else ''}{self._digest('opaque', text).hex()[:20]}"

    def _word(self, word: str) -> str:
        if word.isdecimal():
            return self._digits(word)
        made = self._syllables(word.casefold(), 2 if len(word) <= SHORT else 5)
        if word.isupper() and len(word) > 1:
            return made.upper()
        return made.title() if word[0].isupper() else made

    def _syllables(self, text: str, count: int) -> str:
        digest = int.from_bytes(self._digest("word", text), "big")
        made = ""
        for _ in range(count):
            digest, place = divmod(digest, len(SYLLABLES))
            made += SYLLABLES[place]
        return made

    def _digits(self, digits: str) -> str:
        """Give as many other digits; a number that begins with no zero gets none there."""
        if not digits:
            return ""
        plain = str(int.from_bytes(self._digest("digits", digits), "big")).lstrip("0")
        made = (plain * (1 + len(digits) // len(plain)))[: len(digits)]
        return "0" + made[1:] if digits[0] == "0" else made

    def _digest(self, kind: str, text: str) -> bytes:
        content = f"{kind}\0{text}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, content, hashlib.sha256)
