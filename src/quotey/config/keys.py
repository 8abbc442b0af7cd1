"""The keys of quotey.toml as a table: how each is read, and what it is for."""

from __future__ import annotations

import re
from collections.abc import Callable

from quotey.contract.moments import LONGEST_LEASE


def _text(raw: object) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError("must be a text that is not blank")
    return raw


def _path(raw: object) -> str:
    text = _text(raw)
    try:
        parts = text.encode().split(b"/")
    except UnicodeEncodeError:
        parts = []
    if b"\0" in b"".join(parts) or not 0 < len(b"/".join(parts)) <= LONGEST_PATH:
        raise ValueError(f"must be a path of at most {LONGEST_PATH:,} bytes of text")
    if max(map(len, parts)) > LONGEST_PART:
        raise ValueError(f"must be a path whose parts have at most {LONGEST_PART} bytes")
    return text


def actor(raw: object) -> str:
    """Read a person's name. Raises ValueError for one that hides signs or fills the audit."""
    text = _text(raw)
    if not text.isprintable() or len(text) > LONGEST_ACTOR:
        raise ValueError(f"must be a name of at most {LONGEST_ACTOR} signs that can be seen")
    return text


LONGEST_PATH, LONGEST_PART = 4_000, 255
"""What Linux takes, less room for the names of our files."""
LONGEST_ACTOR = 200
"""It stands in every event of the audit."""


def _name(raw: object) -> str:
    text = _text(raw)
    if not NAME.fullmatch(text):
        raise ValueError("must be a lower-case word: a-z, 0-9, - and _, at most 40")
    return text


def _whole(low: int, high: int) -> Callable[[object], int]:
    def read(raw: object) -> int:
        value = int(raw) if isinstance(raw, str) and raw.strip().isdecimal() else raw
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return read


def _share(raw: object) -> float:
    try:
        value = float(raw) if isinstance(raw, str | int | float) else -1.0
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise ValueError("must be a share above 0 and up to 1, as 0.5")
    return value


def _flag(raw: object) -> bool:
    word = raw.lower() if isinstance(raw, str) else raw
    if word in (True, "true", "1"):
        return True
    if word in (False, "false", "0"):
        return False
    raise ValueError("must be true or false")


def _choice(*words: str) -> Callable[[object], str]:
    def read(raw: object) -> str:
        if not isinstance(raw, str) or raw.lower() not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return raw.lower()

    return read


NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

KEYS: dict[str, tuple[Callable[[object], object], str]] = {
    "home": (_path, "folder of the database, the audit key and the stub; default `.quotey`"),
    "connection": (_name, "the connection that commands use; default `main`"),
    "mappings": (_path, "folder of your own mapping files, `<connection>.toml`"),
    "attachments": (
        _path,
        "folder that attachment references cannot leave; default `attachments` in the home",
    ),
    "actor": (actor, "who the audit log names; default the login name"),
    "allow_network_fs": (
        _flag,
        "let `home` be on a network file system, for one process only; default false",
    ),
    "allow_root": (_flag, "say nothing when it is run as root, as in a container; default false"),
    "demo": (_flag, "use the stub although credentials of a live CRM are set; default false"),
    "limits.lease_seconds": (
        _whole(8, int(LONGEST_LEASE.total_seconds())),
        "how long one process holds a run or an operation",
    ),
    "limits.attempts": (_whole(1, 100), "sent requests of one operation before it is dead"),
    "limits.window_hours": (_whole(1, 720), "hours after which an operation is dead"),
    "limits.examine_minutes": (
        _whole(0, 10_080),
        "minutes between two looks at how the CRM defines what is mapped; 0 never looks",
    ),
    "limits.mass_minimum": (_whole(1, 1_000_000), "records below which mass changes are not asked"),
    "limits.mass_gone_share": (_share, "share of records that one run may lose before it asks"),
    "limits.mass_change_share": (_share, "share that it may change before it asks; 1: never asks"),
    "limits.sweep_hours": (
        _whole(0, 8760),
        "hours between two sweeps, which list all ids and find what reading had missed; 0: never",
    ),
    "log.level": (
        _choice("auto", "debug", "info", "warning", "error"),
        "what is told on stderr; `auto`: errors, and with `crm watch` also what was done",
    ),
    "log.format": (_choice("auto", "console", "json"), "how it is told"),
}
"""Every key of quotey.toml but `[connections.<name>]`: how it is read, and what it is for."""

PATHS = ("home", "mappings", "attachments")
