"""`quotey crm deal`: list, show, create (also offline), update the fields that flow out."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from quotey.cli.answer import Answer, Injected
from quotey.cli.draw_records import draw_change, draw_list, draw_record
from quotey.cli.pairs import read_pairs

Id = Annotated[str, Parameter(help="the deal, by our id or the CRM's")]
Fields = Annotated[str, Parameter(help="field=value; nothing after = means null")]


def list_(
    *,
    quotey: Injected,
    after: Annotated[
        str, Parameter(help="the id of the last one seen; default: from the start")
    ] = "",
    limit: Annotated[int, Parameter(help="how many; default: 100")] = 100,
) -> Answer:
    """List the deals that are mirrored here, page by page.

    $ quotey crm deal list
    $ quotey crm deal list --limit 20 --after deal_1f2e3d4c5b6a7988
    """
    answer = quotey.deal_list(after=after, limit=limit)
    more = f"quotey crm deal list --limit {limit} --after {answer.after}"
    return Answer(
        data=answer,
        draw=lambda screen: draw_list(screen, answer),
        next=(more,) if answer.after else (),
    )


def show(deal: Id, /, *, quotey: Injected) -> Answer:
    """Show a deal as it stands here: values, locks, open items, what waits to be written.

    $ quotey crm deal show D-1001
    """
    answer = quotey.deal_show(deal)
    return Answer(data=answer, draw=lambda screen: draw_record(screen, answer))


def create(
    account: Annotated[str, Parameter(help="the account, by our id or the CRM's")],
    /,
    *fields: Fields,
    quotey: Injected,
) -> Answer:
    """Make a deal here, and queue its creation in the CRM; it is bound when that is done.

    $ quotey crm deal create A-1001 name="New roof" stage=proposal amount=12000
    """
    answer = quotey.deal_create(account, read_pairs(fields))
    return Answer(
        data=answer, draw=lambda screen: draw_change(screen, answer), next=("quotey crm sync",)
    )


def update(deal: Id, /, *fields: Fields, quotey: Injected) -> Answer:
    """Change fields of a deal that flow out, and queue them for the CRM.

    $ quotey crm deal update D-1001 amount=15000 name="Roof and gutter"
    """
    answer = quotey.deal_update(deal, read_pairs(fields))
    waits = ("quotey crm sync",) if answer.operation_id else ()
    return Answer(data=answer, draw=lambda screen: draw_change(screen, answer), next=waits)
