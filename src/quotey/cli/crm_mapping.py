"""`quotey crm mapping`: show, check, and try the mapping on a payload. Writes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quotey.cli.answer import Answer, Folder, Injected
from quotey.cli.draw_mapping import draw_check, draw_mapping, draw_trial
from quotey.contract.errors import ExitCode
from quotey.contract.fields import Entity


def show(*, quotey: Injected, entity: Entity | None = None) -> Answer:
    """Show where each contract field stands in the CRM, with direction and policy.

    $ quotey crm mapping show
    $ quotey crm mapping show --entity deal
    """
    answer = quotey.mapping_show(entity)
    return Answer(data=answer, draw=lambda screen: draw_mapping(screen, answer))


def check(
    file: Annotated[
        Path | None, Parameter(help="a mapping file; default: the connection's own")
    ] = None,
    /,
    *,
    quotey: Injected,
    cwd: Folder,
) -> Answer:
    """Check a mapping file and name every problem, with its line.

    $ quotey crm mapping check
    $ quotey crm mapping check mappings/main.toml
    """
    answer = quotey.mapping_check(cwd / file if file else None)
    return Answer(
        data=answer,
        draw=lambda screen: draw_check(screen, answer),
        exit_code=ExitCode.DONE if answer.sound else ExitCode.MAPPING,
        diagnostics=answer.problems,
    )


def test(
    payload: Annotated[Path, Parameter(help="a JSON file with one record of the CRM")],
    /,
    *,
    quotey: Injected,
    cwd: Folder,
    entity: Annotated[Entity, Parameter(help="what the record is")],
) -> Answer:
    """Try the mapping on one record: the DTO that it becomes, or all its problems.

    $ quotey crm mapping test payload.json --entity deal
    """
    answer = quotey.mapping_test(cwd / payload, entity)
    return Answer(
        data=answer,
        draw=lambda screen: draw_trial(screen, answer),
        exit_code=ExitCode.DONE if answer.accepted else ExitCode.MAPPING,
        diagnostics=answer.diagnostics,
    )
