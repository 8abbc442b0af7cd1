"""Draws a mapping, its check, and a trial on a payload."""

from __future__ import annotations

from quotey.app.mapping import MappingCheck, MappingTable, Trial
from quotey.cli.draw_records import compact
from quotey.cli.screen import Screen
from quotey.contract.counting import counted
from quotey.contract.errors import Diagnostic


def draw_mapping(screen: Screen, table: MappingTable) -> None:
    """Draw one row per field, then what v1 leaves out."""
    screen.line(
        f"{counted(len(table.fields), 'field')} of {table.provider}, connection {table.connection}"
    )
    screen.pairs(
        [
            ("fingerprint", table.fingerprint),
            ("own file", table.own_file or "none; the shipped mapping is used"),
            ("quotes go to", table.quote_target),
            ("default currency", table.default_currency),
            *((f"{entity} is", name) for entity, name in table.objects.items()),
        ]
    )
    screen.line()
    screen.table(
        ("field", "in the CRM", "type", "need", "direction", "policy", "transform", "default"),
        [
            (
                f"{one.entity}.{one.field}",
                one.path,
                one.type,
                one.need,
                one.direction,
                f"{one.policy} {one.strategy}" if one.strategy else one.policy,
                one.transform or "-",
                one.default,
            )
            for one in table.fields
        ],
    )
    if table.backlog:
        screen.line()
        many = counted(len(table.backlog), "field is", "fields are")
        screen.line(f"{many} left out of this version:")
        screen.table(("field", "reason"), [(one.field, one.reason) for one in table.backlog])


def draw_check(screen: Screen, check: MappingCheck) -> None:
    """Draw whether a mapping is sound, and every problem."""
    if check.sound:
        screen.line(f"{check.file} is sound. Fingerprint {check.fingerprint}")
        return
    screen.line(f"{counted(len(check.problems), 'problem')} in {check.file}. Nothing was changed.")
    draw_problems(screen, check.problems)


def draw_trial(screen: Screen, trial: Trial) -> None:
    """Draw the DTO that a payload becomes, or why it is rejected."""
    if trial.dto is None:
        many = counted(len(trial.diagnostics), "problem")
        screen.line(f"Rejected as {trial.entity}: {many}.", style="warn")
    else:
        screen.line(f"Accepted as {trial.entity}.")
        inner = ("diagnostics", "extras", "custom")
        screen.pairs([(name, value) for name, value in trial.dto.items() if name not in inner])
        for name in ("custom", "extras"):
            screen.pairs([(name, compact(trial.dto[name]))] if trial.dto.get(name) else [])
    draw_problems(screen, trial.diagnostics)


def draw_problems(screen: Screen, problems: tuple[Diagnostic, ...]) -> None:
    """Draw problems, one a line: where, what, how to mend it."""
    for one in problems:
        where = f"line {one.line}: " if one.line else ""
        fix = f"  {one.fix}" if one.fix else ""
        screen.line(f"  {one.severity}: {where}{one.message}{fix}")
