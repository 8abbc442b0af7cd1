"""How an inbound record's trouble becomes a reconciliation draft, with its deterministic key.

Which trouble there is, is decided in `inbound` and `gone`. Source: seed 5.2, 7.1.
"""

from __future__ import annotations

from msgspec import UnsetType

from quotey.contract.dto import RemoteRecord
from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Entity, Policy
from quotey.contract.journal import MirrorRecord, RecordState
from quotey.contract.mapper import cause
from quotey.contract.reconciliation import ConflictKey, ConflictType
from quotey.decide.plan import FieldDecision, ItemDraft, RecordFacts, Resolved
from quotey.decide.verdict import Ask, Side

WHOLE_RECORD = "*"
"""The field name of what speaks of a whole record; in `RecordPlan.resolved`, of any field."""

CAUSES: dict[ConflictType, str] = {
    ConflictType.LOCKED_FIELD_OVERWRITE: "is locked and the CRM changed it",
    ConflictType.UNDECIDED_MERGE: "changed on both sides",
    ConflictType.IDENTITY_MISMATCH: "must not change and did",
    ConflictType.MISSING_PARENT: "unknown",
}
"""What follows the field's path in `detail`, which is what lists group by."""

_BY_RULE = {"other_currency": "was meant in another currency"}
"""The same, where the rule tells more than the type."""


def revision(record: RemoteRecord) -> str:
    """Name the record's revision for the fourth part of a conflict key (seed 5.2)."""
    return record.source_version or record.source_ts.isoformat()


def conflict_key(
    entity_id: str, field: str, local_version: int, record: RemoteRecord
) -> ConflictKey:
    """Make the key of one occurrence (seed 5.2): the same facts give the same key."""
    return ConflictKey(
        entity_id=entity_id,
        field_name=field,
        local_version=str(local_version),
        remote_version_or_timestamp=revision(record),
    )


def asked(
    decision: FieldDecision, ask: Ask, *, entity_id: str, local_version: int, record: RemoteRecord
) -> ItemDraft:
    """Draft the item of a field that only a person can settle."""
    field = decision.facts.field
    return ItemDraft(
        entity_type=decision.facts.entity,
        entity_id=entity_id,
        field_name=field.name,
        conflict_type=ask.conflict_type,
        local_value=text_of(decision.local),
        remote_value=text_of(decision.remote),
        base_value=text_of(decision.base),
        field_policy_mode=field.policy,
        key=conflict_key(entity_id, field.name, local_version, record),
        detail=f"{decision.facts.entity}.{field.name} {_cause(ask)}",
    )


def _cause(ask: Ask) -> str:
    return _BY_RULE.get(ask.rule) or CAUSES[ask.conflict_type]


def drafts(
    told: tuple[FieldDecision, ...], record: MirrorRecord, remote: RemoteRecord
) -> tuple[ItemDraft, ...]:
    """Draft what a person must settle.

    The key takes the version that will be stored, so that a replay is the same occurrence.
    """
    return tuple(
        asked(
            one,
            one.verdict,
            entity_id=record.id,
            local_version=record.local_version,
            record=remote,
        )
        for one in told
        if isinstance(one.verdict, Ask)
    )


def rejected(
    problem: Diagnostic,
    *,
    entity: Entity,
    entity_id: str,
    local_version: int,
    record: RemoteRecord,
    policy: Policy | None,
) -> ItemDraft:
    """Draft the item of one problem of a record that breaks the contract (seed 3.3)."""
    field = problem.field or WHOLE_RECORD
    return ItemDraft(
        entity_type=entity,
        entity_id=entity_id,
        field_name=field,
        conflict_type=ConflictType.SCHEMA_MAPPING_MISMATCH,
        local_value=None,
        remote_value=None,
        field_policy_mode=policy,
        key=conflict_key(entity_id, field, local_version, record),
        detail=cause(problem),
    )


def trouble(code: str, entity: Entity, field: str, crm_ref: str, message: str) -> Diagnostic:
    """Say why a record may not come in, for its quarantine row."""
    return Diagnostic(
        code=code,
        severity=Severity.ERROR,
        message=message,
        entity=str(entity),
        field=field,
        crm_ref=crm_ref,
    )


def text_of(side: Side) -> str | None:
    """Give a side as an item stores it, where an absent value and null are not told apart."""
    return None if isinstance(side, UnsetType) else side


_OF_A_FIELD = (ConflictType.LOCKED_FIELD_OVERWRITE, ConflictType.UNDECIDED_MERGE)

KEEPS_CONTRACT: Resolved = (
    WHOLE_RECORD,
    ConflictType.SCHEMA_MAPPING_MISMATCH,
    "The record keeps the contract now.",
)
ACCEPTED: tuple[Resolved, ...] = (
    KEEPS_CONTRACT,
    (WHOLE_RECORD, ConflictType.MISSING_PARENT, "The parent is known now."),
)
_BACK: tuple[Resolved, ...] = (
    (WHOLE_RECORD, ConflictType.REMOTE_GONE, "The CRM shows the record again."),
    (WHOLE_RECORD, ConflictType.IDENTITY_MISMATCH, "The CRM shows the record again."),
)


def settled(
    facts: RecordFacts, mirror: MirrorRecord, decisions: tuple[FieldDecision, ...]
) -> tuple[Resolved, ...]:
    """Name the items that this record's new state settles by itself."""
    found: list[Resolved] = list(ACCEPTED if facts.may_have_items else ())
    if mirror.state is RecordState.GONE:
        found += _BACK
    for one in decisions:
        if one.field in mirror.remote:
            standing = one.verdict.conflict_type if isinstance(one.verdict, Ask) else None
            settled = (type_ for type_ in _OF_A_FIELD if type_ is not standing)
            found += ((one.field, type_, one.sentence) for type_ in settled)
            if standing is None:
                found.append((one.field, ConflictType.IDENTITY_MISMATCH, one.sentence))
    return tuple(found)
