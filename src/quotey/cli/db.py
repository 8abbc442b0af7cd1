"""`quotey db`: check, back up, restore, upgrade the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quotey.cli.answer import Answer, Folder, Injected
from quotey.cli.screen import Screen
from quotey.contract.counting import counted
from quotey.contract.errors import ExitCode


def check(*, quotey: Injected) -> Answer:
    """Look at every page, key, mode and link of the audit chain. Mends nothing.

    That the audit was changed is noted in it as an event, and told on stderr.

    $ quotey db check
    """
    answer = quotey.db_check()

    def draw(screen: Screen) -> None:
        screen.line(f"{counted(len(answer.problems), 'problem')} in {answer.path}")
        screen.line(f"schema {answer.schema_version}, SQLite {answer.library_version}")
        for problem in answer.problems:
            screen.line(f"  {problem.message}  {problem.fix}", style="bad")
        for remark in answer.remarks:
            screen.line(f"  {remark.message}  {remark.fix}", style="warn")

    return Answer(
        data=answer,
        draw=draw,
        exit_code=ExitCode.DATABASE if answer.problems else ExitCode.DONE,
        diagnostics=(*answer.problems, *answer.remarks),
    )


def backup(
    to: Annotated[Path, Parameter(help="the new file; it must not exist")],
    /,
    *,
    quotey: Injected,
    cwd: Folder,
) -> Answer:
    """Copy database and audit key while they are in use, then verify the copy.

    $ quotey db backup quotey-backup.db
    """
    answer = quotey.db_backup(cwd / to)
    return Answer(
        data=answer,
        draw=lambda screen: screen.line(
            f"Backed up {answer.path} to {answer.to}; the copy is sound."
        ),
    )


def restore(
    source: Annotated[
        Path, Parameter(help="a file that `quotey db backup` made, its key beside it")
    ],
    /,
    *,
    dry_run: Annotated[bool, Parameter(help="verify the backup and show, change nothing")] = False,
    quotey: Injected,
    cwd: Folder,
) -> Answer:
    """Put a backup in the database's place, whole or not at all; what stood there is kept.

    $ quotey db restore quotey-backup.db --dry-run
    """
    answer = quotey.db_restore(cwd / source, dry_run=dry_run)

    def draw(screen: Screen) -> None:
        sound = f"{counted(answer.quotes, 'quote')}, {counted(answer.events, 'audit event')}, sound"
        screen.line(f"{'Would restore' if dry_run else 'Restored'} {answer.source}: {sound}.")
        if answer.saved_as:
            screen.line(f"What it replaced is kept in {answer.saved_as}.")
        for line in _newer(answer.newer):
            screen.line(line, style="warn")

    return Answer(
        data=answer,
        draw=draw,
        next=() if dry_run else ("quotey crm sync",),
    )


def _newer(newer: tuple[str, ...] | None) -> tuple[str, ...]:
    """Say which quote versions the backup lacks."""
    if newer is None:
        return ("What it replaces cannot be read, so nobody can say what the backup lacks.",)
    if not newer:
        return ()
    lacks = f"The backup lacks {counted(len(newer), 'quote version')}:"
    more = (f"  and {len(newer) - MOST_NAMED} more",) if len(newer) > MOST_NAMED else ()
    return (lacks, *(f"  {one}" for one in newer[:MOST_NAMED]), *more)


MOST_NAMED = 20
"""Quote versions that are named on the screen; all of them are in the document."""


def upgrade(*, quotey: Injected) -> Answer:
    """Bring the database to this version's schema; a backup is made first.

    $ quotey db upgrade
    """
    answer = quotey.db_upgrade()
    return Answer(
        data=answer,
        draw=lambda screen: screen.line(
            f"{answer.path} has schema {answer.schema_version}, as this version needs it."
        ),
    )
