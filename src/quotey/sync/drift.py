"""Looking how the CRM defines what the mapping uses: parking what broke, releasing what is mended.

What is affected is decided in `quotey.decide.drift`. A look that fails is no reason not to sync.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import structlog

from quotey.contract.adapter import Call, Surveying
from quotey.contract.drift import (
    KeptSchema,
    MappedProperty,
    Parked,
    Survey,
    parked_fingerprint,
    schema_fingerprint,
)
from quotey.contract.errors import Diagnostic, ErrorClass, RemoteFailure
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.journal import Hold, RecordState, SyncDirection, SyncPhase
from quotey.contract.reconciliation import ConflictType, ItemState
from quotey.decide.drift import (
    Difference,
    changes,
    compare,
    item_of,
    not_read,
    parked_by,
    unconfirmed,
)
from quotey.decide.items import WHOLE_RECORD
from quotey.sync import door, items
from quotey.sync.door import note
from quotey.sync.enqueue import reassert
from quotey.sync.ports import Run

log = structlog.get_logger()

MENDED = "The CRM defines the property again as the mapping needs it, or is not asked for it."

SMELLS = (ErrorClass.MAPPING, ErrorClass.PERMANENT)
"""Failures that a changed definition may be behind."""


class UnconfirmedError(Exception):
    """The CRM does not confirm what the adapter promises of it, so nothing is sent or read."""

    def __init__(self, found: Sequence[Diagnostic]) -> None:
        told = " ".join(f"{one.message} {one.fix}".strip() for one in found)
        super().__init__(f"The CRM does not confirm what is promised of it: {told}")
        self.found = tuple(found)


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What a look found: the survey, and what it parked and released."""

    survey: Survey
    difference: Difference

    @property
    def parked(self) -> tuple[Parked, ...]:
        """What was parked by this look."""
        return self.difference.parked


def is_due(run: Run) -> bool:
    """Whether the last look is too long ago, or was through another mapping."""
    every = run.limits.examine_every
    if every is None:
        return False
    kept = run.store.schemas.kept(run.connection).values()
    known, fingerprint = {one.entity for one in kept}, run.ports.mapping.fingerprint
    oldest = run.now() - every
    return known != set(run.readable()) or any(
        one.examined_at <= oldest or one.mapping_fingerprint != fingerprint for one in kept
    )


def calls(run: Run) -> int:
    """Say how many requests the look of the next sync takes."""
    adapter = run.ports.adapter
    return adapter.survey_calls if isinstance(adapter, Surveying) and is_due(run) else 0


def on_suspicion(run: Run) -> Looked | None:
    """Look because something smells of another definition, unless looking is switched off."""
    return None if run.limits.examine_every is None else look(run, anyhow=True)


def look(run: Run, *, anyhow: bool = False) -> Looked | None:
    """Look when it is due, or `anyhow`; None when the CRM was not asked or did not tell.

    Raises `UnconfirmedError` when it is the first look and a promise is not kept.
    """
    adapter = run.ports.adapter
    if not isinstance(adapter, Surveying) or not (anyhow or is_due(run)):
        return None
    survey = _asked(run, adapter)
    return None if survey is None else heed(run, survey)


def _asked(run: Run, adapter: Surveying) -> Survey | None:
    """Ask once. That we may not see definitions stops nobody, so it is not learned at the door."""

    def request(call: Call) -> Survey | RemoteFailure:
        try:
            return adapter.survey(call=call)
        except RemoteFailure as failed:
            if failed.error_class is ErrorClass.RATE_LIMIT:
                raise
            return failed

    try:
        answer = door.ask(run, request, timeout=run.limits.read_timeout)
    except RemoteFailure as closed:
        answer = closed
    if isinstance(answer, Survey):
        return answer
    log.warning("schema not examined", cid=run.correlation_id, why=str(answer.error_class))
    return None


def heed_if_allowed(run: Run, survey: Survey) -> tuple[Parked, ...]:
    """Heed a survey that a person asked for, and give all that is parked then.

    Raises as `heed`. Where looking is switched off nothing would be released by itself again, so
    nothing is parked either.
    """
    if run.limits.examine_every is not None:
        heed(run, survey)
    return run.store.schemas.parked(run.connection)


def heed(run: Run, survey: Survey) -> Looked:
    """Compare a survey with what was seen before, and park and release, all or nothing.

    Raises `UnconfirmedError`; then nothing is kept, and the next look is a first one too.
    """
    with run.store.transaction("schema"):
        kept = run.store.schemas.kept(run.connection)
        if not kept and (found := unconfirmed(run.ports.adapter.capabilities.tier, survey)):
            raise UnconfirmedError(found)
        before = tuple(one for schema in kept.values() for one in schema.properties)
        standing = run.store.schemas.parked(run.connection)
        now = parked_by(survey, before, standing, connection=run.connection, now=run.now())
        difference = compare(standing, now)
        _keep(run, survey, before)
        _park(run, standing, now, difference)
    if difference.parked or difference.released:
        log.warning(
            "schema changed",
            cid=run.correlation_id,
            parked=[one.path for one in difference.parked],
            released=[one.path for one in difference.released],
        )
    return Looked(survey=survey, difference=difference)


def _keep(run: Run, survey: Survey, before: Sequence[MappedProperty]) -> None:
    for entity in run.readable():
        properties = tuple(one for one in survey.properties if one.entity is entity)
        run.store.schemas.keep(
            KeptSchema(
                connection=run.connection,
                entity=entity,
                fingerprint=schema_fingerprint(properties),
                mapping_fingerprint=run.ports.mapping.fingerprint,
                properties=properties,
                examined_at=run.now(),
            )
        )
    told = changes(before, survey.properties)
    if told:
        note(run, "schema.changed", changes=list(told))


def _park(
    run: Run, standing: Sequence[Parked], now: Sequence[Parked], difference: Difference
) -> None:
    run.store.schemas.park(run.connection, now)
    for entity in run.readable():
        _keep_place(run, entity, standing, now)
    for one in difference.parked:
        items.record(run, item_of(one))
        _note(run, "schema.parked", one)
    gone = {(one.entity, one.field) for one in standing} - {(one.entity, one.field) for one in now}
    for one in difference.released:
        if (one.entity, one.field) in gone:
            _close(run, one)
        sent = _send_left_out(run, one)
        _note(run, "schema.released", one, queued=sent)
    if difference.released:
        run.store.outbox.release(run.connection, Hold.MAPPING)


def _note(run: Run, kind: str, one: Parked, **more: object) -> None:
    since = door.moment(one.since)
    body = {"field": one.field, "why": one.why, "was": one.was, "since": since, **more}
    told = door.event(run, kind, entity=one.entity, entity_id="", body=body)
    run.store.audit.append([told])


def _keep_place(
    run: Run, entity: Entity, standing: Sequence[Parked], now: Sequence[Parked]
) -> None:
    """Let reading go on where it is when less is read than before.

    When a field is read again everything is read anew, by the fingerprint that is another one.
    """
    before, after = not_read(standing, entity), not_read(now, entity)
    if before == after or not before <= after:
        return
    mapping = run.mapped(entity).fingerprint
    state = run.store.sync_state.get(run.connection, entity, SyncDirection.INBOUND)
    at_rest = state.phase is not SyncPhase.SYNCING
    if at_rest and state.fingerprint == parked_fingerprint(mapping, before):
        moved = parked_fingerprint(mapping, after)
        run.store.sync_state.put(msgspec.structs.replace(state, fingerprint=moved))


def _close(run: Run, one: Parked) -> None:
    """Close the field's item: nobody has to look any more."""
    waiting = run.store.items.list(
        states=(ItemState.OPEN, ItemState.DEFERRED),
        connection=run.connection,
        conflict_type=ConflictType.SCHEMA_MAPPING_MISMATCH,
        entity_type=one.entity,
        entity_id=WHOLE_RECORD,
        field_name=one.field,
    )
    for item in waiting:
        items.resolve(run, item, MENDED)


def _send_left_out(run: Run, one: Parked) -> int:
    """Queue what updates went without, where it is still ours alone; gives how many."""
    queued = 0
    if one.entity not in MIRRORED or not one.outbound:
        return queued
    while ids := run.store.schemas.left_out(run.connection, one.entity, one.field):
        queued += sum(_send_again(run, one, id_) for id_ in ids)
        run.store.schemas.forget(run.connection, one.entity, one.field, ids)
    return queued


def _send_again(run: Run, one: Parked, id_: str) -> bool:
    field = run.mapped(one.entity).field(one.field)
    if field is None or not field.flows_out:
        return False
    record = run.store.records.get(one.entity, id_)
    if record is None or record.state is RecordState.GONE or one.field in record.remote:
        return False
    if record.local.get(one.field) == record.base.get(one.field):
        return False
    return reassert(run, record, (one.field,)) is not None
