"""`quotey crm account`: list, show, update the fields that flow out."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from quotey.cli.answer import Answer, Injected
from quotey.cli.draw_records import draw_change, draw_list, draw_record
from quotey.cli.pairs import read_pairs

Id = Annotated[str, Parameter(help="the account, by our id or the CRM's")]
Fields = Annotated[str, Parameter(help="field=value; nothing after = means null")]


def list_(
    *,
    quotey: Injected,
    after: Annotated[
        str, Parameter(help="the id of the last one seen; default: from the start")
    ] = "",
    limit: Annotated[int, Parameter(help="how many; default: 100")] = 100,
) -> Answer:
    """List the accounts that are mirrored here, page by page.

    $ quotey crm account list
    $ quotey crm account list --limit 20 --after acc_1f2e3d4c5b6a7988
    """
    answer = quotey.account_list(after=after, limit=limit)
    more = f"quotey crm account list --limit {limit} --after {answer.after}"
    return Answer(
        data=answer,
        draw=lambda screen: draw_list(screen, answer),
        next=(more,) if answer.after else (),
    )


def show(account: Id, /, *, quotey: Injected) -> Answer:
    """Show an account as it stands here: values, locks, open items, what waits to be written.

    $ quotey crm account show A-1001
    """
    answer = quotey.account_show(account)
    return Answer(data=answer, draw=lambda screen: draw_record(screen, answer))


def update(account: Id, /, *fields: Fields, quotey: Injected) -> Answer:
    """Change fields of an account that flow out, and queue them for the CRM.

    $ quotey crm account update A-1001 segment=enterprise
    """
    answer = quotey.account_update(account, read_pairs(fields))
    waits = ("quotey crm sync",) if answer.operation_id else ()
    return Answer(data=answer, draw=lambda screen: draw_change(screen, answer), next=waits)
