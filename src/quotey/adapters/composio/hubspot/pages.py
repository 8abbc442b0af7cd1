"""Inbound pages of a portal: the window algorithm of crm-semantics 2H, lane by lane.

FULL lists everything. CHANGES searches a fixed window by ascending id, then reads each record by
its id. GONE reads the recycle bin. What a search or list says is never taken for a record's values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from quotey.adapters.composio.cursor import (
    Cursor,
    Lane,
    Lost,
    at_milliseconds,
    begin,
    end_lane,
    milliseconds,
    read_cursor,
    write_cursor,
)
from quotey.adapters.composio.docs import Doc, as_doc, as_text
from quotey.adapters.composio.hubspot.ops import Search
from quotey.adapters.composio.hubspot.portal import Found, Portal
from quotey.adapters.composio.hubspot.shape import (
    Shape,
    losers_of,
    moment,
    tombstone,
    updated_at,
)
from quotey.adapters.composio.ops import Failed, Kind, Op, Reply
from quotey.adapters.composio.settings import HubSpotSettings
from quotey.contract.adapter import Call
from quotey.contract.dto import CrmSyncResultDto, ItemFailure, RemoteRecord
from quotey.contract.fields import Entity


class Page(msgspec.Struct, kw_only=True):
    """What one page brought, and where the next one begins."""

    cursor: Cursor
    records: list[RemoteRecord] = msgspec.field(default_factory=list)
    failures: list[ItemFailure] = msgspec.field(default_factory=list)
    server_ts: datetime | None = None


class Pages:
    """Reads pages; has no memory but the cursor that it is given."""

    def __init__(self, portal: Portal, settings: HubSpotSettings, provider: str) -> None:
        self._portal = portal
        self._settings = settings
        self._provider = provider

    def page(self, entity: Entity, text: str, limit: int, call: Call) -> CrmSyncResultDto:
        """Read the page after a cursor, of at most `limit` records and failures together."""
        shape = self._portal.shape(entity)
        cursor = read_cursor(text)
        if cursor.lost:
            return self._answer(entity, _told(cursor, limit))
        if cursor.lane is Lane.REST:
            cursor = self._begin(cursor, call)
        read = {Lane.FULL: self._full, Lane.CHANGES: self._changes, Lane.GONE: self._gone}
        return self._answer(entity, read[cursor.lane](shape, cursor, limit, call))

    def _answer(self, entity: Entity, page: Page) -> CrmSyncResultDto:
        cursor = page.cursor
        return CrmSyncResultDto(
            entity=entity,
            source_provider=self._provider,
            source_ts=page.server_ts or at_milliseconds(cursor.started),
            records=tuple(page.records),
            failures=tuple(page.failures),
            next_cursor=write_cursor(cursor),
            has_more=cursor.lane is not Lane.REST or bool(cursor.lost),
        )

    def _begin(self, cursor: Cursor, call: Call) -> Cursor:
        """Ask for the server's clock: a window bounded by ours would lose records (2H).

        And whose records they are: raises RemoteFailure (auth) when the account opens another
        portal than the one that was read so far (reliability 2.C).
        """
        op = self._portal.ops.portal()
        reply = self._portal.ask(op, call)
        account = as_text(as_doc(reply.doc).get("portalId"))
        if account and cursor.account not in ("", account):
            why = f"the account opens portal {account}; portal {cursor.account} is mirrored here"
            raise self._portal.failure(Failed(kind=Kind.AUTH, message=why, code="another"), op)
        if reply.server_ts is None:
            raise self._portal.failure(
                Failed(kind=Kind.MALFORMED, message="the answer names no time"), op
            )
        begun = begin(cursor, milliseconds(reply.server_ts), self._settings)
        return msgspec.structs.replace(begun, account=account or cursor.account)

    # --- lanes ------------------------------------------------------------------------------------

    def _full(self, shape: Shape, cursor: Cursor, limit: int, call: Call) -> Page:
        docs, after, reply = self._list(shape, cursor, limit, call, archived=False)
        records, failures = self._portal.records(shape, docs, call)
        lost = () if cursor.is_first else _lost(docs, shape)
        place = msgspec.structs.replace(cursor, place=after, lost=lost)
        return Page(
            cursor=place if after else self._end(place),
            records=records,
            failures=failures,
            server_ts=reply.server_ts,
        )

    def _gone(self, shape: Shape, cursor: Cursor, limit: int, call: Call) -> Page:
        """Read the recycle bin, which cannot be asked by date, and tell of what came since."""
        docs, after, reply = self._list(shape, cursor, limit, call, archived=True)
        since = cursor.gone_at - self._settings.overlap_seconds * 1000
        place = msgspec.structs.replace(cursor, place=after)
        return Page(
            cursor=place if after else self._end(place),
            records=[one for doc in docs if (one := _archived(doc, since)) is not None],
            server_ts=reply.server_ts,
        )

    def _list(
        self, shape: Shape, cursor: Cursor, limit: int, call: Call, *, archived: bool
    ) -> tuple[list[Doc], str, Reply]:
        op = self._portal.ops.page(shape.kind, shape.asked, cursor.place, limit, archived=archived)
        reply = self._portal.ask(op, call)
        docs = self._portal.results(reply, op)
        paging = as_doc(as_doc(reply.doc).get("paging"))
        after = as_text(as_doc(paging.get("next")).get("after"))
        if after and after == cursor.place:
            raise self._stuck(op)
        return docs, after, reply

    def _changes(self, shape: Shape, cursor: Cursor, limit: int, call: Call) -> Page:
        if cursor.high <= cursor.low:
            return Page(cursor=self._end(cursor), server_ts=at_milliseconds(cursor.started))
        op = self._portal.ops.search(shape.kind, _window(shape, cursor, limit))
        reply = self._portal.ask(op, call)
        hits = self._portal.results(reply, op)
        asked = _inside(hits, shape, cursor)
        found = self._portal.read_many(shape, asked, call)
        page = self._known(shape, found, call)
        page.records += self._vanished(shape, asked, found, call)
        page.server_ts = found.server_ts or reply.server_ts
        total = as_doc(reply.doc).get("total")
        more = bool(hits) and isinstance(total, int) and total > len(hits)
        lost = _lost(list(found.docs.values()), shape)
        place = msgspec.structs.replace(cursor, place=self._last(hits, cursor, op), lost=lost)
        page.cursor = place if more else self._end(place)
        return page

    def _known(self, shape: Shape, found: Found, call: Call) -> Page:
        records, failures = self._portal.records(shape, list(found.docs.values()), call)
        return Page(
            cursor=Cursor(), records=records, failures=[*found.failures.values(), *failures]
        )

    def _vanished(
        self, shape: Shape, asked: Sequence[str], found: Found, call: Call
    ) -> list[RemoteRecord]:
        """Tell of records that the index still shows and that are not there any more.

        One that answers with another id was merged, and is told of with its survivor.
        """
        merged = {ref for doc in found.docs.values() for ref in losers_of(doc)}
        known = found.docs.keys() | found.failures.keys() | merged
        gone = [ref for ref in asked if ref not in known]
        now = found.server_ts
        return [] if now is None else self._portal.ends(shape, gone, now, call)

    def _end(self, cursor: Cursor) -> Cursor:
        return end_lane(cursor, self._settings)

    # --- checks -----------------------------------------------------------------------------------

    def _last(self, hits: Sequence[Doc], cursor: Cursor, op: Op) -> str:
        """Give the greatest id of the answer; it must grow, or we would turn in a circle."""
        ids = [int(ref) for hit in hits if (ref := as_text(hit.get("id"))).isdigit()]
        if not ids:
            return cursor.place
        if max(ids) <= int(cursor.place or "0"):
            raise self._stuck(op)
        return str(max(ids))

    def _stuck(self, op: Op) -> Exception:
        failed = Failed(kind=Kind.PERMANENT, message="the same page came again", code="stuck")
        return self._portal.failure(failed, op)


def _told(cursor: Cursor, limit: int) -> Page:
    """Tell of records that were merged away; nothing needs to be asked for that."""
    now, later = cursor.lost[:limit], cursor.lost[limit:]
    records = [
        tombstone(one.crm_ref, at_milliseconds(one.at), merged_into=one.survivor) for one in now
    ]
    return Page(cursor=msgspec.structs.replace(cursor, lost=later), records=records)


def _lost(docs: Iterable[Doc], shape: Shape) -> tuple[Lost, ...]:
    return tuple(
        Lost(ref, as_text(doc.get("id")), milliseconds(at))
        for doc in docs
        if (at := updated_at(doc, shape)) is not None
        for ref in losers_of(doc)
    )


def _window(shape: Shape, cursor: Cursor, limit: int) -> Search:
    """Search by modified date and ascending id, always the first page: no cap, no loop (2H)."""
    window = {
        "propertyName": shape.modified,
        "operator": "BETWEEN",
        "value": str(max(cursor.low, 1)),
        "highValue": str(cursor.high),
    }
    keyset = {"propertyName": "hs_object_id", "operator": "GT", "value": cursor.place or "0"}
    return Search(
        groups=[[window, keyset]],
        by_id=True,
        properties=[shape.modified],
        limit=limit,
    )


def _inside(hits: Sequence[Doc], shape: Shape, cursor: Cursor) -> list[str]:
    """Drop what was modified after the window: the next one brings it (estuary#2210)."""
    return [
        as_text(hit.get("id"))
        for hit in hits
        if (at := updated_at(hit, shape)) is None or milliseconds(at) <= cursor.high
    ]


def _archived(doc: Doc, since: int) -> RemoteRecord | None:
    ref, at = as_text(doc.get("id")), moment(doc.get("archivedAt"))
    if not ref or at is None or milliseconds(at) < since:
        return None
    return tombstone(ref, at)
