"""Records that wait in quarantine or behind a lock, and what lets them go.

They go when the mapping has changed, the parent has come, the source can give them, or the lock has
ended. Whether a record may come in is judged as for any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from quotey.contract.adapter import Call
from quotey.contract.drift import FIELD_PARKED
from quotey.contract.dto import CrmSyncResultDto, RemoteRecord
from quotey.contract.fields import Entity
from quotey.contract.journal import Counts, Quarantined
from quotey.contract.reconciliation import ConflictType
from quotey.decide.inbound import held_facts, plan_record
from quotey.decide.quarantine import IN_FLIGHT
from quotey.sync import changes, door, items, parking
from quotey.sync.carry import carry_out, keep_unread
from quotey.sync.changes import Judged, Seen
from quotey.sync.door import note
from quotey.sync.ports import Run
from quotey.sync.pull import whole

BATCH = 200


def look_again(run: Run, entity: Entity) -> Counts:
    """Judge again what waits for something that has come; gives what came in by that."""
    counts = Counts()
    for records in ready(run, entity):
        counts.add(_judge_again(run, entity, records))
        run.breathe()
    return counts


def ready(
    run: Run, entity: Entity, more_parents: Mapping[str, str] | None = None
) -> Iterator[list[RemoteRecord]]:
    """Give the records whose reason to wait is gone, by batches, as they came.

    `more_parents` are parents that a dry run would have created, by ref.
    """
    for rows in _rows(run, entity):
        found = _ready(run, entity, rows, more_parents or {})
        if found:
            yield [remote_of(row) for row in found]


def _rows(run: Run, entity: Entity) -> Iterator[tuple[Quarantined, ...]]:
    after = ""
    while rows := run.store.quarantine.list(run.connection, entity, BATCH, after):
        after = rows[-1].crm_ref
        yield rows


def _ready(
    run: Run, entity: Entity, rows: Sequence[Quarantined], more_parents: Mapping[str, str]
) -> list[Quarantined]:
    """Pick the rows whose reason to wait is gone; records still unread are not among them.

    What came without a parked field is read anew with all others once the field is read again.
    """
    fingerprint = parking.fingerprint(run, entity)
    wanted = sorted({row.parent_ref for row in rows if row.parent_ref})
    parents = run.store.records.ids_of(run.connection, Entity.ACCOUNT, wanted) if wanted else {}
    return [
        row
        for row in rows
        if row.payload is not None
        and not any(reason.code == FIELD_PARKED for reason in row.reasons)
        and (
            row.fingerprint != fingerprint
            or row.parent_ref in parents
            or row.parent_ref in more_parents
            or any(reason.code == IN_FLIGHT for reason in row.reasons)
        )
    ]


def remote_of(row: Quarantined) -> RemoteRecord:
    """Give the record as it came."""
    return RemoteRecord(
        crm_ref=row.crm_ref,
        source_ts=row.source_ts,
        source_version=row.source_version,
        payload=row.payload or b"",
    )


def _judge_again(run: Run, entity: Entity, records: Sequence[RemoteRecord]) -> Counts:
    seen, _ = changes.gather(run, entity, records, force=True)
    with run.store.transaction("look again"):
        judged = changes.judge(run, entity, seen)
        conflicts = carry_out(run, entity, judged)
    return let_in(judged, conflicts)


def let_in(judged: Sequence[Judged], conflicts: int) -> Counts:
    """Count what came in out of quarantine; it was not read from the CRM again."""
    found = changes.tally(judged, 0)
    return Counts(created=found.created, updated=found.updated, conflicts=conflicts)


def ask_again(run: Run, entity: Entity, *, renew: Callable[[], None]) -> None:
    """Ask the source for the records that it could not give before; `renew` keeps the run's lease.

    One that it no longer has is let go, audited; the mirror keeps what it had, because a record
    that is missing from an answer is no evidence that it is gone (law 11). Raises `RemoteFailure`.
    """
    refs = run.store.quarantine.unread(run.connection, entity)
    size = run.ports.adapter.capabilities.page_size
    for at in range(0, len(refs), size):
        _ask_for(run, entity, refs[at : at + size], renew)
        renew()
        run.breathe()


def _ask_for(run: Run, entity: Entity, refs: tuple[str, ...], renew: Callable[[], None]) -> None:
    def request(call: Call) -> CrmSyncResultDto:
        return whole(run.ports.adapter.read_records(entity, refs, call=call), entity)

    answer = door.read(run, request, renew=renew)
    seen, _ = changes.gather(run, entity, answer.records, force=True)
    answered = {record.crm_ref for record in answer.records}
    answered |= {failure.crm_ref for failure in answer.failures}
    with run.store.transaction("ask again"):
        carry_out(run, entity, changes.judge(run, entity, seen))
        keep_unread(run, entity, answer.failures)
        _let_go(run, entity, [ref for ref in refs if ref not in answered])


def _let_go(run: Run, entity: Entity, refs: list[str]) -> None:
    if not refs:
        return
    run.store.quarantine.remove(run.connection, entity, refs)
    note(run, "quarantine.vanished", entity=entity, crm_refs=refs)
    for ref in refs:
        settled = ("*", ConflictType.SCHEMA_MAPPING_MISMATCH, "The CRM no longer has the record.")
        items.close(run, entity, changes.id_of(run, entity, ref), (settled,))


def ended_locks(run: Run) -> int:
    """Judge again the values that locks had kept out and that no lock keeps out any more."""
    ended = run.store.locks.ended_with_items(run.connection, run.now())
    mirrors = [mirror for mirror in ended if mirror.entity in run.readable()]
    for mirror in mirrors:
        with run.store.transaction("lock ended"):
            _after_lock(run, mirror.entity, mirror.id)
        run.breathe()
    return len(mirrors)


def _after_lock(run: Run, entity: Entity, id_: str) -> None:
    """Judge one record; one that is kept out is judged whole when it is let in."""
    mirror = run.store.records.get(entity, id_)  # a command may have come in between
    assert mirror is not None, "records are never deleted"
    refs = [ref for ref in (mirror.crm_ref, run.store.records.ref_of(entity, id_)) if ref]
    if run.store.quarantine.by_refs(run.connection, entity, refs):
        return
    now, mapping = run.now(), run.mapped(entity)
    locks = run.store.locks.active(entity, (id_,), now).get(id_, {})
    facts = held_facts(mirror, mapping, now=now, locks=locks)
    judged = Judged(Seen(facts.record, facts.content_hash, None), id_, plan_record(facts))
    carry_out(run, entity, (judged,))
