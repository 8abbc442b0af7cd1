"""What `crm doctor` looks at, from the settings to how the CRM is set up for the mapping.

Each check stands for itself; a failing one never stops the next. Only reads are sent to the CRM,
and to the service that keeps the account.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from quotey.adapters import RemoteAccount
from quotey.app.alarm import tell_of
from quotey.app.wiring import DATABASE, House
from quotey.contract.adapter import Surveying
from quotey.contract.counting import counted
from quotey.contract.errors import (
    Diagnostic,
    ExitCode,
    MappingError,
    QuoteyError,
    Severity,
    StoreError,
)
from quotey.contract.fields import Entity
from quotey.contract.journal import ConnectionState
from quotey.contract.moments import moment

SKEW = timedelta(seconds=30)
"""The newer of two edits is found by time, so the clocks may not be far from each other."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at; `exit_code` is what its failure ends the command with.

    `diagnostics` of a check that is ok are warnings and notes.
    """

    name: str
    ok: bool
    sentence: str
    exit_code: int = int(ExitCode.DONE)
    next: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """All checks, in the order in which they should be mended."""

    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that found something."""
        return tuple(check for check in self.checks if not check.ok)


class Noted(msgspec.Struct, frozen=True):
    """A check that went well, with what is to be known all the same."""

    sentence: str
    diagnostics: tuple[Diagnostic, ...] = ()


Look = Callable[[House], str | Noted]


def examine(house: House) -> Examination:
    """Look at everything once. Raises nothing that a check can tell."""
    looks: tuple[tuple[str, Look], ...] = (
        ("settings", _settings),
        ("mapping", _mapping),
        ("database", _database),
        ("connection", _connection),
        *((("account", _account),) if house.provider.account is not None else ()),
        ("crm", _crm),
        ("setup", _setup),
    )
    return Examination(checks=tuple(_look(house, name, look) for name, look in looks))


def _look(house: House, name: str, look: Look) -> Check:
    try:
        seen = look(house)
    except QuoteyError as error:
        return Check(
            name=name,
            ok=False,
            sentence=error.message.partition("\n")[0],  # its problems are the diagnostics
            exit_code=int(error.exit_code),
            next=error.next,
            diagnostics=error.diagnostics,
        )
    noted = seen if isinstance(seen, Noted) else Noted(seen)
    return Check(name=name, ok=True, sentence=noted.sentence, diagnostics=noted.diagnostics)


def _settings(house: House) -> str:
    source = house.settings.source
    assert house.options is not None, "the provider's settings are read, or ConfigError is raised"
    return f"{source.name if source else 'no quotey.toml; the defaults'}, {house.provider.name}"


def _mapping(house: House) -> str:
    return f"sound, fingerprint {house.mapping.fingerprint}"


def _database(house: House) -> Noted:
    problems = house.desk.admin.check()
    tell_of(house, problems)
    if problems:
        raise StoreError(
            f"{counted(len(problems), 'problem')} in {DATABASE}.",
            next=("quotey db check",),
            diagnostics=problems,
        )
    admin = house.desk.admin
    return Noted(f"sound, schema {admin.schema_version()}", admin.remarks())


def _connection(house: House) -> str:
    row = house.desk.connections.get(house.connection)
    if row is not None and row.state == ConnectionState.AUTH_STOPPED:
        raise _StoppedError(
            f"Connection {row.name} is stopped until it is authorised again.",
            next=(f"quotey crm connect {house.provider.name}",),
        )
    return f"{house.connection} is {row.state if row else 'new'}"


class _StoppedError(QuoteyError):
    """The connection may not be used until it is authorised again."""

    code = "auth_stopped"
    exit_code = ExitCode.REAUTH


class _FoundError(QuoteyError):
    """Something is not as it must be, and a person has to mend it."""

    code = "refused"
    exit_code = ExitCode.NEEDS_PERSON


def _account(house: House) -> str:
    """Ask the service that keeps the account: whether it knows our key, and how the account is."""
    look, name = house.provider.account, house.provider.name
    assert look is not None, "only asked where there is one"
    account = look(house.options, house.connection, home=house.settings.home)
    if not account.usable:
        reason = f" ({account.reason})" if account.reason else ""
        raise _StoppedError(
            f"The account {account.account_id} is {account.state}{reason}.",
            next=(f"quotey crm connect {name}",),
        )
    return _described(account)


def _described(account: RemoteAccount) -> str:
    since = f" since {moment(account.created_at)}" if account.created_at else ""
    until = f"; expires {moment(account.expires_at)}" if account.expires_at else ""
    scopes = f"; may {', '.join(account.scopes)}" if account.scopes else ""
    return f"{account.account_id} is {account.state}{since}{until}{scopes}"


def _crm(house: House) -> str:
    from quotey.sync.door import read

    adapter = house.adapter
    page = read(
        house.run(), lambda call: adapter.sync_incremental(Entity.ACCOUNT, "", limit=1, call=call)
    )
    if not house.provider.is_stub:
        _refuse_skew(page.source_ts, house.now())
    return f"{page.source_provider} answers; its clock says {moment(page.source_ts)}"


def _refuse_skew(theirs: datetime, ours: datetime) -> None:
    """Tell of clocks that differ: the newer of two edits would be the wrong one."""
    if abs(theirs - ours) <= SKEW:
        return
    raise _FoundError(
        f"The CRM's clock says {moment(theirs)}, this machine's {moment(ours)}. "
        "Set this machine's clock by a time server."
    )


def _setup(house: House) -> str | Noted:
    """Compare the mapping with what the CRM defines, where the adapter can; park what broke."""
    from quotey.sync import drift
    from quotey.sync.door import read

    adapter, run = house.adapter, house.run()
    if not isinstance(adapter, Surveying):
        return "not looked at: this provider cannot tell how its CRM is set up"
    ask = adapter.survey
    survey = read(run, lambda call: ask(call=call))
    found = survey.findings
    try:
        parked = drift.heed_if_allowed(run, survey)
    except drift.UnconfirmedError as refused:
        raise MappingError(str(refused), diagnostics=found) from refused
    bad = sum(one.severity is Severity.ERROR for one in found)
    if bad or parked:
        told = f" Parked: {', '.join(one.path for one in parked)}." if parked else ""
        sentence = f"{bad} of its definitions do not fit the mapping.{told}"
        raise _FoundError(sentence, diagnostics=found)
    noted = f", with {len(found)} to be known" if found else ""
    return Noted(f"fits the mapping{noted}", found)
