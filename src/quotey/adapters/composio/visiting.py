"""Opens the door for `crm connect` and `crm status --crm`, and closes it again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from quotey.adapters import RemoteAccount, Visit
from quotey.adapters.composio.accounts import Accounts
from quotey.adapters.composio.budget import Alone
from quotey.adapters.composio.connecting import Connecting
from quotey.adapters.composio.opening import World, fresh_id, open_door
from quotey.adapters.composio.ops import Failed, Op
from quotey.adapters.composio.settings import ComposioSettings
from quotey.contract.errors import NotConnectedError
from quotey.wire import Door

S = TypeVar("S", bound=ComposioSettings)


def connect(
    settings: S,
    toolkit: str,
    identify: Callable[[S, Door, World], str | tuple[Failed, Op]],
    connection: str,
    home: Path,
    visit: Visit,
) -> RemoteAccount:
    """Connect an account as `Connecting.connect` does."""
    with closing(open_door(settings)) as door:
        # One clock for both: else the waits pass by one, and the budget fills by another.
        world = World(shared=Alone(lambda: visit.clock.now().timestamp(), visit.clock.sleep))
        trying = Connecting(
            settings,
            toolkit,
            Accounts(settings, toolkit, door=door, ids=fresh_id),
            lambda opened: identify(opened, door, world),
            visit,
        )
        return trying.connect(connection, home)


def look(settings: ComposioSettings, toolkit: str) -> RemoteAccount:
    """Ask how an account stands. Raises NotConnectedError when the service has none like it."""
    with closing(open_door(settings)) as door:
        accounts = Accounts(settings, toolkit, door=door, ids=fresh_id)
        account = accounts.get(settings.connected_account_id)
    if account is None:
        raise NotConnectedError(
            f"The service knows no account {settings.connected_account_id}. Nothing was changed.",
            next=(f"quotey crm connect {toolkit}",),
        )
    return account
