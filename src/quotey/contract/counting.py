"""Counts in words for a person: one thing is singular. Nothing else is phrased here."""

from __future__ import annotations


def counted(count: int, singular: str, plural: str = "") -> str:
    """Write how many there are of something.

    >>> counted(1, "operation"), counted(1200, "operation"), counted(2, "reply", "replies")
    ('1 operation', '1,200 operations', '2 replies')
    """
    return f"{count:,} {singular if count == 1 else plural or f'{singular}s'}"
