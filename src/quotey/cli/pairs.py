"""How `field=value` and `entity/id` are read from the command line."""

from __future__ import annotations

from quotey.contract.errors import UsageError


def read_pairs(words: tuple[str, ...]) -> dict[str, str | None]:
    """Read `field=value` words; nothing after the sign means null.

    Raises UsageError for a word without a sign, and when there is none at all.

    >>> read_pairs(("stage=won", "amount="))
    {'stage': 'won', 'amount': None}
    """
    if not words:
        raise UsageError("Say what to set, as stage=won. Nothing was changed.")
    read: dict[str, str | None] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(f"{word!r} is not field=value. Nothing was changed.")
        if name in read:
            raise UsageError(f"{name} is set twice. Nothing was changed.")
        read[name] = value or None
    return read


def read_record(word: str) -> tuple[str, str]:
    """Read `entity/ref`. Raises UsageError when it has another shape.

    >>> read_record("deal/D-1001")
    ('deal', 'D-1001')
    """
    entity, slash, ref = word.partition("/")
    if not slash or not ref:
        raise UsageError(f"{word!r} is not entity/id, as deal/D-1001. Nothing was changed.")
    return entity, ref
