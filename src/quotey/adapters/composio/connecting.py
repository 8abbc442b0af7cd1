"""How a person connects an account: a link is shown, they say yes in a browser, we wait and look.

An account is kept only once it is active, answers, and is that of the records that are already
here. Source: composio.md 1.4 (minutes until a new account is found), 1.8 (the link's life).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from quotey.adapters import RemoteAccount, Visit
from quotey.adapters.composio.accounts import ENDED, Accounts
from quotey.adapters.composio.failure import failure_of
from quotey.adapters.composio.kept import Kept, file_of, keep, read_kept
from quotey.adapters.composio.ops import Failed, Kind, Op
from quotey.adapters.composio.settings import ComposioSettings
from quotey.contract.errors import ErrorClass, NotConnectedError, RefusedError, RemoteFailure

POLL_SECONDS = 3.0
PASSING = (ErrorClass.TRANSIENT, ErrorClass.RATE_LIMIT, ErrorClass.UNKNOWN)
PASSING_KINDS = (Kind.TRANSIENT, Kind.RATE_LIMIT, Kind.AMBIGUOUS, Kind.MALFORMED)
NOT_FOUND_YET = ("1803", "1810", "ActionExecute_ConnectedAccountNotFound")
"""How a new account is refused until every part of the service knows it (1.4)."""

S = TypeVar("S", bound=ComposioSettings)

Identify = Callable[[S], str | tuple[Failed, Op]]
"""Asks the CRM itself, through an account, whose records it opens."""


class Connecting(Generic[S]):
    """One try to connect one connection's account."""

    def __init__(
        self, settings: S, toolkit: str, accounts: Accounts, identify: Identify[S], visit: Visit
    ) -> None:
        self._settings = settings
        self._toolkit = toolkit
        self._accounts = accounts
        self._identify = identify
        self._visit = visit
        self._end: datetime = visit.clock.now() + timedelta(seconds=visit.seconds)

    def connect(self, connection: str, home: Path) -> RemoteAccount:
        """Give the account that is there, or let a person make one, and keep it.

        Raises NotConnectedError when nobody said yes in time, RefusedError when it is somebody
        else's, RemoteFailure; then the account from before is still the one that is kept.
        """
        path = file_of(connection, home)
        settings, visit = self._settings, self._visit
        known = settings.connected_account_id
        known = known or read_kept(path, self._toolkit, settings.user_id)
        account = self._standing(known) if known and not visit.anew else None
        if account is None:
            self._refuse_if_set()
            account = self._linked()
        proved = self._proved(account)
        if not settings.connected_account_id:
            kept = Kept(
                toolkit=self._toolkit,
                user_id=settings.user_id,
                connected_account_id=proved.account_id,
            )
            keep(path, kept)
        return proved

    def _standing(self, account_id: str) -> RemoteAccount | None:
        """Give the known account when it is usable; say why where it is not."""
        account = self._accounts.get(account_id)
        if account is not None and account.usable:
            return account
        self._visit.tell(_how(account_id, account))
        return None

    def _refuse_if_set(self) -> None:
        """A new account would be of no use while the settings name another one."""
        named = self._settings.connected_account_id
        if named:
            raise RefusedError(
                f"The settings name the account {named}, so no other one can be kept. Take "
                "connected_account_id out of them and connect again. Nothing was changed.",
                next=(f"quotey crm connect {self._toolkit}",),
            )

    def _linked(self) -> RemoteAccount:
        """Show the link and wait until the account is active."""
        link = self._accounts.link(self._accounts.auth_config())
        self._visit.tell(f"Open this address and allow the access:\n\n    {link.url}\n")
        self._visit.tell(f"Waiting for at most {_span(self._visit.seconds)} ...")
        account = self._look(link.account_id)
        while account is None or not account.usable:
            if account is not None and account.state in ENDED:
                raise self._not_connected(_how(link.account_id, account))
            self._pause("Nobody has allowed the access in time.")
            account = self._look(link.account_id)
        return account

    def _look(self, account_id: str) -> RemoteAccount | None:
        try:
            return self._accounts.get(account_id)
        except RemoteFailure as failed:
            if failed.error_class not in PASSING:
                raise
            return None

    def _proved(self, account: RemoteAccount) -> RemoteAccount:
        """Ask the CRM through the account, and see that it is the one whose records are here."""
        opened = msgspec.structs.replace(self._settings, connected_account_id=account.account_id)
        found = self._identify(opened)
        told = False
        while not isinstance(found, str):
            failed, op = found
            if failed.code not in NOT_FOUND_YET and failed.kind not in PASSING_KINDS:
                raise failure_of(failed, op, lambda _problem: ("", ""))
            if not told:
                self._visit.tell("The account is active; waiting until it can be used ...")
                told = True
            self._pause(f"The account is active and cannot be used yet: {failed.message}.")
            found = self._identify(opened)
        known = self._visit.identity
        if known and found and found != known:
            raise RefusedError(
                f"This home mirrors {known}; the account opens {found}. Nothing was changed. "
                "Connect an account of the former, use another home for the latter, or say with "
                "`--moved` that it is the same under another address."
            )
        return msgspec.structs.replace(account, identity=found)

    def _pause(self, why: str) -> None:
        if self._visit.clock.now() >= self._end:
            raise self._not_connected(why)
        self._visit.clock.sleep(POLL_SECONDS)

    def _not_connected(self, why: str) -> NotConnectedError:
        return NotConnectedError(
            f"{why} Nothing was changed.", next=(f"quotey crm connect {self._toolkit}",)
        )


def _how(account_id: str, account: RemoteAccount | None) -> str:
    if account is None:
        return f"The service knows no account {account_id}."
    reason = f": {account.reason}" if account.reason else ""
    return f"The account {account_id} is {account.state}{reason}."


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min" if minutes and not rest else f"{round(seconds)} s"
