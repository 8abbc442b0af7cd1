"""Opening a connection: the door, the budgets and the caller, from settings.

The only place here that takes time and chance from outside; tests give their own.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec

from quotey.adapters.composio.budget import ORGANISATION, Alone, Budget, Rate
from quotey.adapters.composio.call import ComposioCaller, Judge
from quotey.adapters.composio.settings import ComposioSettings
from quotey.adapters.composio.turns import Closed, Turns, never_closed
from quotey.contract.shared import Shared
from quotey.wire import Door, Listener

MINUTE = 60.0


def fresh_id() -> str:
    """Make the id of one request, as the service's support asks for it (composio.md 1.1)."""
    return str(uuid.UUID(bytes=os.urandom(16), version=4))


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection takes from outside: what it shares with others, fresh request ids.

    `listener` hears what goes through the door; nobody listens unless a recording is made.
    """

    shared: Shared = msgspec.field(default_factory=Alone)
    ids: Callable[[], str] = fresh_id
    listener: Listener | None = None


def open_door(settings: ComposioSettings, listener: Listener | None = None) -> Door:
    """Open the door to the service, and to nothing else."""
    host = urlsplit(settings.base_url).hostname or ""
    return Door(frozenset({host}), loopback=settings.loopback, listener=listener)


def open_caller(
    settings: ComposioSettings,
    provider_url: str,
    judge: Judge,
    rates: Mapping[str, Rate],
    *,
    door: Door,
    world: World,
    closed: Closed = never_closed,
) -> ComposioCaller:
    """Make the caller of a connection, with its budgets.

    `rates` are the connection's own, and those of endpoint families.
    """
    digest = hashlib.sha256(settings.api_key.reveal().encode()).hexdigest()[:16]
    allowed = {ORGANISATION: Rate(settings.requests_per_minute, MINUTE), **rates}
    names = {scope: f"budget/{settings.connected_account_id}/{scope}" for scope in rates}
    names[ORGANISATION] = f"budget/key-{digest}"

    def budget_on(shared: Shared) -> Budget:
        return Budget(names, allowed, share=settings.interactive_share, shared=shared)

    turns = Turns(settings, budget_on, world.shared, closed=closed)
    return ComposioCaller(settings, provider_url, judge, door=door, turns=turns, ids=world.ids)
