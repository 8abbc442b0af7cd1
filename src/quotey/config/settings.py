"""The settings as values, with their defaults and units. How they are read is elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How far the sync goes by itself before it waits or asks.

    `lease_seconds`: how long one process holds a run or an operation; requests are given a share of
    it, so that none outlives it. `attempts`: sent requests of
    one operation before it is dead. `window_hours`: the same in time. `mass_gone_share` and
    `mass_change_share`: the share of an entity's mirrored records that one run may lose or change
    before it stops and asks (law 11); 1 never stops. Below `mass_minimum` records nothing is asked.
    `examine_minutes`: how long what the CRM defines is taken to be as last seen; 0 never looks.
    `sweep_hours`: how often all ids are listed, to find what reading had missed; 0 only when asked.
    """

    lease_seconds: int = 40
    attempts: int = 12
    window_hours: int = 72
    mass_minimum: int = 20
    mass_gone_share: float = 0.2
    mass_change_share: float = 1.0
    examine_minutes: int = 60
    sweep_hours: int = 24


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What is told on stderr, and how.

    The level `auto` is `error` for a command, whose answer tells what went wrong, and `info` for
    `crm watch`. The format `auto` is console on a terminal and JSON otherwise.
    """

    level: Literal["auto", "debug", "info", "warning", "error"] = "auto"
    format: Literal["auto", "console", "json"] = "auto"


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One CRM account that we talk to: the provider, and its own table, opaque here.

    Values that came from the environment are `Secret` until the provider's Settings take them.
    Relative paths in `options` are relative to `folder`.
    """

    provider: str = "stub"
    options: dict[str, object] = msgspec.field(default_factory=dict)
    folder: Path = Path()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set. With no configuration at all: the stub and its demo data.

    `home` holds the database; `mappings` the user's `<connection>.toml` files; `attachments` is
    the root that attachment references cannot leave; `actor` is the name in the audit log.
    `allow_network_fs` lets the database lie where locks do not hold between machines. `allow_root`
    says that root is meant to run it. `demo`
    says that the stub is meant although credentials of a live CRM are at hand; `variables` are the
    names of what is set in the environment, without the values.
    """

    home: Path
    mappings: Path
    attachments: Path
    connection: str = "main"
    connections: dict[str, Connection] = msgspec.field(
        default_factory=lambda: {"main": Connection()}
    )
    actor: str = "operator"
    limits: Limits = Limits()
    log: Log = Log()
    source: Path | None = None
    allow_network_fs: bool = False
    allow_root: bool = False
    demo: bool = False
    variables: frozenset[str] = frozenset()
