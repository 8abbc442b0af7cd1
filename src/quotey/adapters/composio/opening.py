"""Opening a connection: the door, the budgets and the caller, from settings.

The only place here that takes time and chance from outside; tests give their own.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec

from quotey.adapters.composio.budget import Budget, Rate, organisation
from quotey.adapters.composio.call import ComposioCaller, Judge
from quotey.adapters.composio.settings import ComposioSettings
from quotey.wire import Door, Listener

MINUTE = 60.0


def fresh_id() -> str:
    """Make the id of one request, as the service's support asks for it (composio.md 1.1)."""
    return str(uuid.UUID(bytes=os.urandom(16), version=4))


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection takes from outside: waiting, time that only grows, fresh request ids.

    `listener` hears what goes through the door; nobody listens unless a recording is made.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
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
    families: Mapping[str, Rate],
    *,
    door: Door,
    world: World,
) -> ComposioCaller:
    """Make the caller of a connection, with its budgets by endpoint family."""
    share, now = settings.interactive_share, world.clock()
    digest = hashlib.sha256(settings.api_key.reveal().encode()).hexdigest()
    rate = Rate(settings.requests_per_minute, MINUTE)
    budget = Budget(
        organisation(digest, rate, share, now),
        families,
        share=share,
        clock=world.clock,
        sleep=world.sleep,
    )
    return ComposioCaller(settings, provider_url, judge, door=door, budget=budget, ids=world.ids)
