"""`quotey crm`: status, sync, plan, watch, explain, locks, audit.

Each function is one command: it asks the façade once and says how to draw the answer.
"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from quotey.cli.answer import Answer, Injected
from quotey.cli.draw_explanation import draw_explanation
from quotey.cli.draw_records import draw_audit, draw_lock, draw_locks
from quotey.cli.draw_status import draw_status
from quotey.cli.draw_sync import draw_plan, draw_report
from quotey.cli.progress import Show
from quotey.cli.screen import Screen
from quotey.contract.counting import counted
from quotey.contract.errors import ExitCode, UsageError
from quotey.contract.fields import Entity

Entities = Annotated[
    tuple[Entity, ...], Parameter(name=("--entity",), help="only this one; may be repeated")
]


def status(
    *,
    quotey: Injected,
    crm: Annotated[bool, Parameter(help="ask how the account stands: state, scopes, end")] = False,
) -> Answer:
    """Say whether we are in step with the CRM, what is not, and what helps. The CRM is not asked.

    It ends with 0 when all goes on by itself, with 3 when a person is needed, with 4 when the CRM
    has to be authorised again, and with 5 while the mapping cannot be read.

    $ quotey crm status
    """
    answer = quotey.status(crm=crm)
    return Answer(
        data=answer,
        draw=lambda screen: draw_status(screen, answer),
        exit_code=answer.exit_code,
        next=answer.next,
    )


def sync(
    *,
    quotey: Injected,
    dry_run: Annotated[bool, Parameter(help="show what would be done, write nothing")] = False,
    entity: Entities = (),
    accept_mass_change: Annotated[
        bool, Parameter(help="go on although much would change at once")
    ] = False,
    sweep: Annotated[
        bool, Parameter(help="list every id now, and bring what reading had missed")
    ] = False,
    progress: Show = None,
) -> Answer:
    """Read what changed in the CRM, then send what is due, then stop.

    Once a day it also sweeps: all ids are listed and compared, and what reading had missed is
    brought in and counted. It ends with exit code 3 while something waits for a person.

    $ quotey crm sync
    $ quotey crm sync --dry-run
    $ quotey crm sync --sweep
    """
    if dry_run and sweep:
        raise UsageError("A sweep cannot be shown without being done: leave out one of the two.")
    if dry_run:
        return plan(quotey=quotey, entity=entity, progress=progress)
    report = quotey.sync(
        entities=entity, accept_mass_change=accept_mass_change, sweep=sweep, progress=progress
    )
    return Answer(
        data=report,
        draw=lambda screen: draw_report(screen, report),
        exit_code=report.exit_code,
        next=_after_sync(report.failures, report.open_items),
    )


def _after_sync(failures: object, open_items: int) -> tuple[str, ...]:
    steps: list[str] = []
    for failure in failures if isinstance(failures, tuple) else ():
        steps.extend(step for step in failure.next if step not in steps)
    if open_items and "quotey crm reconcile list" not in steps:
        steps.append("quotey crm reconcile list")
    return tuple(steps)


def plan(*, quotey: Injected, entity: Entities = (), progress: Show = None) -> Answer:
    """Show what a sync would do, field by field, with the rule that decides. Writes nothing.

    $ quotey crm plan
    $ quotey crm plan --entity deal
    """
    answer = quotey.plan(entities=entity, progress=progress)
    return Answer(
        schema=("crm", "plan"),
        data=answer,
        draw=lambda screen: draw_plan(screen, answer),
        exit_code=answer.exit_code,
        next=_after_sync(answer.failures, 0),
    )


def watch(
    *,
    quotey: Injected,
    every: Annotated[
        str, Parameter(help="pause between two rounds, as 30s (default) or 5m")
    ] = "30s",
    rounds: Annotated[int | None, Parameter(help="stop after so many; default: never")] = None,
    progress: Show = None,
) -> Answer:
    """Sync again and again until it is interrupted (Ctrl-C ends it between two rounds).

    $ quotey crm watch --every 5m
    $ quotey crm watch --rounds 3
    """
    watched = quotey.watch(every=every, rounds=rounds, progress=progress)
    report = watched.last

    def draw(screen: Screen) -> None:
        screen.line(counted(watched.rounds, "round"))
        if report:
            draw_report(screen, report)

    return Answer(
        data=watched,
        draw=draw,
        exit_code=report.exit_code if report else ExitCode.DONE,
        next=_after_sync(report.failures, report.open_items) if report else (),
    )


def explain(
    record: Annotated[str, Parameter(help="<entity>/<id>, ours or the CRM's")],
    field: Annotated[str | None, Parameter(help="one field; default: all")] = None,
    /,
    *,
    quotey: Injected,
) -> Answer:
    """Say who set a value, when and by which rule, what lost, and what waits.

    Of a quote it tells the versions and what was written; of a record in quarantine, why.

    $ quotey crm explain deal/deal_1f2e3d4c5b6a7988 stage
    $ quotey crm explain account/A-1001
    $ quotey crm explain quote/q_1f2e3d4c5b6a7988
    """
    answer = quotey.explain(record, field)
    return Answer(
        data=answer, draw=lambda screen: draw_explanation(screen, answer), next=answer.next
    )


def lock(
    record: Annotated[str, Parameter(help="<entity>/<id>, ours or the CRM's")],
    field: Annotated[str, Parameter(help="the field to freeze")],
    /,
    *,
    quotey: Injected,
    for_: Annotated[str, Parameter(name="--for", help="how long, as 90m, 48h or 2d")],
    reason: Annotated[str, Parameter(help="why; it goes into the audit")],
) -> Answer:
    """Freeze one field for a time: what the CRM says of it then waits for a person.

    $ quotey crm lock deal/D-1001 stage --for 48h --reason "contract at legal"
    """
    answer = quotey.lock(record, field, span=for_, reason=reason)
    return Answer(data=answer, draw=lambda screen: draw_lock(screen, answer))


def unlock(
    record: Annotated[str, Parameter(help="<entity>/<id>, ours or the CRM's")],
    field: Annotated[str, Parameter(help="the frozen field")],
    /,
    *,
    quotey: Injected,
) -> Answer:
    """End a lock before its time.

    $ quotey crm unlock deal/D-1001 stage
    """
    answer = quotey.unlock(record, field)
    return Answer(
        data=answer,
        draw=lambda screen: screen.line(
            f"The lock on {answer.entity}/{answer.entity_id} {answer.field} has ended."
        ),
        next=("quotey crm sync",),
    )


def locks(*, quotey: Injected) -> Answer:
    """List the locks that stand, those that end first at the top.

    $ quotey crm locks
    """
    answer = quotey.locks()
    return Answer(data=answer, draw=lambda screen: draw_locks(screen, answer))


def audit(  # noqa: PLR0913 - one filter each
    record: Annotated[str | None, Parameter(help="<entity>/<id>; default: all")] = None,
    /,
    *,
    quotey: Injected,
    correlation_id: Annotated[str | None, Parameter(help="only this run or command")] = None,
    kind: Annotated[str | None, Parameter(help="only this kind; may end in *")] = None,
    limit: Annotated[int, Parameter(help="how many, newest first; default: 50")] = 50,
    body: Annotated[bool, Parameter(help="the whole body of each event, as JSON")] = False,
    verify: Annotated[bool, Parameter(help="check the whole chain instead")] = False,
    head: Annotated[str | None, Parameter(help="check it, up to a head that was noted")] = None,
) -> Answer:
    """List what was done, newest first, or check that nobody changed the list.

    A list that was changed is noted in it as an event, and told on stderr.

    $ quotey crm audit deal/D-1001
    $ quotey crm audit --correlation-id c_7f3a0b12
    $ quotey crm audit --verify
    """
    if verify or head is not None:
        report = quotey.audit_verify(head)
        words = (
            f"The chain of {counted(report.events, 'event')} is whole. Head: {report.head}"
            if report.ok
            else f"The chain is broken at event {report.broken_at}: {report.problem}"
        )
        return Answer(
            data=report,
            draw=lambda screen: screen.line(words, style="" if report.ok else "bad"),
            exit_code=ExitCode.DONE if report.ok else ExitCode.DATABASE,
        )
    answer = quotey.audit_list(record=record, correlation_id=correlation_id, kind=kind, limit=limit)
    return Answer(data=answer, draw=lambda screen: draw_audit(screen, answer, body=body))
