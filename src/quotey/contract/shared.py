"""What all processes of one home have in common, as a port: time, and small notes by name.

Notes are knowledge that may be lost (how much of a budget is spent); truth is in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

Notes = Mapping[str, str]
"""Texts by name; a name that nobody has noted yet is missing."""

T = TypeVar("T")


class Shared(Protocol):
    """Notes that every process of a home sees at once, and the time by which they are written."""

    def now(self) -> float:
        """Give the present moment, in seconds since 1970, the same in every process."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def change(self, names: Sequence[str], change: Callable[[Notes], tuple[Notes, T]]) -> T:
        """Let `change` see these notes and give those to be kept instead, with an answer.

        Nobody else changes notes meanwhile, so `change` must not wait for anything. A process that
        dies inside leaves what was there before. Raises StoreError or StoreBusyError.
        """
