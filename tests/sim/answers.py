"""What the CRM of the simulation answers, in the words of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from quotey.contract.adapter import INVALID_CURSOR
from quotey.contract.dto import CrmSyncResultDto, RemoteRecord, RemoteWrite, Value
from quotey.contract.errors import Diagnostic, ErrorClass, RemoteFailure, Severity
from quotey.contract.fields import Entity
from tests.sim.crm import Crm, RefusedByCrmError, Revision
from tests.sim.faults import Dice
from tests.sim.scheduler import START
from tests.sim.words import canonical_of


def read_cursor(cursor: str, now: int) -> tuple[int, int, tuple[int, str]]:
    """Give where the window begins, when it was opened, and behind what the page stands."""
    parts = (cursor or "-1").split("/")
    try:
        since = int(parts[0])
        if len(parts) == 1:
            return since, now, (-1, "")
        return since, int(parts[1]), (int(parts[2]), parts[3])
    except (ValueError, IndexError):
        why = Diagnostic(code=INVALID_CURSOR, severity=Severity.ERROR, message="never given")
        raise RemoteFailure("410", error_class=ErrorClass.PERMANENT, diagnostics=(why,)) from None


def page_after(crm: Crm, dice: Dice, entity: Entity, cursor: str, size: int) -> CrmSyncResultDto:
    """Read a page of the index; it may be stale, doubled or cut off."""
    seen_at = crm.scheduler.now
    if dice.strikes("stale_replica"):
        seen_at -= dice.between("stale_replica", 0.0, crm.lag / 2 - 1)
    since, began, after = read_cursor(cursor, int(seen_at))
    rows = [
        (ref, one)
        for ref, one in crm.shown(str(entity), seen_at)
        if one.stamp >= since and (one.stamp, ref) > after
    ]
    page, more = rows[:size], len(rows) > size
    following = f"{int(began - crm.lag)}"
    if more:
        ref, last = page[-1]
        following = f"{since}/{began}/{last.stamp}/{ref}"
    if more and dice.strikes("duplicate_page"):
        following = cursor or f"{since}/{began}/-1/"
    return CrmSyncResultDto(
        entity=entity,
        source_provider="stub",
        source_ts=START + timedelta(seconds=int(seen_at)),
        records=tuple(remote(ref, one) for ref, one in page),
        next_cursor=following,
        has_more=more,
        complete=not dice.strikes("cut_page"),
    )


def remote(ref: str, one: Revision) -> RemoteRecord:
    return RemoteRecord(
        crm_ref=ref,
        source_ts=START + timedelta(seconds=one.stamp),
        source_version=str(one.number),
        payload=one.payload,
        deleted=one.deleted,
        merged_into=one.merged_into,
    )


def written(
    entity: str, ref: str, made: Revision, asked: Mapping[str, Value], *, created: bool = False
) -> RemoteWrite:
    values = canonical_of(entity, made.fields)
    return RemoteWrite(
        crm_ref=ref,
        source_ts=START + timedelta(seconds=made.stamp),
        source_version=str(made.number),
        values={name: values[name] for name in asked if name in values},
        created=created,
    )


_CODES = {"not_found": "remote_gone", "merged": "identity_mismatch"}


def refusal(refused: RefusedByCrmError) -> RemoteFailure:
    if refused.code == "precondition":
        return RemoteFailure("412", error_class=ErrorClass.CONFLICT)
    why = Diagnostic(
        code=_CODES[refused.code],
        severity=Severity.ERROR,
        message=f"{refused.code} {refused.ref}",
        crm_ref=refused.ref,
    )
    return RemoteFailure("404", error_class=ErrorClass.PERMANENT, diagnostics=(why,))
