"""What a person typed into a look-up: a host name in it, and how near an account is to it."""

from __future__ import annotations

from quotey.contract.dto import CrmAccountDto

LONGEST = 200
"""Characters of a query that are sent."""


def host_of(text: str) -> str:
    """Give what could be a host name in what was typed.

    >>> host_of("https://www.Example.com/shop")
    'example.com'
    """
    bare = text.strip().casefold().partition("://")
    return (bare[2] or bare[0]).partition("/")[0].removeprefix("www.") or "-"


def account_distance(query: str, account: CrmAccountDto) -> int:
    """Rank what was found: the very domain or name first; otherwise the order of the search."""
    if isinstance(account.domain, str) and account.domain == host_of(query):
        return 0
    name = account.name if isinstance(account.name, str) else ""
    if name.casefold() == query.casefold():
        return 1
    return 2 if name.casefold().startswith(query.casefold()) else 3
