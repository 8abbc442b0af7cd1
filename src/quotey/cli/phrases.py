"""Codes that stand for a cause, in words for a person. The codes themselves stay in the JSON."""

from __future__ import annotations

CAUSES = {
    "newer_version": "the CRM holds a newer version of this quote",
    "overwrote_other": "ours was written over another writer's quote",
    "version_reused": "the CRM holds this version number with other contents",
    "other_quote": "another quote stands in the CRM on this deal",
    "foreign": "something that Quotey did not write stands in the CRM in the quote's place",
}
"""Details of a `stale_outbound_write` (seed 5.4)."""


def in_words(cause: str) -> str:
    """Give a cause in words; what has none is shown as it is.

    >>> in_words("newer_version"), in_words("deal.name missing")
    ('the CRM holds a newer version of this quote', 'deal.name missing')
    """
    return CAUSES.get(cause, cause)
