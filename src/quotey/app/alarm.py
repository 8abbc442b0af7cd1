"""The alarm: that the audit was found broken is told in the log and is an event itself.

What was found is the affair of the check that calls; nothing is judged or mended here. Whoever
cut or changed the audit cannot unsay what has left with the log. Source: reliability SEC-40.
"""

from __future__ import annotations

from collections.abc import Sequence

from quotey.app.wiring import House
from quotey.contract.errors import Diagnostic, StoreBusyError, StoreError
from quotey.contract.journal import AuditEvent

KIND = "audit.broken"
ALARMING = frozenset({"audit_broken", "database_altered"})
"""Codes of what a check finds only after somebody has been at the file."""


def tell_of(house: House, problems: Sequence[Diagnostic]) -> None:
    """Tell of what a check of the database found, where it is of the alarming kind."""
    told = tuple(one.message for one in problems if one.code in ALARMING)
    if told:
        tell(house, told)


def tell(house: House, problems: Sequence[str]) -> None:
    """Tell in the log, and note as an event where the database still takes one. Raises nothing.

    May be called again: a check that is repeated adds no event while none but the alarm is new, or
    the newest alarm says the same.
    """
    import structlog

    correlation_id = house.correlation_id()
    house.log_under(correlation_id)
    log = structlog.get_logger()
    log.error("audit broken", problems=list(problems))
    try:
        _note(house, correlation_id, problems)
    except (StoreError, StoreBusyError) as error:
        why = error.message
        log.error("the alarm is not in the audit", why=why)  # noqa: TRY400 - no steps of ours


def _note(house: House, correlation_id: str, problems: Sequence[str]) -> None:
    audit = house.desk.audit
    with house.desk.transaction("alarm"):
        newest, alarms = audit.list(limit=1), audit.list(kind=KIND, limit=1)
        said = [event.body.get("problems") for event in alarms]
        if newest == alarms != () or said == [list(problems)]:
            return
        event = AuditEvent(
            kind=KIND,
            at=house.now(),
            actor=house.settings.actor,
            correlation_id=correlation_id,
            mode=house.mode,
            body={"problems": list(problems)},
        )
        audit.append([event])
