"""Erasing a person: a contact's values go out of mirror, items, quarantine and audit bodies.

What remains is that there was a contact, when it changed and by which rules; the audit chain holds,
for it covers salted digests and not the bodies. Source: reliability 4, SEC-39.
"""

from __future__ import annotations

import msgspec

from quotey.contract.errors import RefusedError, UsageError
from quotey.contract.fields import Entity
from quotey.contract.journal import AuditEvent, MirrorRecord, RecordState
from quotey.desk.ports import DeskPorts
from quotey.desk.references import find
from quotey.store.chain import ERASED

PAGE = 500
"""Audit events that are looked through at a time."""


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased of a contact, or would be: audit bodies and items that held its values."""

    contact: str
    crm_ref: str | None
    bodies: int
    items: int


def erase(desk: DeskPorts, reference: str, *, reason: str, dry_run: bool) -> Erasure:
    """Erase a contact that is gone in the CRM; may be repeated.

    Raises `UsageError` without a reason, `RefusedError` while the CRM still holds it: the next
    sync would only bring it back.
    """
    if not reason.strip():
        raise UsageError("An erasure needs a reason. Nothing was changed.")
    with desk.store.transaction("contact.erase"):
        record = find(desk, Entity.CONTACT, reference)
        _refuse_living(record)
        seqs = _bodies(desk, record)
        items = desk.store.items.forget(Entity.CONTACT, record.id, dry_run=dry_run)
        if not dry_run:
            _blank(desk, record)
            desk.store.audit.erase(
                seqs,
                at=desk.now(),
                actor=desk.actor,
                correlation_id=desk.correlation_id,
                reason=reason,
                mode=desk.mode,
            )
    return Erasure(contact=record.id, crm_ref=record.crm_ref, bodies=len(seqs), items=items)


def _refuse_living(record: MirrorRecord) -> None:
    if record.state is not RecordState.GONE:
        raise RefusedError(
            f"contact {record.id} is still in the CRM, and the next sync would bring it back. "
            "Delete it there first. Nothing was changed.",
            next=("quotey crm sync",),
        )


def _bodies(desk: DeskPorts, record: MirrorRecord) -> list[int]:
    """Give the events about the contact whose bodies are still there."""
    found: list[AuditEvent] = []
    before: int | None = None
    while page := desk.store.audit.list(entity_id=record.id, limit=PAGE, before=before):
        found += page
        before = page[-1].seq
    return [one.seq for one in found if one.kind != ERASED and one.body != {"erased": True}]


def _blank(desk: DeskPorts, record: MirrorRecord) -> None:
    """Leave the bare record; `crm_ref` stays, so that a late page of it is known for what it is."""
    bare = MirrorRecord(
        connection=record.connection,
        entity=record.entity,
        id=record.id,
        crm_ref=record.crm_ref,
        local={},
        base={},
        local_version=record.local_version + 1,
        source_ts=record.source_ts,
        source_version=record.source_version,
        state=RecordState.GONE,
    )
    desk.store.records.put_many([bare])
    if record.crm_ref is not None:
        desk.store.quarantine.remove(record.connection, record.entity, [record.crm_ref])
