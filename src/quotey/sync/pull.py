"""Reading one entity: pages in, each applied in its own transaction together with its cursor.

The states move by the table of seed 6.2 and by no other way. Source: laws 1, 7, 8, 11; reliability
2.C.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import structlog

from quotey.contract.adapter import INVALID_CURSOR, Call
from quotey.contract.dto import CrmSyncResultDto
from quotey.contract.errors import Diagnostic, ErrorClass, RemoteFailure, Severity
from quotey.contract.fields import Entity
from quotey.contract.journal import Counts, RecordState, SyncDirection, SyncState
from quotey.decide.inbound import MassCounts, mass_change
from quotey.sync import changes, door, mass, parking, states
from quotey.sync.carry import carry_out, keep_unread
from quotey.sync.door import note
from quotey.sync.ports import Run
from quotey.sync.trail import Trail

log = structlog.get_logger()


class MassChangeError(Exception):
    """The next page would change more than may pass without a person (law 11)."""


class Reading(msgspec.Struct, kw_only=True):
    """One entity while it is read; `state` is what is stored, and moves with every page.

    `mirrored` is what stood here when the run began; `full` that it began at the beginning;
    `cursor_lost` that it had to, because the source did not know the cursor any more.
    """

    state: SyncState
    mirrored: int
    full: bool
    trail: Trail
    accept_mass_change: bool = False
    cursor_lost: bool = False


def start(run: Run, entity: Entity, *, accept_mass_change: bool = False) -> Reading:
    """Take the entity into work.

    When the entity's mapping changed, everything is read again; base and values stay. Raises
    `HeldElsewhereError` while another run holds it.
    """
    fingerprint = parking.fingerprint(run, entity)
    state = states.take(run, entity, SyncDirection.INBOUND, fingerprint=fingerprint)
    known = run.store.records.count_by_state(run.connection, entity)
    return Reading(
        state=state,
        mirrored=known[RecordState.LIVE],
        full=not state.cursor,
        trail=blank_trail(run, entity),
        accept_mass_change=accept_mass_change,
    )


def pull(run: Run, reading: Reading) -> None:
    """Read pages until there are no more, and apply each; `reading.state` tells how far it came.

    Raises `RemoteFailure` when the CRM cannot be read, `MassChangeError` when a person has to look,
    `LeaseLostError` when another run has taken over. What was applied before stays applied.
    """
    more = True
    while more:
        page = read_page(run, reading)
        apply_page(run, reading, page)
        run.show("read", str(reading.state.entity), reading.state.counts.read)
        run.breathe()
        more = page.has_more


def read_page(run: Run, reading: Reading) -> CrmSyncResultDto:
    """Ask for the page after the cursor, and refuse one that does not keep the contract.

    A cursor that the source does not know any more is given up, once in a run, and the entity is
    read from its beginning; what is mirrored stays.
    """
    entity, cursor = reading.state.entity, reading.state.cursor
    try:
        page = ask_page(run, entity, cursor, renew=lambda: renew(run, reading))
    except RemoteFailure as failed:
        if reading.full or not is_cursor_lost(failed):
            raise
        _begin_anew(run, reading, failed)
        return read_page(run, reading)
    reading.trail.follow(cursor, page.next_cursor, brought=brought(page), more=page.has_more)
    return page


def blank_trail(run: Run, entity: Entity) -> Trail:
    """Begin a trail within the limits of the run."""
    return Trail(entity, patience=run.limits.same_cursor, most_empty=run.limits.empty_pages)


def brought(page: CrmSyncResultDto) -> int:
    """Count what a page tells of: records, and those that could not be read."""
    return len(page.records) + len(page.failures)


def ask_page(
    run: Run, entity: Entity, cursor: str, *, renew: Callable[[], None] | None = None
) -> CrmSyncResultDto:
    """Ask for one page, a few times when the trouble is passing. Raises `RemoteFailure`."""
    limit = run.ports.adapter.capabilities.page_size

    def request(call: Call) -> CrmSyncResultDto:
        page = run.ports.adapter.sync_incremental(entity, cursor, limit=limit, call=call)
        return whole(page, entity)

    return door.read(run, request, renew=renew)


def is_cursor_lost(failed: RemoteFailure) -> bool:
    """Whether the source says that it does not know the cursor any more."""
    return any(one.code == INVALID_CURSOR for one in failed.diagnostics)


def _begin_anew(run: Run, reading: Reading, failed: RemoteFailure) -> None:
    lost, reading.full, reading.cursor_lost = reading.state, True, True
    reading.trail.forget()
    anew = msgspec.structs.replace(lost, cursor="", lease_until=run.lease_until())
    with run.store.transaction("begin anew"):
        run.store.sync_state.put(anew)
        note(
            run, "sync.cursor_lost", entity=lost.entity, cursor=lost.cursor, message=failed.message
        )
    reading.state = anew


def whole(page: CrmSyncResultDto, entity: Entity) -> CrmSyncResultDto:
    """Give the page if it carries its own end marker: half a page must never move a cursor.

    Raises `RemoteFailure`, transient for a page that was cut off.
    """
    if page.entity != entity:
        raise RemoteFailure(
            f"The CRM answered {page.entity} where {entity} was asked.",
            error_class=ErrorClass.PERMANENT,
        )
    if not page.complete:
        raise RemoteFailure(
            f"A page of {entity} was cut off. Nothing of it was taken.",
            error_class=ErrorClass.TRANSIENT,
        )
    return page


def renew(run: Run, reading: Reading) -> None:
    """Hold the lease for longer. Raises `LeaseLostError` when another run has taken over."""
    reading.state = states.renew(run, reading.state)


def apply_page(run: Run, reading: Reading, page: CrmSyncResultDto) -> None:
    """Apply one page whole, or not at all: records, audit, items, quarantine, and the cursor."""
    entity = reading.state.entity
    seen, unchanged = changes.gather(run, entity, page.records)
    with run.store.transaction("page"):
        judged = changes.judge(run, entity, seen)
        counts = changes.tally(judged, unchanged)
        counts.rejected += len(page.failures)
        counts.add(reading.state.counts)
        guard_mass(run, reading, counts, ended=not page.has_more)
        counts.conflicts += carry_out(run, entity, judged)
        keep_unread(run, entity, page.failures)
        state = msgspec.structs.replace(
            reading.state,
            cursor=page.next_cursor,
            counts=counts,
            lease_until=run.lease_until(),
            diagnostics=_most_telling(reading.state, judged),
        )
        run.store.sync_state.put(state)
    reading.state = state


def guard_mass(run: Run, reading: Reading, counts: Counts, *, ended: bool) -> None:
    """Stop before more is changed than may pass (law 11). Raises `MassChangeError`."""
    if reading.accept_mass_change:
        return
    why = mass_change(
        MassCounts(
            mirrored=reading.mirrored,
            touched=counts.read + counts.rejected,
            gone=counts.gone,
            changed=counts.updated,
            full=reading.full and ended,
        ),
        run.limits.mass,
    )
    if why is not None:
        raise MassChangeError(why)


MOST_DIAGNOSTICS = 20
"""How many diagnostics a state row keeps; the rest stand in quarantine and in the items."""


def _most_telling(state: SyncState, judged: list[changes.Judged]) -> tuple[Diagnostic, ...]:
    """Keep the first diagnostics of a run, each with the record that it speaks of (seed 3.3).

    Notes stay with the DTO: a field that the source does not give would crowd out what is wrong.
    """
    found = [*state.diagnostics]
    for one in judged:
        if len(found) >= MOST_DIAGNOSTICS:
            break
        ref = one.seen.record.crm_ref
        found += [
            problem if problem.crm_ref else msgspec.structs.replace(problem, crm_ref=ref)
            for problem in one.plan.diagnostics
            if problem.severity is not Severity.NOTE
        ]
    return tuple(found[:MOST_DIAGNOSTICS])


def succeed(run: Run, reading: Reading) -> None:
    """Bring the entity to rest: `syncing -> idle`."""
    with run.store.transaction("succeed"):
        state = states.rested(run, reading.state)
        mass.settled(run, state.entity, accepted=reading.accept_mass_change)
    reading.state = state  # not before the commit: one that fails leaves it at work
    log.info(
        "entity read",
        cid=run.correlation_id,
        entity=str(reading.state.entity),
        read=reading.state.counts.read,
    )


def fail(run: Run, reading: Reading, error_class: ErrorClass, message: str) -> None:
    """Stop: `syncing -> error`, with the class of the failure and the correlation id."""
    with run.store.transaction("fail"):
        state = states.failed(run, reading.state, error_class, message)
    reading.state = state
    log.warning(
        "entity not read",
        cid=run.correlation_id,
        entity=str(reading.state.entity),
        error_class=str(error_class),
    )
