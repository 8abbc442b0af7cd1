"""What carrying a settlement out did, as a value."""

from __future__ import annotations

import msgspec


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What carrying a settlement out did: the value before and after, and what to know to undo it.

    `facts` go into the audit; `undo` is the note, None when it cannot be undone.
    """

    sentence: str
    before: str | None = None
    after: str | None = None
    operation_id: str | None = None
    facts: dict[str, object] = msgspec.field(default_factory=dict)
    undo: dict[str, object] | None = None
    closed_items: tuple[str, ...] = ()
