"""Correlation ids: one per command or run, short enough to be read out on the telephone."""

from __future__ import annotations

from collections.abc import Callable

from quotey.sync.clock import fresh_id


def new_correlation_id(ids: Callable[[str], str] = fresh_id) -> str:
    """Make one: `c_` and 8 hex digits.

    >>> new_correlation_id(lambda prefix: f"{prefix}_0123456789abcdef")
    'c_01234567'
    """
    return ids("c")[:10]
