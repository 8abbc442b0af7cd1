"""A list as an answer: an object, so that a document can get further keys later."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Listing(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Some of what there is; `total` counts all of it where that is known."""

    items: tuple[T, ...]
    total: int | None = None
