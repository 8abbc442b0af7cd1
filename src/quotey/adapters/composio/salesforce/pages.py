"""Inbound pages of an org: the window algorithm of crm-semantics 2S, lane by lane.

FULL reads everything by ascending id. CHANGES reads a fixed window of SystemModstamp by ascending
id, with what was deleted or merged in it. GONE asks what was deleted, to find what has left the
recycle bin since.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from quotey.adapters.composio.cursor import (
    Cursor,
    Lane,
    at_milliseconds,
    begin,
    end_lane,
    milliseconds,
    read_cursor,
    write_cursor,
)
from quotey.adapters.composio.docs import Doc, as_doc, as_docs, as_text
from quotey.adapters.composio.ops import Failed, Kind, Op
from quotey.adapters.composio.salesforce.errors import QUOTA_WAIT
from quotey.adapters.composio.salesforce.ids import canonical_id
from quotey.adapters.composio.salesforce.org import BATCH, Org
from quotey.adapters.composio.salesforce.shape import (
    Shape,
    moment_of,
    record_of,
    records_of,
    ref_of,
    tombstone,
)
from quotey.adapters.composio.salesforce.soql import Select, moment, quoted
from quotey.adapters.composio.settings import SalesforceSettings
from quotey.contract.adapter import Call
from quotey.contract.dto import CrmSyncResultDto, ItemFailure, RemoteRecord
from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Entity

KEPT = timedelta(days=14, hours=23)
"""How far back deletions can be asked for: 15 days, less a margin for clocks (2S)."""


class Page(msgspec.Struct, kw_only=True):
    """What one page brought, and where the next one begins."""

    cursor: Cursor
    records: list[RemoteRecord] = msgspec.field(default_factory=list)
    failures: list[ItemFailure] = msgspec.field(default_factory=list)
    server_ts: datetime | None = None
    diagnostics: tuple[Diagnostic, ...] = ()


class Pages:
    """Reads pages; has no memory but the cursor that it is given."""

    def __init__(self, org: Org, settings: SalesforceSettings, provider: str) -> None:
        self._org = org
        self._settings = settings
        self._provider = provider

    def page(self, entity: Entity, text: str, limit: int, call: Call) -> CrmSyncResultDto:
        """Read the page after a cursor, of at most `limit` records."""
        shape = self._org.shape(entity)
        cursor = read_cursor(text)
        remarks: tuple[Diagnostic, ...] = ()
        if cursor.lane is Lane.REST:
            cursor = begin(cursor, self._server_time(call), self._settings)
            remarks = self._hidden(shape, call)
        read = {Lane.FULL: self._full, Lane.CHANGES: self._changes, Lane.GONE: self._gone}
        page = read[cursor.lane](shape, cursor, limit, call)
        return CrmSyncResultDto(
            entity=entity,
            source_provider=self._provider,
            source_ts=page.server_ts or at_milliseconds(page.cursor.started),
            records=tuple(page.records),
            failures=tuple(page.failures),
            next_cursor=write_cursor(page.cursor),
            has_more=page.cursor.lane is not Lane.REST,
            diagnostics=(*remarks, *page.diagnostics),
        )

    def _hidden(self, shape: Shape, call: Call) -> tuple[Diagnostic, ...]:
        """Tell, once a run, which mapped fields the org does not show: absent is not null (1S)."""
        return tuple(
            Diagnostic(
                code="field_not_shown",
                severity=Severity.WARNING,
                message=f"{shape.sobject}.{path} is not there, or hidden from this connection.",
                entity=shape.entity,
            )
            for path in self._org.hidden(shape, call)
        )

    def _server_time(self, call: Call) -> int:
        """Ask for the server's clock: a window bounded by ours would lose records (2S).

        Raises RemoteFailure (rate limit) when the share of the quota for reading is spent.
        """
        op = self._org.ops.limits()
        reply = self._org.ask(op, call)
        if reply.server_ts is None:
            failed = Failed(kind=Kind.MALFORMED, message="the answer names no time")
            raise self._org.failure(failed, op)
        daily = as_doc(as_doc(reply.doc).get("DailyApiRequests"))
        if not self._may_read(daily):
            failed = Failed(
                kind=Kind.RATE_LIMIT,
                message="the rest of the 24-hour quota is kept for writing",
                code="daily_quota",
                wait_seconds=QUOTA_WAIT,
                trace=reply.trace,
            )
            raise self._org.failure(failed, op)
        return milliseconds(reply.server_ts)

    def _may_read(self, daily: Doc) -> bool:
        """Reading stops first, so that writes have a reserve (crm-semantics 5)."""
        most, left = daily.get("Max"), daily.get("Remaining")
        if not isinstance(most, int | Decimal) or not isinstance(left, int | Decimal) or not most:
            return True
        return most - left < most * Decimal(str(self._settings.read_share))

    # --- lanes ------------------------------------------------------------------------------------

    def _full(self, shape: Shape, cursor: Cursor, limit: int, call: Call) -> Page:
        """Read everything; after the first time also what is in the recycle bin since."""
        bin_since = None if cursor.is_first else cursor.read_to - self._overlap
        page, docs = self._keyset(shape, cursor, (), limit, call, deleted=bin_since is not None)
        made, page.failures = records_of(docs, shape)
        page.records = [
            one
            for one in made
            if not _is_gone(one) or milliseconds(one.source_ts) >= (bin_since or 0)
        ]
        return page

    def _changes(self, shape: Shape, cursor: Cursor, limit: int, call: Call) -> Page:
        """Read the window under way; a deletion and a merge move SystemModstamp as well (2S)."""
        if cursor.high <= cursor.low:
            return Page(cursor=self._end(cursor), server_ts=at_milliseconds(cursor.started))
        window = (
            f"{shape.modified} >= {moment(at_milliseconds(cursor.low))}",
            f"{shape.modified} < {moment(at_milliseconds(cursor.high))}",
        )
        page, docs = self._keyset(shape, cursor, window, limit, call, deleted=True)
        page.records, page.failures = records_of(docs, shape)
        return page

    def _keyset(
        self,
        shape: Shape,
        cursor: Cursor,
        where: Sequence[str],
        limit: int,
        call: Call,
        *,
        deleted: bool,
    ) -> tuple[Page, list[Doc]]:
        """Read on after the last id, always a first page: no locator, no loop over equal stamps.

        The last id is that of the last row: the database's order of ids is not ours (2S).
        """
        after = (f"Id > {quoted(cursor.place)}",) if cursor.place else ()
        select = Select(
            fields=self._org.fields(shape, call),
            of=shape.sobject,
            where=(*where, *after),
            by_id=True,
            limit=limit,
        )
        docs, done, reply = self._org.query(select, call, deleted=deleted)
        more = len(docs) >= limit or not done
        last = ref_of(docs[-1]) if docs else ""
        if more and last in ("", cursor.place):
            raise self._stuck(self._org.ops.query(select, deleted=deleted))
        place = msgspec.structs.replace(cursor, place=last)
        return Page(cursor=place if more else self._end(place), server_ts=reply.server_ts), docs

    def _gone(self, shape: Shape, cursor: Cursor, limit: int, call: Call) -> Page:
        """Read what was deleted since the last look, page by page of ascending id."""
        if self._settings.transport == "tools":
            return Page(cursor=self._end(cursor), server_ts=at_milliseconds(cursor.started))
        end = at_milliseconds(cursor.started)
        wanted = at_milliseconds(cursor.gone_at - self._overlap)
        start = max(wanted, end - KEPT)
        if end - start < timedelta(minutes=2):
            return Page(cursor=self._end(cursor), server_ts=end)
        reply = self._org.ask(self._org.ops.deleted(shape.sobject, start, end), call)
        doc = as_doc(reply.doc)
        listed = dict(sorted(deletions(doc)))
        later = [ref for ref in listed if ref > cursor.place]
        now = later[: min(limit, BATCH)]
        place = msgspec.structs.replace(cursor, place=now[-1] if now else "")
        ends = {ref: listed[ref] for ref in now}
        return Page(
            cursor=place if len(later) > len(now) else self._end(place),
            records=self._ends(shape, ends, call),
            server_ts=reply.server_ts,
            diagnostics=_lost_before(moment_of(doc.get("earliestDateAvailable")), wanted, start),
        )

    def _ends(self, shape: Shape, gone: dict[str, datetime], call: Call) -> list[RemoteRecord]:
        """Tell what became of each: merged, deleted, or emptied out of the bin; or undeleted."""
        found = self._org.read_many(shape, tuple(gone), shape.system, call)
        ends: list[RemoteRecord] = []
        for ref, at in gone.items():
            doc = found.docs.get(ref)
            record = tombstone(ref, at) if doc is None else record_of(doc, shape)
            if record is not None and _is_gone(record):
                ends.append(record)
        return ends

    @property
    def _overlap(self) -> int:
        return self._settings.overlap_seconds * 1000

    def _end(self, cursor: Cursor) -> Cursor:
        return end_lane(cursor, self._settings)

    def _stuck(self, op: Op) -> Exception:
        failed = Failed(kind=Kind.PERMANENT, message="the same page came again", code="stuck")
        return self._org.failure(failed, op)


def _is_gone(record: RemoteRecord) -> bool:
    return record.deleted or record.merged_into is not None


def deletions(doc: Doc) -> list[tuple[str, datetime]]:
    """Read a list of deletions: id and moment."""
    listed = as_docs(doc.get("deletedRecords"))
    found = ((canonical_id(as_text(o.get("id"))), moment_of(o.get("deletedDate"))) for o in listed)
    return [(ref, at) for ref, at in found if ref is not None and at is not None]


def _lost_before(
    earliest: datetime | None, wanted: datetime, start: datetime
) -> tuple[Diagnostic, ...]:
    """Say when deletions can no longer be told: after 15 days without a run, only a sweep helps."""
    known_from = max(start, earliest or start)
    if known_from <= wanted:
        return ()
    message = (
        f"What was deleted between {wanted:%Y-%m-%d %H:%M} and {known_from:%Y-%m-%d %H:%M} UTC "
        "and emptied out of the recycle bin is not told by the CRM any more."
    )
    return (Diagnostic(code="deletions_lost", severity=Severity.WARNING, message=message),)
