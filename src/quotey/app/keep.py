"""Care of the database: check, backup, restore, upgrade. Knows nothing of quotes or the CRM."""

from __future__ import annotations

from pathlib import Path

import msgspec

from quotey.app.alarm import tell_of
from quotey.app.wiring import DATABASE, House
from quotey.contract.errors import Diagnostic, UsageError
from quotey.contract.journal import AuditEvent
from quotey.contract.values import shown
from quotey.store import Orders, Place, Restored
from quotey.store import restore as put_back


class DatabaseReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found; no problems means that all is well. `remarks` are no damage."""

    path: str
    schema_version: int
    library_version: str
    problems: tuple[Diagnostic, ...] = ()
    remarks: tuple[Diagnostic, ...] = ()


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that was made and verified."""

    path: str
    to: str


def check(house: House) -> DatabaseReport:
    """Look at every page, key, mode and link; alarm where somebody has been at the audit.

    Raises StoreError when it cannot be opened.
    """
    problems = house.desk.admin.check()
    tell_of(house, problems)
    return _report(house, problems)


def backup(house: House, to: Path) -> Backup:
    """Copy database and audit key. Raises UsageError when the target exists already."""
    if _is_there(to):
        raise UsageError(f"{shown(to.name)} exists already. Nothing was changed.")
    house.desk.admin.backup(to)
    return Backup(path=str(house.settings.home / DATABASE), to=str(to))


def restore(house: House, source: Path, *, dry_run: bool) -> Restored:
    """Put a backup in the database's place. Raises UsageError when there is no such file."""
    if not _is_there(source):
        raise UsageError(
            f"There is no file {shown(source.name)}. Nothing was changed.",
            next=("quotey db backup FILE",),
        )
    correlation_id = house.correlation_id()

    def event(body: dict[str, object]) -> AuditEvent:
        return AuditEvent(
            kind="database.restored",
            at=house.now(),
            actor=house.settings.actor,
            correlation_id=correlation_id,
            mode=house.mode,
            body=body,
        )

    place = Place(allow_network=house.settings.allow_network_fs)
    orders = Orders(event=event, place=place, dry_run=dry_run)
    return put_back(house.settings.home / DATABASE, source, orders)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        reason = error.strerror
        raise UsageError(f"{shown(path.name)} cannot be a file: {reason}.") from error


def upgrade(house: House) -> DatabaseReport:
    """Open in the role that may migrate; opening does it."""
    admin = house.admin.admin
    return _report(house, admin.check())


def _report(house: House, problems: tuple[Diagnostic, ...]) -> DatabaseReport:
    admin = house.desk.admin
    return DatabaseReport(
        path=str(house.settings.home / DATABASE),
        schema_version=admin.schema_version(),
        library_version=admin.library_version(),
        problems=problems,
        remarks=admin.remarks(),
    )
