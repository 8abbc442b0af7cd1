"""Records that may not come in: they break the contract, lack their parent, or are not themselves.

The mirror's values stay as they are. Its revision moves and its content hash is emptied: a late
page is stale, and the record is looked at again even if the CRM goes back to what we knew.
Source: seed 3.3; design sections 5 and 9.
"""

from __future__ import annotations

from collections.abc import Container

from msgspec.structs import replace

from quotey.contract.drift import FIELD_PARKED
from quotey.contract.dto import RemoteRecord
from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Entity, Need
from quotey.contract.journal import MirrorRecord
from quotey.contract.mapping import EntityMapping
from quotey.contract.reconciliation import ConflictType
from quotey.decide.gone import is_stale
from quotey.decide.items import (
    CAUSES,
    KEEPS_CONTRACT,
    WHOLE_RECORD,
    conflict_key,
    drafts,
    rejected,
    text_of,
    trouble,
)
from quotey.decide.plan import FieldDecision, ItemDraft, RecordFacts, RecordPlan, Resolved
from quotey.decide.sentence import shown

PARENT = "account_id"
"""The only field by which a record hangs on another."""

IN_FLIGHT = "create_in_flight"
"""Why a new deal waits: it may be the echo of one that we are just creating (reliability G14)."""


def plan_reject(
    record: RemoteRecord,
    problems: tuple[Diagnostic, ...],
    *,
    mapping: EntityMapping,
    entity_id: str,
    mirror: MirrorRecord | None = None,
) -> RecordPlan:
    """Plan a record that breaks the contract: quarantine with all its problems, mirror untouched.

    Of the mirror only revision and content hash move (see `reread`). One item per field. An older
    revision than the mirror's changes nothing. Source: seed 3.3.
    """
    if mirror is not None and is_stale(mirror, record):
        return RecordPlan(kind="stale")
    version = mirror.local_version if mirror else 0
    drafts: dict[str, ItemDraft] = {}
    for problem in problems:
        if problem.severity is Severity.ERROR:
            field = mapping.field(problem.field)
            draft = rejected(
                problem,
                entity=mapping.entity,
                entity_id=entity_id,
                local_version=version,
                record=record,
                policy=field.policy if field else None,
            )
            drafts.setdefault(draft.field_name, draft)
    return RecordPlan(
        kind="reject",
        record=reread(mirror, record),
        items=tuple(drafts.values()),
        resolved=_mended(mapping, drafts),
        diagnostics=problems,
    )


def wait_for_create(record: RemoteRecord, entity: Entity) -> RecordPlan:
    """Plan a new record that may be the echo of one that is being created from here."""
    why = Diagnostic(
        code=IN_FLIGHT,
        severity=Severity.NOTE,
        message="It may be the deal that is just being created from here; it waits for that.",
        entity=str(entity),
        crm_ref=record.crm_ref,
    )
    return RecordPlan(kind="quarantine", diagnostics=(why,))


def missing_for(mapping: EntityMapping, parked: Container[str]) -> tuple[str, ...]:
    """Name the required fields that a new record cannot have while they are parked."""
    return tuple(
        one.name for one in mapping.fields if one.need is Need.REQUIRED and one.name in parked
    )


def wait_for_fields(record: RemoteRecord, entity: Entity, fields: tuple[str, ...]) -> RecordPlan:
    """Plan a new record that lacks a required field because it is parked: it waits for that.

    Nobody is asked about the record: the field's own item stands for all of them.
    """
    why = tuple(
        trouble(
            FIELD_PARKED,
            entity,
            field,
            record.crm_ref,
            f"{entity}.{field} is required and parked; the record is read once it is not.",
        )
        for field in fields
    )
    return RecordPlan(kind="quarantine", resolved=_ASKED_ONCE, diagnostics=why)


_ASKED_ONCE: tuple[Resolved, ...] = (
    (
        WHOLE_RECORD,
        ConflictType.SCHEMA_MAPPING_MISMATCH,
        "A field of it is parked, which is asked once for all records.",
    ),
)


def _mended(mapping: EntityMapping, broken: Container[str]) -> tuple[Resolved, ...]:
    """Name the fields that keep the contract now; none when the record could not be read at all."""
    if WHOLE_RECORD in broken:
        return ()
    return tuple(
        (field.name, ConflictType.SCHEMA_MAPPING_MISMATCH, "The field keeps the contract now.")
        for field in mapping.fields
        if field.name not in broken
    )


def reread(mirror: MirrorRecord | None, record: RemoteRecord) -> MirrorRecord | None:
    """Give the mirror with its hash emptied, None when there is none or nothing to change.

    It remembers the revision that was kept out, so that an older one that comes late is stale.
    """
    if mirror is None:
        return None
    after = replace(
        mirror,
        content_hash="",
        source_ts=record.source_ts,
        source_version=record.source_version,
    )
    return after if after != mirror else None


def without_parent(facts: RecordFacts) -> RecordPlan:
    """Park a record until its parent arrives (design section 9)."""
    mirror, entity = facts.mirror, facts.mapping.entity
    parent = facts.values[PARENT]
    field = facts.mapping.field(PARENT)
    draft = ItemDraft(
        entity_type=entity,
        entity_id=facts.id,
        field_name=PARENT,
        conflict_type=ConflictType.MISSING_PARENT,
        local_value=mirror.local.get(PARENT) if mirror else None,
        remote_value=parent,
        base_value=mirror.base.get(PARENT) if mirror else None,
        field_policy_mode=field.policy if field else None,
        key=conflict_key(facts.id, PARENT, mirror.local_version if mirror else 0, facts.record),
        detail=f"{entity}.{PARENT} {CAUSES[ConflictType.MISSING_PARENT]}",
    )
    reason = trouble(
        "missing_parent",
        entity,
        PARENT,
        facts.record.crm_ref,
        f"{entity}.{PARENT} names {shown(parent)}, which is not mirrored here.",
    )
    return RecordPlan(
        kind="quarantine",
        record=reread(mirror, facts.record),
        items=(draft,),
        resolved=(KEEPS_CONTRACT,) if facts.may_have_items else (),
        diagnostics=(*facts.diagnostics, reason),
    )


def other_identity(
    facts: RecordFacts, mirror: MirrorRecord, mismatched: tuple[FieldDecision, ...]
) -> RecordPlan:
    """Hold the whole record: who it is, is in doubt (design section 5)."""
    held = mirror.remote | {one.field: text_of(one.remote) for one in mismatched}
    record = replace(
        mirror,
        remote=held,
        content_hash="",
        source_ts=facts.record.source_ts,
        source_version=facts.record.source_version,
    )
    reasons = (
        trouble(
            "identity_mismatch",
            facts.mapping.entity,
            one.field,
            facts.record.crm_ref,
            one.sentence,
        )
        for one in mismatched
    )
    return RecordPlan(
        kind="quarantine",
        record=record if record != mirror else None,
        decisions=mismatched,
        items=drafts(mismatched, record, facts.record),
        diagnostics=(*facts.diagnostics, *reasons),
    )
