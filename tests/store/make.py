"""Rows for the tests of the store, with only what a case is about spelt out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from quotey.contract.fields import Entity
from quotey.contract.journal import AuditEvent, Lock, MirrorRecord, Operation, OpKind
from quotey.contract.quote import Quote, QuoteStatus, QuoteVersion
from quotey.contract.reconciliation import ConflictKey, ConflictType, Reconciliation

NOW = datetime(2026, 2, 23, 10, 0, tzinfo=UTC)
LEASE = timedelta(seconds=40)


def later(**delta: float) -> datetime:
    return NOW + timedelta(**delta)


def deal(number: int = 1, **changes: object) -> MirrorRecord:
    values: dict[str, str | None] = {"name": f"Deal {number}", "stage": "open", "amount": None}
    record = MirrorRecord(
        connection="main",
        entity=Entity.DEAL,
        id=f"deal_{number}",
        crm_ref=f"D{number}",
        local=values,
        base=dict(values),
        source_ts=NOW,
        source_version="1",
        content_hash=f"hash-{number}",
    )
    return msgspec.structs.replace(record, **changes)


def operation(number: int = 1, **changes: object) -> Operation:
    op = Operation(
        id=f"op_{number}",
        connection="main",
        lane="deal/deal_1",
        kind=OpKind.UPDATE_DEAL,
        entity=Entity.DEAL,
        entity_id="deal_1",
        version=number,
        key=f"key-{number}",
        payload={"name": f"Name {number}"},
        digest=f"digest-{number}",
        created_at=NOW,
        due_at=NOW,
    )
    return msgspec.structs.replace(op, **changes)


def item(number: int = 1, remote_version: str = "1", **changes: object) -> Reconciliation:
    draft = Reconciliation(
        id=f"r_{number}",
        connection="main",
        entity_type=Entity.DEAL,
        entity_id="deal_1",
        field_name="stage",
        conflict_type=ConflictType.LOCKED_FIELD_OVERWRITE,
        local_value="open",
        remote_value=f"remote {remote_version}",
        field_policy_mode=None,
        first_seen_ts=NOW,
        last_attempt_ts=NOW,
        correlation_id=f"c_{number}",
        key=ConflictKey(
            entity_id="",
            field_name="",
            local_version="1",
            remote_version_or_timestamp=remote_version,
        ),
        detail="locked",
    )
    made = msgspec.structs.replace(draft, **changes)
    key = msgspec.structs.replace(draft.key, entity_id=made.entity_id, field_name=made.field_name)
    return msgspec.structs.replace(made, key=key)


def lock(field: str = "stage", **changes: object) -> Lock:
    made = Lock(
        entity=Entity.DEAL,
        entity_id="deal_1",
        field=field,
        actor="ann",
        reason="negotiating",
        since=NOW,
        until=later(hours=48),
    )
    return msgspec.structs.replace(made, **changes)


def event(number: int = 1, **changes: object) -> AuditEvent:
    made = AuditEvent(
        kind="record.updated",
        at=NOW,
        actor="sync",
        correlation_id=f"c_{number}",
        connection="main",
        entity="deal",
        entity_id=f"deal_{number}",
        body={"number": number},
    )
    return msgspec.structs.replace(made, **changes)


def version(number: int = 1, **changes: object) -> QuoteVersion:
    made = QuoteVersion(
        quote_id="q_1",
        version=number,
        status=QuoteStatus.DRAFT,
        total=Decimal("120.50"),
        currency="EUR",
        created_at=NOW,
        actor="ann",
    )
    return msgspec.structs.replace(made, **changes)


def quote(id_: str = "q_1", *, published: bool = True, deal_id: str = "deal_1") -> Quote:
    return Quote(
        id=id_,
        deal_id=deal_id,
        connection="main",
        published=published,
        created_at=NOW,
        current=version(quote_id=id_),
    )
