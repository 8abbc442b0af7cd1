"""`quotey crm record`: a live CRM's traffic, concealed, for tests and for showing to others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quotey.app.record import Recorded, RecordWish
from quotey.cli.answer import Answer, Folder, Injected
from quotey.cli.progress import Show
from quotey.cli.screen import Screen
from quotey.contract.counting import counted


def record(
    folder: Annotated[Path, Parameter(help="a new folder for the recording")],
    *,
    quotey: Injected,
    cwd: Folder,
    limit: Annotated[int | None, Parameter(help="at most so many records of each kind")] = None,
    keep: Annotated[
        tuple[str, ...], Parameter(help="a contract field that is not replaced; may be repeated")
    ] = (),
    dry_run: Annotated[bool, Parameter(help="read and count, write nothing")] = False,
    progress: Show = None,
) -> Answer:
    """Record what the CRM sends, every personal value replaced, as data set and HTTP fixtures.

    Names, e-mail addresses, phones, web addresses and all free text get stand-ins of the same
    shape, the same for the same value; keys and tokens are left out. Ids, money, dates, stages and
    segments stay. The CRM is only read. If anything would be left in, nothing is written.

    $ quotey crm record recording
    $ quotey crm record recording --limit 50 --keep deal.name
    $ quotey crm record recording --dry-run --json
    """
    wish = RecordWish(folder=cwd / folder, limit=limit, keep=keep, dry_run=dry_run)
    told = quotey.record(wish, progress=progress)
    return Answer(
        data=told,
        draw=lambda screen: _draw(screen, told, folder),
        exit_code=told.exit_code,
    )


def _draw(screen: Screen, told: Recorded, folder: Path) -> None:
    replaced = sum(one.values for one in told.concealed)
    end = "nothing written" if told.dry_run else f"in {folder}"
    screen.line(
        f"{counted(told.exchanges, 'exchange')} recorded, {counted(replaced, 'value')} replaced "
        f"[{end}]"
    )
    screen.line()
    screen.table(
        ("entity", "records", "left out", "more"),
        [
            (one.entity, one.records, one.left_out, "yes" if one.more else "no")
            for one in told.entities
        ],
    )
    if told.concealed:
        screen.line()
        screen.table(
            ("replaced", "values", "different"),
            [(one.kind, one.values, one.different) for one in told.concealed],
        )
    screen.line()
    screen.pairs([("kept", one) for one in told.kept] + [("written", one) for one in told.files])
    if told.stopped:
        screen.line(f"Reading ended early: {told.stopped}", style="warn")
