"""How the account of a connection stands, asked of the service that keeps it, within a status."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from quotey.adapters import RemoteAccount
from quotey.app.wiring import House
from quotey.contract.errors import ExitCode, NotConnectedError, RemoteFailure
from quotey.contract.moments import moment
from quotey.desk.status import AccountStatus, Status, also
from quotey.desk.stuck import Stuck

SOON = timedelta(days=7)
"""How long before its end an authorisation that nobody renews is told."""


def with_account(house: House, status: Status) -> Status:
    """Give the status with how the account stands; why it is not told, where nobody answers.

    Where nobody has to authorise us there is nothing to ask.
    """
    look, provider = house.provider.account, house.provider.name
    if look is None:
        return status
    try:
        account = look(house.options, house.connection, home=house.settings.home)
    except (RemoteFailure, NotConnectedError) as error:
        steps = error.next or ("quotey crm doctor",)
        what = "the account cannot be looked at"
        code = int(error.exit_code)
        return also(status, (Stuck(what=what, why=error.message, next=steps, exit_code=code),))
    told = msgspec.structs.replace(status, account=_told(account))
    return also(told, _wrong(account, provider, house.now()))


def _told(account: RemoteAccount) -> AccountStatus:
    return AccountStatus(
        account_id=account.account_id,
        state=account.state,
        usable=account.usable,
        reason=account.reason,
        scopes=account.scopes or None,
        created_at=account.created_at,
        expires_at=account.expires_at,
        renews=account.renews,
    )


def _wrong(account: RemoteAccount, provider: str, now: datetime) -> tuple[Stuck, ...]:
    """Tell of an account that cannot be used, or not for long."""
    connect, ends = f"quotey crm connect {provider}", account.expires_at
    if not account.usable:
        why = account.reason or "the service says no more"
        what = f"account {account.account_id} is {account.state}"
        return (Stuck(what=what, why=why, next=(connect,), exit_code=int(ExitCode.REAUTH)),)
    if ends is None or account.renews or ends - now > SOON:
        return ()
    why = f"it ends at {moment(ends)}, and the service does not renew it"
    anew = f"{connect} --anew"
    return (Stuck(what="the authorisation ends soon", why=why, next=(anew,)),)
