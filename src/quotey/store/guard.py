"""What each role may not do, told to SQLite itself so that no code path can forget it.

Source: reliability 0.9 and G1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import apsw

Role = Literal["desk", "sync", "admin"]
Authorizer = Callable[[int, str | None, str | None, str | None, str | None], int]

QUOTE_TABLES = frozenset({"quote", "quote_version"})
"""The quote domain: what no inbound path, retry or failure may ever change."""

_WRITES = frozenset({apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE})
_RESHAPES = frozenset(
    code
    for name, code in apsw.mapping_authorizer_function.items()
    if isinstance(name, str)
    and isinstance(code, int)
    and name.startswith(("SQLITE_CREATE_", "SQLITE_DROP_", "SQLITE_ALTER_"))
) | {apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH}


def authorizer_of(role: Role) -> Authorizer | None:
    """Give what SQLite asks before it prepares a statement; None lets everything through.

    "sync" cannot write quotes nor erase audit bodies. Neither "sync" nor "desk" can change tables,
    triggers, settings or attach another file.
    """
    return {"admin": None, "desk": _desk, "sync": _sync}[role]


def _desk(
    action: int, _first: str | None, second: str | None, _db: str | None, _trigger: str | None
) -> int:
    return apsw.SQLITE_DENY if _reshapes(action, second) else apsw.SQLITE_OK


def _sync(
    action: int, first: str | None, second: str | None, _db: str | None, _trigger: str | None
) -> int:
    table = (first or "").lower()
    writes_quotes = action in _WRITES and table in QUOTE_TABLES
    denied = writes_quotes or _erases(action, table) or _reshapes(action, second)
    return apsw.SQLITE_DENY if denied else apsw.SQLITE_OK


def _reshapes(action: int, second: str | None) -> bool:
    return action in _RESHAPES or (action == apsw.SQLITE_PRAGMA and second is not None)


def _erases(action: int, table: str) -> bool:
    deletes_body = table == "audit_body" and action in (apsw.SQLITE_DELETE, apsw.SQLITE_UPDATE)
    return deletes_body or (table == "audit_erasure" and action in _WRITES)
