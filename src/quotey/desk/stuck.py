"""What keeps a connection from being in step, why, and which command helps: the gravest first.

Pure: it looks at facts that `status` gathered. Source: seed 6.2, 7.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from quotey.contract.counting import counted
from quotey.contract.drift import Parked
from quotey.contract.errors import Diagnostic, ErrorClass, ExitCode
from quotey.contract.journal import (
    ConnectionRow,
    ConnectionState,
    Hold,
    OpState,
    SyncDirection,
    SyncPhase,
    SyncState,
)
from quotey.contract.moments import LONGEST_LEASE, is_ahead, moment
from quotey.decide.retry import DEFAULTS

_SYNC = ("quotey crm sync",)
_MEND = ("quotey crm mapping check", "quotey crm doctor")


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not in step: what, why, and the commands that help.

    `exit_code` is what it ends a status with: 0 for what goes on by itself.
    """

    what: str
    why: str
    next: tuple[str, ...]
    exit_code: int = int(ExitCode.DONE)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a connection; `mapping_problem` is "" for a sound mapping.

    `database` is what should be looked after about the file itself.
    """

    connection: ConnectionRow
    states: tuple[SyncState, ...]
    outbox: Mapping[OpState, int]
    holds: Mapping[Hold, int]
    open_items: int
    now: datetime
    mapping_problem: str = ""
    parked: tuple[Parked, ...] = ()
    database: tuple[Diagnostic, ...] = ()


def stuck(facts: Facts) -> tuple[Stuck, ...]:
    """Give all that is not in step on one connection, the gravest first.

    While the mapping cannot be read, no step is a sync: each would end with that again.
    """
    found = _found(facts)
    return tuple(_without_sync(one) for one in found) if facts.mapping_problem else found


def _without_sync(one: Stuck) -> Stuck:
    steps = tuple(step for step in one.next if step not in _SYNC) or _MEND
    return msgspec.structs.replace(one, next=steps)


def _found(facts: Facts) -> tuple[Stuck, ...]:
    return (
        *_stopped(facts.connection),
        *_mapping(facts.mapping_problem),
        *_limited(facts.connection, facts.now),
        *(one for state in facts.states for one in _run(state, facts.connection, facts.now)),
        *_parked(facts.parked),
        *_held(facts.holds, facts.connection),
        *_dead(facts.outbox),
        *_items(facts.open_items),
        *_never(facts.states),
        *_due(facts.outbox, facts.mapping_problem),
        *(_file(one) for one in facts.database),
    )


def _file(remark: Diagnostic) -> Stuck:
    why = f"{remark.message.rstrip('.')}. {remark.fix.rstrip('.')}"
    return Stuck(what="the database needs a look", why=why, next=("quotey db check",))


def _stopped(row: ConnectionRow) -> tuple[Stuck, ...]:
    if row.state != ConnectionState.AUTH_STOPPED:
        return ()
    why = "the CRM refused our credentials; nothing is asked of it until they are renewed"
    steps = (f"quotey crm connect {row.provider}",)
    what = f"connection {row.name} is stopped"
    return (Stuck(what=what, why=why, next=steps, exit_code=int(ExitCode.REAUTH)),)


def _mapping(problem: str) -> tuple[Stuck, ...]:
    if not problem:
        return ()
    what = "the mapping cannot be read"
    why = f"{problem} Quotes and what is here can be used; nothing is read from the CRM or sent"
    return (Stuck(what=what, why=why, next=_MEND, exit_code=int(ExitCode.MAPPING)),)


def _parked(parked: tuple[Parked, ...]) -> tuple[Stuck, ...]:
    steps = ("quotey crm doctor", *_SYNC)
    return tuple(
        Stuck(what=f"{one.path} is parked", why=one.sentence, next=steps, exit_code=_PERSON)
        for one in parked
    )


def _limited(row: ConnectionRow, now: datetime) -> tuple[Stuck, ...]:
    until = row.rate_limited_until
    if row.state == ConnectionState.AUTH_STOPPED or until is None:
        return ()
    if not is_ahead(until, now, DEFAULTS.rate_cap):
        return ()
    why = f"it asked us to wait until {moment(until)}"
    return (Stuck(what="the CRM limits our requests", why=why, next=_SYNC),)


def _run(state: SyncState, row: ConnectionRow, now: datetime) -> tuple[Stuck, ...]:
    inbound = state.direction == SyncDirection.INBOUND
    what = f"reading of {state.entity}s" if inbound else "writing out"
    if row.state == ConnectionState.AUTH_STOPPED and state.error_class == ErrorClass.AUTH:
        return ()  # told once, by the connection
    if state.phase == SyncPhase.ERROR:
        why = f"{state.error_class or 'interrupted'}: {state.error} [{state.correlation_id}]"
        steps, code = _remedy(state.error_class, row)
        return (Stuck(what=f"{what} failed", why=why, next=steps, exit_code=code),)
    if state.phase == SyncPhase.SYNCING and not is_ahead(state.lease_until, now, LONGEST_LEASE):
        why = f"its run died; it goes on where it stopped [{state.correlation_id}]"
        return (Stuck(what=f"{what} was cut off", why=why, next=_SYNC),)
    return ()


def _remedy(error_class: ErrorClass | None, row: ConnectionRow) -> tuple[tuple[str, ...], int]:
    """Give what helps against a failed run, and what a status ends with because of it."""
    match error_class:
        case ErrorClass.AUTH:
            return (f"quotey crm connect {row.provider}",), int(ExitCode.REAUTH)
        case ErrorClass.MAPPING:
            return ("quotey crm mapping check", *_SYNC), int(ExitCode.NEEDS_PERSON)
        case ErrorClass.CONFLICT | ErrorClass.PERMANENT:
            return ("quotey crm doctor", *_SYNC), int(ExitCode.NEEDS_PERSON)
        case _:
            return _SYNC, int(ExitCode.DONE)


_PERSON = int(ExitCode.NEEDS_PERSON)
_HELD: dict[Hold, tuple[str, str, int]] = {
    Hold.AUTH: (
        "the connection has to be authorised again",
        "quotey crm connect {provider}",
        int(ExitCode.REAUTH),
    ),
    Hold.MAPPING: (
        "the mapping cannot write this until it is mended",
        "quotey crm mapping check",
        _PERSON,
    ),
    Hold.PARENT: ("what it belongs to is not in the CRM yet", "quotey crm sync", 0),
    Hold.OPERATOR: ("the CRM refused it; look", "quotey crm outbox list --state held", _PERSON),
}


def _held(holds: Mapping[Hold, int], row: ConnectionRow) -> tuple[Stuck, ...]:
    return tuple(_held_for(hold, holds[hold], row) for hold in Hold if holds.get(hold))


def _held_for(hold: Hold, count: int, row: ConnectionRow) -> Stuck:
    why, step, code = _HELD[hold]
    what = f"{counted(count, 'write is', 'writes are')} held ({hold})"
    steps = (step.format(provider=row.provider),)
    return Stuck(what=what, why=why, next=steps, exit_code=code)


def _dead(outbox: Mapping[OpState, int]) -> tuple[Stuck, ...]:
    dead = outbox.get(OpState.DEAD, 0)
    if not dead:
        return ()
    what = f"{counted(dead, 'write was', 'writes were')} given up"
    why = "tried as often as is allowed"
    steps = ("quotey crm outbox list --state dead",)
    return (Stuck(what=what, why=why, next=steps, exit_code=_PERSON),)


def _items(open_items: int) -> tuple[Stuck, ...]:
    if not open_items:
        return ()
    what = f"{counted(open_items, 'item waits', 'items wait')} for a person"
    steps = ("quotey crm reconcile list",)
    return (Stuck(what=what, why="no rule can settle this", next=steps, exit_code=_PERSON),)


def _never(states: tuple[SyncState, ...]) -> tuple[Stuck, ...]:
    """Say that nothing was ever read."""
    inbound = [state for state in states if state.direction == SyncDirection.INBOUND]
    if any(state.started_at for state in inbound):
        return ()
    return (Stuck(what="nothing was read yet", why="no sync has been run", next=_SYNC),)


def _due(outbox: Mapping[OpState, int], mapping_problem: str) -> tuple[Stuck, ...]:
    """Say that something only waits for a sync."""
    waiting = sum(outbox.get(state, 0) for state in (OpState.QUEUED, OpState.UNKNOWN))
    if not waiting:
        return ()
    what = f"{counted(waiting, 'write waits', 'writes wait')} to be sent"
    once = "once the mapping is mended, " if mapping_problem else ""
    return (Stuck(what=what, why=f"{once}the next sync sends what is due", next=_SYNC),)
