"""`quotey db`: check, back up, upgrade the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quotey.cli.answer import Answer, Folder, Injected
from quotey.cli.screen import Screen
from quotey.contract.counting import counted
from quotey.contract.errors import ExitCode


def check(*, quotey: Injected) -> Answer:
    """Look at every page, key, mode and link of the audit chain. Changes nothing.

    $ quotey db check
    """
    answer = quotey.db_check()

    def draw(screen: Screen) -> None:
        screen.line(f"{counted(len(answer.problems), 'problem')} in {answer.path}")
        screen.line(f"schema {answer.schema_version}, SQLite {answer.library_version}")
        for problem in answer.problems:
            screen.line(f"  {problem.message}  {problem.fix}", style="bad")

    return Answer(
        data=answer,
        draw=draw,
        exit_code=ExitCode.DATABASE if answer.problems else ExitCode.DONE,
        diagnostics=answer.problems,
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
