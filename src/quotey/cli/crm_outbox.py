"""`quotey crm outbox`: what waits to be written to the CRM, and what a person may do about it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from quotey.cli.answer import Answer, Injected
from quotey.cli.draw_records import draw_operations, draw_settled, draw_view
from quotey.contract.journal import OpState

Id = Annotated[str, Parameter(help="the operation's id, as `outbox list` shows it")]


def list_(
    *,
    quotey: Injected,
    state: Annotated[tuple[OpState, ...], Parameter(help="only these; may be repeated")] = (),
    record: Annotated[str | None, Parameter(help="only of this <entity>/<id>")] = None,
    limit: Annotated[int, Parameter(help="how many, oldest first; default: 100")] = 100,
    all_: Annotated[bool, Parameter(name="--all", help="also those that are settled")] = False,
) -> Answer:
    """List operations that have not come to their end, in the order in which they go out.

    $ quotey crm outbox list
    $ quotey crm outbox list --state held
    """
    answer = quotey.outbox_list(states=state, record=record, limit=limit, settled=all_)
    return Answer(data=answer, draw=lambda screen: draw_operations(screen, answer))


def show(operation: Id, /, *, quotey: Injected) -> Answer:
    """Show one operation: its payload, its attempts, why it waits.

    $ quotey crm outbox show op_1f2e3d4c5b6a7988
    """
    answer = quotey.outbox_show(operation)
    return Answer(data=answer, draw=lambda screen: draw_view(screen, answer))


def retry(operation: Id, /, *, quotey: Injected) -> Answer:
    """Queue an operation again that is held or dead; it is sent by the next sync.

    $ quotey crm outbox retry op_1f2e3d4c5b6a7988
    """
    answer = quotey.outbox_retry(operation)
    return Answer(
        data=answer,
        draw=lambda screen: draw_settled(screen, answer),
        next=("quotey crm sync",),
    )


def discard(
    operation: Id,
    /,
    *,
    quotey: Injected,
    reason: Annotated[str, Parameter(help="why; it goes into the audit")],
) -> Answer:
    """Give up an operation: it is never sent. The local change that it carried stays.

    $ quotey crm outbox discard op_1f2e3d4c5b6a7988 --reason "deal was merged"
    """
    answer = quotey.outbox_discard(operation, reason=reason)
    return Answer(data=answer, draw=lambda screen: draw_settled(screen, answer), next=answer.next)
