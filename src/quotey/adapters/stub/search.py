"""Finding accounts and contacts by what a person types, best first.

For a person to pick from; nothing is ever bound by a search.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import TypeVar

from quotey.contract.dto import CrmAccountDto, CrmContactDto

LIMIT = 20
SIMILAR = 0.84
"""How alike two names must be to be taken for a misspelling of each other."""

D = TypeVar("D", CrmAccountDto, CrmContactDto)


def plain(text: object) -> str:
    """Bring a name to letters and digits in lower case, so that "A.B. Corp." is "ab corp".

    >>> plain("AKZO NOBEL N.V.") == plain("* Akzo Nobel NV")
    True
    """
    if not isinstance(text, str):
        return ""
    kept = (char if char.isalnum() else " " if char.isspace() else "" for char in text.casefold())
    return " ".join("".join(kept).split())


def host(text: str) -> str:
    """Give what could be a host name in what was typed.

    >>> host("https://www.Example.com/shop")
    'example.com'
    """
    bare = text.strip().casefold().partition("://")
    return (bare[2] or bare[0]).partition("/")[0].removeprefix("www.")


def likeness(query: str, text: str) -> float:
    """Rate a plain text against a plain query: 0 is nothing in common, 1 is the same."""
    if not query or not text:
        return 0.0
    if query == text:
        return 1.0
    if text.startswith(query):
        return 0.95
    if f" {query}" in f" {text}":
        return 0.9
    if query in text:
        return 0.86
    ratio = difflib.SequenceMatcher(a=query, b=text).ratio()
    return ratio if ratio >= SIMILAR else 0.0


def best_accounts(query: str, accounts: Iterable[CrmAccountDto]) -> tuple[CrmAccountDto, ...]:
    """Give the accounts whose name or domain is like the query."""

    def rate(account: CrmAccountDto) -> float:
        same_host = isinstance(account.domain, str) and account.domain == host(query)
        return 1.0 if same_host else likeness(plain(query), plain(account.name))

    return _best(accounts, rate)


def best_contacts(query: str, contacts: Iterable[CrmContactDto]) -> tuple[CrmContactDto, ...]:
    """Give the contacts whose name, e-mail or phone is like the query."""
    digits = _digits(query)

    def rate(contact: CrmContactDto) -> float:
        email = isinstance(contact.email, str) and query.strip().casefold() in contact.email
        phone = len(digits) >= 4 and digits in _digits(contact.phone)  # noqa: PLR2004
        return 0.98 if email or phone else likeness(plain(query), plain(contact.name))

    return _best(contacts, rate) if query.strip() else ()


def _digits(text: object) -> str:
    return "".join(filter(str.isdecimal, text)) if isinstance(text, str) else ""


def _best(found: Iterable[D], rate: Callable[[D], float]) -> tuple[D, ...]:
    rated = [(rate(one), one) for one in found]
    hits = [pair for pair in rated if pair[0] > 0]
    hits.sort(key=lambda pair: (-pair[0], plain(pair[1].name), pair[1].id))
    return tuple(one for _, one in hits[:LIMIT])
