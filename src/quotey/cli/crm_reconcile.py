"""`quotey crm reconcile`: what only a person can settle: list, show, apply, defer, undo."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from quotey.app.reconcile import ApplyReport, Decision, ItemFilter
from quotey.cli.answer import Answer, Injected
from quotey.cli.draw_items import draw_applied, draw_item, draw_list, draw_undone
from quotey.contract.errors import ExitCode, UsageError
from quotey.contract.fields import Policy
from quotey.contract.reconciliation import ItemState

Id = Annotated[str, Parameter(help="the item's id, as `reconcile list --each` shows it")]
Type = Annotated[str | None, Parameter(name="--type", help="only this conflict type")]
About = Annotated[
    str | None, Parameter(name="--entity", help="only this entity, as deal or deal/<id>")
]
Field = Annotated[str | None, Parameter(help="only this field, as stage")]
Cause = Annotated[str | None, Parameter(name="--cause", help="only this cause, as listed")]
Older = Annotated[str | None, Parameter(help="only older than this, as 2d")]


def list_(  # noqa: PLR0913 - one filter each
    *,
    quotey: Injected,
    each: Annotated[bool, Parameter(help="one by one instead of by cause")] = False,
    type_: Type = None,
    entity: About = None,
    field: Field = None,
    cause: Cause = None,
    older_than: Older = None,
    state: Annotated[
        tuple[ItemState, ...], Parameter(help="open, deferred or resolved; default: open")
    ] = (ItemState.OPEN,),
    limit: Annotated[int, Parameter(help="how many, with --each; default: 100")] = 100,
) -> Answer:
    """List what waits for a person: counted by cause, or one by one.

    $ quotey crm reconcile list
    $ quotey crm reconcile list --each --entity deal
    """
    wanted = _filter(type_, entity, field, cause, older_than, state)
    answer = quotey.reconcile_list(wanted, each=each, limit=limit)
    more = () if each or not answer.total else ("quotey crm reconcile list --each",)
    return Answer(data=answer, draw=lambda screen: draw_list(screen, answer), next=more)


def show(item: Id, /, *, quotey: Injected) -> Answer:
    """Show one item: the values, the record, what keeps it open, the commands that help.

    $ quotey crm reconcile show r_1f2e3d4c5b6a7988
    """
    answer = quotey.reconcile_show(item)
    return Answer(
        data=answer,
        draw=lambda screen: draw_item(screen, answer),
        next=quotey.reconcile_ways(answer.item, undoable=answer.undoable),
        diagnostics=answer.reasons,
    )


def apply(  # noqa: PLR0913 - the decision, and one filter each
    item: Annotated[str | None, Parameter(help="one item; without it the filters choose")] = None,
    /,
    *,
    quotey: Injected,
    policy: Annotated[
        Policy | None,
        Parameter(help="whose value stands", name_transform=str.lower),  # as the words stand
    ] = None,
    value: Annotated[str | None, Parameter(help="a value set by hand")] = None,
    rebind: Annotated[bool, Parameter(help="let the record lead to another of the CRM")] = False,
    dry_run: Annotated[bool, Parameter(help="show what would be done, write nothing")] = False,
    yes: Annotated[bool, Parameter(help="with filters: do it, do not only show it")] = False,
    type_: Type = None,
    entity: About = None,
    field: Field = None,
    cause: Cause = None,
    older_than: Older = None,
) -> Answer:
    """Settle one item, or with filters many: shown first, done with --yes.

    Ends with exit code 3 when a rule forbids a decision, and when many were only shown.

    $ quotey crm reconcile apply r_1f2e3d4c5b6a7988 --policy crm_wins
    $ quotey crm reconcile apply r_1f2e3d4c5b6a7988 --value 15000.00 --dry-run
    $ quotey crm reconcile apply --policy crm_wins --type undecided_merge --field amount --yes
    """
    decision = Decision(policy=policy, value=value, rebind=rebind)
    wanted = _filter(type_, entity, field, cause, older_than, (ItemState.OPEN,))
    if item is not None:
        if not wanted.is_empty:
            raise UsageError("Name one item, or filters, not both. Nothing was changed.")
        return _applied(quotey.reconcile_apply(item, decision, dry_run=dry_run), asked=dry_run)
    report = quotey.reconcile_apply_all(wanted, decision, dry_run=dry_run or not yes)
    return _applied(report, asked=dry_run)


def _applied(report: ApplyReport, *, asked: bool) -> Answer:
    only_shown = report.dry_run and not asked and bool(report.rows)
    needs_person = only_shown or report.refused
    steps = [step for row in report.rows for step in row.next]
    if any(row.outcome == "applied" for row in report.rows):
        steps.append("quotey crm sync")
    return Answer(
        data=report,
        draw=lambda screen: draw_applied(screen, report, only_shown=only_shown),
        exit_code=ExitCode.NEEDS_PERSON if needs_person else ExitCode.DONE,
        next=tuple(dict.fromkeys(steps)),
    )


def defer(
    item: Id,
    /,
    *,
    quotey: Injected,
    for_: Annotated[str, Parameter(name="--for", help="how long, as 24h, or until when")],
) -> Answer:
    """Put an item off; it opens again by itself.

    $ quotey crm reconcile defer r_1f2e3d4c5b6a7988 --for 24h
    """
    answer = quotey.reconcile_defer(item, for_)
    return Answer(
        data=answer,
        draw=lambda screen: screen.pairs([(f"{answer.id} waits until", answer.deferred_until)]),
    )


def undo(item: Id, /, *, quotey: Injected) -> Answer:
    """Take a decision back, while nothing of it has been sent.

    $ quotey crm reconcile undo r_1f2e3d4c5b6a7988
    """
    answer = quotey.reconcile_undo(item)
    return Answer(data=answer, draw=lambda screen: draw_undone(screen, answer))


def _filter(
    type_: str | None,
    entity: str | None,
    field: str | None,
    cause: str | None,
    older_than: str | None,
    states: tuple[ItemState, ...],
) -> ItemFilter:
    is_record = entity is not None and "/" in entity
    return ItemFilter(
        states=states,
        conflict_type=type_,
        entity=None if is_record else entity,
        reference=entity if is_record else None,
        field=field,
        detail=cause,
        older_than=older_than,
    )
