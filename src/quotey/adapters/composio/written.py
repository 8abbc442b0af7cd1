"""What an adapter tells after a write, and how the mapping's refusals leave it.

Shared by the providers; nothing of a wire is here.
"""

from __future__ import annotations

from collections.abc import Iterable

from quotey.adapters.composio.ops import Trace
from quotey.contract.dto import RemoteRecord, RemoteWrite
from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.mapper import Mapper
from quotey.contract.refusals import mapped


def answer(
    mapper: Mapper,
    entity: Entity,
    record: RemoteRecord,
    names: Iterable[str],
    *,
    trace: Trace | None = None,
    created: bool = False,
) -> RemoteWrite:
    """Give what the CRM now holds of the written fields, read back (crm-semantics 0, rule 10)."""
    read = mapped(mapper, entity, record, Outcome.APPLIED).values
    return RemoteWrite(
        crm_ref=record.crm_ref,
        source_ts=record.source_ts,
        source_version=record.source_version,
        values={name: read[name] for name in names if name in read},
        created=created,
        trace=traced(trace),
    )


def traced(trace: Trace | None) -> dict[str, str]:
    """Give the ids by which the write is found again in the service's logs."""
    if trace is None:
        return {}
    return {"request_id": trace.request_id, **({"log_id": trace.log_id} if trace.log_id else {})}


def elsewhere(entity: Entity, asked: str, answered: str) -> RemoteFailure:
    """Build the failure of a write to a record that is now another one (G15)."""
    return RemoteFailure(
        f"{entity} {asked} was merged into {answered}. Nothing was changed.",
        error_class=ErrorClass.CONFLICT,
    )


def not_there(entity: Entity, ref: str) -> RemoteFailure:
    """Build the failure of a write to a record that is not there."""
    return RemoteFailure(
        f"{entity} {ref} is not in the CRM. Nothing was changed.",
        error_class=ErrorClass.PERMANENT,
    )
