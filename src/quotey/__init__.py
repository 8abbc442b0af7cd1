"""Quotey keeps quotes locally and authoritatively, and writes summaries back to a CRM."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quotey.app.facade import Quotey, open_quotey
    from quotey.app.quotes import LineTerms, QuoteTerms
    from quotey.app.reconcile import Decision, ItemFilter
    from quotey.contract.errors import QuoteyError
    from quotey.contract.fields import Policy

__all__ = [
    "Decision",
    "ItemFilter",
    "LineTerms",
    "Policy",
    "QuoteTerms",
    "Quotey",
    "QuoteyError",
    "__version__",
    "open_quotey",
]

__version__ = "0.1.0"

_HOMES = {
    "Quotey": "quotey.app.facade",
    "open_quotey": "quotey.app.facade",
    "LineTerms": "quotey.app.quotes",
    "QuoteTerms": "quotey.app.quotes",
    "Decision": "quotey.app.reconcile",
    "ItemFilter": "quotey.app.reconcile",
    "QuoteyError": "quotey.contract.errors",
    "Policy": "quotey.contract.fields",
}


def __getattr__(name: str) -> object:
    """Import the front door only when it is used, so that `import quotey` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'quotey' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
