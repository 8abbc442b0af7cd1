"""Pages of the stub: keyset paging by revision, cursors, and what page faults make of them.

A record has one row with its newest revision, so that an edited record moves behind the cursor of
whoever reads and is met again; none is skipped. Source: reliability 2.C, rules R1 and R3.
"""

from __future__ import annotations

import re

import msgspec

from quotey.adapters.stub.crm import StubCrm, version_text
from quotey.adapters.stub.drawer import Stored
from quotey.adapters.stub.faults import FaultKind
from quotey.contract.adapter import INVALID_CURSOR
from quotey.contract.dto import CrmSyncResultDto, ItemFailure, RemoteRecord
from quotey.contract.errors import Diagnostic, ErrorClass, RemoteFailure, Severity
from quotey.contract.fields import Entity

_CURSOR = re.compile(r"([0-9]{1,18})(r?)")
REPEATED = "r"
"""Ends the cursor that a duplicated page answers with: the same page is then read once more."""


def page_after(
    crm: StubCrm, entity: Entity, cursor: str, limit: int, fault: FaultKind | None
) -> CrmSyncResultDto:
    """Read one page of at most `limit` records.

    Raises RemoteFailure (permanent) for a cursor that this file never gave.
    """
    after, repeated = read_cursor(crm, cursor)
    found = crm.drawer.page(entity, after, limit + 1)
    page, has_more = found[:limit], len(found) > limit
    last = page[-1].revision if page else after
    next_cursor = version_text(last)
    if fault is FaultKind.DUPLICATE_PAGE and page and not repeated:
        next_cursor, has_more = version_text(after) + REPEATED, True
    if fault is FaultKind.SKIPPED_ROWS:
        page = page[1::2]
    if fault is FaultKind.OUT_OF_ORDER:
        page = out_of_order(crm, page, limit)
    return answer(crm, entity, page, fault, next_cursor=next_cursor, has_more=has_more)


def read_cursor(crm: StubCrm, cursor: str) -> tuple[int, bool]:
    """Read a cursor: the revision it stands behind, and whether its page was given before."""
    found = _CURSOR.fullmatch(cursor or "0")
    if found is None or int(found[1]) > crm.drawer.revision:
        why = f"The stub never gave the cursor {cursor[:40]!r}; its file was replaced."
        raise RemoteFailure(
            f"{why} Nothing was read.",
            error_class=ErrorClass.PERMANENT,
            diagnostics=(Diagnostic(code=INVALID_CURSOR, severity=Severity.ERROR, message=why),),
        )
    return int(found[1]), bool(found[2])


def out_of_order(crm: StubCrm, page: list[Stored], limit: int) -> list[Stored]:
    """Turn a page round; older states of its records follow the newer ones, as far as they fit."""
    older = (crm.drawer.past(stored.entity, stored.ref) for stored in page)
    stale = [states[-1] for states in older if states]
    turned = page[::-1]
    return turned + stale[: limit - len(turned)]


def answer(
    crm: StubCrm,
    entity: Entity,
    records: list[Stored],
    fault: FaultKind | None,
    *,
    next_cursor: str = "",
    has_more: bool = False,
) -> CrmSyncResultDto:
    """Build the page; broken records, and every second one of a partial batch, are failures."""
    spoilt = set(records[::2]) if fault is FaultKind.PARTIAL_BATCH else set()
    why = {
        stored.ref: stored.broken or "the stub could not read it (a fault that it was told to show)"
        for stored in records
        if stored.broken or stored in spoilt
    }
    return CrmSyncResultDto(
        entity=entity,
        source_provider="stub",
        source_ts=crm.drawer.moment_of(crm.drawer.revision),
        records=tuple(_shown(crm, stored) for stored in records if stored.ref not in why),
        failures=tuple(ItemFailure(crm_ref=ref, message=text) for ref, text in why.items()),
        next_cursor=next_cursor,
        has_more=has_more,
    )


def _shown(crm: StubCrm, stored: Stored) -> RemoteRecord:
    """Show a record as its definitions let it be seen."""
    record = crm.remote(stored)
    payload = crm.definitions.hide(stored.entity, record.payload)
    return msgspec.structs.replace(record, payload=payload)
