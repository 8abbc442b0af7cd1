"""Connecting an account for the façade: the provider lets a person authorise us, then work goes on.

How a provider does that is in its own folder; here is what follows from it on this side.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import msgspec

from quotey.adapters import RemoteAccount, Visit, discover
from quotey.app.wiring import House
from quotey.contract.adapter import Creating
from quotey.contract.errors import UsageError
from quotey.contract.journal import ConnectionRow, ConnectionState
from quotey.desk.durations import parse_span
from quotey.sync import door


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """How to connect: how long to wait for a person, and whether to begin anew.

    `create_properties` also makes what Quotey keeps for itself in the CRM. `moved`: a person says
    that what is opened now is the organisation that is mirrored here, under another name.
    """

    wait: str = "10m"
    anew: bool = False
    create_properties: bool = False
    moved: bool = False


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that may be used again; `released` operations waited for that.

    `account` is None where nobody has to authorise us; `made` names what was made in the CRM.
    """

    connection: str
    provider: str
    state: ConnectionState
    released: int
    account: RemoteAccount | None = None
    made: tuple[str, ...] = ()


def connect(
    house: House, provider: str | None, wish: Wish, tell: Callable[[str], None]
) -> Connected:
    """Let a person authorise us, then take the connection into use and release what waited.

    Raises UsageError when another provider is named than the connection has, or when it cannot
    make properties; NotConnectedError, RefusedError or RemoteFailure as the provider does.
    """
    _refuse_another(house, provider)
    seconds = wait_of(wish.wait).total_seconds()
    name, known = house.connection, house.provider.name
    row = house.desk.connections.get(name) or ConnectionRow(name=name, provider=known)
    account = _authorised(house, row, wish, seconds, tell)
    house.reopen_adapter()
    adapter = house.adapter
    if wish.create_properties and not isinstance(adapter, Creating):
        raise UsageError(
            f"The provider {known} cannot make properties by itself; its own page says how to."
        )
    run = house.run()
    identity, account_id = (account.identity, account.account_id) if account else ("", "")
    if wish.moved:
        identity = identity or door.identity(run)
    released = door.reconnect(run, identity=identity, account=account_id)
    made: tuple[str, ...] = ()
    if wish.create_properties and isinstance(adapter, Creating):
        create = adapter.create_missing
        made = door.ask(run, lambda call: create(call=call), timeout=run.limits.write_timeout)
    row = house.desk.connections.get(name) or row
    return Connected(
        connection=name,
        provider=known,
        state=row.state,
        released=released,
        account=account,
        made=made,
    )


def _refuse_another(house: House, provider: str | None) -> None:
    own = house.provider.name
    if provider is None or provider == own:
        return
    fix = (
        f' Set provider = "{provider}" in [connections.{house.connection}] of quotey.toml first.'
        if provider in discover()
        else ""
    )
    raise UsageError(
        f"Connection {house.connection} is {own}, not {provider}. Nothing was changed.{fix}",
        next=(f"quotey crm connect {own}",),
    )


def _authorised(
    house: House, row: ConnectionRow, wish: Wish, seconds: float, tell: Callable[[str], None]
) -> RemoteAccount | None:
    if house.provider.connect is None:
        return None
    known = "" if wish.moved else row.identity
    visit = Visit(tell=tell, clock=house.clock, seconds=seconds, anew=wish.anew, identity=known)
    home = house.settings.home
    return house.provider.connect(
        house.options, house.mapping, house.connection, home=home, visit=visit
    )


def wait_of(text: str) -> timedelta:
    """Read how long to wait, in seconds too: `30s`, `5m`. Raises UsageError."""
    found = re.fullmatch(r"\s*([1-9]\d{0,4})s\s*", text)
    if found:
        return timedelta(seconds=int(found[1]))
    try:
        return parse_span(text)
    except ValueError as error:
        raise UsageError(f"{error}; seconds, as 30s, are taken too.") from error
