"""Draws what a sync did, or would do. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quotey.app.reports import Failure, PlannedRecord, SyncPlan, SyncReport
from quotey.cli.phrases import in_words
from quotey.cli.screen import Screen
from quotey.contract.counting import counted
from quotey.contract.drift import Parked
from quotey.contract.journal import Counts
from quotey.contract.sweep import SweepCounts

INBOUND = ("read", "created", "updated", "unchanged", "stale", "rejected", "conflicts", "gone")
OUTBOUND = ("delivered", "retried", "held", "superseded", "conflicts")


def draw_report(screen: Screen, report: SyncReport) -> None:
    """Draw what a sync did: figures first, then entities, then what went wrong."""
    total = _sum(one.counts for one in report.entities)
    screen.line(f"{_figures(total, INBOUND)}  [{report.correlation_id}]")
    screen.line(
        f"{_figures(report.outbound, OUTBOUND)}; {report.waiting:,} waiting, {report.held:,} held; "
        f"{counted(report.open_items, 'item')} open for a person"
    )
    if report.recovered or report.released:
        screen.line(f"{report.recovered} resumed after a crash, {report.released} released")
    screen.line()
    screen.table(
        ("entity", "state", *INBOUND),
        [
            (one.entity, one.phase, *(getattr(one.counts, name) for name in INBOUND))
            for one in report.entities
        ],
    )
    for one in report.entities:
        if one.sweep is not None:
            screen.line(swept(one.entity, one.sweep), style="warn" if one.sweep.missed else "")
    draw_parked(screen, report.parked)
    draw_failures(screen, report.failures)


def swept(entity: str, sweep: SweepCounts) -> str:
    """Say what a sweep met.

    >>> swept("deal", SweepCounts(listed=40, stale=1, unproven=2))
    'deal swept: 40 ids, 1 missed by reading (1 stale), 2 not listed and not known to be deleted'
    """
    causes = {"missing": sweep.missing, "stale": sweep.stale, "gone": sweep.gone}
    told = ", ".join(f"{number:,} {name}" for name, number in causes.items() if number)
    parts = [f"{counted(sweep.listed, 'id')}", f"{sweep.missed:,} missed by reading"]
    parts[-1] += f" ({told})" if told else ""
    if sweep.unproven:
        parts.append(f"{sweep.unproven:,} not listed and not known to be deleted")
    return f"{entity} swept: {', '.join(parts)}"


def draw_parked(screen: Screen, parked: Sequence[Parked]) -> None:
    """Draw the fields that do not flow because of how the CRM defines them, and why."""
    if parked:
        screen.line()
        screen.line(f"{counted(len(parked), 'field is', 'fields are')} parked", style="warn")
        for one in parked:
            screen.line(f"  {one.sentence}")


def draw_failures(screen: Screen, failures: Sequence[Failure]) -> None:
    """Draw each failure in the words of seed 7.3: what happened, what is safe, what next."""
    for failure in failures:
        screen.line()
        warning = in_words(failure.warning)
        screen.line(f"{warning}  [{failure.correlation_id}]", style="warn")
        for record in failure.records:
            screen.line(f"  not written: {record}")
        screen.line(f"  {failure.safe}")
        if failure.retry_at:
            screen.pairs([("  tried again from", failure.retry_at)])


def draw_plan(screen: Screen, plan: SyncPlan) -> None:
    """Draw what a sync would do, record by record and field by field, with the rules."""
    total = _sum(plan.counts.values())
    calls = counted(plan.calls, "call")
    screen.line(f"A sync would: {_figures(total, INBOUND)}; {calls}  [nothing written]")
    for sentence in plan.mass_change:
        screen.line(sentence, style="warn")
    for record in plan.records:
        _draw_record(screen, record)
    if plan.operations:
        screen.line()
        screen.table(
            ("operation", "for", "state", "would", "why"),
            [
                (one.id, f"{one.entity}/{one.entity_id}", one.state, one.action, one.sentence)
                for one in plan.operations
            ],
        )
    draw_parked(screen, plan.parked)
    draw_failures(screen, plan.failures)


def _draw_record(screen: Screen, record: PlannedRecord) -> None:
    screen.line()
    name = " ".join(filter(None, (record.entity_id, f"(crm {record.crm_ref})")))
    called = f'  "{record.name}"' if record.name else ""
    clash = f"  conflicts: {', '.join(record.conflicts)}" if record.conflicts else ""
    screen.line(f"{record.action} {record.entity}/{name}{called}{clash}", style="bold")
    for problem in record.problems:
        screen.line(f"  {problem}", style="warn")
    screen.table(
        ("  field", "local", "crm", "result", "rule"),
        [
            (f"  {one.field}", one.local, one.remote, one.result, one.sentence)
            for one in record.fields
        ],
    ) if record.fields else None


def _sum(counts: Iterable[Counts]) -> Counts:
    total = Counts()
    for one in counts:
        total.add(one)
    return total


_SINGULAR = {"conflicts": "conflict"}


def _figures(counts: Counts, names: Sequence[str]) -> str:
    """Write the figures that matter; zero is left out but for the first."""
    told = [
        counted(getattr(counts, name), _SINGULAR.get(name, name), name)
        for number, name in enumerate(names)
        if number == 0 or getattr(counts, name)
    ]
    return ", ".join(told)
